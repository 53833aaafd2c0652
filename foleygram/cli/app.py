"""The table of verbs."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Abort as Abort

from foleygram.cli import benchmark, embed, envelope, evaluate, generate, importing, models, prepare, train
from foleygram.cli.verbs import Verbs

app = Verbs(
    name="foleygram",
    help="A synchronous, fitting Foley sound track under a video (FoleyGRAM).",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("generate")(generate.generate)
app.command("envelope")(envelope.envelope)
app.command("embed")(embed.embed)
app.add_typer(prepare.app, name="prepare")
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(benchmark.app, name="benchmark")
app.command("models")(models.models)
app.add_typer(importing.app, name="import")
app.command("doctor")(models.doctor)


Version = Annotated[bool, typer.Option("--version", help="Print the version.")]


@app.callback(invoke_without_command=True)
def overview(context: typer.Context, version: Version = False) -> None:
    """A synchronous, fitting Foley sound track under a video (FoleyGRAM)."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"foleygram {version_of('foleygram')}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
    else:
        check_place()


def check_place() -> None:
    """Raises OutputError where the working folder was deleted: names are then of nothing, and the libraries of torch end the
    process without a word of use."""
    import os

    from foleygram.errors import OutputError

    try:
        os.getcwd()
    except OSError as error:
        raise OutputError(f"the working folder is gone ({error.strerror}); change into another one, and repeat") from error


def command():
    """The parser of the whole command line."""
    return typer.main.get_command(app)
