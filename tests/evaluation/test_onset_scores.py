"""Matching of onsets, and the scores of CondFoleyGen as published and corrected."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleygram.errors import DataError
from foleygram.evaluation import foley_onsets
from foleygram.evaluation.foley_onsets import RATE, average_precision, score_onsets
from foleygram.evaluation.onsets import OnsetScore, evaluate, match_onsets, total, validate
from foleygram.types import Audio

TIMES = st.lists(st.integers(0, 2000), max_size=12, unique=True).map(lambda times: np.array(sorted(times)) / 1000)


def most_pairs(true: np.ndarray, found: np.ndarray, tolerance: float) -> int:
    """The two-finger walk, which is optimal for points on a line."""
    i = j = pairs = 0
    while i < len(true) and j < len(found):
        if abs(true[i] - found[j]) <= tolerance + 1e-9:
            i, j, pairs = i + 1, j + 1, pairs + 1
        elif true[i] < found[j]:
            i += 1
        else:
            j += 1
    return pairs


@given(true=TIMES, found=TIMES, tolerance=st.sampled_from([0.025, 0.05, 0.1]))
def test_as_many_pairs_as_possible_and_each_onset_once(true, found, tolerance):
    pairs = match_onsets(true, found, tolerance)
    assert len(pairs) == most_pairs(true, found, tolerance)
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
    assert (np.abs(true[pairs[:, 0]] - found[pairs[:, 1]]) <= tolerance + 1e-6).all()


def test_one_found_onset_does_not_explain_two():
    score = evaluate(np.array([1.0, 1.03]), np.array([1.02]), 0.05)
    assert (score.hits, score.recall, score.precision) == (1, 0.5, 1.0)
    assert score.f1 == pytest.approx(2 / 3)
    assert score.mean_error == pytest.approx(0.01)


def test_the_closest_of_equally_many_pairs_is_taken():
    assert evaluate(np.array([1.0]), np.array([0.96, 1.01]), 0.05).mean_error == pytest.approx(0.01)


def test_empty_sides():
    nothing = evaluate(np.zeros(0), np.zeros(0), 0.05)
    assert nothing.f1 == 1 and np.isnan(nothing.precision) and np.isnan(nothing.recall) and np.isnan(nothing.mean_error)
    assert evaluate(np.array([1.0]), np.zeros(0), 0.05).f1 == 0


def test_counts_of_clips_are_added():
    added = total([evaluate(np.array([1.0]), np.array([1.0]), 0.05), evaluate(np.array([1.0, 2.0]), np.zeros(0), 0.05)])
    assert added == OnsetScore(0.05, 3, 1, (0.0,))
    with pytest.raises(DataError, match="cannot be added"):
        total([added, OnsetScore(0.1, 0, 0, ())])
    with pytest.raises(DataError):
        total([])


@pytest.mark.parametrize("onsets", [np.zeros((2, 2)), np.array([np.nan]), np.array([-0.1])])
def test_bad_onsets_are_refused(onsets):
    with pytest.raises(DataError):
        validate(onsets)


@given(
    rows=st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.5, 0.9])), min_size=1, max_size=12).filter(
        lambda rows: any(positive for positive, _ in rows)
    )
)
def test_average_precision_is_scikit_learns(rows):
    metrics = pytest.importorskip("sklearn.metrics")
    positive, confidence = zip(*rows, strict=True)
    assert average_precision(positive, confidence) == pytest.approx(metrics.average_precision_score(positive, confidence))


def wave_with(onsets: np.ndarray, loudness: list[float]) -> np.ndarray:
    wave = np.zeros(2 * RATE, np.float32)
    for onset, level in zip(onsets, loudness, strict=True):
        wave[onset] = level
    return wave


def test_equal_onsets_score_one():
    onsets = np.array([4000, 12000, 30000])
    for upstream in (False, True):
        score = score_onsets(onsets, onsets, wave_with(onsets, [1.0, 0.5, 0.8]), upstream=upstream)
        assert score == foley_onsets.FoleyOnsetScore(1.0, 1.0, 1.0)


def test_running_out_of_onsets_flatters_only_the_published_form():
    true, found = np.array([4000, 20000, 30000, 40000]), np.array([4000])
    wave = wave_with(found, [1.0])
    published = score_onsets(true, found, wave, upstream=True)
    corrected = score_onsets(true, found, wave)
    assert published.recall == corrected.recall == 0.25
    assert published.precision == 1.0
    assert corrected.precision == 0.25


def test_neighbours_are_suppressed_all_of_them_only_in_the_corrected_form():
    found = np.array([10000, 10300, 10600])
    wave = wave_with(found, [1.0, 0.5, 0.4])
    true = np.array([10000])
    assert score_onsets(true, found, wave).precision == 1.0
    # The published loop steps over the third, which then counts as a false one, as confident as its loud neighbour.
    assert score_onsets(true, found, wave, upstream=True).precision == 0.5
    assert foley_onsets._suppress(found, [1.0, 0.5, 0.4], upstream=False) == [10000]
    assert foley_onsets._suppress(found, [1.0, 0.5, 0.4], upstream=True) == [10000, 10600]


def test_an_early_onset_has_no_published_score():
    onsets = np.array([500, 9000])
    wave = wave_with(onsets, [1.0, 1.0])
    assert np.isnan(score_onsets(onsets, onsets, wave, upstream=True).recall)
    assert score_onsets(onsets, onsets, wave).recall == 1.0


def test_silence():
    nothing, some = np.zeros(0, int), np.array([5000])
    assert score_onsets(nothing, nothing, np.zeros(RATE)).recall == 1
    assert score_onsets(nothing, nothing, np.zeros(RATE), upstream=True).recall == 0
    assert score_onsets(some, nothing, np.zeros(RATE)).precision == 0


def test_from_sounds(clicks):
    for score in foley_onsets.evaluate(clicks, clicks):
        assert score == foley_onsets.FoleyOnsetScore(1.0, 1.0, 1.0)
    with pytest.raises(DataError):
        foley_onsets.evaluate(clicks, Audio(np.zeros((1, 0)), 44100))


def test_offsets_are_found_minus_true():
    score = evaluate(np.array([2.0, 1.0]), np.array([1.02, 1.97]), 0.05)
    assert score.offsets == pytest.approx((0.02, -0.03)) and score.mean_error == pytest.approx(0.025)


def test_a_pair_may_be_as_far_apart_as_the_tolerance():
    assert evaluate(np.array([1.0]), np.array([1.05]), 0.05).hits == 1
    assert evaluate(np.array([1.0]), np.array([1.0501]), 0.05).hits == 0
