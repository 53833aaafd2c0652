"""Hashes: of a file, which is refused with another one, and of all that makes a model, so that a result can say which weights
made it."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from foleygram.errors import ModelError, UsageError


def fingerprint(files: Iterable[Path]) -> str:
    """SHA-256, in hex, over name and content of the files that decide what a model does: weights, config, tokenizer, wherever
    they lie. Raises ModelError where one cannot be read."""
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        try:
            digest.update(f"{path.name}\0{sha256_of(path)}\n".encode())
        except OSError as error:
            raise unreadable(path, error) from error
    return digest.hexdigest()


def unreadable(path: Path, error: OSError) -> ModelError:
    """What is to be said of a file that is there and cannot be read, or about which the system tells nothing."""
    return ModelError(f"{path}: cannot be read ({error.strerror or error}); check its name and permissions")


def is_there(path: Path) -> bool:
    """Whether it is a file. Raises OSError where the system does not tell, as of a folder that may not be entered; pathlib says
    no to that since Python 3.14."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def sha256_of(path: Path) -> str:
    """Of a file's content, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def check_sha256(path: Path, wanted: str | None) -> str:
    """The sha256 of a file. Raises ModelError where it is not the ``wanted`` one, cannot be read or is not there, UsageError
    where ``wanted`` is none."""
    path = Path(path)
    if wanted is not None and not re.fullmatch("[0-9a-fA-F]{64}", wanted):
        raise UsageError(f"a sha256 has 64 hexadecimal digits, '{wanted}' is none; correct it or leave it out")
    try:
        if not is_there(path):
            raise ModelError(f"{path}: there is no such checkpoint; check the path")
        found = sha256_of(path)
    except OSError as error:
        raise unreadable(path, error) from error
    if wanted is not None and found != wanted.lower():
        raise ModelError(
            f"{path}: its sha256 is {found[:12]}... instead of {wanted[:12]}..., so nothing of it was read; fetch it again, or "
            "correct the hash"
        )
    return found
