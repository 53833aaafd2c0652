"""``foleygram prepare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foleygram.cli.verbs import Verbs

app = Verbs(rich_markup_mode=None)

Out = Annotated[Path, typer.Option("-o", "--out", help="Folder to make; an interrupted run goes on there.")]
Sounds = Annotated[Path | None, typer.Option(help="Recordings with a manifest.csv. [default: self-made sounds]")]
Textures = Annotated[Path | None, typer.Option(help="Photographs with a manifest.csv. [default: procedural surfaces]")]


@app.callback()
def prepare() -> None:
    """Make a data set."""


@app.command("minihits")
def minihits(
    out: Out,
    sounds: Sounds = None,
    textures: Textures = None,
    train: Annotated[int, typer.Option(help="Clips for training.")] = 1200,
    validation: Annotated[int, typer.Option(help="Clips for validation.")] = 100,
    test: Annotated[int, typer.Option(help="Clips for testing.")] = 200,
    seconds: Annotated[float, typer.Option(help="Length of a clip.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 0,
    pictures: Annotated[bool, typer.Option(help="Render videos too.")] = True,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
) -> None:
    """Compose MiniHits: clips of hits, scratches and steps whose every event is known."""
    from foleygram.data.minihits import prepare_minihits

    manifest = prepare_minihits(out, sounds, textures, train, validation, test, seconds, seed, pictures, workers)
    typer.echo(f"{manifest}\n  {train} clips for training, {validation} for validation, {test} for testing, {seconds:g} s each")


@app.command("greatest-hits")
def greatest_hits(
    folder: Annotated[Path, typer.Argument(help="The unpacked data set (vis-data).")],
    out: Out,
    split: Annotated[str, typer.Option(help="paper, official, or a folder with lists of ids: train.txt, test.txt.")] = "paper",
    short_side: Annotated[int, typer.Option(help="Pixels of the shorter side of the videos.")] = 256,
) -> None:
    """Cut Greatest Hits into 10-s clips with the paper's prompts."""
    from foleygram.cli.progress import progress
    from foleygram.data.greatest_hits import prepare_greatest_hits

    with progress() as on_progress:
        report = prepare_greatest_hits(folder, out, split, short_side, lambda done, total: on_progress("videos", done, total))
    counts = ", ".join(f"{count} clips for {part}" for part, count in report.clips.items())
    typer.echo(f"{report.manifest}\n  {counts}, from {report.videos} videos")
    for entry in report.dropped:
        typer.echo(f"  left out: {entry.where}: {entry.reason}")


@app.command("shards")
def shards(
    manifest: Annotated[Path, typer.Argument(help="The clips.jsonl of a data set.")],
    out: Out,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    clips: Annotated[int, typer.Option(min=1, help="Clips in a shard.")] = 1000,
) -> None:
    """Pack a data set into tar shards, for foleygram train pretraining."""
    from foleygram.cli.progress import progress
    from foleygram.data.manifest import read_manifest
    from foleygram.data.shards import write_shards

    records = read_manifest(manifest, split)
    with progress() as on_progress:
        paths = write_shards(records, out, clips, lambda done, total: on_progress("clips", done, total))
    typer.echo(f"{out}\n  {len(records)} clips in {len(paths)} shards")
