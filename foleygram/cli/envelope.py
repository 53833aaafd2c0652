"""``foleygram envelope``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foleygram.cli.options import Force, Json, Model

SHOWN = 24  # onsets that are printed

File = Annotated[Path, typer.Argument(help="A sound, a video, a CSV of seconds,amplitude, or a list of hits.")]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="CSV of seconds,amplitude to write.")]
Picture = Annotated[Path | None, typer.Option(help="PNG to draw: film, spectrogram, envelope, onsets.")]


def envelope(
    file: File, out: Out = None, picture: Picture = None, force: Force = False, model: Model = None, json: Json = False
) -> None:
    """Extract, write and draw the envelope that steers a track.

    The CSV can be edited and given to generate --envelope. That of a video without sound is predicted by the model.
    """
    from foleygram.guide import envelope as library

    report = library(file, out, picture, force, model or "mini")
    typer.echo(report.as_json() if json else in_words(report))


def in_words(report) -> str:
    """The report as people read it."""
    times = ", ".join(f"{seconds:.3f}" for seconds, _ in report.onsets[:SHOWN])
    more = f" and {len(report.onsets) - SHOWN} more" if len(report.onsets) > SHOWN else ""
    lines = [
        f"{report.origin}: {report.seconds:.3f} s, {report.steps} steps of {1000 / report.rate:.2f} ms, peak {report.peak:.4f}",
        f"  {len(report.onsets)} onsets (s): {times}{more}" if report.onsets else "  no onsets",
    ]
    lines += [f"  written to {path}" for path in (report.table, report.picture) if path is not None]
    return "\n".join(lines)
