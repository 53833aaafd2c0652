import numpy as np
import pytest

from foleygram.signal.equaliser import TAPS, filtered, minimum_phase, smoothed

RATE = 44100
FREQUENCIES = np.geomspace(60, 20000, 40)


def curve(seed: int = 0) -> np.ndarray:
    """Gains that change by a few dB from band to band, within +-12 dB."""
    steps = np.random.default_rng(seed).normal(0, 2, 40).cumsum()
    return 10 ** (np.clip(steps - steps.mean(), -12, 12) / 20)


@pytest.mark.parametrize("seed", range(4))
def test_has_the_gains_that_were_asked_for(seed):
    gains = curve(seed)
    response = np.abs(np.fft.rfft(minimum_phase(gains, FREQUENCIES, RATE), 1 << 15))
    grid = np.fft.rfftfreq(1 << 15, 1 / RATE)
    # below 200 Hz bands are narrower than the filter
    heard = 20 * np.log10(np.interp(FREQUENCIES[8:], grid, response) / gains[8:])
    assert np.abs(heard).max() < 1.0


def test_unit_gains_change_nothing():
    response = minimum_phase(np.ones(40), FREQUENCIES, RATE)
    assert response[0] == pytest.approx(1) and np.abs(response[1:]).max() < 1e-9


def test_nothing_sounds_before_its_cause_and_little_long_after():
    click = np.zeros((2, 4000), np.float32)
    click[:, 1000] = 1
    (sound,) = filtered([click], minimum_phase(curve(), FREQUENCIES, RATE))
    assert np.abs(sound[:, :1000]).max() < 1e-6  # oaconvolve's rounding
    assert (sound[0, 1000:1100] ** 2).sum() > 0.95 * (sound[0] ** 2).sum()


@pytest.mark.parametrize("cuts", [(1000,), (100, 150, 3000), (5000, 5010)])
def test_pieces_are_filtered_as_the_whole_is(cuts):
    sound = np.random.default_rng(0).normal(0, 0.1, (2, 6000)).astype(np.float32)
    response = minimum_phase(curve(), FREQUENCIES, RATE)
    (whole,) = filtered([sound], response)
    parts = list(filtered(np.split(sound, cuts, axis=1), response))
    assert [part.shape[1] for part in parts] == [part.shape[1] for part in np.split(sound, cuts, axis=1)]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-6)
    assert len(response) == TAPS


def test_smoothing_keeps_a_constant_and_spreads_a_peak():
    np.testing.assert_allclose(smoothed(np.full((2, 5), 3.0)), 3.0)
    np.testing.assert_allclose(smoothed(np.array([0, 0, 4.0, 0])), [0, 1, 2, 1])
    np.testing.assert_allclose(smoothed(np.array([4.0, 0, 0])), [3, 1, 0])
