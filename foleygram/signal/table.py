"""Small tables of numbers that a person writes: seconds in the first column, a number or nothing in the second."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foleygram.errors import EnvelopeError

HEADERS = (("seconds", "amplitude"), ("seconds", "strength"), ("seconds",))
COMMENT = re.compile(r"#.*")
FAILED = re.compile(r"#(REF!|N/A|DIV/0!|VALUE!|NAME\?|NUM!|NULL!)", re.IGNORECASE)
"""What a spreadsheet writes for an error, which is no comment: its cell must not count as empty."""
MAX_BYTES = 50_000_000  # a day of envelope; a film renamed .csv is refused before it fills the memory


@dataclass(frozen=True, eq=False)
class Table:
    """``rows``: float64 [row, 1 or 2], finite; ``lines``: line number of each row; ``header``: names, empty without one."""

    path: Path
    header: tuple[str, ...]
    rows: np.ndarray
    lines: list[int]

    @property
    def width(self) -> int:
        return self.rows.shape[1]

    def check_rows(self, good: np.ndarray, complaint: str) -> None:
        """Raises EnvelopeError with the line of the first row that is not good (bool [row])."""
        if not good.all():
            raise EnvelopeError(f"{self.path}: line {self.lines[int(np.argmin(good))]} {complaint}")


def read_text(path: Path) -> str:
    """The text of a file. Raises EnvelopeError where there is none."""
    path = Path(path)
    try:
        if path.is_dir():
            raise EnvelopeError(f"{path}: is a folder; name a file of rows 'seconds,amplitude' or 'seconds[,strength]'")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise EnvelopeError(f"{path}: there is no such file; check the name") from None
    except OSError as error:
        raise EnvelopeError(f"{path}: cannot be opened ({error.strerror}); check its name and permissions") from error
    try:
        if len(content) > MAX_BYTES or b"\0" in content:
            raise ValueError
        return content.decode("utf-8-sig")
    except ValueError:
        raise EnvelopeError(
            f"{path}: is not a text of numbers; give rows 'seconds,amplitude' or 'seconds[,strength]'"
        ) from None


def cells_of(line: str) -> list[str]:
    """The cells of a line that are not empty; in double quotes, as some spreadsheets write all of them, a cell is whole."""
    if '"' in line and line.count('"') % 2 == 0 and len(line) <= csv.field_size_limit():
        parted = sorted(set(re.sub(r'"[^"]*"', "", line)) & set(",;\t")) or [" "]
        cells = next(csv.reader([line], delimiter=parted[0], skipinitialspace=True))
    else:
        cells = re.split(r"[,;\t]|\s+", line)
    return [cell.strip() for cell in cells if cell.strip()]


def read_table(path: Path) -> Table:
    """Reads rows of one or two numbers. Columns are parted by comma, semicolon, tab or spaces, and may stand in double
    quotes; empty lines and what follows a # are passed over; the first row may name the columns. Raises EnvelopeError
    that names the line."""
    path = Path(path)
    header: tuple[str, ...] = ()
    rows: list[list[float]] = []
    lines: list[int] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        cells = cells_of(line.strip() if FAILED.search(line) else COMMENT.sub("", line).strip())
        if not cells:
            continue
        try:
            row = [float(cell) for cell in cells]
        except ValueError:
            names = tuple(cell.strip("\"'").lower() for cell in cells)
            if rows or header or names not in HEADERS:
                comma = ", decimals with a point" if any("," in cell for cell in cells) else ""
                raise EnvelopeError(
                    f"{path}: line {number} is not 'seconds,amplitude' nor 'seconds[,strength]' in numbers{comma}; correct it"
                ) from None
            header = names
            continue
        if not np.isfinite(row).all():
            raise EnvelopeError(f"{path}: line {number} holds NaN or infinity; remove the line or write a number")
        if len(row) > 2:
            comma = "; write decimals with a point" if ";" in line or "\t" in line else ""
            raise EnvelopeError(f"{path}: line {number} has {len(row)} columns; give seconds and one number at most{comma}")
        if len(row) != len(header or (rows or [row])[0]):
            raise EnvelopeError(f"{path}: line {number} has {len(row)} column(s), unlike the lines before; correct it")
        rows.append(row)
        lines.append(number)
    if not rows:
        raise EnvelopeError(f"{path}: holds no rows; give rows 'seconds,amplitude' or 'seconds[,strength]'")
    return Table(path, header, np.array(rows), lines)
