"""Scenes: the same seed gives the same scene, one material, contacts apart, splits with sounds of their own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foleygram.data.scenes import GAP, SPLITS, TOOLS, draw_scene, draw_times
from foleygram.data.sounds import SoundBank
from foleygram.errors import DataError

BANK = SoundBank()
TEXTURES = {"train": {"wood": ("wood/a.jpg",)}, "test": {"wood": ("wood/b.jpg",)}}


def draw(split, index, seconds=10.0, seed=0):
    return draw_scene(split, index, BANK, TEXTURES, seconds, seed)


def test_same_arguments_same_scene():
    assert draw("train", 5) == draw("train", 5)
    assert draw("train", 5) != draw("train", 5, seed=1)
    assert draw("train", 5).events != draw("test", 5).events


@settings(max_examples=8)
@given(split=st.sampled_from(SPLITS), index=st.integers(0, 400))
def test_scene_is_consistent(split, index):
    scene = draw(split, index)
    assert scene.split == split and scene.id == f"{split}_{index:05d}"
    assert 1 <= len(scene.events) <= 14
    assert 0.3 <= scene.events[0].seconds <= 2.0
    assert scene.tool in TOOLS[scene.action]
    for event, following in zip(scene.events, scene.events[1:], strict=False):
        assert following.seconds - event.seconds - event.duration >= GAP - 1e-3
    for event in scene.events:
        assert event.sound.split(":")[1] == scene.material
        assert 0 < event.strength <= 1 and 0 < event.gain < 1.5
        assert event.seconds + event.duration <= scene.seconds
        assert 0 <= min(event.x, event.y, event.x_end, event.y_end) and max(event.x, event.y, event.x_end, event.y_end) <= 1
        assert (event.duration > 0) == (event.action == "scratch")
        assert split == "train" or 0.94 <= event.pitch <= 1.06
    assert {event.action for event in scene.events} in ({"hit"}, {"scratch"}, {"step"}, {"hit", "scratch"})
    assert f" {scene.material}" in scene.caption


def test_uses_take_turns():
    scenes = [draw("validation", index, seconds=1.0) for index in range(len(BANK.shelves) // 3 + 13)]
    materials = {scene.material for scene in scenes}
    assert materials == {material for _, material, _ in BANK.shelves}


def test_split_keeps_its_photographs():
    chosen = {split: {draw(split, index, seconds=1.0).texture for index in range(45)} for split in ("train", "test")}
    assert "wood/a.jpg" in chosen["train"] and "wood/b.jpg" not in chosen["train"]
    assert "wood/b.jpg" in chosen["test"] and "wood/a.jpg" not in chosen["test"]


def test_intervals_are_those_of_greatest_hits():
    rng = np.random.default_rng(0)
    steps = np.concatenate([np.diff(draw_times(10.0, rng, "hit")) for _ in range(100)])
    assert steps.min() >= GAP
    assert 0.5 < np.median(steps) < 0.8


def test_split_without_sounds_is_refused():
    class Empty:
        shelves: dict = {}

    with pytest.raises(DataError, match="no family for the test split"):
        draw_scene("test", 0, Empty(), {})
