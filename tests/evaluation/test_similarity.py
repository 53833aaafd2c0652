"""Ranks among truths, CLAP score, looks of a sound."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleygram.errors import DataError
from foleygram.evaluation import similarity, sound
from foleygram.evaluation.clap_score import clap_score
from foleygram.types import Audio


def vectors(count: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).standard_normal((count, 16))


def test_the_own_truth_is_nearest_when_the_result_is_the_truth():
    score = similarity.evaluate(vectors(20), vectors(20))
    assert score.value == score.first == 1
    assert score.own == pytest.approx(1)
    assert 0.4 < score.shuffled < 0.6
    assert score.interval.low == score.interval.high == 1


def test_a_guess_is_at_one_half():
    score = similarity.evaluate(vectors(200, 1), vectors(200, 2))
    assert score.interval.low < 0.5 < score.interval.high
    assert abs(score.shuffled - 0.5) < 0.05


def test_ties_count_half():
    same = np.ones((5, 3))
    score = similarity.evaluate(same, same)
    assert (score.shares == 0.5).all()


@given(seed=st.integers(0, 50), count=st.integers(3, 12))
def test_shares_equal_counting_by_hand(seed, count):
    results, truths = similarity.validate(vectors(count, seed), vectors(count, seed + 1))
    cosines = results @ truths.T
    expected = [np.mean([cosines[i, i] > cosines[i, j] for j in range(count) if j != i]) for i in range(count)]
    np.testing.assert_allclose(similarity.own_shares(cosines), expected)


@given(count=st.integers(2, 30), seed=st.integers(0, 99))
def test_a_derangement_moves_everything(count, seed):
    order = similarity.derangement(count, np.random.default_rng(seed))
    assert sorted(order) == list(range(count))
    assert (order != np.arange(count)).all()


def test_clap_score_beside_its_shuffled_pairs():
    truths = vectors(30) + 3
    score = clap_score(truths + 0.1 * vectors(30, 9), truths)
    assert score.value > 0.99 and score.interval.low <= score.value <= score.interval.high
    assert 0.5 < score.shuffled < score.value
    assert score.first == 1
    assert clap_score(truths, truths).value == pytest.approx(1)


@pytest.mark.parametrize(
    "results, truths", [(vectors(2), vectors(2)), (vectors(4), vectors(5)), (np.full((4, 2), np.nan), np.ones((4, 2)))]
)
def test_bad_vectors_are_refused(results, truths):
    with pytest.raises(DataError):
        similarity.evaluate(results, truths)


def tone(level: float = 0.5, seconds: float = 1.0, frequency: float = 1000.0) -> np.ndarray:
    return level * np.sin(2 * np.pi * frequency * np.arange(round(44100 * seconds)) / 44100)


def test_looks_of_a_tone():
    looks = sound.evaluate(Audio(np.stack([tone(), -tone()]), 44100))
    assert looks.stereo == pytest.approx(-1)
    assert np.isnan(looks.crest) and looks.level == -120  # the mix of opposite sides is silent
    looks = sound.evaluate(Audio(tone()[None], 44100))
    assert looks.crest == pytest.approx(3.01, abs=0.01)
    assert looks.level == pytest.approx(-9.03, abs=0.01)
    assert looks.stereo == 1
    assert looks.bandwidth == pytest.approx(1000, abs=2)
    assert looks.clipped == 0


def test_floor_is_measured_between_the_events():
    quiet = 0.001 * np.random.RandomState(0).standard_normal(4 * 44100)
    for onset in (0.5, 2.0, 3.0):
        start = round(onset * 44100)
        quiet[start : start + 8820] += tone(0.5, 0.2)
    audio = Audio(quiet[None], 44100)
    assert sound.noise_floor(audio, np.array([0.5, 2.0, 3.0])) == pytest.approx(-60, abs=0.5)
    assert sound.noise_floor(audio, np.array([])) > sound.noise_floor(audio, np.array([0.5, 2.0, 3.0])) - 1


def test_looks_of_nothing():
    looks = sound.evaluate(Audio(np.zeros((2, 0)), 44100))
    assert looks.level == looks.floor == -120
    assert np.isnan(sound.evaluate(Audio(np.zeros((2, 44100)), 44100)).stereo)


def test_cosines_to_own_and_to_other_truths():
    truths = np.eye(3)
    results = np.array([[0.6, 0.8, 0.0], [0.0, 1.0, 0.0], [0.0, 0.6, 0.8]])
    score = similarity.evaluate(results, truths)
    assert score.cosines == pytest.approx([0.6, 1.0, 0.8]) and score.own == pytest.approx(0.8)
    assert score.other == pytest.approx((0.8 + 0.6) / 6)
    assert score.shares == pytest.approx([0.5, 1.0, 1.0]) and score.first == pytest.approx(2 / 3)


def test_a_result_of_zeros_is_near_to_nothing():
    score = similarity.evaluate(np.concatenate([np.zeros((1, 16)), vectors(3)]), vectors(4))
    assert score.cosines[0] == 0 and np.isfinite(score.shares).all()


def test_the_point_of_a_clip_is_the_mean_of_its_windows():
    means = similarity.window_means([np.array([[0.0, 2.0], [4.0, 4.0]]), np.array([[1.0, 5.0]])])
    np.testing.assert_array_equal(means, [[2, 3], [1, 5]])
