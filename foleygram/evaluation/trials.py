"""A trial: one question to a model beside the paper's tables, its rows, every single result, and the files it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from foleygram.evaluation.evaluate import versions
from foleygram.evaluation.report import ARROWS, cell, explanation
from foleygram.evaluation.scores import Score, as_json
from foleygram.output import check_output, make_folder, whole_text

KINDS = ("json", "md")


@dataclass(frozen=True)
class Grid:
    """A table of texts under ``title``: the names of its columns and its rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class TrialReport:
    """``name``: of its files; ``about``: how it was done, a sentence each; ``results``: a frozen dataclass for each sound;
    ``grids``: what the results show, for readers; ``missing``: sounds that should be there and are not."""

    name: str
    title: str
    about: tuple[str, ...]
    scores: tuple[Score, ...]
    results: tuple[object, ...]
    grids: tuple[Grid, ...] = ()
    missing: tuple[str, ...] = ()
    command: str = ""
    versions: tuple[tuple[str, str], ...] = field(default_factory=versions)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def complete(self) -> bool:
        """Whether no sound is missing."""
        return not self.missing

    def score(self, name: str) -> Score | None:
        """The row of this name, or None."""
        return next((score for score in self.scores if score.name == name), None)

    def as_json(self) -> str:
        """Everything, as JSON text."""
        return as_json(asdict(self))

    def markdown(self) -> str:
        """Rows, grids and how they came about."""
        lines = [f"## {self.title}", "", *self.about, ""]
        lines += ["| score | value | computed from |", "|---|---|---|"]
        lines += [f"| {score.name}{ARROWS[score.better]} | {cell(score)} | {explanation([score])} |" for score in self.scores]
        lines += ["", "Brackets: 95 % by resampling sounds.", ""]
        for grid in self.grids:
            lines += [f"### {grid.title}", "", "| " + " | ".join(grid.columns) + " |", "|---" * len(grid.columns) + "|"]
            lines += ["| " + " | ".join(row) + " |" for row in grid.rows] + [""]
        lines += ["### Missing", "", *(f"- {name}" for name in self.missing), ""] if self.missing else []
        libraries = ", ".join(f"{name} {version}" for name, version in self.versions)
        command = f"`{self.command}`; " if self.command else ""
        return "\n".join([*lines, f"Computed by {command}{self.created}; {libraries}.", ""])


def check_trial(name: str, out: Path, force: bool = False) -> None:
    """Refuses, before any work, results that could not be written. Raises OutputError as ``write_trial`` does."""
    for path in trial_paths(name, out):
        if path.exists():  # the folder itself may not be there yet
            check_output(path, force)


def write_trial(report: TrialReport, out: str | Path, force: bool = False) -> tuple[Path, ...]:
    """``<name>.json`` and ``<name>.md`` in ``out``, whole or not at all; the folder is made. Raises OutputError where they lie
    there already, without ``force``."""
    paths = trial_paths(report.name, Path(out))
    make_folder(Path(out))
    for path, content in zip(paths, (report.as_json(), report.markdown()), strict=True):
        whole_text(path, content, force)
    return paths


def trial_paths(name: str, out: Path) -> tuple[Path, ...]:
    """The files of a trial."""
    return tuple(Path(out) / f"{name}.{kind}" for kind in KINDS)


def percent(values: Sequence[bool]) -> str:
    """How many are true, and of how many."""
    return f"{sum(values)} of {len(values)}"
