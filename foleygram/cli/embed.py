"""``foleygram embed``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foleygram.cli.options import Device, Dtype, Json, Model

PAIRS = ("AV", "AT", "VT")

Files = Annotated[list[Path], typer.Argument(help="Videos, still pictures and sounds.")]
Texts = Annotated[list[str] | None, typer.Option("--text", help="A text to embed with each file; may be given several times.")]


def embed(
    files: Files,
    texts: Texts = None,
    model: Model = None,
    device: Device = None,
    dtype: Dtype = None,
    json: Json = False,
) -> None:
    """Show how well sound (A), picture (V) and text (T) agree.

    Prints the cosines (1: alike) and the volume of Eq. 2 (0: full agreement, 1: none at all).
    """
    from foleygram.verbs.alignment import as_json
    from foleygram.verbs.alignment import embed as library

    rows = library(files, texts or (), model or "mini", device or "auto", dtype or "auto")
    typer.echo(as_json(rows) if json else in_words(rows))


def in_words(rows) -> str:
    """A table with one row for each file and text."""
    names = [str(row.file) if row.text is None else f'{row.file}  "{row.text}"' for row in rows]
    width = max(map(len, [*names, "clip"]))
    lines = [f"{'clip':{width}}  has  " + "  ".join(f"{pair:<7}" for pair in PAIRS) + "  volume"]
    for name, row in zip(names, rows, strict=True):
        cosines = "  ".join("-      " if row.cosine(pair) is None else f"{row.cosine(pair):<7.3f}" for pair in PAIRS)
        lines.append(f"{name:{width}}  {row.modalities:3}  {cosines}  {'-' if row.volume is None else f'{row.volume:.3f}'}")
    return "\n".join(lines)
