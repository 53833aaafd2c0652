"""What a scoring hands back: every number with its judge, its interval, its floor and what it was computed on."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

from foleygram.errors import DataError
from foleygram.evaluation.bootstrap import Interval
from foleygram.evaluation.embedders import Card
from foleygram.evaluation.envelopes import EnvelopeScore
from foleygram.evaluation.onsets import OnsetScore
from foleygram.evaluation.sound import Looks

FEW = 80
"""Clips below which a Frechet distance tells more about their number than about the sounds (docs/minihits-benchmark.md)."""

FRECHET = ("FAD", "FAD, both at 16 kHz", "FAD-C", "FAD-LC", "FAD-VGGish", "FAVD")
"""Rows of which that is true."""


@dataclass(frozen=True)
class Score:
    """One number. ``value``: None where it could not be computed, ``note`` then says why; ``better``: 'lower', 'higher'
    or '' for a control; ``floor``: what a perfect result would get by chance of sampling; ``judge``: label of the
    embedder or detector; ``clips``, ``windows``: what it was computed on (windows 0: not by windows); ``draws``: the
    values on resampled clips, where the clips' own scores do not tell them (comparison.py)."""

    name: str
    value: float | None
    better: str = ""
    interval: Interval | None = None
    floor: float | None = None
    judge: str = ""
    clips: int = 0
    windows: int = 0
    note: str = ""
    draws: tuple[float, ...] = ()

    @property
    def caution(self) -> str:
        """What must be known before the value is read; empty where there is nothing."""
        if self.value is None or self.name not in FRECHET or self.clips >= FEW:
            return ""
        return f"{self.clips} clips are few: it is high by their number alone, compare only with two draws of truth of as many"

    def __post_init__(self):
        # A number that is not defined, such as the precision of nothing, is an empty cell and not a NaN.
        if self.value is not None and not math.isfinite(self.value):
            object.__setattr__(self, "value", None)
            object.__setattr__(self, "note", f"{self.note}; not defined for these clips".removeprefix("; "))
        if self.interval is not None and not (math.isfinite(self.interval.low) and math.isfinite(self.interval.high)):
            object.__setattr__(self, "interval", None)


@dataclass(frozen=True)
class ClipScore:
    """One clip. ``share``: part of the other truths that the judge finds farther away than the own truth; ``cosine`` to
    the own truth; ``distance``: FAD of the clip's own windows to all truths (NaN where there are too few); ``onsets``:
    result against the true events at 25, 50 and 100 ms; ``truth_onsets``: the same for the true sound; ``looks``,
    ``truth_looks``: of result and truth."""

    id: str
    share: float
    cosine: float
    distance: float
    onsets: tuple[OnsetScore, ...]
    truth_onsets: tuple[OnsetScore, ...]
    envelope: EnvelopeScore
    looks: Looks
    truth_looks: Looks


@dataclass(frozen=True)
class ScoreReport:
    """All scores of one set of results, and those of each clip. ``judge``: the embedder's card; ``seconds``: wall time."""

    scores: tuple[Score, ...]
    clips: tuple[ClipScore, ...]
    judge: Card
    seconds: float

    def score(self, name: str) -> Score:
        """The score of this name; DataError that lists the names where there is none."""
        for score in self.scores:
            if score.name == name:
                return score
        raise DataError(f"no score '{name}'; there are {', '.join(score.name for score in self.scores)}")

    def as_json(self) -> str:
        """Everything, as JSON text; numbers that are not finite become null."""
        return as_json(asdict(self))


def as_json(content: object) -> str:
    """JSON text of nested mappings and sequences; numbers that are not finite become null."""
    return json.dumps(finite(content), indent=1, default=str)


def finite(value):
    """The same nest of mappings and sequences with None for every float that JSON cannot hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value
