"""The onset scores of CondFoleyGen (Du et al., CVPR 2023), which SyncFusion and others copy, as published and corrected.

Conventions
    Sounds are mixed to mono at 22.05 kHz and cut to the shorter; onsets are librosa's with delta 0.3 on both sides. The
    confidence of a found onset is the largest amplitude within +-50 ms of it, scaled to 0..1 over the clip; of onsets
    closer than 50 ms only the most confident stays. Each true onset in time order takes the loudest remaining found
    onset within 100 ms.

The published script differs from what it means to do in five places, kept by ``upstream=True``:
    a missed onset enters the precision curve as a positive of confidence 0, so that missing everything but one scores 1
    (here: found onsets are ranked, and recall is over all true ones);
    it stops when found onsets run out, so that later misses do not count at all;
    it removes from a list while walking it, so that every other close onset survives;
    an onset in the first 50 ms makes it crash (here: the clip has no score);
    a clip without onsets divides by zero or leaves an empty curve (here: recall 0, precision 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foleygram.errors import DataError, UsageError
from foleygram.evaluation.resampling import mono_at
from foleygram.types import Audio

RATE = 22050  # Hz
NEAR = int(0.05 * RATE)  # samples
REACH = 0.1  # s


@dataclass(frozen=True)
class FoleyOnsetScore:
    """One clip. ``same_count``: 1 where both have as many onsets, else 0 ('#onset acc'); ``recall``: hits over true
    onsets ('detection acc'); ``precision``: average precision ('detection AP'). NaN where upstream would have crashed."""

    same_count: float
    recall: float
    precision: float


def onsets_of(wave: np.ndarray) -> np.ndarray:
    """Onsets in samples at 22.05 kHz, int [onset], by librosa with delta 0.3; none for silence."""
    try:
        import librosa
    except ImportError:
        raise UsageError("these onsets need librosa; install it with: pip install 'foleygram[eval]'") from None
    if not wave.any():
        return np.zeros(0, dtype=int)
    return librosa.onset.onset_detect(y=wave, sr=RATE, units="samples", delta=0.3)


def average_precision(positive: Sequence[int], confidence: Sequence[float], total: int | None = None) -> float:
    """Area under the precision-recall steps: sum of (R_n - R_{n-1}) P_n over falling confidence, ties together;
    0 without a positive. ``total``: positives that exist, by default those that are ranked, as scikit-learn has it."""
    positive, confidence = np.asarray(positive, dtype=float), np.asarray(confidence, dtype=float)
    total = int(positive.sum()) if total is None else total
    if not positive.sum():
        return 0.0
    order = np.argsort(-confidence, kind="stable")
    positive, confidence = positive[order], confidence[order]
    last_of_tie = np.append(np.diff(confidence) != 0, True)
    hits = np.cumsum(positive)[last_of_tie]
    precision = hits / (np.flatnonzero(last_of_tie) + 1)
    return float((np.diff(hits, prepend=0) / total * precision).sum())


def score_onsets(true: np.ndarray, found: np.ndarray, wave: np.ndarray, *, upstream: bool = False) -> FoleyOnsetScore:
    """From onsets in samples, rising, and the generated ``wave`` [sample] at 22.05 kHz."""
    same_count = float(len(true) == len(found))
    if upstream and (found < NEAR).any():
        return FoleyOnsetScore(same_count, float("nan"), float("nan"))
    if len(true) == 0 or len(found) == 0:
        # Two silent clips agree; upstream leaves the clip at 0.
        agree = float(len(true) == len(found) and not upstream)
        return FoleyOnsetScore(same_count, agree, agree)
    loudness = np.abs(wave)
    spread = loudness.max() - loudness.min()
    loudness = (loudness - loudness.min()) / (spread if spread > 0 else 1.0)

    def confidence(onset: int) -> float:
        return float(loudness[max(0, onset - NEAR) : onset + NEAR].max())

    remaining = _suppress(found, [confidence(onset) for onset in found], upstream)
    positive: list[int] = []
    scores: list[float] = []
    hits = 0
    for onset in true:
        near = [other for other in remaining if abs(other - onset) < REACH * RATE]
        if not near:
            if upstream:
                positive.append(1)
                scores.append(0.0)
            continue
        positive.append(1)
        taken = near[int(np.argsort([loudness[min(other, len(loudness) - 1)] for other in near])[-1])]
        scores.append(confidence(taken))
        remaining.remove(taken)
        hits += 1
        if upstream and not remaining:
            break
    positive += [0] * len(remaining)
    scores += [confidence(onset) for onset in remaining]
    precision = average_precision(positive, scores, None if upstream else len(true))
    return FoleyOnsetScore(same_count, hits / len(true), precision)


def evaluate(result: Audio, truth: Audio) -> tuple[FoleyOnsetScore, FoleyOnsetScore]:
    """One clip's scores as published, and corrected. Raises DataError where the two share no sound."""
    found, true = mono_at(result, RATE), mono_at(truth, RATE)
    count = min(len(found), len(true))
    if count == 0:
        raise DataError("the clips share no sound; leave the clip out")
    onsets = onsets_of(true[:count]), onsets_of(found[:count])
    return tuple(score_onsets(*onsets, found[:count], upstream=upstream) for upstream in (True, False))


def _suppress(onsets: np.ndarray, confidences: list[float], upstream: bool) -> list[int]:
    """Onsets that are the most confident within 50 ms, rising."""
    waiting = [int(onset) for onset in onsets]
    kept = []
    for place in np.argsort(confidences)[::-1]:
        current = int(onsets[place])
        if current not in waiting:
            continue
        kept.append(current)
        waiting.remove(current)
        if not upstream:
            waiting = [other for other in waiting if abs(current - other) >= 0.05 * RATE]
            continue
        place_now = 0
        while place_now < len(waiting):
            # Removing moves the next one under the finger, which then steps over it, as the published loop does.
            if abs(current - waiting[place_now]) < 0.05 * RATE:
                del waiting[place_now]
            place_now += 1
    return sorted(kept)
