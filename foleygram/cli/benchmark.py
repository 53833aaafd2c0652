"""``foleygram benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foleygram.cli.evaluate import Cache, Limit, Materials, Pictures, Report, Second, command_line
from foleygram.cli.options import Device, Dtype, Force, Json, Model
from foleygram.cli.progress import progress
from foleygram.cli.verbs import Verbs
from foleygram.errors import ModelError, UsageError

app = Verbs(rich_markup_mode=None)

Manifest = Annotated[Path, typer.Argument(help="The clips.jsonl of foleygram prepare.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for sounds and tables; sounds that lie there already are kept.")]
Table = Annotated[
    int,
    typer.Option(
        min=1, max=4, help="1: control experiments; 2: every subset of the modalities; 3: silent films; 4: exchanged points."
    ),
]
Variants = Annotated[
    Path | None, typer.Option(help="Folder of the trained variants of tables 1 and 4: no-control, onsets, cosine, unaligned.")
]
Rows = Annotated[list[str] | None, typer.Option("--row", help="Only this row of the table; may be repeated.")]
BenchmarkSplit = Annotated[str, typer.Option(help="train, validation or test.")]
Textures = Annotated[Path | None, typer.Option(help="Photographs, where the manifest names no videos.")]
Steps = Annotated[int | None, typer.Option(help="Sampling steps. [default: the model's]")]
Seed = Annotated[int, typer.Option(help="Same seed, same bytes.")]
Raw = Annotated[bool, typer.Option("--raw", help="Score sounds as decoded, without the model's finish; for tables 1 and 4.")]
Guidance = Annotated[float | None, typer.Option(help="0 to 20. [default: the model's]")]
Folders = Annotated[
    list[Path] | None, typer.Argument(metavar="[RESULTS]...", help="Folders of results: a sound a clip, named by its id.")
]
Prompts = Annotated[int | None, typer.Option("--limit", help="Only so many prompts, materials by turns.")]
Strokes = Annotated[bool, typer.Option("--strokes", help="Events of the foreign envelope become strokes of the reference.")]
Remembered = Annotated[
    bool, typer.Option("--strokes/--no-strokes", help="With a remembered sound, as generate has it under a list of hits.")
]
Blind = Annotated[bool, typer.Option("--blind", help="128 harder prompts, by a writer who saw none of the words we use.")]
References = Annotated[int | None, typer.Option("--limit", help="Only so many references, materials and families by turns.")]
ProbeClips = Annotated[int, typer.Option(help="True sounds of the training split that the probe of materials is fitted to.")]


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
    materials: Materials = False,
    pictures: Pictures = False,
    report: Report = None,
    force: Force = False,
    json: Json = False,
) -> int:
    """Table I or II of the paper: generate the clips of the test split under each row's information, and score them.

    Writes table1 .. table4 as .json, .md and .html into --out. A run that was broken off goes on where it stood.
    Tables 1 and 4 need their variants trained first (docs/minihits-benchmark.md), the others the model alone.
    Tables 3 and 4 are not in the paper: in 3 the timing is predicted from the picture, or a list of onsets; in 4 texts and
    pictures are read as sounds, which shows what an aligned space is good for.
    """
    from foleygram.evaluation.report import check_report, write_report
    from foleygram.evaluation.results import VARIANTS, markdown, table_report, write_table
    from foleygram.evaluation.variants import chosen_rows
    from foleygram.output import check_output

    chosen = chosen_rows(VARIANTS[table], rows or ())
    names = sorted({variant.model for variant in chosen} - {""})
    if names and variants is None:
        raise UsageError(
            f"rows of table {table} need the models {', '.join(names)}: give the folder that holds them as --variants "
            "(docs/minihits-benchmark.md), or choose rows without them (--row)"
        )
    for path in (out / f"table{table}.{kind}" for kind in ("json", "md", "html")):
        if path.exists():  # the folder itself may not be there yet
            check_output(path, force)
    if report is not None:
        check_report(report, len(chosen), force)
    from foleygram.evaluation.benchmark import benchmark_minihits
    from foleygram.pipeline import FoleyGRAM

    place = (device or "auto", dtype or "auto")
    with progress() as on_progress:
        found = benchmark_minihits(
            FoleyGRAM.load(model or "mini", *place), manifest, out, variants=chosen, split=split, limit=limit,
            others={} if variants is None else {name: FoleyGRAM.load(trained(variants, name), *place) for name in names},
            textures=textures, steps=steps, guidance=guidance, seed=seed, raw=raw, second=second, cache=cache,
            materials=materials, pictures=pictures, command=command_line(), on_progress=on_progress,
        )  # fmt: skip
    result = table_report(table, found)
    paths = write_table(result, out, force)
    if report is not None:
        write_report([row.report for row in found], report, force)
    typer.echo(result.as_json() if json else markdown(result))
    if not json:
        typer.echo("written to " + ", ".join(str(path) for path in (*paths, *([report] if report else []))))
    return 0 if result.complete else 1


@app.command("prompts")
def prompts(
    manifest: Manifest,
    out: Out,
    model: Model = None,
    split: BenchmarkSplit = "test",
    limit: Prompts = None,
    probe_clips: ProbeClips = 2400,
    steps: Steps = None,
    guidance: Guidance = None,
    seed: Seed = 0,
    strokes: Remembered = True,
    blind: Blind = False,
    device: Device = None,
    dtype: Dtype = None,
    cache: Cache = None,
    force: Force = False,
    json: Json = False,
) -> int:
    """Free text: sound 70 prompts (--blind: 128 others) in words that no caption used, and ask for the material that is heard.

    Only the text conditions, under one fixed guide for each action. A linear probe on the judge's embeddings, fitted to true
    sounds of the training split, names the material; the same captions in trained words and the true sounds of the split
    stand beside it. Writes prompts.json and prompts.md into --out; sounds that lie in its folder prompts are kept.
    """
    from foleygram.evaluation.blind_prompts import BLIND, BLIND_TITLE
    from foleygram.evaluation.free_text import NAME, TITLE, benchmark_prompts
    from foleygram.evaluation.prompts import PROMPTS
    from foleygram.evaluation.trials import check_trial
    from foleygram.pipeline import FoleyGRAM

    check_trial(NAME, out, force)
    with progress() as on_progress:
        report = benchmark_prompts(
            FoleyGRAM.load(model or "mini", device or "auto", dtype or "auto"), manifest, out,
            prompts=BLIND if blind else PROMPTS, title=BLIND_TITLE if blind else TITLE, split=split, limit=limit,
            clips=probe_clips, steps=steps, guidance=guidance, seed=seed, strokes=strokes, cache=cache,
            command=command_line(), on_progress=on_progress,
        )  # fmt: skip
    return told(report, out, force, json)


@app.command("reference")
def reference(
    manifest: Manifest,
    out: Out,
    model: Model = None,
    split: BenchmarkSplit = "test",
    limit: References = None,
    steps: Steps = None,
    guidance: Guidance = None,
    seed: Seed = 0,
    strokes: Strokes = False,
    device: Device = None,
    dtype: Dtype = None,
    cache: Cache = None,
    force: Force = False,
    json: Json = False,
) -> int:
    """Reference sound: does a recording of a family that never trained say what the result sounds like?

    Only the true sound of a clip conditions, under the envelope of a clip of another family. The judge ranks all true sounds
    of other families and that one by their nearness to the result. Writes reference.json and reference.md into --out;
    sounds that lie in its folder reference are kept.
    """
    from foleygram.evaluation.reference import NAME, benchmark_reference
    from foleygram.evaluation.trials import check_trial
    from foleygram.pipeline import FoleyGRAM

    check_trial(NAME, out, force)
    with progress() as on_progress:
        report = benchmark_reference(
            FoleyGRAM.load(model or "mini", device or "auto", dtype or "auto"), manifest, out, split=split, limit=limit,
            steps=steps, guidance=guidance, seed=seed, strokes=strokes, cache=cache, command=command_line(),
            on_progress=on_progress,
        )  # fmt: skip
    return told(report, out, force, json)


@app.command("materials")
def materials(
    manifest: Manifest,
    out: Out,
    results: Folders = None,
    split: BenchmarkSplit = "test",
    limit: Limit = None,
    probe_clips: ProbeClips = 2400,
    seed: Seed = 0,
    cache: Cache = None,
    force: Force = False,
    json: Json = False,
) -> int:
    """Materials: how often they are recognised in true sounds of the split, and in folders of results.

    A linear probe on the judge's embeddings, fitted to true sounds of the training split. Writes materials.json and
    materials.md into --out.
    """
    from foleygram.evaluation.benchmark import CACHE
    from foleygram.evaluation.recognition import NAME, benchmark_materials
    from foleygram.evaluation.trials import check_trial

    check_trial(NAME, out, force)
    with progress() as on_progress:
        report = benchmark_materials(
            manifest, results or (), split=split, limit=limit, clips=probe_clips, cache=cache or out / CACHE, seed=seed,
            command=command_line(), on_progress=on_progress,
        )  # fmt: skip
    return told(report, out, force, json)


def told(report, out: Path, force: bool, json: bool) -> int:
    """Writes a trial, prints it, and gives the exit code: 1 where a sound is missing."""
    from foleygram.evaluation.trials import write_trial

    paths = write_trial(report, out, force)
    typer.echo(report.as_json() if json else report.markdown())
    if not json:
        typer.echo("written to " + ", ".join(str(path) for path in paths))
    return 0 if report.complete else 1


def trained(variants: Path, name: str) -> Path:
    """The folder of a variant, which is not looked for on the hub. Raises ModelError where it is not there."""
    folder = variants / name
    if not folder.is_dir():
        raise ModelError(
            f"--variants {variants}: has no folder {name}; train it (docs/minihits-benchmark.md), or choose rows without it"
        )
    return folder
