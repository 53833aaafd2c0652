"""A model is a folder: ``config.json`` and one ``<component>.safetensors`` for each component with weights.

This file knows tensors, files and names, but no model class. A table may lie in 8 bits beside ``<name>.scale``, one number for
each of its rows; whoever reads it finds numbers as any others.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from torch import Tensor

from foleygram.errors import ModelError, OutputError
from foleygram.hub.fingerprint import is_there, unreadable
from foleygram.hub.rows import rows_in_int8
from foleygram.output import whole_bytes, whole_file

SCALE = ".scale"


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file of a model folder, which is made where it does not exist; an earlier file is replaced. Raises
    OutputError."""
    make_parent(path)
    whole_bytes(path, content, force=True)


def make_parent(path: Path) -> None:
    """The folder that a file is to lie in. Raises OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], notes: Mapping[str, str] | None = None, in_bytes: Collection[str] = ()
) -> None:
    """Writes a safetensors file with text notes in its header. ``in_bytes``: names of tables that are kept in 8 bits, each
    number off by at most half a step, 1/254 of the largest of its row; their scales lie beside them in fp32. Raises
    OutputError."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    for name in in_bytes:
        whole[name], whole[name + SCALE] = rows_in_int8(whole[name])
    make_parent(path)
    with whole_file(path, force=True) as temporary:  # in bytes it would be held in memory twice
        try:
            save_file(whole, temporary, metadata=dict(notes or {}))
        except SafetensorError as error:  # what the disk says comes as one of these
            raise OutputError(f"{path}: cannot be written ({error}); free some space or choose another place") from error


def check_readable(path: Path, absent: str = "this weights file is absent; train or import the model again") -> None:
    """Raises ModelError where there is no such file, which ``absent`` says, or it may not be read: the libraries that open it
    say of both that there is none."""
    try:
        if not is_there(path):
            raise ModelError(f"{path}: {absent}")
        path.open("rb").close()
    except OSError as error:
        raise unreadable(path, error) from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file. Raises ModelError where it is absent, damaged or may not be read."""
    return dict(each_tensor(path))


def each_tensor(path: Path) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a safetensors file, one after another. Raises ModelError as ``read_tensors``."""
    from safetensors import SafetensorError, safe_open

    check_readable(path)
    try:
        with safe_open(path, framework="pt") as file:
            names = set(file.keys())
            scaled = {name for name in names if name + SCALE in names and file.get_slice(name).get_dtype() == "I8"}
            for name in file.keys():
                if name in scaled:
                    numbers, scale = file.get_tensor(name), file.get_tensor(name + SCALE)
                    if numbers.ndim != 2 or scale.shape != numbers.shape[:1]:
                        raise ModelError(f"{path}: {name + SCALE} is not one number for each row of {name}; export it again")
                    yield name, numbers.float() * scale[:, None]
                elif name.removesuffix(SCALE) not in scaled:
                    yield name, file.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a whole safetensors file ({error}); fetch or export it again") from error


def read_notes(path: Path) -> dict[str, str]:
    """The text notes in the header of a safetensors file. Raises ModelError as ``read_tensors``."""
    from safetensors import SafetensorError, safe_open

    check_readable(path)
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a whole safetensors file ({error}); fetch or export it again") from error


def write_json(path: Path, content: object) -> None:
    """Readable JSON, atomically. ``content`` holds neither NaN nor infinity, for which JSON has no word."""
    write_atomically(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())
