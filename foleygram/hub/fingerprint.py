"""One hash for a whole model folder, so that a result can say which weights made it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from foleygram.errors import ModelError
from foleygram.hub.doors import sha256_of

NAMES = ("config.json", "tokenizer.json")


def fingerprint(folder: Path) -> str:
    """SHA-256, in hex, over name and content of the files that decide what the model does: weights, config, tokenizer.

    Cards and licences do not count. Raises ModelError where a file cannot be read."""
    digest = hashlib.sha256()
    files = sorted(path for path in Path(folder).iterdir() if path.suffix == ".safetensors" or path.name in NAMES)
    for path in files:
        try:
            digest.update(f"{path.name}\0{sha256_of(path)}\n".encode())
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    return digest.hexdigest()
