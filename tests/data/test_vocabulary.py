"""Words beyond the captions: whose they are, that none is the benchmark's, and how they are asked for."""

import re
from collections import Counter

import numpy as np
import pytest

from foleygram.data.captions import NOUNS
from foleygram.data.scenes import ACTIONS
from foleygram.data.vocabulary import OBJECTS, UNHEARD, VERBS, _dressed, _ing, request


def test_every_material_has_many_things_and_none_is_of_two():
    assert set(OBJECTS) == set(UNHEARD) == set(NOUNS)
    assert min(len(names) for names in OBJECTS.values()) >= 50
    assert max(Counter(name for names in OBJECTS.values() for name in names).values()) == 1
    assert all(name == " ".join(name.split()) and name for names in OBJECTS.values() for name in names)


def test_what_validates_names_no_thing_that_is_taught():
    taught = {name for names in OBJECTS.values() for name in names}
    bare = {re.sub("^(an?|the) ", "", name) for name in taught}
    for prompts in UNHEARD.values():
        for prompt in prompts:
            named = re.findall("[a-z]+", prompt.lower())
            assert not bare & {" ".join(named[a:b]) for a in range(len(named)) for b in range(a + 1, len(named) + 1)}, prompt


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


def test_articles_fit_what_they_stand_before():
    rng = np.random.default_rng(0)
    dressed = {_dressed(noun, rng) for noun in ("an oven", "a safe", "iron") for _ in range(600)}
    assert {"an oven", "the oven", "oven", "an old safe", "a cold oven", "iron", "old iron"} <= dressed
    assert not any(re.match("a [aeiou]|an [^aeiou]", text) for text in dressed)
