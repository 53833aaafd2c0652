"""Writing a file so that its final name never holds half of it: for every layer, so at the bottom of them."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from foleygram.errors import OutputError


def check_output(path: Path, force: bool = False, sources: Sequence[Path] = ()) -> None:
    """Refuses, before any work is done, an output that could not be kept later.

    ``sources``: files the output is made from; it must not be one of them, not even with ``force``.
    Raises OutputError: an existing file without ``force``, a folder or device, no such folder, no right to write there.
    """
    path = Path(path)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise OutputError(f"{path}: cannot be written ({reason(error)})") from error
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file in it")
    if path.exists():
        if any(Path(source).exists() and path.samefile(source) for source in sources):
            raise OutputError(f"{path}: is the input itself; choose another name for the output")
        if not path.is_file():
            raise OutputError(f"{path}: is not a regular file; choose another name for the output")
        if not force:
            raise OutputError(f"{path}: exists already and is kept; choose another name or pass --force (force=True)")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise OutputError(f"{path}: there is no folder {folder}; make it first or choose another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: the folder {folder} may not be written to; choose another place")


def make_folder(path: Path) -> None:
    """Makes a folder for results, where it is not there yet, and those above it. Raises OutputError."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:  # a file of that name, or of one above it
        raise OutputError(f"{path}: cannot be made a folder ({error.strerror}); choose another one") from error


def reason(error: OSError) -> str:
    """What the system says, with advice where the disk is full."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "the disk is full or the file too large for it; free some space or choose another place"
    return f"{error.strerror or error}; choose another place"


@contextmanager
def whole_file(path: Path, force: bool = False, sources: Sequence[Path] = ()) -> Iterator[Path]:
    """Yields a temporary name beside ``path`` (same suffix), which becomes ``path`` when the block ends well.

    On any failure, Ctrl-C too, the temporary file is removed and an earlier file under ``path`` is untouched; a killed
    process leaves at most the hidden temporary file. Raises OutputError as ``check_output`` does and for every OSError.
    """
    path = Path(path)
    check_output(path, force, sources)
    target = path.resolve()  # through a symbolic link: the link stays, its target is replaced
    # A short name of its own: the final name may already use all the characters a file name can have.
    temporary = target.with_name(f".foleygram-{secrets.token_hex(6)}{target.suffix}")
    try:
        temporary.open("xb").close()
        mode = temporary.stat().st_mode
        yield temporary
        if temporary.stat().st_mode != mode:  # some writers put a file of their own there, which nobody else may read
            temporary.chmod(mode)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # late failures of the disk show here, while the old file still stands
        check_output(path, force, sources)  # a file that has appeared meanwhile is kept as well
        os.replace(temporary, target)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({reason(error)})") from error
    finally:
        temporary.unlink(missing_ok=True)


def whole_bytes(path: Path, content: bytes, force: bool = False) -> None:
    """Writes ``content`` as ``whole_file`` does."""
    with whole_file(path, force) as temporary:
        temporary.write_bytes(content)


def whole_text(path: Path, content: str, force: bool = False) -> None:
    """``whole_bytes`` in UTF-8."""
    whole_bytes(path, content.encode(), force)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Within the block no other run works in ``folder``: one that was told to stop is still saving, or two were begun. Of
    several processes of one run the first one holds the place. A folder that was made for it and stays empty goes again. Raises
    OutputError where the place is taken or cannot be written."""
    from filelock import FileLock, Timeout

    if os.environ.get("RANK", "0") != "0":
        yield
        return
    folder = Path(folder)
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    make_folder(folder)
    path = folder / "lock"
    try:
        lock = FileLock(path).acquire(timeout=0)
    except Timeout as error:
        raise OutputError(f"{folder}: another run is at work there; wait until it ends, or choose another --out") from error
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({reason(error)})") from error
    with lock:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # something was done there
                for place in made:
                    place.rmdir()
