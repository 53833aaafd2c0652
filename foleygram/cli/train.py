"""``foleygram train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foleygram.cli.options import Json

Stage = Annotated[
    str, typer.Argument(help="autoencoder, diffusion, gram, vocabulary, control, prior, timing, memory or pretraining.")
]
Recipe = Annotated[Path, typer.Argument(help="YAML with every number: recipes/mini.yaml, for example.")]
Data = Annotated[Path | None, typer.Option(help="Manifest of the clips. [default: the recipe's]")]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="Folder of the run. [default: the recipe's]")]
Steps = Annotated[int | None, typer.Option(help="Leave after so many steps; the next call goes on from there.")]
Threads = Annotated[int | None, typer.Option(help="Threads of torch. [default: all]")]
Textures = Annotated[
    Path | None, typer.Option(help="Photographs, for stages that render pictures (gram, control, prior, timing).")
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="A field that differs from the recipe; may be repeated."),
]


def train(
    stage: Stage,
    recipe: Recipe,
    data: Data = None,
    out: Out = None,
    steps: Steps = None,
    threads: Threads = None,
    textures: Textures = None,
    changes: Changes = None,
    json: Json = False,
) -> None:
    """Train one stage of a recipe.

    A run that was stopped goes on where it was, to the same numbers. When all stages are done, the folder of the run is a
    model: foleygram generate --model FOLDER.
    """
    from foleygram.training.train import train as library

    report = library(stage, recipe, data, out, steps, threads, textures, changes or ())
    typer.echo(report.as_json() if json else in_words(report))


def in_words(report) -> str:
    """The report as people read it."""
    state = "finished" if report.finished else "stopped early; call again to go on"
    loss = "" if report.loss is None else f"loss {report.loss:.5g}, "
    done = f"{report.steps} steps in {report.seconds:.0f} s, {loss}{state}" if report.steps else "made, nothing is trained"
    lines = [f"{report.stage}: {done}", f"  {report.out}"]
    files = ", ".join(f"{name} {path}" for name, path in (("log", report.log), ("curve", report.curve)) if path)
    if files:
        lines.append(f"  {files}")
    return "\n".join([*lines, *(f"  note: {note}" for note in report.notes)])
