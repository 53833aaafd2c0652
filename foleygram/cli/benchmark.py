"""``foleygram benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foleygram.cli.evaluate import Cache, Limit, Report, Second, command_line
from foleygram.cli.options import Device, Dtype, Force, Json, Model
from foleygram.cli.progress import progress

app = typer.Typer(rich_markup_mode=None)

Manifest = Annotated[Path, typer.Argument(help="The clips.jsonl of foleygram prepare.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for sounds and tables; sounds that lie there already are kept.")]
Table = Annotated[int, typer.Option(min=1, max=2, help="1: control experiments; 2: every subset of the modalities.")]
Variants = Annotated[
    Path | None, typer.Option(help="Folder of the trained variants of table 1: no-control, onsets, cosine, unaligned.")
]
Rows = Annotated[list[str] | None, typer.Option("--row", help="Only this row of the table; may be repeated.")]
BenchmarkSplit = Annotated[str, typer.Option(help="train, validation or test.")]
Textures = Annotated[Path | None, typer.Option(help="Photographs, where the manifest names no videos.")]
Steps = Annotated[int | None, typer.Option(help="Sampling steps. [default: the model's]")]
Seed = Annotated[int, typer.Option(help="Same seed, same bytes.")]
Raw = Annotated[bool, typer.Option("--raw", help="Score sounds as decoded, without the model's finish; for table 1.")]
Guidance = Annotated[float | None, typer.Option(help="0 to 20. [default: the model's]")]


@app.callback()
def benchmark() -> None:
    """Generate the clips of an open benchmark, and score them."""


@app.command("minihits")
@app.command("greatest-hits")
def tables(
    manifest: Manifest,
    out: Out,
    table: Table = 2,
    model: Model = None,
    variants: Variants = None,
    rows: Rows = None,
    split: BenchmarkSplit = "test",
    limit: Limit = None,
    textures: Textures = None,
    steps: Steps = None,
    guidance: Guidance = None,
    seed: Seed = 0,
    raw: Raw = False,
    device: Device = None,
    dtype: Dtype = None,
    second: Second = None,
    cache: Cache = None,
    report: Report = None,
    force: Force = False,
    json: Json = False,
) -> int:
    """Table I or II of the paper: generate the clips of the test split under each row's information, and score them.

    Writes table1 or table2 as .json, .md and .html into --out. A run that was broken off goes on where it stood. Table 1
    needs its variants trained first (docs/minihits-benchmark.md), table 2 the model alone.
    """
    from foleygram.output import check_output

    for path in (out / f"table{table}.{kind}" for kind in ("json", "md", "html")):
        if path.exists():  # the folder itself may not be there yet
            check_output(path, force)
    if report is not None:
        from foleygram.evaluation.report import check_report

        check_report(report, 2, force)
    from foleygram.evaluation.benchmark import benchmark_minihits, chosen_rows
    from foleygram.evaluation.report import write_report
    from foleygram.evaluation.results import VARIANTS, markdown, table_report, write_table
    from foleygram.pipeline import FoleyGRAM

    chosen = chosen_rows(VARIANTS[table], rows or ())
    names = sorted({variant.model for variant in chosen} - {""})
    place = (device or "auto", dtype or "auto")
    with progress() as on_progress:
        found = benchmark_minihits(
            FoleyGRAM.load(model or "mini", *place), manifest, out, variants=chosen, split=split, limit=limit,
            others={} if variants is None else {name: FoleyGRAM.load(variants / name, *place) for name in names},
            textures=textures, steps=steps, guidance=guidance, seed=seed, raw=raw, second=second, cache=cache,
            command=command_line(), on_progress=on_progress,
        )  # fmt: skip
    result = table_report(table, found)
    paths = write_table(result, out, force)
    if report is not None:
        write_report([row.report for row in found], report, force)
    typer.echo(result.as_json() if json else markdown(result))
    if not json:
        typer.echo("written to " + ", ".join(str(path) for path in (*paths, *([report] if report else []))))
    return 0 if result.complete else 1
