"""What ``generate`` hands back: where the results lie, how long each stage took, and what the user should know."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foleygram.verbs.ranking import Rank

Progress = Callable[[str, int, int], None]
"""(stage, done, total): told at the begin of a stage and after each step of sampling."""


@dataclass(frozen=True)
class Stages:
    """Wall seconds of each stage; those of several takes are added. ``load``: of the model."""

    load: float = 0.0
    read: float = 0.0
    embed: float = 0.0
    envelope: float = 0.0
    sample: float = 0.0
    decode: float = 0.0
    write: float = 0.0

    @property
    def total(self) -> float:
        return sum(asdict(self).values())


@dataclass(frozen=True)
class Result:
    """One file that was written. ``take``: its number from 1; ``peak``: largest absolute sample; ``same``: whether its
    bytes are those of the sidecar it repeats, None where it repeats none; ``rank``: of one of several takes."""

    path: Path
    sidecar: Path
    take: int
    peak: float
    same: bool | None = None
    rank: Rank | None = None


@dataclass(frozen=True)
class Report:
    """What ``generate`` made and how. ``memory``: peak resident bytes of the process, 0 where the system does not tell;
    ``expected_memory``: what was said of it before loading;
    ``room``: whose tone lies under it, empty for none; ``notes``: what the user should know, one sentence each."""

    results: tuple[Result, ...]
    stages: Stages
    memory: int
    expected_memory: int
    video_seconds: float
    samples: int
    model: str
    use: str
    envelope: str
    seed: int
    steps: int
    guidance: float
    device: str
    dtype: str
    room: str = ""
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> Result | None:
        """The take that fits best; None of a single one."""
        ranked = [result for result in self.results if result.rank is not None]
        return max(ranked, key=lambda result: result.rank.score, default=None)

    def as_json(self) -> str:
        best = None if self.best is None else str(self.best.path)
        return json.dumps({**asdict(self), "best": best}, indent=2, default=str)


class Stopwatch:
    """Adds up the seconds of each stage."""

    def __init__(self, on_progress: Progress):
        self.on_progress = on_progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.on_progress(name, 0, 0)
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - began)

    def add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


def peak_memory() -> int:
    """Largest resident size of this process so far, bytes; 0 where the system does not tell (Windows)."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
