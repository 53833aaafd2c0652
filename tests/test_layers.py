"""Imports go down only (architecture): a walk through the syntax trees of the package."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "foleygram"

LEVELS = {
    "errors": 0, "types": 0, "config": 0, "limits": 0, "output": 0, "spread": 0,
    "media": 1, "signal": 1,
    "gram": 2, "diffusion": 2, "timing": 2,
    "hub": 3, "finish": 3,
    # every other file of the package's own folder stands beside the pipeline: 4
    "verbs": 5,
    "data": 6,
    "training": 7, "evaluation": 7,
    "cli": 8,
}  # fmt: skip
BESIDE_PIPELINE = 4

SEEN = {
    "media": set(), "signal": set(), "gram": {"signal"}, "diffusion": {"signal"}, "timing": {"signal"}, "hub": set(),
    "finish": {"signal", "gram", "diffusion", "timing"},
}  # fmt: skip
"""What the lower folders may import besides level 0 and themselves; the upper ones may import all below them."""

DOORS = {
    "av": {"media"},
    "soundfile": {"media"},
    "safetensors": {"hub"},
    "transformers": {"gram/text.py", "evaluation"},
    "huggingface_hub": {"hub/sources.py"},
    "pickle": {"hub"},
    "typer": {"cli"},
}
"""The only places that import these. Sounds and films are coded and decoded in media alone, pictures with one exception: for
films that OpenCV draws it also reads photographs (data/textures.py) and makes the blocks of a JPEG (training/filming.py)."""

FILES = sorted(PACKAGE.rglob("*.py"))


def home(path: Path) -> str:
    """``foleygram/media/mux.py`` -> media, ``foleygram/pipeline.py`` -> pipeline."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def level(name: str) -> int:
    return LEVELS.get(name, BESIDE_PIPELINE)


def imported(path: Path) -> set[str]:
    """Dotted names of all modules a file imports, also within functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            found.add(node.module)
            if node.module == "foleygram":
                found |= {f"foleygram.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(path):
    own = home(path)
    if own in ("__init__", "__main__"):  # the public API, by first use; the command line by another name
        return
    for module in imported(path):
        if not module.startswith("foleygram."):
            continue
        other = module.split(".")[1]
        if other == own:
            continue
        if level(own) == 0:
            assert level(other) == 0, f"{own} may not import {other}"
        elif own in SEEN:
            assert level(other) == 0 or other in SEEN[own], f"{own} may not import {other}"
        elif level(own) == BESIDE_PIPELINE:
            assert level(other) <= BESIDE_PIPELINE, f"{own} may not import {other}, which lies above it"
        else:
            assert level(other) < level(own), f"{own} may not import {other}"


@pytest.mark.parametrize("library", DOORS)
def test_each_heavy_library_has_one_door(library):
    for path in FILES:
        if any(module.split(".")[0] == library for module in imported(path)):
            place = path.relative_to(PACKAGE).as_posix()
            assert any(place == door or place.startswith(f"{door}/") for door in DOORS[library]), f"{place} imports {library}"


def test_weights_are_unpickled_only_behind_the_door():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert home(path) == "hub", f"{path} unpickles; only hub may"
                assert "weights_only=True" in ast.unparse(node), f"{path}: torch.load without weights_only=True"


def test_what_an_error_tells_to_install_needs_no_source_tree():
    for path in FILES:
        assert "pip install -e" not in path.read_text(encoding="utf-8"), f"{path}: whoever installed a wheel has none"


def test_no_room_without_a_name():
    assert not {path.stem for path in FILES} & {"utils", "util", "common", "helpers", "misc", "base"}


def test_every_folder_has_a_level():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= LEVELS.keys(), f"no level is set for {folders - LEVELS.keys()}"
