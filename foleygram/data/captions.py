"""What the scenes are called: the paper's template (IV-A), and paraphrases for training.

Every clip carries the template. Training also gets paraphrases: other nouns for the material, other verbs, other
sentences. The prompts of ``foleygram.evaluation.prompts`` name materials only in words that stand in none of them: no word
of theirs may come in here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

NOUNS = {
    "wood": ("wood", "a wooden board", "a wooden surface", "a plank", "timber", "a wooden table", "lumber", "a log"),
    "metal": ("metal", "a metal sheet", "iron", "a metal plate", "a tin can", "a metal pipe", "aluminium", "a metal surface"),
    "dirt": ("dirt", "soil", "earth", "bare ground", "loose soil", "a patch of dirt", "the ground"),
    "rock": ("rock", "stone", "a boulder", "concrete", "a stone slab", "a hard stone surface", "a brick"),
    "leaf": ("leaf", "foliage", "leaf litter", "a bush", "greenery", "a leafy plant"),
    "plastic": (
        "plastic",
        "a plastic box",
        "a plastic container",
        "vinyl",
        "a plastic bottle",
        "a plastic lid",
        "hard plastic",
    ),
    "cloth": ("cloth", "fabric", "a cushion", "a carpet", "textile", "a blanket", "soft cloth"),
    "paper": ("paper", "a sheet of paper", "cardboard", "a book", "a paper bag", "a notebook"),
    "grass": ("grass", "a lawn", "turf", "a meadow", "a patch of grass", "green grass"),
    "water": ("water", "a puddle", "a pond", "the surface of water", "a pool", "shallow water"),
    "gravel": ("gravel", "sand", "small stones", "a gravel path", "grit", "loose gravel"),
    "ceramic": ("ceramic", "a tile", "a tiled surface", "a ceramic plate", "pottery", "a clay pot"),
    "glass": ("glass", "a glass pane", "a window", "a glass bottle", "a jar", "a sheet of glass"),
}
"""Training's names of each material; the first is the label of the test captions."""

TOOL_NOUNS = {
    "stick": ("a wooden stick", "a stick", "a drumstick", "a thin stick"),
    "hand": ("the hand", "a bare hand", "a finger", "a palm"),
    "foot": ("shoes", "a foot", "their feet"),
}

# (third person, -ing form, past participle), each with the preposition that it needs
VERBS = {
    "hit": {
        "stick": (
            ("hits", "hitting", "hit"),
            ("taps on", "tapping on", "tapped"),
            ("strikes", "striking", "struck"),
            ("knocks on", "knocking on", "knocked"),
            ("beats on", "beating on", "beaten"),
            ("raps on", "rapping on", "rapped"),
            ("bangs on", "banging on", "banged"),
            ("drums on", "drumming on", "drummed on"),
        ),
        "hand": (
            ("hits", "hitting", "hit"),
            ("slaps", "slapping", "slapped"),
            ("pats", "patting", "patted"),
            ("thumps", "thumping", "thumped"),
            ("knocks on", "knocking on", "knocked"),
        ),
    },
    "scratch": {
        "stick": (
            ("scratches", "scratching", "scratched"),
            ("scrapes", "scraping", "scraped"),
            ("rubs", "rubbing", "rubbed"),
            ("scrapes along", "scraping along", "scraped"),
            ("grates on", "grating on", "grated"),
        ),
        "hand": (
            ("scratches", "scratching", "scratched"),
            ("rubs", "rubbing", "rubbed"),
            ("strokes", "stroking", "stroked"),
            ("brushes over", "brushing over", "brushed"),
        ),
    },
    "step": {
        "foot": (
            ("steps on", "stepping on", "stepped on"),
            ("walks on", "walking on", "walked on"),
            ("treads on", "treading on", "trodden on"),
            ("stomps on", "stomping on", "stomped on"),
            ("paces on", "pacing on", "paced on"),
        )
    },
}

ANY = (
    "A person {does} {noun} {often} with {tool}.",
    "Someone {does} {noun} {often} with {tool}.",
    "Someone {does} {noun}.",
    "A person {does} {noun} {often}.",
    "The sound of {doing} {noun}.",
    "{Doing} {noun} {often}.",
    "{Doing} {noun} with {tool}.",
    "{noun_} is {done} {often}.",
    "{noun_} being {done} with {tool}.",
    "With {tool}, a person {does} {noun} {often}.",
    "A recording of a person {doing} {noun}.",
    "Sound effect: {doing} {noun}, {often}.",
    "Foley of {doing} {noun}.",
    "A person is {doing} {noun} {how}.",
    "{How}, somebody {does} {noun} {often}.",
    "We hear someone {doing} {noun} {pace}.",
    "Close-up: someone {does} {noun} {pace}.",
    "{doing} {noun}",
)
TEMPLATES = {
    "hit": ANY
    + (
        "{tool_} hits {noun} {often}.",
        "{Tool} strikes {noun} {how}.",
        "{Count} on {noun} with {tool}.",
        "{Count} on {noun}.",
        "The sound of {tool} against {noun}.",
        "{Count}, {pace}, on {noun}.",
        "Percussive contact of {tool} with {noun}.",
        "An impact sound: {noun}, {often}.",
        "Tapping {noun} {pace}.",
        "{noun_} sounds under the blows of {tool}.",
        "Somebody plays {noun} like a drum, {pace}.",
    ),
    "scratch": ANY
    + (
        "A person drags {tool} across {noun}.",
        "{tool_} is dragged over {noun} {often}.",
        "Someone runs {tool} along {noun} {often}.",
        "{Tool} scrapes over {noun}.",
        "Friction of {tool} on {noun}.",
        "A scraping sound on {noun}.",
        "A scratchy noise: {tool} moves over {noun}.",
        "A person draws {tool} over {noun} {pace}.",
        "{Tool} slides across {noun} {how}.",
        "Scraping {noun} {often}.",
        "Strokes of {tool} on {noun}.",
    ),
    "step": ANY
    + (
        "Footsteps on {noun}.",
        "{Count} on {noun}.",
        "A person walks over {noun} {pace}.",
        "The sound of footsteps on {noun}.",
        "Feet land on {noun} {often}.",
        "Walking on {noun} {pace}.",
        "Someone takes {count} on {noun}.",
        "Steps on {noun}, {pace}.",
        "A shoe comes down on {noun} {often}.",
        "A walker crosses {noun}.",
        "Someone sets foot on {noun} {how}.",
    ),
    "both": (
        "A person hits and scratches {noun} {often} with {tool}.",
        "Someone taps and scrapes {noun} with {tool}.",
        "Hitting and scratching {noun}.",
        "{noun_} is struck and scraped {often}.",
        "{Tool} strikes {noun}, then drags across it.",
        "The sound of {tool} hitting and scraping {noun}.",
        "Hits and scratches on {noun} with {tool}.",
        "Somebody beats on {noun} and rubs it {how}.",
        "Knocks and scrapes on {noun}, {pace}.",
        "A mix of strikes and scratches on {noun}.",
        "Foley of {tool} striking and rubbing {noun}.",
        "{noun_}: blows and strokes {pace}.",
    ),
}

NUMBERS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen")
COUNTED = {"hit": ("hit", "knock", "tap", "blow"), "scratch": ("scratch", "stroke"), "step": ("step", "footstep")}


MANY = re.compile("ootsteps|Strokes|blows|Steps|Feet|like a drum|[Ww]alk|scratches on|scrapes on|strikes and")
"""What only several contacts can be."""


def kind_of(actions: list[str]) -> str:
    """``hit``, ``scratch``, ``step``, or ``both`` where hits and scratches mix."""
    found = set(actions)
    return next(iter(found)) if len(found) == 1 else "both"


def template(material: str, actions: list[str], tool: str) -> str:
    """The caption of IV-A: "A person {hit|scratch} {once|multiple times} on {material} with a wooden stick." """
    often = "once" if len(actions) == 1 else "multiple times"
    if "step" in actions:
        return f"A person steps {often} on {material}."
    verb = " and ".join(action for action in ("hit", "scratch") if action in actions)
    return f"A person {verb} {often} on {material} with {'a wooden stick' if tool == 'stick' else 'the hand'}."


def paraphrases(
    material: str,
    actions: list[str],
    tool: str,
    times: list[float],
    strengths: list[float],
    count: int,
    rng: np.random.Generator,
    nouns: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """Up to ``count`` different training captions of a scene, true to its number, pace and strength of contacts.

    ``actions``, ``times`` (s, rising) and ``strengths`` (0..1) of its events; ``nouns``: for the material, its own by
    default."""
    kind = kind_of(actions)
    found: dict[str, None] = {}
    sentences = [sentence for sentence in TEMPLATES[kind] if len(actions) > 1 or not MANY.search(sentence)]
    for place in rng.permutation(len(sentences))[: 2 * count]:
        found[_fill(sentences[int(place)], kind, nouns or NOUNS[material], tool, times, strengths, rng)] = None
        if len(found) == count:
            break
    return tuple(found)


def _fill(
    sentence: str, kind: str, nouns: Sequence[str], tool: str, times: list[float], strengths: list[float],
    rng: np.random.Generator,
) -> str:  # fmt: skip
    """A template with its slots filled at random."""

    def pick(options):
        return options[int(rng.integers(len(options)))]

    noun, tool_noun = pick(nouns), pick(TOOL_NOUNS[tool])
    number = len(times)
    verb = "hit" if kind == "both" else kind
    does, doing, done = pick(VERBS[verb][tool])
    if number == 1:
        often = pick(("once", "one time", "a single time"))
    else:
        often = pick(
            ("multiple times", "several times", "repeatedly", "again and again", {2: "twice"}.get(number, "many times"))
        )
        if number == 2:
            often = pick(("twice", "two times", often))
    strength = float(np.mean(strengths))
    how = (
        pick(("softly", "gently", "lightly"))
        if strength < 0.45
        else pick(("hard", "firmly", "with force"))
        if strength > 0.8
        else "steadily"
    )
    thing = pick(COUNTED[verb])
    plural = "es" if thing.endswith("ch") else "s"
    words = (
        NUMBERS[number]
        if number < len(NUMBERS) and rng.random() < 0.5
        else pick(("some", "several"))
        if number > 2
        else NUMBERS[number]
    )
    counted = f"{words} {thing}{'' if number == 1 else plural}"
    text = sentence.format(
        noun=noun,
        noun_=noun,
        tool=tool_noun,
        tool_=tool_noun,
        Tool=tool_noun,
        does=does,
        doing=doing,
        Doing=doing,
        done=done,
        often=often,
        how=how,
        How=how,
        pace=_pace(times, rng),
        count=counted,
        Count=counted,
    )
    return text[0].upper() + text[1:]


def _pace(times: list[float], rng: np.random.Generator) -> str:
    """Words for the intervals between contacts at ``times`` (s)."""
    if len(times) == 1:
        return "a single time"
    steps = np.diff(times)
    options = []
    if np.std(steps) < 0.2 * np.mean(steps) and len(times) > 3:
        options += ["in a steady rhythm", "at regular intervals"]
    if np.mean(steps) < 0.6:
        options += ["quickly", "in quick succession"]
    elif np.mean(steps) > 1.3:
        options += ["slowly", "with long pauses"]
    options = options or ["at an irregular pace", "now and then"]
    return options[int(rng.integers(len(options)))]
