"""What the documents name exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAPER = (ROOT / "docs" / "paper-to-code.md").read_text()
# lab-notes.md tells of what was, so its names may be gone
DOCUMENTS = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "lab-notes.md")]
POINTER = re.compile(r"`((?:foleygram|recipes|docs|tests|benchmarks)/[\w./-]+\.\w+)(?::([\w.]+))?`")
NAMES = sorted({found for path in DOCUMENTS for found in POINTER.findall(path.read_text())})


def defined(path: Path) -> set[str]:
    """Names at the top of a module, and ``Class.method``."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
            found |= {f"{node.name}.{part.name}" for part in getattr(node, "body", []) if isinstance(part, ast.FunctionDef)}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


@pytest.mark.parametrize(("file", "name"), NAMES)
def test_documents_name_what_exists(file, name):
    assert (ROOT / file).is_file()
    if name:
        assert name in defined(ROOT / file)


def test_paper_to_code_is_complete():
    equations = [f"Eq. {number} " for number in range(1, 8)] + ["Eqs. 8 to 10 "]
    for wanted in (*equations, "Table I ", "Table II ", "Fig. 1 ", "Fig. 2 ", "Fig. 3 "):
        assert f"| {wanted}" in PAPER
    for section in ("III-A", "III-B1", "III-B2", "III-B3", "IV-A", "IV-B", "IV-C", "V-A"):
        assert f"| {section} |" in PAPER


@pytest.mark.parametrize(
    "document", ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]
)
def test_files_that_documents_name_exist(document):
    text = (ROOT / document).read_text()
    made = ("data/", "runs/", "foleygram/models/mini/", "demo/")  # by commands
    for path in re.findall(r"`((?:foleygram|docs|recipes|tests|benchmarks)/[\w./-]+\.\w+)", text):
        assert path.startswith(made) or (ROOT / path).exists(), f"{document} names {path}"
