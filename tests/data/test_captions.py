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
