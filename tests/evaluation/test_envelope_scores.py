"""Envelope distances: against librosa and the published procedures, and what moves which."""

import librosa
import numpy as np
import pytest

from foleygram.errors import DataError
from foleygram.evaluation.envelopes import (
    CLASS_EDGES,
    correlation,
    e_l1_matched,
    e_l1_tfoley,
    e_l1_video2rms,
    e_l1_video_foley,
    evaluate,
    quantise,
    rms,
)
from foleygram.timing.network import level_edges
from foleygram.types import Audio
from tests.evaluation.conftest import burst_clips


def scaled(audio: Audio, gain: float) -> Audio:
    return Audio(audio.samples * gain, audio.rate)


@pytest.fixture(scope="module")
def pair() -> tuple[Audio, Audio]:
    (one, two), _ = burst_clips(2)
    return one, two


def test_rms_is_librosas(pair):
    wave = pair[0].mono()
    expected = librosa.feature.rms(y=wave, frame_length=512, hop_length=128, center=True)[0]
    np.testing.assert_allclose(rms(wave), expected, atol=1e-6)


def test_silence_after_a_loud_part_is_exactly_silent():
    wave = np.concatenate([np.ones(5000), np.zeros(5000)])
    assert (rms(wave)[-10:] == 0).all()


def test_video_foley_form_has_125_values_a_second():
    wave = np.random.RandomState(0).standard_normal(16000 * 2).astype(np.float32) * 0.1
    other = np.roll(wave, 100) * 0.5
    padded = [np.pad(side, 192, mode="reflect") for side in (wave, other)]
    curves = [librosa.feature.rms(y=side, frame_length=512, hop_length=128, center=False)[0] for side in padded]
    assert len(curves[0]) == 250
    expected = np.abs(curves[0] - curves[1]).mean()
    assert e_l1_video_foley(Audio(other[None], 16000), Audio(wave[None], 16000)) == pytest.approx(expected, rel=1e-5)


def test_equal_sounds_have_no_distance(pair):
    score = evaluate(pair[0], pair[0])
    assert score.tfoley == score.video_foley == pytest.approx(0, abs=1e-12)
    assert score.matched == pytest.approx(0, abs=1e-9)
    assert score.gain == pytest.approx(1)
    assert score.correlation == pytest.approx(1)


def test_level_moves_only_the_forms_that_keep_it(pair):
    one, two = pair
    quiet = scaled(one, 0.25)
    assert e_l1_tfoley(quiet, two) == pytest.approx(e_l1_tfoley(one, two), rel=1e-4)
    assert e_l1_matched(quiet, two)[0] == pytest.approx(e_l1_matched(one, two)[0], rel=1e-4)
    assert correlation(quiet, two) == pytest.approx(correlation(one, two), rel=1e-4)
    assert e_l1_video_foley(quiet, one) > 0.005
    assert e_l1_matched(quiet, one)[1] == pytest.approx(4, rel=1e-4)


def test_another_timing_shows_everywhere(pair):
    score = evaluate(*pair)
    assert min(score.tfoley, score.video_foley, score.video2rms, score.matched) > 0.002
    assert score.correlation < 0.9


def test_classes_are_those_of_video2rms():
    assert CLASS_EDGES[[0, 1, 2, -3, -2, -1]] == pytest.approx([0.01, 0.0116, 0.0132, 0.8883, 0.9425, 1.0], abs=6e-5)
    np.testing.assert_allclose(CLASS_EDGES[:-1], level_edges(), rtol=1e-12)  # nor does the predictor have others
    assert quantise(np.array([0.0, 0.0099]))[1] == 0
    assert quantise(np.array([0.0105]))[0] == pytest.approx(CLASS_EDGES[1])
    assert quantise(np.array([0.9999, 1.2])) == pytest.approx([1.0, 1.0])


def test_rounding_to_classes_costs_little(pair):
    assert 0 < e_l1_video2rms(pair[0], pair[0]) < 0.01


def test_silent_and_flat_sides(pair):
    silence = Audio(np.zeros_like(pair[0].samples), 44100)
    score = evaluate(silence, pair[0])
    assert score.correlation == 0, "silence follows nothing; leaving it out would flatter"
    assert np.isnan(evaluate(pair[0], silence).correlation)
    assert score.gain == 0
    assert score.matched == pytest.approx(score.video_foley)


def test_lengths_and_rates_may_differ(pair):
    shorter = Audio(pair[0].samples[:, :66150], 44100)
    assert e_l1_video_foley(shorter, pair[0]) == pytest.approx(0, abs=1e-4)
    with pytest.raises(DataError, match="both sides"):
        evaluate(Audio(np.zeros((1, 100)), 44100), pair[0])
