"""A whole table: rows scored alike, the paper's row beside each, and what the numbers say about the paper's claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from foleygram.evaluation.benchmark import BenchmarkRow
from foleygram.evaluation.comparison import Difference, compare, incomparable
from foleygram.evaluation.report import ARROWS, NOT_COMPARABLE, cell, html, made, starred
from foleygram.evaluation.scores import Score, as_json
from foleygram.evaluation.tables import PaperRow, footnotes
from foleygram.evaluation.variants import (
    EXCHANGE_CLAIMS,
    EXCHANGE_VARIANTS,
    SILENT_CLAIMS,
    SILENT_VARIANTS,
    TABLE_1_CLAIMS,
    TABLE_1_VARIANTS,
    TABLE_2_CLAIMS,
    TABLE_2_VARIANTS,
    Claim,
    Variant,
)
from foleygram.output import whole_text

TITLES = {
    1: "Table I: control experiments on one backbone",
    2: "Table II: what each modality gives",
    3: "Silent films: what the picture alone or a list of onsets gives",
    4: "Exchanged points: texts and pictures read as sounds",
}
VARIANTS: dict[int, tuple[Variant, ...]] = {
    1: TABLE_1_VARIANTS, 2: TABLE_2_VARIANTS, 3: SILENT_VARIANTS, 4: EXCHANGE_VARIANTS,
}  # fmt: skip
CLAIMS: dict[int, tuple[Claim, ...]] = {1: TABLE_1_CLAIMS, 2: TABLE_2_CLAIMS, 3: SILENT_CLAIMS, 4: EXCHANGE_CLAIMS}

COLUMNS = ("FAD", "nearer to own truth", "onset F1 at 50 ms", "envelope correlation", "E-L1 (gain-matched)")
"""Of a row: what of the paper's measures can be had without its judges, and the timing that it does not report."""

PAPER_JUDGED = ("FAD-C", "FAD-LC", "CLAP score", "FAVD")
"""Columns that appear where their weights are present."""

TOLD_BY = ("FAD", "nearer to own truth", "onset F1 at 50 ms", "envelope correlation")
"""Scores by which a claim is judged."""

CONTROLS = (
    "FAD of two draws of truth", "FAD of truth at 22.05 kHz", "FAD of truth at 16 kHz", "onset F1 of truth at 50 ms",
)  # fmt: skip

_NONE = Score("none", None)


@dataclass(frozen=True)
class Answer:
    """A claim, and the differences that bear on it: the score of ``claim.first`` minus that of ``claim.second``."""

    claim: Claim
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class TableReport:
    """``number``: 1 or 2 as in the paper, 3 for silent films, 4 for exchanged points; ``answers``: to the claims
    both rows of which are there."""

    number: int
    rows: tuple[BenchmarkRow, ...]
    answers: tuple[Answer, ...]

    @property
    def complete(self) -> bool:
        """Whether every row has a score for every clip."""
        return all(row.report.complete for row in self.rows)

    def as_json(self) -> str:
        """Rows with all scores, without single clips (``<row>/report.json`` has them), and the answers."""
        rows = [replace(row, report=replace(row.report, clips=(), players=())) for row in self.rows]
        return as_json(asdict(replace(self, rows=tuple(rows))))


def table_report(number: int, rows: Sequence[BenchmarkRow]) -> TableReport:
    """The rows of a table with the answers to its claims."""
    reports = {row.variant.name: row.report for row in rows}
    answers = []
    for claim in CLAIMS[number]:
        first, second = reports.get(claim.first), reports.get(claim.second)
        if first is not None and second is not None and not incomparable(first, second):
            answers.append(Answer(claim, compare(first, second)))
    return TableReport(number, tuple(rows), tuple(answers))


def write_table(table: TableReport, out: Path, force: bool = False) -> tuple[Path, ...]:
    """``table<number>.json``, ``.md`` and ``.html`` in ``out``, and the report of each row in the row's folder, which is
    replaced. Raises OutputError where a table lies there already, without ``force``."""
    for row in table.rows:
        whole_text(out / row.variant.name / "report.json", row.report.as_json(), force=True)
    stem = f"table{table.number}"
    paths = tuple(out / f"{stem}.{kind}" for kind in ("json", "md", "html"))
    found = [difference for answer in table.answers for difference in told(answer)]
    page = html([row.report for row in table.rows], found)
    for path, content in zip(paths, (table.as_json(), markdown(table), page), strict=True):
        whole_text(path, content, force)
    return paths


def markdown(table: TableReport) -> str:
    """The table as it stands in docs/results.md."""
    reports = [row.report for row in table.rows]
    first = reports[0]
    judged = [name for name in PAPER_JUDGED if any((report.score(name) or _NONE).value is not None for report in reports)]
    columns = [*COLUMNS, *judged]
    arrows = {name: next((ARROWS[s.better] for r in reports if (s := r.score(name)) is not None), "") for name in columns}
    lines = [f"## {TITLES[table.number]}", ""]
    judge = (first.score("FAD") or _NONE).judge
    lines += [f"{len(first.clips)} clips of {first.span:.2f} s, judge {judge}; 95 % by resampling clips.", ""]
    head = [
        "row",
        "known of the clip",
        *(f"{name}{arrows[name]}" for name in columns),
        "the paper's FAD-C / FAD-LC / CLAP / FAVD",
    ]
    lines += ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row in table.rows:
        cells = [cell(row.report.score(name)) for name in columns]
        line = [row.variant.name, "; ".join(row.report.given), *cells, paper_cell(row.variant.paper)]
        lines.append("| " + " | ".join(line) + " |")
    papers = [row.variant.paper for row in table.rows if row.variant.paper]
    if papers:
        lines += ["", f"The paper's numbers: Greatest Hits, 196 videos; {NOT_COMPARABLE}.", *starred(footnotes(papers))]
    lines.append("")
    controls = [(name, first.score(name)) for name in CONTROLS]
    known = "; ".join(f"{name} {cell(score)}" for name, score in controls if score is not None)
    lines += ["To read them by: " + known + ".", ""]
    lines += ["### What the numbers say", ""]
    for answer in table.answers:
        lines.append(f"**{answer.claim.first} against {answer.claim.second}: {answer.claim.question}**")
        lines += ["", *(f"- {said(difference)}" for difference in told(answer)), ""]
    if not table.answers:
        lines += ["No two rows of a claim are there.", ""]
    count = sum(len(told(answer)) for answer in table.answers)
    if count:
        lines += [f"{count} differences, each with 95 %: where nothing differs, "
                  "about one interval in twenty leaves 0 out all the same.", ""]  # fmt: skip
    lost = [f"{row.variant.name}: {finding.kind} {finding.name}" for row in table.rows for finding in row.report.findings]
    if lost:
        lines += ["### Files", "", *(f"- {line}" for line in lost), ""]
    return "\n".join([*lines, f"Computed by {made(first)}.", ""])


def told(answer: Answer) -> list[Difference]:
    """The differences by which a claim is judged."""
    return [difference for difference in answer.differences if difference.score in TOLD_BY]


def said(difference: Difference) -> str:
    """A difference as one line: score, value, interval, verdict."""
    words = {"better": f"{difference.first} better", "worse": f"{difference.first} worse", "": "no difference shown"}
    low, high = difference.interval.low, difference.interval.high
    return (
        f"{difference.score}{ARROWS[difference.better]}: {difference.value:+.3g} [{low:+.3g}, {high:+.3g}], "
        f"{words[difference.verdict]}"
    )


def paper_cell(row: PaperRow | None) -> str:
    """The paper's row; a misprinted FAVD with a star and what is printed."""
    if row is None:
        return ""
    favd = f"{row.favd}\\* (printed {row.printed_favd})" if row.misprinted else f"{row.favd}"
    return f"{row.marked_label}: {row.fad_c:g} / {row.fad_lc} / {row.clap} / {favd}"
