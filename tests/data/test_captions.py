"""Captions: the paper's template and true paraphrases."""

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from foleygram.data.captions import NOUNS, TEMPLATES, TOOL_NOUNS, VERBS, kind_of, paraphrases, template
from foleygram.data.modal import BODIES
from foleygram.data.scenes import ACTIONS, TOOLS


def test_template_of_the_paper():
    assert template("metal", ["hit"], "stick") == "A person hit once on metal with a wooden stick."
    assert template("metal", ["hit"] * 3, "stick") == "A person hit multiple times on metal with a wooden stick."
    assert template("leaf", ["scratch", "hit"], "hand") == "A person hit and scratch multiple times on leaf with the hand."
    assert template("gravel", ["step"] * 4, "foot") == "A person steps multiple times on gravel."


def test_vocabulary_covers_the_benchmark():
    assert set(NOUNS) == set(BODIES)
    assert all(nouns[0] == material for material, nouns in NOUNS.items())
    assert set(TEMPLATES) == {*ACTIONS, "both"}
    assert all(set(VERBS[action]) == set(TOOLS[action]) and set(TOOLS[action]) <= set(TOOL_NOUNS) for action in ACTIONS)
    assert len({sentence for sentences in TEMPLATES.values() for sentence in sentences}) >= 60


@settings(max_examples=30)
@given(
    material=st.sampled_from(sorted(NOUNS)),
    use=st.sampled_from([(["hit"], "stick"), (["hit", "scratch"], "hand"), (["step"], "foot"), (["scratch"], "stick")]),
    count=st.integers(1, 15),
    seed=st.integers(0, 10**6),
)
def test_paraphrases_are_sentences_about_their_scene(material, use, count, seed):
    actions = (use[0] * count)[: max(count, len(use[0]))]
    rng = np.random.default_rng(seed)
    times = list(0.5 + np.cumsum(rng.uniform(0.2, 2, len(actions))))
    found = paraphrases(material, actions, use[1], times, [rng.uniform()] * len(actions), 8, rng)
    assert 6 <= len(found) == len(set(found)) <= 8
    for sentence in found:
        assert any(noun.lower() in sentence.lower() for noun in NOUNS[material])
        assert not re.search(r"[{}]|  |_|\ba a\b|\bone \w+s\b", sentence)
        assert sentence[0].isupper() or not sentence[0].isalpha()
        if len(actions) > 1:
            assert not re.search(r"\bonce\b|single time", sentence)
        else:
            assert not re.search(r"times\b|repeatedly|again and|ootsteps", sentence)


def test_kinds():
    assert kind_of(["hit", "hit"]) == "hit"
    assert kind_of(["hit", "scratch"]) == "both"


def said(times: list[float], strength: float = 0.6, action: str = "hit", tool: str = "stick") -> str:
    """All that captions say of contacts at ``times``, in small letters."""
    found = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        found |= set(paraphrases("wood", [action] * len(times), tool, times, [strength] * len(times), 30, rng))
    return " | ".join(found).lower()


def test_captions_say_how_strong_contacts_are():
    soft, usual, strong = r"\b(softly|gently|lightly)\b", r"\bsteadily\b", r"\b(hard|firmly|with force)\b"
    for strength, words, others in ((0.3, soft, (usual, strong)), (0.6, usual, (soft, strong)), (0.9, strong, (soft, usual))):
        text = said([1.0, 2.0, 3.5], strength)
        assert re.search(words, text) and not any(re.search(other, text) for other in others)


def test_captions_say_how_fast_contacts_come():
    quick, slow = "quickly|quick succession", "slowly|long pauses"
    steady, irregular = "steady rhythm|regular intervals", "irregular pace|now and then"
    for steps, words in (
        ([0.3, 0.3, 0.3, 0.3], (quick, steady)), ([2.0, 2.0, 2.0, 2.0], (slow, steady)), ([0.2, 0.9, 0.3, 0.2], (quick,)),
        ([0.9, 0.9, 0.9, 0.9], (steady,)), ([0.4, 1.5, 0.5, 1.4], (irregular,)), ([0.9, 0.9], (irregular,)),
    ):  # fmt: skip
        text = said([0.5, *(0.5 + np.cumsum(steps))])
        for each in (quick, slow, steady, irregular):
            assert bool(re.search(each, text)) == (each in words), (steps, each)


def test_captions_count_right():
    numbers = "one two three four five six seven eight nine ten eleven twelve thirteen".split()
    for count in (1, 2, 3, 5, 13, 14):
        text = said(list(np.arange(1.0, count + 1)))
        found = set(re.findall(rf"\b({'|'.join(numbers)}) (?:hit|knock|tap|blow)s?\b", text))
        assert found == set(numbers[count - 1 : count])
        assert bool(re.search(r"\b(twice|two times)\b", text)) == (count == 2) and "three times" not in text


def test_a_single_contact_is_no_walk_and_no_series():
    single = " | ".join((said([1.0]), said([1.0], action="step", tool="foot"), said([1.0], action="scratch")))
    for word in ("feet land", "strokes of", "steps on wood,", "blows", "like a drum", "a walker", "several", "many"):
        assert word not in single
