"""``foleygram evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foleygram.cli.options import Force, Json
from foleygram.cli.progress import progress

Results = Annotated[
    list[Path],
    typer.Argument(
        metavar="RESULTS...",
        help="Folders of results of any system: one sound or video for each clip, named by its id. Also reports of earlier "
        "runs (.json). Several are compared with the first, clip by clip.",
    ),
]
Truth = Annotated[Path | None, typer.Option(help="Manifest of the true clips (clips.jsonl).")]
Split = Annotated[str | None, typer.Option(help="train, validation or test. [default: all]")]
System = Annotated[str | None, typer.Option(help="Whose file names they are. [default: found out]")]
Given = Annotated[
    list[str] | None, typer.Option(help="What the system knew of each clip, 'silent video' for one; may be repeated.")
]
Name = Annotated[str | None, typer.Option(help="Name of the run. [default: the folder's]")]
Seen = Annotated[Path | None, typer.Option(help="Text file of ids that the system was trained on.")]
Second = Annotated[Path | None, typer.Option(help="Manifest of another draw of truth. [default: clips without a result]")]
Pictures = Annotated[bool, typer.Option("--pictures", help="Also the metrics that look at the video.")]
Materials = Annotated[
    bool, typer.Option("--materials", help="Also whether the material is recognised, by a probe of the training split.")
]
Limit = Annotated[int | None, typer.Option(help="Only the first clips.")]
Cache = Annotated[Path | None, typer.Option(help="Folder in which embeddings are kept.")]
Report = Annotated[Path | None, typer.Option(help="File to write: .html, .md, or .json (of one run).")]
FINDINGS_SHOWN = 20  # of a run, on the terminal; reports have all


def evaluate(
    results: Results,
    truth: Truth = None,
    split: Split = None,
    system: System = None,
    given: Given = None,
    name: Name = None,
    seen: Seen = None,
    second: Second = None,
    pictures: Pictures = False,
    materials: Materials = False,
    limit: Limit = None,
    cache: Cache = None,
    report: Report = None,
    force: Force = False,
    json: Json = False,
) -> int:
    """Score folders of results against the true clips, and compare them.

    The exit code is 1 where a true clip has no score.
    """
    from foleygram.errors import UsageError

    folders = [path for path in results if path.suffix.lower() != ".json"]
    if folders and truth is None:
        raise UsageError("--truth is needed: the manifest of the true clips (clips.jsonl)")
    asked = {
        "--truth": truth, "--split": split, "--system": system, "--given": given, "--name": name, "--seen": seen,
        "--second": second, "--pictures": pictures, "--materials": materials, "--limit": limit, "--cache": cache,
    }  # fmt: skip
    if not folders and (unused := [option for option, value in asked.items() if value not in (None, False)]):
        raise UsageError(f"{', '.join(unused)}: of a folder that is scored, and here are only reports; leave it out")
    if name is not None and len(folders) > 1:
        raise UsageError("--name names one run, here are several; their folders' names tell them apart")
    if report is not None:
        from foleygram.evaluation.report import check_report

        check_report(report, len(results), force)
    from foleygram.evaluation.evaluate import evaluate_folder, load_report
    from foleygram.evaluation.probe import train_probe
    from foleygram.evaluation.report import write_report

    reports, probe = [], None
    for path in results:
        if path not in folders:
            reports.append(load_report(path))
            continue
        with progress() as on_progress:
            if materials and probe is None:
                probe = train_probe(truth, cache=cache, on_progress=on_progress)
            reports.append(
                evaluate_folder(
                    path, truth, split=split, system=system, given=given or (), name=name, seen=seen, second=second,
                    pictures=pictures, probe=probe, limit=limit, cache=cache, command=command_line(), on_progress=on_progress,
                )
            )  # fmt: skip
    reports = told_apart(reports, results)
    if report is not None:
        write_report(reports, report, force)
    typer.echo(as_json(reports) if json else in_words(reports))
    if report is not None and not json:
        typer.echo(f"written to {report}")
    return max(each.exit_code for each in reports)


def told_apart(reports, paths):
    """The reports, where two have one name with their paths in it."""
    from dataclasses import replace

    names = [report.name for report in reports]
    return [
        report if names.count(report.name) == 1 else replace(report, name=f"{report.name} ({path})")
        for report, path in zip(reports, paths, strict=True)
    ]


def command_line() -> str:
    """What was typed, without the place where the program lies."""
    import shlex
    import sys

    return shlex.join(["foleygram", *sys.argv[1:]])


def as_json(reports) -> str:
    """One report as it is; several in a list, with their differences from the first."""
    from dataclasses import asdict

    from foleygram.evaluation import scores
    from foleygram.evaluation.comparison import differences

    if len(reports) == 1:
        return reports[0].as_json()
    return scores.as_json(
        {"reports": [asdict(each) for each in reports], "differences": [asdict(d) for d in differences(reports)]}
    )


def in_words(reports) -> str:
    """A table, one row for each score and one column for each run; what to beware of; why cells are empty; differences;
    troubles."""
    from foleygram.evaluation.comparison import differences
    from foleygram.evaluation.report import ARROWS, caution, cell, reasons, row_of, score_names

    rows, empty, cautions = [["score", *(report.name for report in reports)]], [], []
    for name in score_names(reports):
        scores = row_of(reports, name)
        if all(score is None or score.value is None for score in scores):
            empty.append(f"{name}: {next(score.note for score in scores if score is not None)}")
            continue
        arrow = next(ARROWS[score.better] for score in scores if score is not None)
        rows.append([name + arrow, *(cell(score) for score in scores)])
        cautions += [f"{name}: {caution(scores)}"] if caution(scores) else []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += ["", "beware:", *(f"  {line}" for line in cautions)] if cautions else []
    lines += ["", "not computed:", *(f"  {line}" for line in empty)] if empty else []
    found = differences(reports)
    lines += ["", "clip by clip:", *(f"  {difference.sentence}" for difference in found)] if found else []
    lines += [f"  not compared: {reason}" for reason in reasons(reports)]
    for report in reports:
        shown = [f"  {each.kind}: {each.name} {each.detail}".rstrip() for each in report.findings[:FINDINGS_SHOWN]]
        more = len(report.findings) - len(shown)
        lines += ["", f"files of {report.name}:", *shown, *([f"  and {more} more"] if more else [])] if shown else []
    return "\n".join(lines)
