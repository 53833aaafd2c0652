"""Intervals of draws: as wide as theory says, around the right centre, of pairs where clips are paired."""

import numpy as np
import pytest
from scipy.stats import norm

from foleygram.errors import DataError
from foleygram.evaluation.bootstrap import (
    around,
    bootstrap,
    frechet_draws,
    frechet_interval,
    mean_interval,
    percentiles,
    shifted,
)
from foleygram.evaluation.frechet import frechet_distance


def test_the_interval_of_a_mean_is_that_of_a_normal_distribution():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    interval = mean_interval(values, repeats=20000)
    reach = norm.ppf(0.975) * values.std() / 20  # 1.96 standard errors
    assert interval.level == 0.95
    assert (interval.low - values.mean(), interval.high - values.mean()) == pytest.approx((-reach, reach), rel=0.04)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_as_much_is_left_out_on_each_side(level):
    values = np.append(np.linspace(0, 1, 1001), [np.nan, np.inf])
    interval = percentiles(values, level)
    assert (interval.low, interval.high, interval.level) == pytest.approx(((1 - level) / 2, (1 + level) / 2, level))
    assert np.isnan(percentiles(np.array([np.nan])).low)


def test_draws_are_of_as_many_clips_with_repetitions():
    seen = []

    def statistic(draws):
        seen.append(draws)
        return draws.mean(axis=1)

    interval = bootstrap(statistic, 7, repeats=500, level=0.8)
    (draws,) = seen
    assert draws.shape == (500, 7) and set(draws.ravel()) == set(range(7)) and interval.level == 0.8
    assert np.mean([len(set(draw)) for draw in draws]) == pytest.approx(7 * (1 - (6 / 7) ** 7), rel=0.05)


def test_only_the_spread_of_draws_is_taken():
    draws = np.random.default_rng(0).normal(0.0, 1.0, 20000)
    for bias in (0.0, 7.0):
        interval = shifted(5.0, draws + bias)
        assert (interval.low, interval.high) == pytest.approx((5 - 1.96, 5 + 1.96), abs=0.06)
    assert around(5.0, draws + 7.0) == shifted(5.0, draws + 7.0) and around(1.0, draws + 7.0).low == 0.0


def test_both_clips_of_a_pair_are_drawn_together():
    """Results that are their truths moved by 2 are 4 away in any draw of pairs, and in no draw of strangers."""
    draw = np.random.default_rng(0)
    truths = [draw.standard_normal((3, 1)) + 5 * draw.standard_normal() for _ in range(10)]
    centre, draws = frechet_draws([truth + 2 for truth in truths], truths)
    assert centre == pytest.approx(4) and len(draws) == 60
    np.testing.assert_allclose(draws, 4)


def test_interval_holds_the_distance_and_narrows_with_clips():
    random = np.random.RandomState(0)

    def clips(count, shift):
        return [random.standard_normal((5, 4)) + random.standard_normal(4) + shift for _ in range(count)]

    few, many = (frechet_interval(clips(n, 1.0), clips(n, 0.0), repeats=100) for n in (20, 320))
    results, truths = clips(50, 1.0), clips(50, 0.0)
    interval = frechet_interval(results, truths, repeats=100)
    assert interval.low < frechet_distance(np.concatenate(results), np.concatenate(truths)) < interval.high
    assert many.high - many.low < few.high - few.low
    assert interval == frechet_interval(results, truths, repeats=100)


def test_mean_interval_leaves_out_clips_without_a_number():
    interval = mean_interval(np.array([1.0, 2.0, 3.0, np.nan]))
    assert 1 <= interval.low < 2 < interval.high <= 3


def test_too_few_clips_are_refused():
    clip = [np.zeros((2, 3))]
    with pytest.raises(DataError, match="two clips"):
        frechet_interval(clip, clip)
    with pytest.raises(DataError, match="equal numbers"):
        frechet_interval(clip * 3, clip * 4)
    with pytest.raises(DataError, match="two clips"):
        mean_interval(np.array([1.0, np.nan]))
