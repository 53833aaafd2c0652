"""Options that several verbs have."""

from __future__ import annotations

from typing import Annotated

import typer

from foleygram.errors import UsageError


def named(option: typer.CallbackParam, word: str | None) -> str | None:
    """An empty word in a shell is no name. Raises UsageError."""
    if word == "":
        raise UsageError(f"--{option.name} is empty; name one, or leave the option out")
    return word


Model = Annotated[str | None, typer.Option(callback=named, help="A shipped model or a model folder. [default: mini]")]
Device = Annotated[str | None, typer.Option(callback=named, help="auto, cpu, cuda, cuda:N or mps. [default: auto]")]
Dtype = Annotated[
    str | None, typer.Option(callback=named, help="auto, fp32, bf16, fp16, or int8: weights in 8 bits. [default: auto]")
]
Force = Annotated[bool, typer.Option("--force", help="Replace existing files.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Voice = Annotated[
    bool, typer.Option("--voice", help="The recording of the timing was hummed or tapped: noise and level are mended.")
]
