"""Writing a text or a drawing so that its final name never holds half of it.

The sister of ``media/output.py``: the two layers do not see each other.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from foleygram.errors import OutputError


def whole_bytes(path: Path, content: bytes, force: bool = False) -> None:
    """Writes ``content`` under a temporary name beside ``path`` and renames it when all of it lies on the disk.

    Raises OutputError: an existing file without ``force``, a folder, no such folder, no right to write, a full disk.
    """
    path = Path(path)
    if path.is_dir() or (path.exists() and not path.is_file()):
        raise OutputError(f"{path}: is a folder or device; name a file")
    if path.exists() and not force:
        raise OutputError(f"{path}: exists already and is kept; choose another name or pass --force (force=True)")
    target = path.resolve()
    if not target.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {target.parent}; make it first or choose another place")
    temporary = target.with_name(f".foleygram-{secrets.token_hex(6)}{target.suffix}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        advice = "free some space or choose another place"
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}); {advice}") from error
    finally:
        temporary.unlink(missing_ok=True)


def whole_text(path: Path, content: str, force: bool = False) -> None:
    """``whole_bytes`` in UTF-8."""
    whole_bytes(path, content.encode(), force)
