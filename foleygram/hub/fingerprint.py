"""Hashes: of a file, which is refused with another one, and of all that makes a model, so that a result can say which weights
made it."""

from __future__ import annotations

import hashlib
import re
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
            raise ModelError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    return digest.hexdigest()


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
