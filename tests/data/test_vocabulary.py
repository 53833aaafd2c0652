"""Words beyond the captions: whose they are, that none is the benchmark's, and how they are asked for."""

import re
from collections import Counter

import numpy as np
import pytest

from foleygram.data.captions import NOUNS
from foleygram.data.scenes import ACTIONS
from foleygram.data.vocabulary import (
    BESIDE,
    OBJECTS,
    TOOLS,
    UNHEARD,
    VERBS,
    _base,
    _dressed,
    _ing,
    asked,
    bare,
    is_held_out,
    names_thing,
    read_objects,
    request,
    singular,
    words,
)  # fmt: skip
from foleygram.errors import DataError


def test_every_material_has_many_things_and_none_is_of_two():
    assert set(OBJECTS) == set(UNHEARD) == set(NOUNS)
    assert min(len(names) for names in OBJECTS.values()) >= 100
    everything = [bare(name) for names in (*OBJECTS.values(), *UNHEARD.values()) for name in names]
    assert max(Counter(everything).values()) == 1
    assert all(name == " ".join(name.split()) and name for names in OBJECTS.values() for name in names)
    assert not set(everything) & {bare(noun) for nouns in NOUNS.values() for noun in nouns}, "captions have those"


def test_what_validates_ends_in_words_that_no_taught_thing_holds():
    taught = {word for names in OBJECTS.values() for name in names for word in words(name)}
    ends = {words(name)[-1] for names in UNHEARD.values() for name in names}
    assert min(len(names) for names in UNHEARD.values()) >= 5 and not taught & ends
    said = {word for nouns in NOUNS.values() for noun in nouns for word in words(bare(noun))} - {"of"}
    assert not [name for names in UNHEARD.values() for name in names if said & set(words(bare(name)))]
    assert not any(is_held_out(word) for word in said) and any(is_held_out(word) for word in ends)


def test_names_go_on_over_lines(tmp_path):
    path = tmp_path / "objects.txt"
    path.write_text("wood\n    a chest of\n    drawers; an oar;\n\n\tteak;\nglass\n    a pane\n", encoding="utf-8")
    assert read_objects(path) == {"wood": ("a chest of drawers", "an oar", "teak"), "glass": ("a pane",)}
    path.write_text("    a pane\n", encoding="utf-8")
    with pytest.raises(DataError, match="without a material"):
        read_objects(path)


@pytest.mark.parametrize(
    ("plural", "one"), [("boxes", "box"), ("berries", "berry"), ("plates", "plate"), ("dishes", "dish"), ("glass", "glass"),
     ("glasses", "glass"), ("benches", "bench"), ("axes", "ax"), ("cactus", "cactus"), ("houses", "house"), ("pies", "pie")],
)  # fmt: skip
def test_one_of_many(plural, one):
    assert singular(plural) == one


def test_a_text_names_a_thing_that_is_taught():
    thing = bare(OBJECTS["metal"][0])
    assert names_thing(f"Hitting the {thing.upper()}, twice", "metal") and not names_thing(f"hitting the {thing}", "glass")
    assert names_thing(f"hitting {thing}s", "metal") and not names_thing(f"hitting pre{thing}", "metal")
    assert not names_thing("tapping a sheet of something", "paper"), "an A4 sheet is no sheet"
    assert not names_thing(f"hitting {UNHEARD['metal'][0]}", "metal")


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
    said = [request("glass", "hit", np.random.default_rng(seed), plain=0, known=0) for seed in range(400)]
    assert all(names_thing(text, "glass") for text in said)
    ends = [text for text in said if re.search(rf" ({'|'.join(BESIDE)}) ", text)]
    others = [text for text in ends if any(names_thing(text.split(" ", 3)[-1], each) for each in OBJECTS if each != "glass")]
    assert 15 < len(others) < 80, "nearby"
    tools = {re.sub(" against .*", "", text) for text in said if " against " in text and not text.startswith("a kick")}
    assert 5 < len([tool for tool in tools if tool not in TOOLS]) < len(tools), "in hand"


def test_articles_fit_what_they_stand_before():
    rng = np.random.default_rng(0)
    dressed = {_dressed(noun, rng) for noun in ("an oven", "a safe", "iron") for _ in range(600)}
    assert {"an oven", "the oven", "oven", "an old safe", "a cold oven", "iron", "old iron"} <= dressed
    assert not any(re.match("a [aeiou]|an [^aeiou]", text) for text in dressed)
