"""``foleygram evaluate`` and ``foleygram benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foleygram.cli.options import Device, Dtype, Force, Json, Model
from foleygram.cli.progress import progress

app = typer.Typer(rich_markup_mode=None)

Folder = Annotated[Path, typer.Argument(help="Results of any system: one sound or video for each clip, named by its id.")]
Truth = Annotated[Path, typer.Option(help="Manifest of the true clips (clips.jsonl).")]
Split = Annotated[str | None, typer.Option(help="train, validation or test. [default: all]")]
System = Annotated[str | None, typer.Option(help="Whose file names they are. [default: found out]")]
Name = Annotated[str | None, typer.Option(help="Name of the run. [default: the folder's]")]
Seen = Annotated[Path | None, typer.Option(help="Text file of ids that the system was trained on.")]
Second = Annotated[Path | None, typer.Option(help="Manifest of another draw of truth. [default: clips without a result]")]
Pictures = Annotated[bool, typer.Option("--pictures", help="Also the metrics that look at the video.")]
Limit = Annotated[int | None, typer.Option(help="Only the first clips.")]
Cache = Annotated[Path | None, typer.Option(help="Folder in which embeddings are kept.")]
Report = Annotated[Path | None, typer.Option(help="File to write: .html, .md or .json.")]


def evaluate(
    folder: Folder,
    truth: Truth,
    split: Split = None,
    system: System = None,
    name: Name = None,
    seen: Seen = None,
    second: Second = None,
    pictures: Pictures = False,
    limit: Limit = None,
    cache: Cache = None,
    report: Report = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Score a folder of results against the true clips."""
    from foleygram.evaluation.evaluate import evaluate_folder
    from foleygram.evaluation.report import write_report

    if report is not None:
        from foleygram.output import check_output

        check_output(report, force)
    with progress() as on_progress:
        result = evaluate_folder(
            folder, truth, split=split, system=system, name=name, seen=seen, second=second, pictures=pictures, limit=limit,
            cache=cache, on_progress=on_progress,
        )  # fmt: skip
    if report is not None:
        write_report([result], report, force)
    typer.echo(result.as_json() if json else in_words([result]))
    if report is not None and not json:
        typer.echo(f"written to {report}")


@app.callback()
def benchmark() -> None:
    """Generate the clips of an open benchmark, and score them."""


@app.command("minihits")
def minihits(
    manifest: Annotated[Path, typer.Argument(help="The clips.jsonl of foleygram prepare minihits.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the sounds; what lies there already is kept.")],
    model: Model = None,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    limit: Limit = None,
    textures: Annotated[Path | None, typer.Option(help="Photographs, where the manifest names no videos.")] = None,
    steps: Annotated[int | None, typer.Option(help="Sampling steps. [default: the model's]")] = None,
    guidance: Annotated[float | None, typer.Option(help="0 to 20. [default: the model's]")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 0,
    device: Device = None,
    dtype: Dtype = None,
    second: Second = None,
    cache: Cache = None,
    report: Report = None,
    force: Force = False,
) -> None:
    """Table II of the paper on MiniHits: every subset of the modalities, with the true envelope."""
    from foleygram.evaluation.benchmark import benchmark_minihits
    from foleygram.evaluation.report import write_report
    from foleygram.pipeline import FoleyGRAM

    with progress() as on_progress:
        rows = benchmark_minihits(
            FoleyGRAM.load(model or "mini", device or "auto", dtype or "auto"), manifest, out, split=split, limit=limit,
            textures=textures, steps=steps, guidance=guidance, seed=seed, second=second, cache=cache, on_progress=on_progress,
        )  # fmt: skip
    reports = [row.report for row in rows]
    if report is not None:
        write_report(reports, report, force)
    typer.echo(in_words(reports))


def in_words(reports) -> str:
    """A table: one row for each score, one column for each run."""
    from foleygram.evaluation.report import cell, row_of, score_names

    names = score_names(reports)
    rows = [["score", *(report.name for report in reports)]]
    rows += [[name, *(cell(score) for score in row_of(reports, name))] for name in names]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows)
