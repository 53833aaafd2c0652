"""The weights of AISFX, the outside judge, out of its own wheel: ``pip install --no-deps aisfx==0.1.2``.

AISFX (Ma and Lerch, ISMIR 2022, weights CC BY 4.0) is a network trained to index sound-effects libraries. Its package
pins old libraries, so it is installed without them and never imported: only its checkpoint is read.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from foleygram.errors import ModelError
from foleygram.hub.doors import read_pickle
from foleygram.hub.evaluators import plain_numbers
from foleygram.hub.fingerprint import sha256_of

if TYPE_CHECKING:
    from torch import Tensor

INSTALL = "pip install --no-deps aisfx==0.1.2"


@dataclass(frozen=True, eq=False)
class AisfxCheckpoint:
    """``tensors``: name -> weight of network and nine class heads; ``heads``: (data set, number of its head, classes);
    ``sha256``: of the checkpoint file."""

    tensors: dict[str, Tensor]
    heads: tuple[tuple[str, int, int], ...]
    sha256: str


def find_aisfx_checkpoint() -> Path | None:
    """Where the installed wheel keeps its checkpoint, or None. Does not import the package."""
    found = importlib.util.find_spec("aisfx")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / "models" / "checkpoint.pth"
        if path.is_file():
            return path
    return None


def load_aisfx_checkpoint() -> AisfxCheckpoint:
    """Reads the checkpoint with torch's restricted loader. Raises ModelError where the wheel is absent or broken."""
    path = find_aisfx_checkpoint()
    if path is None:
        raise ModelError(f"the judge AISFX is not installed; {INSTALL} brings its weights (CC BY 4.0)")
    try:
        tensors, sets = read_pickle(path, plain_numbers())
        tensors = dict(tensors)
        heads = tuple((name, int(number), int(classes)) for name, (number, classes) in sets.items())
    except (ModelError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise ModelError(f"{path}: not the checkpoint of aisfx 0.1.2; install it again with {INSTALL}") from error
    return AisfxCheckpoint(tensors, heads, sha256_of(path))
