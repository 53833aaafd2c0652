"""Reports one can look at: one or several evaluations as Markdown or as one self-contained HTML file.

Several runs stand side by side, and each later one is compared with the first, clip by clip; the paper's numbers stand
beside them with their misprints marked. The HTML holds its pictures and sounds inside, so it can be mailed.
"""

from __future__ import annotations

import base64
import html as escape
from collections.abc import Sequence
from pathlib import Path

from foleygram.errors import MediaError, UsageError
from foleygram.evaluation.comparison import Difference, differences, incomparable
from foleygram.evaluation.evaluate import EvaluationReport
from foleygram.evaluation.figures import REFERENCES, bars, clip_pictures, onset_errors
from foleygram.evaluation.ingestion import excerpt
from foleygram.evaluation.scores import Score
from foleygram.evaluation.tables import MARKS, MISPRINT, TABLE_1, TABLE_2, PaperRow, footnotes
from foleygram.media.audio import flac_of, read_audio
from foleygram.output import check_output, whole_text
from foleygram.types import Audio

ARROWS = {"lower": " ↓", "higher": " ↑", "": ""}
PLAYED = 3  # clips with players: the worst, the middle and the best of the first run by rank
MANY = 3  # runs from which on one clip is played, the middle one, so that the page can still be mailed
FIGURES = ("FAD", "nearer to own truth", "onset F1 at 50 ms", "envelope correlation")

NOT_COMPARABLE = "not comparable with scores on other clips or by other judges"

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
.wide { overflow-x: auto } table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .2rem .6rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums } .empty { color: #999 } small { color: #666 }
.better { color: #1e8449 } .worse { color: #c0392b } img { max-width: 100% } audio { width: 22rem; vertical-align: middle }
code { background: #f3f3f3; padding: .1rem .3rem }
"""


def write_report(reports: Sequence[EvaluationReport], path: str | Path, force: bool = False) -> Path:
    """Writes ``.html``, ``.md`` or ``.json``, chosen by the name, whole or not at all. JSON takes one report.
    Raises UsageError for another name, OutputError where the file cannot lie."""
    path = Path(path)
    check_report(path, len(reports), force)
    writers = {".html": html, ".md": markdown, ".json": lambda reports: reports[0].as_json()}
    whole_text(path, writers[path.suffix.lower()](reports), force)
    return path


def check_report(path: Path, runs: int, force: bool = False) -> None:
    """Refuses, before any work, a report of so many runs that could not be written; raises as ``write_report`` does."""
    if not runs:
        raise UsageError("a report shows at least one evaluation")
    kind = path.suffix.lower()
    if kind not in (".html", ".md", ".json"):
        raise UsageError(f"{path}: a report is written as .html, .md or .json; end the name with one of them")
    if kind == ".json" and runs > 1:
        raise UsageError("a JSON file holds one evaluation; write several as .html or .md")
    check_output(path, force)


def score_names(reports: Sequence[EvaluationReport]) -> list[str]:
    """The names of all rows, each once, in the order of their first report."""
    return list(dict.fromkeys(score.name for report in reports for score in report.scores))


def row_of(reports: Sequence[EvaluationReport], name: str) -> list[Score | None]:
    """The same row of each report."""
    return [report.score(name) for report in reports]


def cell(score: Score | None) -> str:
    """Value and interval as text; a dash where there is none."""
    if score is None or score.value is None:
        return "–"
    interval = f" [{plain(score.interval.low)}, {plain(score.interval.high)}]" if score.interval else ""
    return f"{plain(score.value)}{interval}"


def plain(value: float) -> str:
    """Four digits; the rounding noise of a distance between equals is 0."""
    return f"{value:.4g}" if abs(value) > 1e-9 else "0"


def explanation(scores: Sequence[Score | None]) -> str:
    """Judge, size, floor and note of the first report that has the row, and what to beware of in any of them."""
    score = next((score for score in scores if score is not None), None)
    if score is None:
        return ""
    size = f"{score.clips} clips" + (f", {score.windows} windows" if score.windows else "") if score.clips else ""
    floor = f"floor {score.floor:.4g}" if score.floor is not None else ""
    return "; ".join(part for part in (score.judge, size, floor, score.note, caution(scores)) if part)


def caution(scores: Sequence[Score | None]) -> str:
    """That of the run with the fewest clips; empty where none of them has one."""
    return next((each.caution for each in sorted(filter(None, scores), key=lambda each: each.clips) if each.caution), "")


def marks(reports: Sequence[EvaluationReport]) -> dict[tuple[str, str], Difference]:
    """By score and run: how the runs after the first one differ from it."""
    return {(difference.score, difference.first): difference for difference in differences(reports)}


def reasons(reports: Sequence[EvaluationReport]) -> list[str]:
    """Why some of the runs are not compared with the first one."""
    return [reason for report in reports[1:] if (reason := incomparable(report, reports[0]))]


def markdown(reports: Sequence[EvaluationReport]) -> str:
    """The report as Markdown, without pictures and sounds."""
    lines = [f"# {title(reports)}", ""]
    for report in reports:
        lines += [f"- **{report.name}**: {about(report)}"]
    lines += ["", "| score | " + " | ".join(report.name for report in reports) + " | computed from |"]
    lines += ["|---" * (len(reports) + 2) + "|"]
    compared = marks(reports)
    for name in score_names(reports):
        row = row_of(reports, name)
        cells = [cell(score) for score in row]
        for place, report in enumerate(reports[1:], 1):
            difference = compared.get((name, report.name))
            cells[place] += f" **{difference.verdict}**" if difference is not None and difference.verdict else ""
        arrow = next(ARROWS[score.better] for score in row if score is not None)
        lines.append(f"| {name}{arrow} | " + " | ".join(cells) + f" | {explanation(row)} |".replace("\n", " "))
    lines += ["", "Brackets: 95 % by resampling clips. A dash: not computed, the last column says why.", ""]
    if len(reports) > 1:
        lines += [f"## Differences from {reports[0].name}, clip by clip", ""]
        lines += ["| score | run | difference | |", "|---|---|---|---|"]
        lines += [
            f"| {each.score} | {each.first} | {gap(each)} | {each.verdict or 'no difference shown'} |"
            for each in compared.values()
        ]
        lines += ["", *(f"- not compared: {reason}" for reason in reasons(reports)), ""]
    for report in reports:
        if report.findings:
            lines += [f"## Files of {report.name}", ""]
            lines += [f"- {finding.kind}: {finding.name} {finding.detail}".rstrip() for finding in report.findings] + [""]
    lines += ["## The paper's numbers", "", *paper_markdown("Table I", TABLE_1), *paper_markdown("Table II", TABLE_2)]
    lines += ["## How it was computed", ""]
    for report in reports:
        lines += [f"- {report.name}: {made(report)}"]
    return "\n".join(lines) + "\n"


def gap(difference: Difference) -> str:
    """A difference and its interval as text."""
    return f"{difference.value:+.3g} [{difference.interval.low:+.3g}, {difference.interval.high:+.3g}]"


def paper_markdown(name: str, rows: Sequence[PaperRow]) -> list[str]:
    """A table of the paper; misprints carry a star and the printed number."""
    lines = [f"{name} (Greatest Hits; {NOT_COMPARABLE})", ""]
    lines += ["| system | FAD-C ↓ | FAD-LC ↓ | CLAP ↑ | FAVD ↓ |", "|---|---|---|---|---|"]
    for row in rows:
        favd = f"{row.favd} (printed: {row.printed_favd}\\*)" if row.misprinted else f"{row.favd}"
        lines.append(f"| {row.marked_label} | {row.fad_c:g} | {row.fad_lc} | {row.clap} | {favd} |")
    return [*lines, "", *starred(footnotes(rows)), ""]


def starred(notes: Sequence[str]) -> list[str]:
    """Footnotes as markdown, to which a bare star is the beginning of a list."""
    return [note.replace("*", "\\*", 1) for note in notes]


def html(reports: Sequence[EvaluationReport], found: Sequence[Difference] | None = None) -> str:
    """The report as one HTML file with pictures and players inside. ``found``: differences to show, by default those of the
    later runs from the first one."""
    text = escape.escape
    compared = marks(reports)
    found = list(compared.values()) if found is None else found
    parts = [f"<!doctype html><html lang=en><meta charset=utf-8><title>{text(title(reports))}</title><style>{STYLE}</style>"]
    parts.append(f"<h1>{text(title(reports))}</h1>")
    parts += [f"<p><b>{text(report.name)}</b>: {text(about(report))}</p>" for report in reports]
    parts += ["<div class=wide><table><tr><th>score", *(f"<th>{text(report.name)}" for report in reports), "<th>computed from"]
    for name in score_names(reports):
        row = row_of(reports, name)
        arrow = next(ARROWS[score.better] for score in row if score is not None)
        parts.append(f"<tr><td>{text(name)}{arrow}")
        for report, score in zip(reports, row, strict=True):
            mark = compared[name, report.name].verdict if (name, report.name) in compared else ""
            kind = "empty" if score is None or score.value is None else mark
            parts.append(f'<td class="number {kind}">{text(cell(score))}')
        parts.append(f"<td><small>{text(explanation(row))}</small>")
    parts.append("</table></div><p><small>Brackets: 95 % by resampling clips. A dash: not computed; the last column says why.")
    parts.append("Colour: differs from the first run, clip by clip.</small></p>" if len(reports) > 1 else "</small></p>")
    if found:
        parts.append("<h2>Differences, clip by clip</h2><table><tr><th>score<th>run<th>against<th>difference<th>")
        for each in found:
            columns = (each.score + ARROWS[each.better], each.first, each.second)
            parts.append("<tr>" + "".join(f"<td>{text(column)}" for column in columns))
            parts.append(f'<td class="number">{gap(each)}<td class="{each.verdict}">{each.verdict or "no difference shown"}')
        parts.append("</table>")
    parts += [f"<p>Not compared: {text(reason)}.</p>" for reason in reasons(reports)]
    parts += [picture(bars(name, [r.name for r in reports], row_of(reports, name), references(reports, name)), name)
              for name in FIGURES]  # fmt: skip
    parts.append("<h2>Onset errors</h2>")
    parts += [picture(onset_errors(report.clips, report.name), f"onset errors of {report.name}") for report in reports]
    for report in reports:
        if report.findings:
            parts.append(f"<h2>Files of {text(report.name)}</h2>")
        parts += [f"<p>{text(each.kind)}: <code>{text(each.name)}</code> {text(each.detail)}" for each in report.findings]
    parts.append("<h2>Clips</h2>")
    parts += [clip_section(reports, id) for id in played(reports)]
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
            printed = f"{MARKS[MISPRINT]} <s>{row.printed_favd}</s>" if row.misprinted else ""
            numbers = (f"{row.fad_c:g}", row.fad_lc, row.clap, f"{row.favd}{printed}")
            parts.append(
                f"<tr><td>{escape.escape(row.marked_label)}" + "".join(f"<td class=number>{number}" for number in numbers)
            )
        parts.append("</table>")
        parts += [f"<p><small>{escape.escape(note)}</small></p>" for note in footnotes(rows)]
    return "\n".join(parts)


def played(reports: Sequence[EvaluationReport]) -> list[str]:
    """Ids of the clips to listen to: worst, middle and best of the first run by rank among the truths, or the first ones."""
    clips = sorted(reports[0].clips, key=lambda clip: (clip.share, clip.cosine))
    if not clips:
        return []
    places = (len(clips) // 2,) if len(reports) > MANY else (0, len(clips) // 2, len(clips) - 1)
    return list(dict.fromkeys(clips[place].id for place in places))[:PLAYED]


def clip_section(reports: Sequence[EvaluationReport], id: str) -> str:
    """The truth of a clip and what the runs made of it: players, envelopes over each other, spectrograms."""
    runs = [
        (report, clip, player)
        for report in reports
        for clip, player in zip(report.clips, report.players, strict=True)
        if player.id == id
    ]
    first, _, files = runs[0]
    try:
        truth = excerpt(read_audio(Path(files.truth), rate=None), files.start, first.span)
        results = [(report.name, read_audio(Path(player.result), rate=None).trim(first.span)) for report, _, player in runs]
    except MediaError as error:
        # of a report that was read again: its numbers stand, its sounds may have moved
        return f"<h3>{escape.escape(id)}</h3><p>cannot be played: {escape.escape(str(error))}</p>"
    lines = [f"<h3>{escape.escape(id)}</h3><table><tr><td>truth<td>{sound(truth)}<td>"]
    for (name, audio), (_, clip, _) in zip(results, runs, strict=True):
        share = f"nearer to its truth than to {clip.share:.0%} of the others, " if clip.share == clip.share else ""
        f1 = f"onset F1 {clip.onsets[1].f1:.2f}"
        lines.append(f"<tr><td>{escape.escape(name)}<td>{sound(audio)}<td><small>{share}{f1} at 50 ms</small>")
    return "\n".join([*lines, "</table>", picture(clip_pictures(truth, results, files.onsets), id)])


def picture(content: bytes, name: str) -> str:
    """An image inside of the page."""
    return f'<p><img alt="{escape.escape(name)}" src="data:image/png;base64,{base64.b64encode(content).decode()}"></p>'


def sound(audio: Audio) -> str:
    """A player with the sound inside, FLAC of 16 bits."""
    content = base64.b64encode(flac_of(audio)).decode()
    return f'<audio controls preload=none src="data:audio/flac;base64,{content}"></audio>'


def title(reports: Sequence[EvaluationReport]) -> str:
    """Heading of a report."""
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
