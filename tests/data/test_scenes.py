"""Scenes: the same seed gives the same scene, one material, contacts apart, splits with sounds of their own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foleygram.data.manifest import SPLITS
from foleygram.data.scenes import GAP, TOOLS, draw_objects, draw_scene, draw_times
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


def test_a_stronger_contact_is_louder():
    """By 18 dB from nothing to full strength, with a little chance beside."""
    events = [event for index in range(20) for event in draw("train", index).events]
    strengths, gains = (np.array([getattr(event, name) for event in events]) for name in ("strength", "gain"))
    slope, top = np.polyfit(strengths - 1, 20 * np.log10(gains), 1)
    assert slope == pytest.approx(18, abs=1) and top == pytest.approx(0, abs=0.5)


def test_steps_are_left_and_right_by_turns():
    walks = [scene for scene in (draw("train", index) for index in range(60)) if scene.action == "step"]
    assert len(walks) > 3
    for scene in walks:
        sides = np.sign(np.diff([event.x for event in scene.events]))
        assert sides.all() and (sides[1:] == -sides[:-1]).all()


def test_no_take_is_heard_twice_running_where_there_are_others():
    class Bank:
        shelves = {("test", "wood", "hit"): {"a": ("a#0", "a#1", "a#2")}}

    scenes = [draw_scene("test", index, Bank(), {}) for index in range(12)]
    sounds = [[event.sound for event in scene.events] for scene in scenes]
    assert all(one != other for row in sounds for one, other in zip(row, row[1:], strict=False))
    assert {sound for row in sounds for sound in row} == {"a#0", "a#1", "a#2"}


def test_hits_come_twice_as_often_and_uses_in_a_new_order_each_round():
    class Bank:
        shelves = {("test", material, action): {"a": ("a#0",)} for material in ("wood", "glass") for action in ("hit", "step")}

    uses = [(scene.material, scene.action) for scene in (draw_scene("test", index, Bank(), {}) for index in range(60))]
    rounds = [uses[first : first + 6] for first in range(0, 60, 6)]
    assert all(sorted(each) == sorted(rounds[0]) for each in rounds) and len({tuple(each) for each in rounds}) > 3
    assert rounds[0].count(("wood", "hit")) == 2 and rounds[0].count(("wood", "step")) == 1


def test_no_texture_is_made_of_the_seed_of_another_split():
    for number, split in enumerate(SPLITS):
        made = [draw_scene(split, index, BANK, {}, seconds=1.0).texture for index in range(30)]
        seeds = [int(texture.split(":")[2]) for texture in made]
        assert all(10000 * number < seed < 10000 * (number + 1) for seed in seeds)


def test_a_test_scene_shows_a_photograph_wherever_there_is_one():
    textures = {split: {material: ("a.jpg",) for _, material, _ in BANK.shelves} for split in SPLITS}
    shown = {split: [draw_scene(split, index, BANK, textures, 1.0).texture for index in range(60)] for split in SPLITS}
    assert set(shown["test"]) == {"a.jpg"} and len(set(shown["train"])) > 1


@pytest.mark.parametrize("seconds", [0.3, 0.6])
def test_the_shortest_clip_has_a_contact_within_it(seconds):
    for seed in range(40):
        times = draw_times(seconds, np.random.default_rng(seed), "hit")
        assert len(times) == 1 and 0 < times[0] < seconds


def test_a_scene_has_one_or_two_objects_of_one_kind():
    shelf = {"real1": ("r1",), "real2": ("r2",), "borrowed:x": ("b1",), "modal:y": ("m1",), "modal:z": ("m2",)}
    drawn = [draw_objects(shelf, np.random.default_rng(seed)) for seed in range(400)]
    assert {len(names) for names in drawn} == {1, 2} and len({names[0][0] for names in drawn}) == 3
    assert all(len({name[0] for name in names}) == 1 for names in drawn)
    real = sum(names[0][0] == "r" for names in drawn) / 400
    assert real == pytest.approx(0.6, abs=0.08) and 5 < sum(len(names) == 2 for names in drawn) < 100
