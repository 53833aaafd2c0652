"""``manifest.csv``: what a folder of recordings or of photographs says of its files, a row each."""

from __future__ import annotations

import csv
from pathlib import Path

from foleygram.errors import DataError

LISTING = "manifest.csv"


def read_listing(folder: Path) -> list[dict[str, str]]:
    """The rows by column; a short row lacks its last columns. Raises DataError where the file is absent or no table."""
    table = folder / LISTING
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "no table in UTF-8"
        raise DataError(f"{table}: cannot be read ({reason}); a folder of sounds or textures holds a {LISTING}") from error
    return [{name: value for name, value in row.items() if isinstance(value, str)} for row in rows]
