"""Words beyond the captions: what else is made of each material, and how else people ask for its sound.

The captions of MiniHits name a material in a few nouns (captions.py). Those who type a prompt name objects: a wardrobe, a
gong. The vocabulary stage (training/vocabulary.py) teaches the text side that such words mean the materials it knows. Writers
who saw neither captions nor prompts wrote ``objects.txt``, but for a thousand names; no word that names a material in a prompt
of the benchmark (``foleygram.evaluation.prompts``) stands in there. Some of the things are never taught: with them the stage is
validated.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from foleygram.data.captions import NOUNS, paraphrases
from foleygram.errors import DataError

HELD_OUT = 16
"""One in so many of the words that names end with is held out."""


def bare(name: str) -> str:
    """In small letters, without an article."""
    return re.sub("^(an?|the) ", "", name.lower())


def singular(word: str) -> str:
    """By its ending alone: boxes to box, berries to berry, plates to plate."""
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    return re.sub("(?<=ss|sh|ch)es$|(?<=x)es$|(?<![sui])s$", "", word)


def words(text: str) -> tuple[str, ...]:
    """In small letters, in the singular."""
    return tuple(singular(word) for word in re.findall("[a-z0-9]+", text.lower()))


def read_objects(path: Path) -> dict[str, tuple[str, ...]]:
    """Names of things by material: a line with the material, then indented lines of names between semicolons. Raises DataError
    where names come before a material."""
    found: dict[str, str] = {}
    material = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line[0].isspace():
            material = line.strip()
            found[material] = ""
        elif line.strip() and material is None:
            raise DataError(f"{path}: names without a material; begin with a line that names one, not indented")
        elif line.strip():
            found[material] += f" {line.strip()}"
    return {material: tuple(filter(None, map(str.strip, names.split(";")))) for material, names in found.items()}


def is_held_out(word: str) -> bool:
    """Whether a word, in the singular, is one of those that are not taught. No word of the captions is."""
    return word not in _CAPTIONED and int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % HELD_OUT == 0


_CAPTIONED = {word for nouns in NOUNS.values() for noun in nouns for word in words(bare(noun))} - {"of"}
_ALL = read_objects(Path(__file__).with_name("objects.txt"))
_ENDS = {words(name)[-1] for names in _ALL.values() for name in names}
_UNTAUGHT = {word for word in _ENDS if is_held_out(word)}
OBJECTS = {material: tuple(name for name in names if not _UNTAUGHT & set(words(name))) for material, names in _ALL.items()}
"""What is taught: no name that holds one of the words that are held out."""
UNHEARD = {
    material: tuple(name for name in names if words(name)[-1] in _UNTAUGHT and not _CAPTIONED & set(words(bare(name))))
    for material, names in _ALL.items()
}
"""What validates: names that end in such a word, and hold none that captions use for a material."""

VERBS = {
    "hit": (
        "hits", "taps on", "strikes", "knocks on", "beats", "raps on", "bangs on", "slaps", "pats", "thumps", "bumps into",
        "drums on", "smashes", "pounds", "punches", "whacks", "hammers on", "kicks", "drops onto", "thuds into", "lands on",
    ),
    "scratch": (
        "scratches", "scrapes", "rubs", "grates on", "strokes", "brushes over", "drags over", "wipes", "polishes",
        "sweeps over", "scrubs", "cleans", "claws at", "rummages in", "slides over", "runs along",
    ),
    "step": (
        "walks on", "steps on", "runs across", "stomps on", "treads on", "marches over", "strides over", "hikes across",
        "wanders over", "tiptoes across", "stumbles over",
    ),
}  # fmt: skip
SOUNDS = {
    "hit": ("a knock on", "a tap on", "knocks on", "hits on", "blows on", "a bang on", "impacts on", "a kick at"),
    "scratch": ("a scratch on", "scrapes on", "a scraping sound on", "friction on", "a rub on", "scratching noises on"),
    "step": ("footsteps on", "steps on", "a walk over", "footfalls on", "running steps on", "heavy steps on"),
}
WHO = (
    "someone", "a person", "a man", "a child", "a woman", "a worker", "a boy", "a cat", "a dog", "a girl", "the wind",
    "a machine", "a bird", "a carpenter", "a musician", "the actor",
)  # fmt: skip
TOOLS = (
    "a spatula", "a rod", "a broom", "a poker", "a racket", "a bat", "a club", "a wrench", "a screwdriver", "a pen", "a brush",
    "a ring", "a ball", "a bucket", "a bag", "an elbow", "a knee", "the palm", "a whip", "a rope", "a sword", "a trowel",
    "a pole", "a ladle", "a toy", "a coin", "a plate", "a bottle", "a book", "a box",
)  # fmt: skip
FEET = (
    "a sandal", "a slipper", "a trainer", "a welly", "a bare foot", "a paw", "a hoof", "a flip flop", "a clog", "a high heel",
    "a soldier", "a guest", "a child", "a horse", "a runner", "a patrol", "somebody", "a thief", "a pedestrian",
)  # fmt: skip
SHOES = (
    "boots", "sandals", "slippers", "trainers", "wellies", "bare feet", "flip flops", "clogs", "sneakers", "high heels",
)  # fmt: skip
ADJECTIVES = (
    "old", "big", "small", "heavy", "broken", "wet", "dusty", "huge", "thick", "thin", "large", "worn", "clean", "dirty",
    "hollow", "solid", "fresh", "cold",
)  # fmt: skip
BESIDE = ("in", "near", "by", "under", "behind", "beside", "next to")
PLACES = (
    "in the hall", "at night", "outside", "slowly", "twice", "in the dark", "very fast", "carefully", "in a corner",
    "during a storm", "upstairs", "nearby", "in a studio", "all day", "with care", "in anger", "by accident",
)  # fmt: skip


def request(material: str, action: str, rng: np.random.Generator, plain: float = 0.3, known: float = 0.15) -> str:
    """How somebody may ask for a sound: a thing of ``material`` and what is done to it, often who or what does it.

    ``action``: hit, scratch or step; ``plain``: share in the sentences of the captions; ``known``: share with their nouns."""
    noun = _dressed(_pick(NOUNS[material] if rng.random() < known else OBJECTS[material], rng), rng)
    if rng.random() < plain:
        count = int(rng.integers(1, 12))
        times, strengths = np.sort(rng.uniform(0, 10, count)).tolist(), rng.uniform(0.2, 1, count).tolist()
        tool = "foot" if action == "step" else _pick(("stick", "hand"), rng)
        return paraphrases(material, [action] * count, tool, times, strengths, 1, rng, nouns=(noun,))[0]
    verb = _pick(VERBS[action], rng)
    # what is touched decides, not what it is touched with, nor what stands nearby
    tool = _pick(TOOLS, rng) if rng.random() < 0.6 else _something(rng)
    who = _pick(FEET if action == "step" else WHO + TOOLS, rng)
    with_what = f"in {_pick(SHOES, rng)}" if action == "step" else f"with {tool}"
    against = {"hit": f"{tool} against {noun}", "scratch": f"{tool} over {noun}", "step": f"{_pick(SHOES, rng)} on {noun}"}
    sentences = (
        f"{who} {verb} {noun}",
        f"{_ing(verb)} {noun}",
        f"{_base(verb)} {noun}",
        against[action],
        f"{_ing(verb)} {noun} {with_what}",
        f"{_pick(SOUNDS[action], rng)} {noun}",
        f"the sound of {_ing(verb)} {noun}",
        noun,
    )
    sentence = sentences[int(rng.choice(len(sentences), p=(0.22, 0.25, 0.08, 0.12, 0.1, 0.1, 0.05, 0.08)))]
    way = rng.random()
    if way < 0.2:
        return f"{sentence} {_pick(PLACES, rng)}"
    return f"{sentence} {_pick(BESIDE, rng)} {_something(rng)}" if way < 0.3 else sentence


def names_thing(text: str, material: str) -> bool:
    """Whether a text names a thing of ``material`` that is taught, in singular or plural."""
    said = f" {' '.join(words(text))} "
    return any(f" {' '.join(words(bare(name)))} " in said for name in OBJECTS.get(material, ()))


def asked(material: str, actions: Sequence[str]) -> tuple[str, ...]:
    """The plainest request for each unheard thing of a material, actions by turns."""
    return tuple(plainest(name, action) for name, action in zip(UNHEARD[material], itertools.cycle(actions), strict=False))


def plainest(name: str, action: str) -> str:
    """``hitting a gong``, ``scratching a gong``, ``walking on a gong``."""
    return f"{_ing(VERBS[action][0])} {name}"


def _something(rng: np.random.Generator) -> str:
    """A thing of any material."""
    return _dressed(_pick(OBJECTS[_pick(tuple(OBJECTS), rng)], rng), rng)


def _pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _base(verb: str) -> str:
    """``taps on`` -> ``tap on``."""
    first, *rest = verb.split(" ")
    return " ".join((re.sub("(?<=sh|ch)es$|s$", "", first), *rest))


def _ing(verb: str) -> str:
    """``taps on`` -> ``tapping on``; the few verbs that double a letter, drop an e or end in a hiss do so."""
    stem, *rest = _base(verb).split(" ")
    if stem.endswith("e") and not stem.endswith("oe"):
        stem = stem[:-1]
    elif re.fullmatch("hit|tap|rap|pat|slap|drum|thud|step|run|drop|drag|rub|scrub", stem):
        stem += stem[-1]
    return " ".join((f"{stem}ing", *rest))


def _dressed(noun: str, rng: np.random.Generator) -> str:
    """The noun with this or that article, now and then an adjective."""
    found = re.match("(an?|the) (.*)", noun)
    article, name = (found[1], found[2]) if found else ("", noun)
    way = rng.random()
    if article in ("a", "an") and way < 0.25:
        article = "the"
    elif way < 0.35:
        article = ""
    if rng.random() < 0.25:
        name = f"{_pick(tuple(each for each in ADJECTIVES if each not in name.split()), rng)} {name}"
        if article in ("a", "an"):
            article = "an" if name[0] in "aeiou" else "a"
    return f"{article} {name}".strip()
