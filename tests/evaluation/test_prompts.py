"""The list of free-text prompts: words that training never reads, every material, guides that tell no material."""

import re
from functools import cache

import numpy as np
import pytest

from foleygram.data.captions import COUNTED, NOUNS, NUMBERS, TEMPLATES, TOOL_NOUNS, VERBS, paraphrases, template
from foleygram.data.scenes import ACTIONS
from foleygram.data.vocabulary import (
    ADJECTIVES,
    BESIDE,
    FEET,
    OBJECTS,
    PLACES,
    SHOES,
    SOUNDS,
    TOOLS,
    UNHEARD,
    WHO,
    names_thing,
    singular,
)
from foleygram.data.vocabulary import VERBS as MORE_VERBS
from foleygram.evaluation.blind_prompts import BLIND
from foleygram.evaluation.prompts import HITS, PROMPTS, SHAPES, guide, spread, trained_prompts

PLAIN = {"a", "of", "the"}
GENERIC = {
    "surface",
    "table",
    "palm",
    "hand",
    "loose",
    "soft",
    "hard",
    "green",
    "small",
    "patch",
    "path",
    "bag",
    "box",
    "lid",
    "container",
}
"""Words of captions' nouns that name no material by themselves; in blind prompts they are allowed."""


def words(text):
    return set(re.findall("[a-z]+", text.lower()))


@cache
def vocabulary():
    """Every word that a caption of MiniHits can hold: its tables, and what a great many paraphrases say beside them."""
    texts = [noun for nouns in (*NOUNS.values(), *TOOL_NOUNS.values(), *COUNTED.values(), NUMBERS) for noun in nouns]
    texts += [sentence for sentences in TEMPLATES.values() for sentence in sentences]
    texts += [form for verbs in VERBS.values() for forms in verbs.values() for verb in forms for form in verb]
    uses = ((["hit"], "stick"), (["hit", "scratch"], "hand"), (["step"], "foot"), (["scratch"], "stick"))
    rng = np.random.default_rng(0)
    for round in range(40):
        for actions, tool in uses:
            times = list(np.cumsum(rng.uniform(0.2, 2, max(len(actions), 1 + round % 6))))
            many = (actions * len(times))[: len(times)]
            texts += paraphrases("wood", many, tool, times, [float(rng.uniform())] * len(times), 8, rng)
            texts += [template(material, many, tool) for material in NOUNS]
    return set().union(*map(words, texts))


def test_no_word_of_a_prompt_names_a_material_in_training():
    named = set().union(*(words(noun) for nouns in NOUNS.values() for noun in nouns)) - PLAIN
    known = vocabulary()
    for prompt in PROMPTS:
        assert not words(prompt.text) & named, prompt
        assert prompt.keys and set(prompt.keys) <= words(prompt.text), prompt
        assert not set(prompt.keys) & known, f"{prompt.text}: {set(prompt.keys) & known} stand in captions"


def taught():
    """Every word that the vocabulary stage can say beyond the captions."""
    said = [*WHO, *TOOLS, *FEET, *SHOES, *ADJECTIVES, *PLACES, *BESIDE]
    said += [phrase for uses in (MORE_VERBS, SOUNDS) for phrases in uses.values() for phrase in phrases]
    return set().union(
        *map(words, (*said, *(name for things in (OBJECTS, UNHEARD) for names in things.values() for name in names)))
    )


@cache
def stem(word):
    """Without plural and the endings that make other words of the same."""
    short = re.sub("(?<=.{3})(en|y|ed|ing)$|(?<=.{5})e$", "", singular(word))
    return re.sub(r"(.)\1$", r"\1", short) if short != singular(word) else short


def akin(word, key, every):
    """Whether a word is the key in another form, a compound of the key and one of ``every`` word, or its longer part."""
    short, said = singular(key), singular(word)
    rests = {said.removeprefix(short), said.removesuffix(short)} - {said}
    compound = len(short) >= 3 and any(len(rest) >= 3 and rest in every for rest in rests)
    own = stem(said)
    part = len(said) >= 6 and short.startswith(own) and short.removeprefix(own).removeprefix("e") in every
    return stem(word) == stem(key) or compound or part


def test_words_are_akin():
    every = {"stone", "shell", "flower", "board", "row", "side"}
    kin = [
        ("pebble", "pebbles"),
        ("pebbly", "pebbles"),
        ("cobble", "cobblestones"),
        ("cobbled", "cobblestones"),
        ("woollen", "wool"),
        ("woolly", "wool"),
    ]
    kin += [
        ("seashell", "sea"),
        ("flowerbed", "bed"),
        ("hedgerow", "hedge"),
        ("loamy", "loam"),
        ("lakeside", "lake"),
        ("slates", "slate"),
    ]
    assert all(akin(word, key, every) for word, key in kin)
    assert not any(
        akin(word, key, every) for word, key in [("cardigan", "card"), ("panel", "pan"), ("season", "sea"), ("bench", "beach")]
    )


def test_the_vocabulary_teaches_no_word_that_names_a_material_in_a_prompt():
    known = {singular(word) for word in vocabulary()}
    said = {singular(word) for word in taught()}
    every = said | known
    for key in {key for prompt in PROMPTS for key in prompt.keys}:
        assert not [word for word in said - known if akin(word, key, every)], key


def test_no_thing_of_a_right_material_stands_beside_what_is_touched():
    """Else the spoon would tell of the kettle."""
    assert not [prompt.text for prompt in PROMPTS if any(names_thing(prompt.text, each) for each in prompt.materials)]


def test_the_blind_list_names_no_material_in_words_of_the_captions():
    named = set().union(*(words(noun) for nouns in NOUNS.values() for noun in nouns)) - PLAIN - GENERIC
    assert len(BLIND) == len({prompt.name for prompt in BLIND}) == 128
    assert not [prompt.text for prompt in BLIND if words(prompt.text) & named]
    assert {prompt.materials[0] for prompt in BLIND} == set(NOUNS) and {prompt.action for prompt in BLIND} == set(ACTIONS)


@pytest.mark.parametrize("word", ["steel", "oak", "pebbles", "porcelain", "leaves"])
def test_reserved_words_are_asked_and_never_trained(word):
    assert word not in vocabulary()
    assert any(word in prompt.keys for prompt in PROMPTS)


def test_the_list_covers_the_benchmark():
    assert len(PROMPTS) >= 65
    assert len({prompt.name for prompt in PROMPTS}) == len({prompt.text for prompt in PROMPTS}) == len(PROMPTS)
    assert {prompt.materials[0] for prompt in PROMPTS} == set(NOUNS)
    assert {prompt.action for prompt in PROMPTS} == set(ACTIONS) == set(SHAPES)
    assert all(set(prompt.materials) <= set(NOUNS) for prompt in PROMPTS)
    assert sum(len(prompt.materials) > 1 for prompt in PROMPTS) <= 5, "more than one right answer is the exception"
    counts = [sum(prompt.materials[0] == material for prompt in PROMPTS) for material in NOUNS]
    assert min(counts) >= 4 and max(counts) <= 7


def test_few_prompts_are_of_many_materials():
    assert {prompt.materials[0] for prompt in spread(PROMPTS, len(NOUNS))} == set(NOUNS)
    assert sorted(prompt.text for prompt in spread(PROMPTS)) == sorted(prompt.text for prompt in PROMPTS)


def test_the_same_question_in_trained_words():
    known = trained_prompts(PROMPTS)
    assert {(prompt.materials[0], prompt.action) for prompt in known} == {(p.materials[0], p.action) for p in PROMPTS}
    assert len({prompt.text for prompt in known}) == len(known) and all(words(prompt.text) <= vocabulary() for prompt in known)
    assert "A person steps multiple times on gravel." in [prompt.text for prompt in known]


def test_guides_tell_the_action_alone():
    hit, scratch, step = (guide(action, 10.0) for action in ("hit", "scratch", "step"))
    assert len(hit.values) == len(scratch.values) == len(step.values)
    rise = lambda envelope: envelope.times[envelope.values[: int(1.2 * envelope.rate)].argmax()] - HITS[0][0]  # noqa: E731
    assert rise(hit) < rise(scratch) and rise(scratch) > 0.04
    assert len(guide("hit", 1.0).values) < len(hit.values)
