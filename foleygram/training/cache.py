"""Frozen features are computed once: arrays on disk, keyed by what they were made from.

An array lies as ``<name>-<key>.npy`` and is read memory-mapped; ``key`` hashes the manifest and the weights behind it,
so a changed input never meets a stale feature.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from foleygram.errors import OutputError


def key_of(*parts: object) -> str:
    """Twelve hex digits for the content of tensors, arrays, bytes and printable values."""
    digest = hashlib.sha256()
    for part in parts:
        if hasattr(part, "detach"):
            part = part.detach().cpu().contiguous().float().numpy()
        digest.update(
            part.tobytes() if isinstance(part, np.ndarray) else part if isinstance(part, bytes) else repr(part).encode()
        )
    return digest.hexdigest()[:12]


def cached_array(
    folder: Path, name: str, key: str, rows: int, row_of: Callable[[int], np.ndarray], label: str | None = None
) -> np.ndarray:
    """``[rows, ...]``, row i made by ``row_of(i)``; built to a temporary name, then renamed. Memory-mapped."""
    path = folder / f"{name}-{key}.npy"
    if not path.exists():
        from rich.console import Console
        from rich.progress import track

        folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
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
            raise OutputError(
                f"{path}: cannot be written ({error.strerror}); free some space or choose another --out"
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
    return np.load(path, mmap_mode="r")
