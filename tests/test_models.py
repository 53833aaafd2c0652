"""The shipped model folders: strict JSON, and everything said about every component."""

import json

import pytest

from foleygram.pipeline import MODELS

SHIPPED = sorted(path.parent.name for path in MODELS.glob("*/config.json"))


def refuse(word: str):
    raise AssertionError(f"{word} is not JSON")


@pytest.mark.parametrize("path", sorted(MODELS.rglob("*.json")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_shipped_json_is_strict(path):
    assert json.loads(path.read_text(), parse_constant=refuse)
