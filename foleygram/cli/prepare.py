"""``foleygram prepare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None)

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
