import numpy as np
import pytest

from foleygram.signal.envelope import envelope_from_hits, extract_envelope
from foleygram.signal.level import followed
from foleygram.types import Audio, Envelope

RATE = 44100
GUIDE = envelope_from_hits([(0.2, 0.3), (0.7, 0.1), (0.75, 0.2)], 1.0)


def noise(seconds: float = 1.0, level: float = 0.05, seed: int = 0) -> np.ndarray:
    """Stereo noise, the channels not alike."""
    return np.random.default_rng(seed).normal(0, level, (2, round(seconds * RATE))).astype(np.float32)


def through(pieces, guide=GUIDE, boost=24.0, cut=60.0) -> np.ndarray:
    return np.concatenate(list(followed(pieces, guide, RATE, boost, cut)), axis=1)


def test_takes_the_level_of_the_guide():
    own = extract_envelope(Audio(through([noise()]), RATE)).values
    loud = GUIDE.values > 0.01
    ratio = 20 * np.log10(own[loud] / GUIDE.values[loud])
    assert np.abs(np.median(ratio)) < 0.3 and np.percentile(np.abs(ratio), 90) < 2.5


def test_is_silent_where_the_guide_is():
    sound = through([noise()])
    assert not sound[:, : round(0.17 * RATE)].any()


def test_what_follows_the_guide_already_is_left_alone():
    sound = noise()
    np.testing.assert_allclose(through([sound], extract_envelope(Audio(sound, RATE))), sound, rtol=1e-4)


def test_lifts_and_lowers_no_further_than_allowed():
    flat = Envelope(np.full(345, 0.5))
    assert np.abs(through([noise()], flat, boost=6)).max() == pytest.approx(np.abs(noise()).max() * 10 ** (6 / 20), rel=1e-5)
    faint = Envelope(np.full(345, 1e-5))
    inner = slice(2000, 40000)  # at the ends half of the window is empty
    tenth = np.abs(noise()[:, inner]).max() / 10
    assert np.abs(through([noise()], faint, cut=20)[:, inner]).max() == pytest.approx(tenth, rel=1e-5)


@pytest.mark.parametrize("cuts", [(11025,), (700, 1500, 20001, 43000), (44000, 44090)])
def test_pieces_are_followed_as_the_whole_is(cuts):
    sound = noise()
    np.testing.assert_allclose(through(np.split(sound, cuts, axis=1)), through([sound]), atol=1e-7)


def test_both_channels_keep_their_ratio():
    sound = noise() * np.array([[1.0], [0.25]], np.float32)
    left, right = np.abs(through([sound]))
    kept = left > 1e-4
    np.testing.assert_allclose((right / np.maximum(left, 1e-12))[kept], np.abs(sound[1] / sound[0])[kept], rtol=1e-3)


@pytest.mark.parametrize("count", [1, 127, 1000])
def test_a_moment_is_followed_too(count):
    assert through([noise()[:, :count]], Envelope(np.full(12, 0.1))).shape == (2, count)


def test_a_sound_of_another_rate_follows_the_same_moments():
    """One that grows all the time, so that its level elsewhere is no stand-in."""
    grown = noise()[:, :22050] * np.geomspace(0.5, 5, 22050, dtype=np.float32)
    sound = np.concatenate(list(followed([grown], GUIDE, 22050, 24.0, 60.0)), axis=1)
    assert sound.shape == (2, 22050) and not sound[:, : round(0.17 * 22050)].any()
    peaks = [np.abs(sound[:, round(time * 22050) :][:, :660]).mean() for time in (0.21, 0.71)]
    assert peaks[0] / peaks[1] == pytest.approx(3, rel=0.25)
