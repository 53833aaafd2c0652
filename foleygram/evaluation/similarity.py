"""Clip by clip: is a result nearer to its own truth than to the other truths?

A Frechet distance sees only the mix of a whole set and hardly punishes swapped clips. Here each result is ranked among
all truths by the cosine of their mean embeddings; a guess is at 0.5, and so are results in shuffled order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foleygram.errors import DataError
from foleygram.evaluation.bootstrap import Interval, mean_interval


@dataclass(frozen=True, eq=False)
class RankScore:
    """``shares`` [clip]: part of the other truths that is farther from the result than its own truth (ties count
    half), 0..1; ``cosines`` [clip]: to the own truth; ``own``, ``other``: mean cosine to own and to other truths;
    ``value``: mean share; ``shuffled``: the same with the results handed to wrong truths; ``first``: share of results
    whose own truth is the nearest of all (R@1)."""

    value: float
    interval: Interval
    shuffled: float
    first: float
    own: float
    other: float
    shares: np.ndarray
    cosines: np.ndarray


def validate(results: np.ndarray, truths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two float64 [clip, dim] of unit rows, clip i of both belonging together, at least 3; otherwise DataError.
    A row of zeros stays zero: its cosine to everything is 0."""
    results, truths = np.asarray(results, dtype=np.float64), np.asarray(truths, dtype=np.float64)
    if results.ndim != 2 or results.shape != truths.shape:
        raise DataError(f"results and truths come as one vector for each clip, here are {results.shape} and {truths.shape}")
    if len(results) < 3:
        raise DataError(f"ranks need at least three clips, here are {len(results)}")
    if not (np.isfinite(results).all() and np.isfinite(truths).all()):
        raise DataError("embeddings hold NaN or infinite values; look for broken clips")
    return tuple(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in (results, truths))


def window_means(clips: Sequence[np.ndarray]) -> np.ndarray:
    """One vector for each clip: the mean of its windows, float64 [clip, dim]."""
    return np.stack([np.asarray(clip, dtype=np.float64).mean(axis=0) for clip in clips])


def own_shares(cosines: np.ndarray) -> np.ndarray:
    """From cosines [result, truth] with the own truth on the diagonal: share of the other truths farther away."""
    own = np.diag(cosines)[:, None]
    farther = (cosines < own).sum(axis=1) + ((cosines == own).sum(axis=1) - 1) / 2
    return farther / (len(cosines) - 1)


def evaluate(results: np.ndarray, truths: np.ndarray, *, seed: int = 0, shuffles: int = 20) -> RankScore:
    """Ranks of ``results`` [clip, dim] among ``truths`` [clip, dim], with the shuffled control beside it."""
    results, truths = validate(results, truths)
    cosines = results @ truths.T
    shares = own_shares(cosines)
    generator = np.random.default_rng(seed)
    controls = [own_shares(cosines[derangement(len(cosines), generator)]).mean() for _ in range(shuffles)]
    off_diagonal = ~np.eye(len(cosines), dtype=bool)
    return RankScore(
        value=float(shares.mean()),
        interval=mean_interval(shares, seed=seed),
        shuffled=float(np.mean(controls)),
        first=float((shares == 1).mean()),
        own=float(np.diag(cosines).mean()),
        other=float(cosines[off_diagonal].mean()),
        shares=shares,
        cosines=np.diag(cosines).copy(),
    )


def derangement(count: int, generator: np.random.Generator) -> np.ndarray:
    """A random order in which nothing keeps its place; ``count`` of at least 2."""
    # A cycle through a random order moves every item and needs no second try.
    order = generator.permutation(count)
    shuffled = np.empty(count, dtype=int)
    shuffled[order] = np.roll(order, 1)
    return shuffled
