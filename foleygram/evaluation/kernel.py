"""Kernel audio distance: the squared maximum mean discrepancy of two sets of embeddings, without Gaussians.

Conventions
    Embeddings are float [window, dim]; arithmetic is float64. The kernel is exp(-d^2 / (2 s^2)) with s the median
    pairwise distance within the reference. The estimate has no bias in the number of windows, so it may be negative.

Source: Chung et al. 2025 (KAD). Their code takes the bandwidth from its second argument, whichever that is; here it is
always the reference, and the value says which bandwidth it used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from foleygram.errors import DataError
from foleygram.evaluation.frechet import validate

SCALE = 100.0  # as published
ROWS = 1024  # windows whose distances are held at a time
MEDIAN_WINDOWS = 2000  # the median is taken over the pairs of at most so many


@dataclass(frozen=True)
class KernelScore:
    """``value``: 100 times the squared discrepancy; ``bandwidth``: s in the unit of the embedding."""

    value: float
    bandwidth: float


def median_distance(windows: np.ndarray, *, seed: int = 0) -> float:
    """Median distance of all pairs of [window, dim]; of a random 2,000 windows where there are more."""
    windows = validate(windows)
    if len(windows) > MEDIAN_WINDOWS:
        windows = windows[np.random.default_rng(seed).choice(len(windows), MEDIAN_WINDOWS, replace=False)]
    distances = torch.nn.functional.pdist(torch.from_numpy(windows))
    return float(np.median(distances.numpy()))


def kernel_distance(windows: np.ndarray, reference: np.ndarray, bandwidth: float | None = None) -> KernelScore:
    """KAD of ``windows`` to ``reference``, each float [window, dim] of at least two rows.

    ``bandwidth``: s, by default the median distance of the reference. Raises DataError for other shapes, NaN, or a
    reference whose windows are all equal."""
    windows, reference = validate(windows), validate(reference)
    if windows.shape[1] != reference.shape[1]:
        raise DataError(f"both sides must come from one embedder: {windows.shape[1]} and {reference.shape[1]} dimensions")
    width = median_distance(reference) if bandwidth is None else bandwidth
    if not width > 0:
        raise DataError("the windows of the reference are all equal, so there is no bandwidth; pass one")
    x, y = torch.from_numpy(windows), torch.from_numpy(reference)
    own = (_kernel_sum(x, x, width) - len(x)) / (len(x) * (len(x) - 1))
    other = (_kernel_sum(y, y, width) - len(y)) / (len(y) * (len(y) - 1))
    cross = _kernel_sum(x, y, width) / (len(x) * len(y))
    return KernelScore(SCALE * (own + other - 2 * cross), width)


def kernel_draws(
    results: Sequence[np.ndarray], truths: Sequence[np.ndarray], bandwidth: float, *, repeats: int = 2000, seed: int = 0
) -> np.ndarray:
    """KAD of draws of clips, float64 [draw]. ``results``, ``truths``: one [window, dim] for each clip, clip i of both drawn
    together. For their spread, not for their height: repeated clips shift it, though no window meets itself.
    Raises DataError below three clips, and for pairs in unequal numbers."""
    if len(results) != len(truths) or len(results) < 3:
        raise DataError(f"draws need at least three pairs of clips, here are {len(results)} and {len(truths)}")
    sizes = [np.array([len(clip) for clip in side], dtype=np.float64) for side in (results, truths)]
    x, y = (torch.from_numpy(validate(np.concatenate(list(side)))) for side in (results, truths))
    sides = (x, sizes[0]), (y, sizes[1])
    own, other, cross = (_clip_sums(*sides[i], *sides[j], bandwidth) for i, j in ((0, 0), (1, 1), (0, 1)))
    draws = np.random.default_rng(seed).integers(len(results), size=(repeats, len(results)))
    weights = np.stack([np.bincount(draw, minlength=len(results)) for draw in draws]).astype(np.float64)

    def total(table: np.ndarray) -> np.ndarray:
        return ((weights @ table) * weights).sum(axis=1)

    def inner(sums: np.ndarray, size: np.ndarray) -> np.ndarray:
        itself = np.diag(size)  # the kernel of a window with itself is 1
        return total(sums - itself) / total(np.outer(size, size) - itself)

    with np.errstate(invalid="ignore", divide="ignore"):
        between = total(cross) / total(np.outer(*sizes))
        values = SCALE * (inner(own, sizes[0]) + inner(other, sizes[1]) - 2 * between)
    return values[np.isfinite(values)]  # of few clips of one window a draw may hold one window alone


def _clip_sums(x: torch.Tensor, x_sizes: np.ndarray, y: torch.Tensor, y_sizes: np.ndarray, width: float) -> np.ndarray:
    """Sums of the kernel over the windows of each pair of clips, float64 [clip of x, clip of y]."""
    lengths = (y**2).sum(dim=1)
    owners = torch.from_numpy(np.repeat(np.arange(len(y_sizes)), y_sizes.astype(int)))
    rows, place = [], 0
    for size in x_sizes.astype(int):
        part = x[place : place + size]
        place += size
        squares = ((part**2).sum(dim=1)[:, None] + lengths - 2 * part @ y.T).clamp_min(0)
        columns = torch.exp(squares / (-2 * width**2)).sum(dim=0)
        rows.append(torch.zeros(len(y_sizes), dtype=columns.dtype).index_add_(0, owners, columns))
    return torch.stack(rows).numpy()


def _kernel_sum(x: torch.Tensor, y: torch.Tensor, width: float) -> float:
    """Sum of the kernel over all pairs, a block of rows at a time."""
    lengths = (y**2).sum(dim=1)
    total = 0.0
    for rows in x.split(ROWS):
        squares = ((rows**2).sum(dim=1)[:, None] + lengths - 2 * rows @ y.T).clamp_min(0)
        total += torch.exp(squares / (-2 * width**2)).sum().item()
    return total
