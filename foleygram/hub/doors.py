"""The one door for foreign checkpoints: tensors come in, code does not.

A pickle is read with torch's restricted loader (``weights_only=True``), which builds tensors and plain containers and
refuses everything else before any of it runs. Past this file there are only names and tensors.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foleygram.errors import ModelError, UsageError
from foleygram.hub.folder import read_tensors

WRAPPINGS = ("state_dict", "model", "module")
"""Keys under which training programs keep the weights inside of a checkpoint."""

UNREADABLE = (RuntimeError, EOFError, OSError, ValueError, LookupError, AttributeError, ImportError)
"""What torch's loader raises for files that are no checkpoint, or a part of one."""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file or of a torch pickle (.pt, .pth, .ckpt, .bin), on the CPU, as they are stored.

    Wrapped states are unwrapped; what is neither tensor nor wrapping is left behind. Raises ModelError for a file that is
    absent, truncated, holds code or holds no tensors."""
    path = Path(path)
    if path.suffix == ".safetensors":
        return read_tensors(path)
    content = read_pickle(path)
    tensors = unwrapped(content)
    if not tensors:
        raise ModelError(f"{path}: holds no weights (tensors by name); take the file that its authors call the checkpoint")
    return tensors


def read_pickle(path: Path, allowed: Sequence[object] = ()) -> Any:
    """The content of a torch pickle: tensors, numbers, texts and containers of them. ``allowed``: further harmless types
    (torch.serialization.safe_globals). Raises ModelError for a file that is absent, truncated or holds code."""
    if not path.is_file():
        raise ModelError(f"{path}: there is no such checkpoint; check the path")
    try:
        with torch.serialization.safe_globals(list(allowed)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of unusual pickles, which are then refused in our own words
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip(path))
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named:
            raise ModelError(
                f"{path}: holds code ({named[1]}), which was not run; take a checkpoint of plain tensors, best safetensors"
            ) from error
        raise ModelError(f"{path}: not a checkpoint, or only a part of one; fetch it again") from error
    except UNREADABLE as error:
        raise ModelError(f"{path}: not a checkpoint, or only a part of one; fetch it again") from error


def unwrapped(content: object) -> dict[str, Tensor]:
    """The tensors of a state, or of the state that lies inside of a checkpoint."""
    while isinstance(content, Mapping):
        inner = next((content[key] for key in WRAPPINGS if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            return {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
        content = inner
    return {}


def is_zip(path: Path) -> bool:
    """Whether it is torch's present format, which can be mapped into memory; the one before 1.6 cannot."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def sha256_of(path: Path) -> str:
    """Of a file's content, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def check_sha256(path: Path, wanted: str | None) -> str:
    """The sha256 of a file. Raises ModelError where it is not the ``wanted`` one or where there is no such file, UsageError
    where ``wanted`` is none."""
    path = Path(path)
    if wanted is not None and not re.fullmatch("[0-9a-fA-F]{64}", wanted):
        raise UsageError(f"a sha256 has 64 hexadecimal digits, '{wanted}' is none; correct it or leave it out")
    if not path.is_file():
        raise ModelError(f"{path}: there is no such checkpoint; check the path")
    found = sha256_of(path)
    if wanted is not None and found != wanted.lower():
        raise ModelError(
            f"{path}: its sha256 is {found[:12]}... instead of {wanted[:12]}..., so nothing of it was read; fetch it again, or "
            "correct the hash"
        )
    return found
