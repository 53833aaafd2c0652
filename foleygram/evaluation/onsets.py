"""Do the events of a sound lie where they should? Precision, recall and F1 of onsets.

Conventions
    Onsets are float seconds from the start of the clip, in any order. A found onset may explain one true onset and the
    other way round: the pairing is a maximum bipartite matching within the tolerance, the closest one among those.
    Truth is either the known events or the onsets detected in the true sound; the detector is the same on both sides.
    Counts of several clips are added before a rate is taken, so that a clip counts by its events.

Source: Raffel et al. 2014 (mir_eval) for the idea of matching before counting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foleygram.errors import DataError

TOLERANCES = (0.025, 0.05, 0.1)  # s


@dataclass(frozen=True)
class OnsetScore:
    """Counts at one ``tolerance`` (s): ``true`` and ``found`` onsets, and ``offsets``, found minus true in s of each pair."""

    tolerance: float
    true: int
    found: int
    offsets: tuple[float, ...]

    @property
    def hits(self) -> int:
        """Pairs."""
        return len(self.offsets)

    @property
    def precision(self) -> float:
        """Share of found onsets that belong to a true one; NaN where nothing was found."""
        return self.hits / self.found if self.found else float("nan")

    @property
    def recall(self) -> float:
        """Share of true onsets that were found; NaN where there are none."""
        return self.hits / self.true if self.true else float("nan")

    @property
    def f1(self) -> float:
        """2 hits / (true + found); 1 where both are empty."""
        return 2 * self.hits / (self.true + self.found) if self.true + self.found else 1.0

    @property
    def mean_error(self) -> float:
        """Mean |dt| of the pairs in s; NaN without a pair."""
        return float(np.abs(self.offsets).mean()) if self.hits else float("nan")


def validate(onsets: np.ndarray) -> np.ndarray:
    """Sorted float64 seconds; DataError for another shape, NaN or a time before the start."""
    onsets = np.asarray(onsets, dtype=np.float64)
    if onsets.ndim != 1:
        raise DataError(f"onsets are one row of seconds, this array has {onsets.ndim} dimensions")
    if not np.isfinite(onsets).all() or (onsets < 0).any():
        raise DataError("onsets are seconds from 0 on, without NaN")
    return np.sort(onsets)


def match_onsets(true: np.ndarray, found: np.ndarray, tolerance: float) -> np.ndarray:
    """Pairs of indices [pair, 2] into the sorted onsets: as many as possible, then as close as possible, each at most
    ``tolerance`` s apart."""
    from scipy.optimize import linear_sum_assignment

    true, found = validate(true), validate(found)
    if not len(true) or not len(found):
        return np.zeros((0, 2), dtype=int)
    gaps = np.abs(true[:, None] - found[None, :])
    near = gaps <= tolerance + 1e-9
    # A pair outside costs more than all inside together, so the assignment first makes pairs, then makes them close.
    cost = np.where(near, gaps, (tolerance + 1e-9) * (min(gaps.shape) + 1))
    rows, columns = linear_sum_assignment(cost)
    kept = near[rows, columns]
    return np.stack([rows[kept], columns[kept]], axis=1)


def evaluate(true: np.ndarray, found: np.ndarray, tolerance: float) -> OnsetScore:
    """The counts of one clip at one tolerance (s)."""
    true, found = validate(true), validate(found)
    pairs = match_onsets(true, found, tolerance)
    offsets = found[pairs[:, 1]] - true[pairs[:, 0]]
    return OnsetScore(tolerance, len(true), len(found), tuple(float(offset) for offset in offsets))


def total(scores: Sequence[OnsetScore]) -> OnsetScore:
    """The counts of several clips added up."""
    if not scores:
        raise DataError("there is no clip to add up")
    if len({score.tolerance for score in scores}) > 1:
        raise DataError("counts at different tolerances cannot be added")
    offsets = tuple(offset for score in scores for offset in score.offsets)
    return OnsetScore(scores[0].tolerance, sum(s.true for s in scores), sum(s.found for s in scores), offsets)
