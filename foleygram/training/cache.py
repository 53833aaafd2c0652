"""Frozen features are computed once: arrays on disk, keyed by what they were made from.

An array lies as ``<name>-<key>.npy`` and is read memory-mapped; ``key`` hashes all that is behind it, files by what the system
says of them and weights in full, so a changed input never meets a stale feature.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from foleygram.data.manifest import ClipRecord
from foleygram.data.scenes import Scene
from foleygram.errors import OutputError
from foleygram.output import make_folder


def key_of(*parts: object) -> str:
    """Twelve hex digits for the content of tensors, arrays, bytes and printable values.

    For a whole array out of ``cached_array`` its name stands, which holds a key: to read it may mean gigabytes."""
    digest = hashlib.sha256()
    for part in parts:
        if hasattr(part, "detach"):
            part = part.detach().cpu().contiguous().float().numpy()
        if isinstance(part, np.ndarray):
            name = cached_name(part)
            head, content = (name, b"") if name else (f"{part.dtype}{part.shape}", part.tobytes())
        else:
            head, content = ("bytes", part) if isinstance(part, bytes) else (repr(part), b"")
        digest.update(f"{len(head)} {len(content)} {head}".encode())  # so that no part runs into the next
        digest.update(content)
    return digest.hexdigest()[:12]


def cached_name(array: np.ndarray) -> str:
    """The name of the file that an array of ``cached_array`` lies in; empty for others and for a part of one."""
    if not (isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap)):  # the base of a part is an array
        return ""
    name = Path(array.filename or "").name
    return name if re.search(r"-[0-9a-f]{12}\.npy$", name) else ""


def file_mark(path: Path) -> tuple[str, int, int] | None:
    """What tells a file from others and from what it was before, without reading it: its path, its bytes and when it was last
    changed (ns). None where there is none."""
    try:
        state = path.stat()
    except OSError:  # who reads it says what is wrong
        return None
    return str(path), state.st_size, state.st_mtime_ns


def picture_mark(record: ClipRecord, scene: Scene | None) -> object:
    """What a clip's picture is made of: its video file, else its scene. Photographs are known by their names in it, so that who
    has seen them once needs their folder no more."""
    return (None if record.video is None else file_mark(record.video)) or scene


def cached_array(
    folder: Path, name: str, key: str, rows: int, row_of: Callable[[int], np.ndarray], label: str | None = None
) -> np.ndarray:
    """``[rows, ...]``, row i made by ``row_of(i)``; built to a temporary name, then renamed. Memory-mapped. Raises OutputError
    where it cannot be written, and for no rows."""
    path = folder / f"{name}-{key}.npy"
    if not path.exists():
        make_folder(folder)
        with in_turn(path):
            if not path.exists():  # another process may have made it meanwhile
                build(path, name, rows, row_of, label)
    return np.load(path, mmap_mode="r")


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Within the block no other process makes ``path``: of several processes of one run the first does, the others wait. Raises
    OutputError where nothing can be written beside it."""
    from filelock import FileLock

    lock = FileLock(path.with_suffix(".lock"))
    try:
        lock.acquire()
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); free some space or choose another --out") from error
    try:
        yield
    finally:
        path.with_suffix(".lock").unlink(missing_ok=True)
        lock.release()


def build(path: Path, name: str, rows: int, row_of: Callable[[int], np.ndarray], label: str | None) -> None:
    """``cached_array``'s file."""
    from rich.console import Console
    from rich.progress import track

    temporary = path.with_suffix(f".{secrets.token_hex(4)}.tmp")
    console = Console(stderr=True)
    indices: Iterable[int] = range(rows)
    if console.is_terminal:
        indices = track(indices, description=label or name, console=console, total=rows)
    try:
        array: np.ndarray | None = None
        for index in indices:
            row = row_of(index)
            if array is None:
                array = np.lib.format.open_memmap(temporary, "w+", row.dtype, (rows, *row.shape))
            array[index] = row
        if array is None:
            raise OutputError(f"{name}: nothing to cache; the manifest holds no clip of this split")
        array.flush()
        del array
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); free some space or choose another --out") from error
    finally:
        temporary.unlink(missing_ok=True)
