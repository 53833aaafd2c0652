"""The command line: each verb parses, calls one library function, prints.

Exit codes: 0 done, 1 could not (also after Ctrl-C), 2 wrong usage. A failure is one line on standard error that says what
happened and what to do. A traceback is always a defect of ours. Nothing heavy is imported before a verb runs.
"""

from __future__ import annotations

import errno
import gc
import signal
import sys
import threading
from collections.abc import Sequence

PROGRAM = "foleygram"

STOPS = {"SIGINT": "Ctrl-C", "SIGTERM": "the system (SIGTERM)", "SIGHUP": "its terminal, which was closed"}
"""Signals that end a run as an error does, so that nothing is left half-written, and who sends them."""

INTERRUPTED = 130
"""What the option parser and ``run`` return after an interrupt; the shell gets 1."""


SELDOM = 100_000
"""Objects after which Python looks for unused cycles among the new ones; importing torch makes 300,000."""


def script() -> None:
    """What the shell starts: ``main``, in a process that ends after it.

    Python would look for unused cycles hundreds of times while it only imports, and through everything once more before it
    ends: over a second of a short run. So it looks seldom, and what is left at the end goes with the process."""
    gc.set_threshold(SELDOM, 20, 100)
    code = main()
    gc.freeze()
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line; returns its exit code."""
    stopped: list[str] = []
    waiting: list[threading.Timer] = []

    def again(number: int) -> None:
        waiting.clear()
        wake(number)

    def stop(number: int, frame: object) -> None:
        if waiting:
            return
        if is_importing("torch"):  # an exception cannot pass through the C++ below it
            waiting.append(threading.Timer(0.05, again, (number,)))
            waiting[0].daemon = True
            waiting[0].start()
            return
        stopped.append(signal.Signals(number).name)
        raise KeyboardInterrupt

    before = {}
    for name in STOPS:
        number = getattr(signal, name, None)  # not every system has all
        if number is not None and (name == "SIGINT" or signal.getsignal(number) != signal.SIG_IGN):  # nohup ignores SIGHUP
            before[number] = signal.signal(number, stop)
    try:
        code = run(sys.argv[1:] if arguments is None else arguments)
    except BaseException:
        # A library may turn the interrupt into an error of its own, so the signal decides and not the exception.
        if not stopped:
            raise
        # CPython remembers an interrupt that fell into an exec, as dataclasses have them, and under -m kills itself at the end
        exec("")
    finally:
        for timer in waiting:
            timer.cancel()
            stopped.append(signal.Signals(timer.args[0]).name)
        for number, handler in before.items():
            signal.signal(number, handler)
    if stopped or code == INTERRUPTED:
        who = STOPS[stopped[0] if stopped else "SIGINT"]
        complain(f"stopped by {who}; what was finished before is kept, and nothing is left half-written")
        return 1
    return code


def wake(number: int) -> None:
    """Sends this process a signal that ends what its main thread waits for."""
    if hasattr(signal, "pthread_kill"):  # from another thread, raise_signal would leave the main one asleep
        signal.pthread_kill(threading.main_thread().ident, number)
    else:
        signal.raise_signal(number)


def is_importing(name: str) -> bool:
    """Whether a package is being imported just now."""
    return getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False)


def run(arguments: Sequence[str]) -> int:
    """The exit code of a command line, INTERRUPTED after Ctrl-C."""
    from foleygram.cli.app import Abort, command
    from foleygram.errors import FoleyGRAMError

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may hold bytes that are no text
    try:
        code = command().main(list(arguments), prog_name=PROGRAM, standalone_mode=False)
        if sys.stdout is not None:  # the shell may have closed it
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
    except OSError as error:
        if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EIO):
            raise
        silence()  # files have errors of their own, so it was the report
        complain(f"its report cannot be printed ({error.strerror}); what it made is kept, send the output elsewhere")
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
    if sys.stderr is not None:
        print(f"{PROGRAM}: {' '.join(message.split())}", file=sys.stderr)


def silence() -> None:
    """The reader of our output has gone: nothing more is to be written, not even at the end of the interpreter."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
