"""``foleygram import``: foreign checkpoints become a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foleygram.cli.options import Force
from foleygram.cli.verbs import Verbs

app = Verbs(rich_markup_mode=None)

Out = Annotated[Path | None, typer.Option("-o", "--out", help="Model folder to fill. [default: the cache of the model full]")]

Sha256 = Annotated[str | None, typer.Option(help="The hash that the file must have; with another nothing is read.")]


@app.callback()
def imports() -> None:
    """Turn public checkpoints into a model folder."""


@app.command("stable-audio")
def stable_audio(
    source: Annotated[str, typer.Argument(help="A folder, a .safetensors or .ckpt, user/repository on the hub, or: hub.")],
    out: Out = None,
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch on the hub. [default: main]")] = None,
    sha256: Sha256 = None,
    force: Force = False,
) -> None:
    """Stable Audio Open: autoencoder, transformer, timing conditioners."""
    from foleygram.verbs.importing import import_stable_audio

    typer.echo(in_words(import_stable_audio(source, out, revision=revision, sha256=sha256, force=force)))


@app.command("gram")
def gram(
    source: Annotated[Path, typer.Argument(help="A checkpoint folder of GRAM, or its model_step_*.pt.")],
    out: Out = None,
    tokenizer: Annotated[Path | None, typer.Option(help="tokenizer.json or vocab.txt of bert-base-uncased.")] = None,
    sha256: Sha256 = None,
    keep_passengers: Annotated[
        bool, typer.Option("--keep-passengers", help="Keep what FoleyGRAM does not use too, for an export of the whole.")
    ] = False,
    force: Force = False,
) -> None:
    """GRAM: the three towers and their heads."""
    from foleygram.verbs.importing import import_gram

    typer.echo(in_words(import_gram(source, out, tokenizer, keep_passengers, sha256=sha256, force=force)))


@app.command("tower")
def tower(
    kind: Annotated[str, typer.Argument(help="eva, beats or bert.")],
    source: Annotated[Path, typer.Argument(help="The checkpoint as its authors publish it.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Model folder to fill.")],
    sha256: Sha256 = None,
    force: Force = False,
) -> None:
    """A single tower, to train GRAM from."""
    from foleygram.errors import UsageError
    from foleygram.verbs.towers import import_tower

    if kind not in ("eva", "beats", "bert"):
        raise UsageError(f"there is no tower '{kind}'; take eva, beats or bert")
    typer.echo(in_words(import_tower(kind, source, out, sha256=sha256, force=force)))


def in_words(report) -> str:
    """The report as people read it."""
    lines = [str(report.folder)]
    lines += [f"  {file}: {parameters / 1e6:.1f} M parameters" for file, parameters in report.written]
    lines += [f"  left behind: {group}" for group in report.ignored]
    return "\n".join(lines + [f"  still to do: {step}" for step in report.open])
