"""Free text: prompts that name a material only in words that no training caption holds, and the guides under them.

They measure how far the language reaches beyond what was read. The list is part of the benchmark: it was written before
any result was heard and is not to be fitted to results.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from foleygram.data.captions import template
from foleygram.signal.envelope import envelope_from_hits
from foleygram.types import Envelope

HITS = ((0.5, 0.12), (1.3, 0.09), (2.6, 0.12), (3.3, 0.07), (4.7, 0.11), (5.5, 0.09), (6.9, 0.12), (8.3, 0.1))
"""Seconds and strength (linear RMS) of every guide's contacts: pace and level of the benchmark's clips."""

SHAPES = {"hit": (0.005, 0.05), "scratch": (0.07, 0.12), "step": (0.01, 0.08)}
"""Attack and decay, s, of each action: about the median contact of the training clips, of whatever material."""


@dataclass(frozen=True)
class Prompt:
    """``materials``: any of which is right, more than one only where the words honestly leave it open; ``action``: hit,
    scratch or step; ``keys``: the words that name the material, in small letters; ``trained``: a caption of the known kind."""

    text: str
    materials: tuple[str, ...]
    action: str
    keys: tuple[str, ...] = ()
    trained: bool = False

    @classmethod
    def of(cls, text: str, materials: str, action: str, keys: str) -> Prompt:
        """From materials and keys between spaces."""
        return cls(text, tuple(materials.split()), action, tuple(keys.split()))

    @property
    def name(self) -> str:
        """The text as the name of a file."""
        return re.sub("[^a-z0-9]+", "-", self.text.lower()).strip("-")


PROMPTS = (
    Prompt.of("knocking on an oak door", "wood", "hit", "oak door"),
    Prompt.of("a mallet thuds against a pine crate", "wood", "hit", "pine crate"),
    Prompt.of("rapping a tree trunk", "wood", "hit", "tree trunk"),
    Prompt.of("fingernails rake over parquet", "wood", "scratch", "parquet"),
    Prompt.of("sanding a walnut cabinet", "wood", "scratch", "walnut cabinet"),
    Prompt.of("boots across creaky floorboards", "wood", "step", "floorboards"),
    Prompt.of("a hammer clangs on steel", "metal", "hit", "steel"),
    Prompt.of("spoon against a copper kettle", "metal", "hit", "copper kettle"),
    Prompt.of("banging a frying pan", "metal", "hit", "pan"),
    Prompt.of("ringing blows on an anvil", "metal", "hit", "anvil"),
    Prompt.of("a nail screeches down a steel locker", "metal", "scratch", "steel locker"),
    Prompt.of("filing a brass hinge", "metal", "scratch", "brass hinge"),
    Prompt.of("heels clank over a steel staircase", "metal", "step", "steel staircase"),
    Prompt.of("a shovel thuds into mud", "dirt", "hit", "mud"),
    Prompt.of("patting down a garden bed", "dirt", "hit", "garden bed"),
    Prompt.of("digging in loam", "dirt", "scratch", "loam"),
    Prompt.of("raking a muddy field", "dirt", "scratch", "muddy field"),
    Prompt.of("boots tramp along a muddy trail", "dirt", "step", "muddy trail"),
    Prompt.of("a chisel chips granite", "rock", "hit", "granite"),
    Prompt.of("tapping a marble statue", "rock", "hit", "marble statue"),
    Prompt.of("pickaxe against a cliff", "rock", "hit", "cliff"),
    Prompt.of("chalk grinds over slate", "rock", "scratch", "chalk slate"),
    Prompt.of("a heavy crate grates over pavement", "rock wood", "scratch", "pavement"),
    Prompt.of("heels click over cobblestones", "rock", "step", "cobblestones"),
    Prompt.of("jogging on asphalt", "rock", "step", "asphalt"),
    Prompt.of("whacking a hedge", "leaf", "hit", "hedge"),
    Prompt.of("beating dry leaves", "leaf", "hit", "leaves"),
    Prompt.of("rustling through autumn leaves", "leaf", "scratch", "autumn leaves"),
    Prompt.of("an animal rummages in the shrubs", "leaf", "scratch", "shrubs"),
    Prompt.of("a boot on dry leaves", "leaf", "step", "leaves"),
    Prompt.of("tapping an acrylic panel", "plastic", "hit", "acrylic panel"),
    Prompt.of("drumming on a Tupperware tub", "plastic", "hit", "tupperware tub"),
    Prompt.of("knocking on a PVC tube", "plastic", "hit", "pvc tube"),
    Prompt.of("scraping a credit card", "plastic", "scratch", "credit card"),
    Prompt.of("a fingernail on a nylon comb", "plastic", "scratch", "nylon comb"),
    Prompt.of("punching a pillow", "cloth", "hit", "pillow"),
    Prompt.of("slapping a sofa", "cloth", "hit", "sofa"),
    Prompt.of("dusting off a mattress", "cloth", "hit", "mattress"),
    Prompt.of("rubbing a wool sweater", "cloth", "scratch", "wool sweater"),
    Prompt.of("stroking denim jeans", "cloth", "scratch", "denim jeans"),
    Prompt.of("slapping a newspaper", "paper", "hit", "newspaper"),
    Prompt.of("a stamp lands on an envelope", "paper", "hit", "stamp envelope"),
    Prompt.of("tapping an empty carton", "paper", "hit", "carton"),
    Prompt.of("a pencil scribbles on parchment", "paper", "scratch", "pencil parchment"),
    Prompt.of("leafing through a magazine", "paper", "scratch", "magazine"),
    Prompt.of("thumping a bale of hay", "grass", "hit", "bale hay"),
    Prompt.of("whacking straw", "grass", "hit", "straw"),
    Prompt.of("swishing through reeds", "grass leaf", "scratch", "reeds"),
    Prompt.of("raking hay", "grass", "scratch", "hay"),
    Prompt.of("strolling over a football pitch", "grass", "step", "football pitch"),
    Prompt.of("a cow wanders in the pasture", "grass", "step", "pasture"),
    Prompt.of("slapping the lake", "water", "hit", "lake"),
    Prompt.of("splashing in a bathtub", "water", "hit", "bathtub"),
    Prompt.of("wading in a brook", "water", "step", "brook"),
    Prompt.of("paddling in the sea", "water", "step", "sea"),
    Prompt.of("tossing pebbles", "gravel", "hit", "pebbles"),
    Prompt.of("striking shingle", "gravel", "hit", "shingle"),
    Prompt.of("shovelling pebbles", "gravel", "scratch", "pebbles"),
    Prompt.of("boots crunch over pebbles", "gravel", "step", "pebbles"),
    Prompt.of("strolling on the beach", "gravel", "step", "beach"),
    Prompt.of("tapping a porcelain teacup", "ceramic", "hit", "porcelain teacup"),
    Prompt.of("a spoon clinks against a mug", "ceramic", "hit", "mug"),
    Prompt.of("knocking on a terracotta vase", "ceramic", "hit", "terracotta vase"),
    Prompt.of("scraping a porcelain bowl", "ceramic", "scratch", "porcelain bowl"),
    Prompt.of("scouring the kitchen sink", "ceramic metal", "scratch", "sink"),
    Prompt.of("clinking a crystal goblet", "glass", "hit", "crystal goblet"),
    Prompt.of("tapping a mirror", "glass", "hit", "mirror"),
    Prompt.of("knocking on the windshield", "glass", "hit", "windshield"),
    Prompt.of("wiping a mirror", "glass", "scratch", "mirror"),
    Prompt.of("squeaking on a crystal decanter", "glass", "scratch", "crystal decanter"),
)


def trained_prompts(prompts: Sequence[Prompt]) -> tuple[Prompt, ...]:
    """The captions of the test (IV-A) for each material and action of ``prompts``, once: the same question in trained words."""
    tools = {"hit": "stick", "scratch": "stick", "step": "foot"}
    uses = dict.fromkeys((prompt.materials[0], prompt.action) for prompt in prompts)
    return tuple(
        Prompt(template(material, [action] * len(HITS), tools[action]), (material,), action, trained=True)
        for material, action in uses
    )


def spread(prompts: Sequence[Prompt], limit: int | None = None) -> tuple[Prompt, ...]:
    """The first ``limit`` prompts, materials by turns; all without a limit."""
    seen: Counter[str] = Counter()
    places = []
    for prompt in prompts:
        places.append(seen[prompt.materials[0]])
        seen[prompt.materials[0]] += 1
    return tuple(prompt for _, prompt in sorted(zip(places, prompts, strict=True), key=lambda pair: pair[0]))[:limit]


def guide(action: str, seconds: float) -> Envelope:
    """The envelope under every prompt of an action: ``HITS`` within ``seconds``, each in the action's shape. It tells when and
    how a surface is touched, not what it is made of."""
    attack, decay = SHAPES[action]
    return envelope_from_hits([(time, strength) for time, strength in HITS if time < seconds], seconds, attack, decay)
