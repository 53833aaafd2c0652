"""The command line: each verb parses, calls one library function, prints.

Exit codes: 0 done, 1 could not (also after Ctrl-C), 2 wrong usage. A failure is one line on standard error that says what
happened and what to do. A traceback is always a defect of ours. Nothing heavy is imported before a verb runs.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

PROGRAM = "foleygram"


INTERRUPTED = 130
"""What the option parser and ``run`` return after an interrupt; the shell gets 1."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line; returns its exit code."""
    stopped: list[int] = []

    def stop(number: int, frame: object) -> None:
        stopped.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        code = run(sys.argv[1:] if arguments is None else arguments)
    except BaseException:
        # A library may turn the interrupt into an error of its own, so the signal decides and not the exception.
        if not stopped:
            raise
    finally:
        signal.signal(signal.SIGINT, before)
    if stopped or code == INTERRUPTED:
        complain("stopped by Ctrl-C; what was finished before is kept, and nothing is left half-written")
        return 1
    return code


def run(arguments: Sequence[str]) -> int:
    """The exit code of a command line, INTERRUPTED after Ctrl-C."""
    from foleygram.cli.app import Abort, command
    from foleygram.errors import FoleyGRAMError

    try:
        code = command().main(list(arguments), prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except FoleyGRAMError as error:
        complain(str(error))
        return error.exit_code
    except (KeyboardInterrupt, Abort):
        return INTERRUPTED
    except BrokenPipeError:
        silence()
        return 1
    except Exception as error:
        message = getattr(error, "format_message", None)  # of the option parser: typer brings its own copy of click
        if message is None:
            raise
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else PROGRAM
        complain(f"{' '.join(message().split()).rstrip('.')}; see {path} --help")
        return 2


def complain(message: str) -> None:
    """One line on standard error."""
    print(f"{PROGRAM}: {' '.join(message.split())}", file=sys.stderr)


def silence() -> None:
    """The reader of our output has gone: nothing more is to be written, not even at the end of the interpreter."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
