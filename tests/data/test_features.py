"""Scenes out of their file, or one line."""

import json
from dataclasses import asdict

import pytest

from foleygram.data.features import read_scenes
from foleygram.data.scenes import draw_scene
from foleygram.data.sounds import SoundBank
from foleygram.errors import DataError


def test_scenes_are_read_as_they_were_drawn(tmp_path):
    scene = draw_scene("train", 0, SoundBank(), {}, 1.0)
    (tmp_path / "scenes.jsonl").write_text(json.dumps(asdict(scene)) + "\n")
    assert read_scenes(tmp_path / "scenes.jsonl") == {scene.id: scene}
    assert read_scenes(tmp_path / "none.jsonl") == {}


@pytest.mark.parametrize("content", [b"{", b"3\n", b"[]", b'{"id": "a"}', b'{"id": "a", "events": [3]}', b"\xff\xfe\0"])
def test_what_is_no_scene_is_one_line(tmp_path, content):
    (tmp_path / "scenes.jsonl").write_bytes(content)
    with pytest.raises(DataError, match="scenes.jsonl.*make the data set again") as caught:
        read_scenes(tmp_path / "scenes.jsonl")
    assert "\n" not in str(caught.value)


def test_a_folder_in_the_place_of_the_scenes(tmp_path):
    with pytest.raises(DataError, match="cannot be read .Is a directory"):
        read_scenes(tmp_path)
