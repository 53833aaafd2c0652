"""Two systems on the same clips: how far apart they are, with an interval from drawing clips.

Two runs whose own intervals overlap may still differ for certain, because a clip that is hard for one is hard for the
other. So clips are drawn once for both, and the difference is taken draw by draw (paired bootstrap).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from foleygram.errors import DataError
from foleygram.evaluation import onsets
from foleygram.evaluation.bootstrap import Interval, bootstrap, shifted
from foleygram.evaluation.evaluate import EvaluationReport
from foleygram.evaluation.scores import ClipScore

Getter = Callable[[ClipScore], float]

MEANS: tuple[tuple[str, Getter], ...] = (
    ("nearer to own truth", lambda clip: clip.share),
    ("cosine to own truth", lambda clip: clip.cosine),
    ("E-L1 (T-Foley)", lambda clip: clip.envelope.tfoley),
    ("E-L1 (Video-Foley)", lambda clip: clip.envelope.video_foley),
    ("E-L1 (gain-matched)", lambda clip: clip.envelope.matched),
    ("envelope correlation", lambda clip: clip.envelope.correlation),
)
"""Scores that are means over clips."""


@dataclass(frozen=True)
class Difference:
    """``value``: the score of ``first`` minus that of ``second``, with its ``interval``; ``better``: which direction of the
    score is good; ``clips`` that both have."""

    score: str
    first: str
    second: str
    value: float
    interval: Interval
    better: str
    clips: int

    @property
    def verdict(self) -> str:
        """'better' or 'worse' for the first, '' where the interval holds 0."""
        if self.interval.low <= 0 <= self.interval.high:
            return ""
        return "better" if (self.value < 0) == (self.better == "lower") else "worse"

    @property
    def sentence(self) -> str:
        """The whole as one sentence."""
        found = {
            "better": f"{self.first} is better",
            "worse": f"{self.first} is worse",
            "": "no difference shown",
        }[self.verdict]
        return (
            f"{self.first} against {self.second}, {self.score}: {self.value:+.3g} "
            f"[{self.interval.low:+.3g}, {self.interval.high:+.3g}], {self.clips} clips: {found}"
        )


def incomparable(first: EvaluationReport, second: EvaluationReport) -> str:
    """Why two runs cannot be set against each other; empty where they can."""
    if abs(first.span - second.span) > 0.01:
        return f"{first.name} was scored on {first.span:.2f} s of each clip, {second.name} on {second.span:.2f} s"
    shared = {clip.id for clip in first.clips} & {clip.id for clip in second.clips}
    if len(shared) < 2:
        return f"{first.name} and {second.name} have {len(shared)} clips in common"
    return ""


def compare(first: EvaluationReport, second: EvaluationReport) -> tuple[Difference, ...]:
    """Every score for which the difference of two runs has an interval, on the clips that both have.

    Frechet distances and ranks depend on the whole set: they are compared only where both runs have the same clips, and
    Frechet distances only where one judge and one seed drew them. Raises DataError where ``incomparable`` gives a reason."""
    reason = incomparable(first, second)
    if reason:
        raise DataError(f"{reason}; score both on the same clips")
    theirs = {clip.id: clip for clip in second.clips}
    pairs = [(clip, theirs[clip.id]) for clip in first.clips if clip.id in theirs]
    whole = len(pairs) == len(first.clips) == len(second.clips)
    names = first.name, second.name
    found = [] if not whole else _distances(first, second)
    for name, getter in MEANS:
        row = first.score(name)
        if row is None or (name == "nearer to own truth" and not whole):
            continue
        gaps = np.array([getter(one) - getter(two) for one, two in pairs], dtype=np.float64)
        gaps = gaps[np.isfinite(gaps)]
        if len(gaps) < 2:
            continue
        interval = bootstrap(lambda draws, gaps=gaps: gaps[draws].mean(axis=1), len(gaps), seed=first.seed)
        found.append(Difference(name, *names, float(gaps.mean()), interval, row.better, len(gaps)))
    return (*found, *(_onsets(pairs, number, names, first.seed) for number in range(len(onsets.TOLERANCES))))


def _distances(first: EvaluationReport, second: EvaluationReport) -> list[Difference]:
    """Scores that were kept with their draws."""
    found = []
    if first.seed != second.seed or [clip.id for clip in first.clips] != [clip.id for clip in second.clips]:
        return found
    for one in first.scores:
        two = second.score(one.name)
        if not one.draws or two is None or one.judge != two.judge or len(one.draws) != len(two.draws):
            continue
        value = one.value - two.value
        interval = shifted(value, np.subtract(one.draws, two.draws))
        found.append(Difference(one.name, first.name, second.name, value, interval, one.better, one.clips))
    return found


def _onsets(pairs: Sequence[tuple[ClipScore, ClipScore]], number: int, names: tuple[str, str], seed: int) -> Difference:
    """F1 from the counts of all clips; events of the clips are the same on both sides."""
    hits = np.array([[2 * clip.onsets[number].hits for clip in pair] for pair in pairs], dtype=np.float64)
    every = np.array([[clip.onsets[number].true + clip.onsets[number].found for clip in pair] for pair in pairs])

    def gap(draws: np.ndarray) -> np.ndarray:
        f1 = hits[draws].sum(axis=1) / np.maximum(every[draws].sum(axis=1), 1)
        return f1[:, 0] - f1[:, 1]

    value = float(gap(np.arange(len(pairs))[None])[0])
    at = f"onset F1 at {onsets.TOLERANCES[number] * 1000:g} ms"
    return Difference(at, *names, value, bootstrap(gap, len(pairs), seed=seed), "higher", len(pairs))


def differences(reports: Sequence[EvaluationReport]) -> tuple[Difference, ...]:
    """Every later run against the first one; runs that cannot be compared are left out."""
    pairs = [(report, reports[0]) for report in reports[1:] if not incomparable(report, reports[0])]
    return tuple(difference for later, first in pairs for difference in compare(later, first))
