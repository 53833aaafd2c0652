"""Words beyond the captions: whose they are, that none is the benchmark's, and how they are asked for."""

import re
from collections import Counter

import numpy as np
import pytest

from foleygram.data.captions import NOUNS
from foleygram.data.scenes import ACTIONS
from foleygram.data.vocabulary import (
    OBJECTS,
    UNHEARD,
    VERBS,
    _base,
    _dressed,
    _ing,
    asked,
    bare,
    names_thing,
    read_objects,
    request,
)


def test_every_material_has_many_things_and_none_is_of_two():
    assert set(OBJECTS) == set(UNHEARD) == set(NOUNS)
    assert min(len(names) for names in OBJECTS.values()) >= 100
    everything = [bare(name) for names in (*OBJECTS.values(), *UNHEARD.values()) for name in names]
    assert max(Counter(everything).values()) == 1
    assert all(name == " ".join(name.split()) and name for names in OBJECTS.values() for name in names)
    assert not set(everything) & {bare(noun) for nouns in NOUNS.values() for noun in nouns}, "captions have those"


def test_what_validates_ends_in_words_that_no_taught_thing_ends_in():
    ends = lambda names: {re.sub("s$", "", bare(name).split()[-1]) for each in names.values() for name in each}  # noqa: E731
    assert min(len(names) for names in UNHEARD.values()) >= 5
    assert not ends(OBJECTS) & ends(UNHEARD)


def test_names_go_on_over_lines(tmp_path):
    path = tmp_path / "objects.txt"
    path.write_text("wood\n    a chest of\n    drawers; an oar;\n    teak\nglass\n    a pane\n", encoding="utf-8")
    assert read_objects(path) == {"wood": ("a chest of drawers", "an oar", "teak"), "glass": ("a pane",)}


def test_a_text_names_a_thing_that_is_taught():
    thing = bare(OBJECTS["metal"][0])
    assert names_thing(f"Hitting the {thing.upper()}, twice", "metal") and not names_thing(f"hitting the {thing}", "glass")
    assert not names_thing(f"hitting pre{thing}s", "metal") and not names_thing(f"hitting {UNHEARD['metal'][0]}", "metal")


def test_things_that_validate_are_asked_for_by_turns():
    assert asked("glass", ("hit", "scratch"))[:3] == tuple(
        f"{doing} {name}" for doing, name in zip(("hitting", "scratching", "hitting"), UNHEARD["glass"][:3], strict=True)
    )
    assert len(asked("wood", ("step",))) == len(UNHEARD["wood"])


@pytest.mark.parametrize("action", ACTIONS)
def test_a_request_names_a_thing_of_the_material(action):
    rng = np.random.default_rng(3)
    bare = [re.sub("^(an?|the) ", "", name) for name in (*OBJECTS["paper"], *NOUNS["paper"])]
    said = {request("paper", action, rng) for _ in range(200)}
    assert len(said) > 150
    assert all(any(name in text or name.capitalize() in text for name in bare) for text in said)
    assert any(verb in text for text in said for verb in VERBS[action])


def test_shares_of_sentences_and_of_nouns():
    ask = lambda **shares: [request("glass", "hit", np.random.default_rng(seed), **shares) for seed in range(100)]  # noqa: E731
    named = lambda texts, names: sum(any(name.split(" ", 1)[-1] in text for name in names) for text in texts)  # noqa: E731
    assert all(text[0].isupper() for text in ask(plain=1.0))
    assert sum(text[0].isupper() for text in ask(plain=0.0)) < 5, "names apart, a request is no sentence"
    assert named(ask(known=1.0), NOUNS["glass"]) == 100
    assert named(ask(known=0.0), OBJECTS["glass"]) == 100


@pytest.mark.parametrize(
    ("verb", "doing"), [("taps on", "tapping on"), ("strikes", "striking"), ("smashes", "smashing"),
     ("tiptoes across", "tiptoeing across"),
     ("hits", "hitting"), ("thuds into", "thudding into"),
     ("walks on", "walking on"), ("brushes over", "brushing over")],
)  # fmt: skip
def test_what_is_being_done(verb, doing):
    assert _ing(verb) == doing


def test_what_is_to_be_done():
    assert [_base(verb) for verb in ("taps on", "smashes", "rubs", "tiptoes across")] == [
        "tap on",
        "smash",
        "rub",
        "tiptoe across",
    ]


def test_things_of_other_materials_stand_beside_what_is_touched():
    others = [bare(name) for material, names in OBJECTS.items() if material != "glass" for name in names if " " in bare(name)]
    said = [request("glass", "hit", np.random.default_rng(seed), plain=0, known=0) for seed in range(300)]
    beside = [text for text in said if any(name in text for name in others)]
    assert 20 < len(beside) < 150
    assert all(names_thing(text, "glass") for text in said)


def test_articles_fit_what_they_stand_before():
    rng = np.random.default_rng(0)
    dressed = {_dressed(noun, rng) for noun in ("an oven", "a safe", "iron") for _ in range(600)}
    assert {"an oven", "the oven", "oven", "an old safe", "a cold oven", "iron", "old iron"} <= dressed
    assert not any(re.match("a [aeiou]|an [^aeiou]", text) for text in dressed)
