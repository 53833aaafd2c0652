"""``foleygram models`` and ``foleygram doctor``."""

from __future__ import annotations

from typing import Annotated

import typer

from foleygram.cli.options import Json

Name = Annotated[str | None, typer.Argument(help="A shipped model or a model folder. [default: all that are shipped]")]


def models(name: Name = None, json: Json = False) -> None:
    """Show what a model is made of, and where its weights come from."""
    from foleygram.verbs.describe import describe_model, describe_shipped

    reports = describe_shipped() if name is None else (describe_model(name),)
    if json:
        typer.echo("[" + ",\n".join(report.as_json() for report in reports) + "]" if name is None else reports[0].as_json())
    else:
        typer.echo("\n".join(in_words(report) for report in reports))


def in_words(report) -> str:
    """One model as people read it."""
    memory = ", ".join(f"{gib:.1f} GiB in {dtype}" for dtype, gib in report.memory_gib.items())
    lines = [f"{report.name}: {report.parameters / 1e6:.1f} M parameters in {report.folder}; needs about {memory}"]
    for part in report.components:
        state = "here" if part.present else "absent"
        lines.append(f"  {part.name:12} {part.kind:22} {part.parameters / 1e6:8.1f} M  {state:6}  {part.licence}")
        lines.append(f"  {'':12} {part.source}")
        if part.sha256:
            lines.append(f"  {'':12} sha256 {part.sha256}")
        if part.unknown:
            lines.append(f"  {'':12} hash unknown: {part.unknown}")
    return "\n".join(lines)


def doctor(json: Json = False) -> None:
    """Show what this installation can do, and what it lacks."""
    from foleygram.verbs.doctor import doctor as library

    report = library()
    typer.echo(report.as_json() if json else "\n".join(report.lines()))
