"""Reports one can look at: one or several evaluations as Markdown or as one self-contained HTML file.

Several runs stand side by side, the second column being compared with the first; the paper's numbers stand beside them
with their misprints marked. The HTML holds its pictures and sounds inside, so it can be mailed.
"""

from __future__ import annotations

import base64
import html as escape
import io
from collections.abc import Sequence
from pathlib import Path

from foleygram.errors import UsageError
from foleygram.evaluation.evaluate import EvaluationReport
from foleygram.evaluation.figures import REFERENCES, bars, clip_pair, onset_errors
from foleygram.evaluation.ingestion import excerpt
from foleygram.evaluation.scores import Score
from foleygram.evaluation.tables import TABLE_1, TABLE_2, PaperRow
from foleygram.media.audio import read_audio
from foleygram.signal.output import whole_text
from foleygram.types import Audio

ARROWS = {"lower": " ↓", "higher": " ↑", "": ""}
PLAYED = 3  # clips with players: the worst, the middle and the best by rank
FIGURES = ("FAD", "nearer to own truth", "onset F1 at 50 ms", "envelope correlation")

NOT_COMPARABLE = "not comparable with scores on other clips or by other judges"

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .2rem .6rem; border-bottom: 1px solid #ddd; text-align: left }
td.number { text-align: right; font-variant-numeric: tabular-nums } .empty { color: #999 } small { color: #666 }
.better { color: #1e8449 } .worse { color: #c0392b } img { max-width: 100% } audio { width: 22rem; vertical-align: middle }
code { background: #f3f3f3; padding: .1rem .3rem }
"""


def write_report(reports: Sequence[EvaluationReport], path: str | Path, force: bool = False) -> Path:
    """Writes ``.html``, ``.md`` or ``.json``, chosen by the name, whole or not at all. JSON takes one report.
    Raises UsageError for another name, OutputError where the file cannot lie."""
    path = Path(path)
    if not reports:
        raise UsageError("a report shows at least one evaluation")
    kind = path.suffix.lower()
    if kind == ".json" and len(reports) > 1:
        raise UsageError("a JSON file holds one evaluation; write several as .html or .md")
    writers = {".html": html, ".md": markdown, ".json": lambda reports: reports[0].as_json()}
    if kind not in writers:
        raise UsageError(f"{path}: a report is written as .html, .md or .json; end the name with one of them")
    whole_text(path, writers[kind](reports), force)
    return path


def score_names(reports: Sequence[EvaluationReport]) -> list[str]:
    """The names of all rows, each once, in the order of their first report."""
    return list(dict.fromkeys(score.name for report in reports for score in report.scores))


def row_of(reports: Sequence[EvaluationReport], name: str) -> list[Score | None]:
    """The same row of each report."""
    return [report.score(name) for report in reports]


def verdict(first: Score | None, second: Score | None) -> str:
    """'better', 'worse' or '' for the second: only where both have intervals and these do not touch."""
    if first is None or second is None or None in (first.value, second.value, first.interval, second.interval):
        return ""
    if not first.better or (first.interval.low <= second.interval.high and second.interval.low <= first.interval.high):
        return ""
    return "better" if (second.value < first.value) == (first.better == "lower") else "worse"


def cell(score: Score | None) -> str:
    """Value and interval as text; a dash where there is none."""
    if score is None or score.value is None:
        return "–"
    interval = f" [{score.interval.low:.4g}, {score.interval.high:.4g}]" if score.interval else ""
    return f"{score.value:.4g}{interval}"


def explanation(scores: Sequence[Score | None]) -> str:
    """Judge, size, floor and note of the first report that has the row."""
    score = next((score for score in scores if score is not None), None)
    if score is None:
        return ""
    size = f"{score.clips} clips" + (f", {score.windows} windows" if score.windows else "") if score.clips else ""
    floor = f"floor {score.floor:.4g}" if score.floor is not None else ""
    return "; ".join(part for part in (score.judge, size, floor, score.note) if part)


def markdown(reports: Sequence[EvaluationReport]) -> str:
    """The report as Markdown, without pictures and sounds."""
    lines = [f"# {title(reports)}", ""]
    for report in reports:
        lines += [f"- **{report.name}**: {about(report)}"]
    lines += ["", "| score | " + " | ".join(report.name for report in reports) + " | computed from |"]
    lines += ["|---" * (len(reports) + 2) + "|"]
    for name in score_names(reports):
        row = row_of(reports, name)
        mark = verdict(row[0], row[1]) if len(row) == 2 else ""
        cells = [cell(score) for score in row]
        if mark:
            cells[1] += f" **{mark}**"
        arrow = next(ARROWS[score.better] for score in row if score is not None)
        lines.append(f"| {name}{arrow} | " + " | ".join(cells) + f" | {explanation(row)} |".replace("\n", " "))
    lines += ["", "Brackets: 95 % by resampling clips. A dash: not computed, the last column says why.", ""]
    for report in reports:
        if report.findings:
            lines += [f"## Files of {report.name}", ""]
            lines += [f"- {finding.kind}: {finding.name} {finding.detail}".rstrip() for finding in report.findings] + [""]
    lines += ["## The paper's numbers", "", *paper_markdown("Table I", TABLE_1), *paper_markdown("Table II", TABLE_2)]
    lines += ["## How it was computed", ""]
    for report in reports:
        lines += [f"- {report.name}: {made(report)}"]
    return "\n".join(lines) + "\n"


def paper_markdown(name: str, rows: Sequence[PaperRow]) -> list[str]:
    """A table of the paper; misprints carry a star and the printed number."""
    lines = [f"{name} (Greatest Hits; {NOT_COMPARABLE})", ""]
    lines += ["| system | FAD-C ↓ | FAD-LC ↓ | CLAP ↑ | FAVD ↓ |", "|---|---|---|---|---|"]
    for row in rows:
        favd = f"{row.favd} (printed: {row.printed_favd}\\*)" if row.misprinted else f"{row.favd}"
        lines.append(f"| {row.label} | {row.fad_c:g} | {row.fad_lc} | {row.clap} | {favd} |")
    notes = dict.fromkeys(note for row in rows for note in row.notes)
    return [*lines, "", *(f"\\* {note}." for note in notes), ""]


def html(reports: Sequence[EvaluationReport]) -> str:
    """The report as one HTML file with pictures and players inside."""
    text = escape.escape
    parts = [f"<!doctype html><html lang=en><meta charset=utf-8><title>{text(title(reports))}</title><style>{STYLE}</style>"]
    parts.append(f"<h1>{text(title(reports))}</h1>")
    parts += [f"<p><b>{text(report.name)}</b>: {text(about(report))}</p>" for report in reports]
    parts += ["<table><tr><th>score", *(f"<th>{text(report.name)}" for report in reports), "<th>computed from"]
    for name in score_names(reports):
        row = row_of(reports, name)
        arrow = next(ARROWS[score.better] for score in row if score is not None)
        mark = verdict(row[0], row[1]) if len(row) == 2 else ""
        parts.append(f"<tr><td>{text(name)}{arrow}")
        for place, score in enumerate(row):
            kind = "empty" if score is None or score.value is None else mark if place else ""
            parts.append(f'<td class="number {kind}">{text(cell(score))}')
        parts.append(f"<td><small>{text(explanation(row))}</small>")
    parts.append("</table><p><small>Brackets: 95 % by resampling clips. A dash: not computed; the last column says why. ")
    parts.append("Colour: the intervals of two runs do not touch.</small></p>")
    parts += [picture(bars(name, [r.name for r in reports], row_of(reports, name), references(reports, name)), name)
              for name in FIGURES]  # fmt: skip
    for report in reports:
        parts.append(f"<h2>{text(report.name)}</h2>{picture(onset_errors(report.clips), 'onset errors')}")
        parts += [
            f"<p>{text(finding.kind)}: <code>{text(finding.name)}</code> {text(finding.detail)}" for finding in report.findings
        ]
        parts += [player(report, place) for place in played(report)]
    parts.append(paper_html())
    parts.append("<h2>How it was computed</h2>")
    parts += [f"<p><b>{text(report.name)}</b>: {text(made(report))}</p>" for report in reports]
    return "\n".join(parts) + "\n</html>\n"


def references(reports: Sequence[EvaluationReport], name: str) -> list[Score]:
    """The lines that a figure of this score is read by."""
    if name != "FAD":
        return []
    return [score for score in (reports[0].score(reference) for reference in REFERENCES) if score is not None]


def paper_html() -> str:
    """Both tables of the paper."""
    parts = ["<h2>The paper's numbers</h2>", f"<p><small>Greatest Hits; {NOT_COMPARABLE}.</small></p>"]
    for name, rows in (("Table I", TABLE_1), ("Table II", TABLE_2)):
        parts.append(f"<h3>{name}</h3><table><tr><th>system<th>FAD-C ↓<th>FAD-LC ↓<th>CLAP ↑<th>FAVD ↓")
        for row in rows:
            printed = f" <s>{row.printed_favd}</s>" if row.misprinted else ""
            numbers = (f"{row.fad_c:g}", row.fad_lc, row.clap, f"{row.favd}{printed}")
            parts.append(f"<tr><td>{escape.escape(row.label)}" + "".join(f"<td class=number>{number}" for number in numbers))
        parts.append("</table>")
        notes = dict.fromkeys(note for row in rows for note in row.notes)
        parts += [f"<p><small>{escape.escape(note)}.</small></p>" for note in notes]
    return "\n".join(parts)


def played(report: EvaluationReport) -> list[int]:
    """Places of the clips to listen to: worst, middle and best by rank among the truths, or the first ones."""
    count = len(report.clips)
    order = sorted(range(count), key=lambda place: (report.clips[place].share, report.clips[place].cosine))
    return sorted({order[0], order[count // 2], order[-1]}, key=order.index)[:PLAYED] if count else []


def player(report: EvaluationReport, place: int) -> str:
    """Both sounds of a clip, their envelopes and spectrograms."""
    files, clip = report.players[place], report.clips[place]
    result = read_audio(Path(files.result), rate=None).trim(report.span)
    truth = excerpt(read_audio(Path(files.truth), rate=None), files.start, report.span)
    share = f"nearer to its truth than to {clip.share:.0%} of the others" if clip.share == clip.share else "not ranked"
    return (
        f"<h3>{escape.escape(clip.id)}</h3><p><small>{share}</small></p>"
        f"<p>truth {sound(truth)} result {sound(result)}</p>{picture(clip_pair(result, truth, files.onsets), clip.id)}"
    )


def picture(content: bytes, name: str) -> str:
    """An image inside of the page."""
    return f'<p><img alt="{escape.escape(name)}" src="data:image/png;base64,{base64.b64encode(content).decode()}"></p>'


def sound(audio: Audio) -> str:
    """A player with the sound inside, FLAC of 16 bits."""
    import soundfile

    content = io.BytesIO()
    soundfile.write(content, audio.samples.T.clip(-1, 1), audio.rate, format="FLAC", subtype="PCM_16")
    return f'<audio controls preload=none src="data:audio/flac;base64,{base64.b64encode(content.getvalue()).decode()}"></audio>'


def title(reports: Sequence[EvaluationReport]) -> str:
    return "Evaluation of " + " and ".join(report.name for report in reports) if len(reports) < 3 else "Evaluations"


def about(report: EvaluationReport) -> str:
    """What was scored, what the system was given, what it may have seen."""
    seen = "not told which clips it was trained on"
    if report.seen is not None:
        seen = f"{len(report.seen)} of the true clips were in its training data"
    rates = ", ".join(f"{rate} Hz" for rate in report.rates)
    channels = " and ".join({1: "mono", 2: "stereo"}.get(count, f"{count} channels") for count in report.channels)
    missing = sum(finding.lost for finding in report.findings)
    parts = [
        f"{report.system}, {len(report.clips)} clips of {report.span:.2f} s ({rates}, {channels})",
        f"given: {'; '.join(report.given)}",
        f"trained on {report.trained_on}; {seen}",
        report.note,
        f"{missing} clips without a score" if missing else "",
    ]
    return ". ".join(part for part in parts if part) + "."


def made(report: EvaluationReport) -> str:
    """Command, truth, versions, time."""
    libraries = ", ".join(f"{name} {version}" for name, version in report.versions)
    command = f"`{report.command}`; " if report.command else ""
    return f"{command}truth {report.truth} ({report.split}); {report.created}, {report.seconds:.0f} s; {libraries}"
