"""Fills docs/results.md from the tables that ``foleygram benchmark`` wrote; what people wrote between them stays.

    python benchmarks/results.py runs/scores runs/scores-raw

The folders are --out of the benchmark, with one or several of table1.md to table4.md; of two of a number the last one counts.
Each goes between the lines ``<!-- table 1 -->`` and ``<!-- end of table 1 -->`` of the document.
"""

import argparse
import re
import sys
from pathlib import Path

from foleygram.errors import DataError, FoleyGRAMError
from foleygram.output import whole_text


def mark(number: int, begins: bool = True) -> str:
    """The line before a table, or after it."""
    return f"<!-- {'' if begins else 'end of '}table {number} -->"


def filled(document: str, number: int, table: str) -> str:
    """The document with one table put between its marks. Raises DataError where the marks are absent."""
    marks = mark(number), mark(number, begins=False)
    pattern = re.compile(f"{re.escape(marks[0])}.*?{re.escape(marks[1])}", re.DOTALL)
    if not pattern.search(document):
        raise DataError(f"the document has no '{marks[0]}' ... '{marks[1]}'; put both lines where the table belongs")
    return pattern.sub(lambda _: f"{marks[0]}\n{table.strip()}\n{marks[1]}", document)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--document", type=Path, default=Path(__file__).parents[1] / "docs" / "results.md")
    arguments = parser.parse_args()
    tables = [(number, folder / f"table{number}.md") for folder in arguments.folders for number in (1, 2, 3, 4)]
    present = {number: path for number, path in sorted(tables, key=lambda table: table[0]) if path.is_file()}
    try:
        if not present:
            raise DataError(
                f"{', '.join(map(str, arguments.folders))}: holds none of table1.md to table4.md; "
                "run foleygram benchmark minihits --out there"
            )
        text = arguments.document.read_text(encoding="utf-8")
        wanted = [number for number in present if mark(number) in text]
        for number in wanted or present:  # a document for none of them is a mistake
            text = filled(text, number, present[number].read_text(encoding="utf-8"))
        whole_text(arguments.document, text, force=True)
    except FoleyGRAMError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"{arguments.document}: table {' and '.join(map(str, wanted))} filled in")
    for number in present.keys() - set(wanted):
        print(f"  note: it has no '{mark(number)}', so {present[number]} is left out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
