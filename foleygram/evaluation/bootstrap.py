"""Intervals from resampled clips. Clips are independent, the windows of one clip are not, so clips are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from foleygram.errors import DataError
from foleygram.evaluation.frechet import GaussianStatistics, frechet_of_gaussians, gram_matrix, validate

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """Two ends that hold ``level`` of the resampled values."""

    low: float
    high: float
    level: float = LEVEL


def bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray], count: int, *, repeats: int = 2000, seed: int = 0, level: float = LEVEL
) -> Interval:
    """Percentile interval of a statistic of ``count`` clips, drawn with replacement.

    ``statistic``: takes indices of clips, int [draw, count], and gives float [draw]; draws on which it is not finite are
    left out. Raises DataError below two clips. Source: Efron and Tibshirani 1993."""
    if count < 2:
        raise DataError(f"an interval needs at least two clips, here are {count}")
    draws = np.random.default_rng(seed).integers(count, size=(repeats, count))
    with np.errstate(invalid="ignore", divide="ignore"):
        values = statistic(draws)
    return percentiles(values, level)


def mean_interval(values: np.ndarray, *, repeats: int = 2000, seed: int = 0) -> Interval:
    """The interval of the mean of one number for each clip; NaN marks clips without one."""
    values = np.asarray(values, dtype=np.float64)
    values = values[np.isfinite(values)]
    return bootstrap(lambda draws: values[draws].mean(axis=1), len(values), repeats=repeats, seed=seed)


def frechet_draws(
    results: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    *,
    repeats: int = 60,
    seed: int = 0,
) -> tuple[float, np.ndarray]:
    """The Frechet distance of all clips, and those of ``repeats`` draws of clips, float64 [draw].

    ``results``, ``truths``: one [window, dim] for each clip; clip i of both sides is drawn together. Equal numbers of clips
    and equal seeds give equal draws, so two systems that were scored on the same clips can be compared draw by draw. Raises
    DataError below two clips and for unequal numbers."""
    if len(results) != len(truths):
        raise DataError(f"paired clips come in equal numbers, here are {len(results)} and {len(truths)}")
    if len(results) < 2:
        raise DataError("an interval needs at least two clips on each side")
    first, second = _Weighted(results), _Weighted(truths)
    generator = np.random.default_rng(seed)
    distances = []
    for _ in range(repeats):
        draw = generator.integers(len(results), size=len(results))
        one, two = first.draw(draw), second.draw(draw)
        distances.append(frechet_of_gaussians(one.mean, one.covariance, two.mean, two.covariance))
    every = np.arange(len(results))
    one, two = first.draw(every), second.draw(every)
    centre = frechet_of_gaussians(one.mean, one.covariance, two.mean, two.covariance)
    return centre, np.asarray(distances)


def frechet_interval(
    results: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    *,
    repeats: int = 60,
    seed: int = 0,
) -> Interval:
    """The spread of ``frechet_draws``, laid around the distance of all clips."""
    return around(*frechet_draws(results, truths, repeats=repeats, seed=seed))


def around(centre: float, draws: np.ndarray) -> Interval:
    """The interval of a distance from its draws. A draw with repetitions holds fewer different clips and so scores higher;
    only its spread is taken, its shift is the bias that the split-half floor tells."""
    spread = shifted(centre, draws)
    return Interval(max(0.0, spread.low), spread.high, spread.level)


def shifted(centre: float, draws: np.ndarray) -> Interval:
    """The spread of the draws around another centre: of a difference of distances, in which the bias is no longer."""
    spread = percentiles(draws - np.mean(draws), LEVEL)
    return Interval(centre + spread.low, centre + spread.high)


class _Weighted:
    """Windows of all clips with a weight for each clip, so that a draw costs one product instead of a copy."""

    def __init__(self, clips: Sequence[np.ndarray]):
        self.windows = validate(np.concatenate(list(clips)))
        self.owner = np.repeat(np.arange(len(clips)), [len(clip) for clip in clips])
        self.clips = len(clips)

    def draw(self, indices: np.ndarray) -> GaussianStatistics:
        weights = np.bincount(indices, minlength=self.clips)[self.owner].astype(np.float64)
        count = int(weights.sum())
        mean = weights @ self.windows / count
        centred = (self.windows - mean) * np.sqrt(weights)[:, None]
        return GaussianStatistics(count, mean, gram_matrix(centred))


def percentiles(values: np.ndarray, level: float = LEVEL) -> Interval:
    """The interval that holds ``level`` of the values; NaN among them are left out, of none it is NaN."""
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return Interval(float("nan"), float("nan"), level)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)
