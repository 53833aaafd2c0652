"""The one door for foreign checkpoints: tensors come in, code does not.

A pickle is read with torch's restricted loader (``weights_only=True``), which builds tensors and plain containers and
refuses everything else before any of it runs. Past this file there are only names and tensors.
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foleygram.errors import ModelError
from foleygram.hub.folder import check_readable, read_tensors

WRAPPINGS = ("state_dict", "model", "module")
"""Keys under which training programs keep the weights inside of a checkpoint."""

UNREADABLE = (RuntimeError, EOFError, OSError, ValueError, LookupError, AttributeError, ImportError)
"""What torch's loader raises for files that are no checkpoint, or a part of one."""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file or of a torch pickle (.pt, .pth, .ckpt, .bin), on the CPU, as they are stored.

    Wrapped states are unwrapped; what is neither tensor nor wrapping is left behind. Raises ModelError for a file that is
    absent, may not be read, is truncated, holds code or holds no tensors."""
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
    (torch.serialization.safe_globals). Raises ModelError for a file that is absent, may not be read, is truncated or
    holds code."""
    check_readable(path, "there is no such checkpoint; check the path")
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
