"""What the model remembers of each kind of sound (finish/memory.py). Nothing is trained.

Of each kind, a material and what is done to it, those clips are kept, of different objects, whose sounds are the most typical
of their material (typicality.py). Typical to a judge is not always plain to a listener: a tuned bar is unmistakably wood, but
not what a door sounds like. Who makes the model may name recordings that it is not to remember.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from foleygram.config import Config
from foleygram.data.classes import CLASSES
from foleygram.data.manifest import ClipRecord
from foleygram.data.vocabulary import VERBS, plainest
from foleygram.diffusion.spectral import SpectralAutoencoder
from foleygram.errors import DataError
from foleygram.finish.memory import Memory, MemoryConfig, Remembered
from foleygram.finish.palette import palette
from foleygram.timing.strokes import sound_strokes
from foleygram.training.control import ClipEmbeddings
from foleygram.training.latents import Captions
from foleygram.training.typicality import colours, typicality
from foleygram.types import Audio


def class_keys(
    embed: Callable[[Sequence[str]], Float[Tensor, "text dim"]], kinds: Sequence[str], keys: Float[Tensor, "kind dim"]
) -> Float[Tensor, "class kind"]:
    """The cosine of each kind's key with what the name of each class of ImageNet (data/classes.py) says done so: a gong that is
    hit, for ``metal, hit``; 0 for a class without a name, and for a kind whose action has no verb. ``embed``: texts to points
    of unit length."""
    table = torch.zeros(len(CLASSES), len(kinds))
    named = [place for place, name in enumerate(CLASSES) if name is not None]
    actions = {kind.rpartition(", ")[2] for kind in kinds}
    for action in sorted(actions & VERBS.keys()):  # of others nobody knows how they are said
        points = embed([plainest(CLASSES[place], action) for place in named])
        for number, kind in enumerate(kinds):
            if kind.rpartition(", ")[2] == action:
                table[named, number] = (points @ keys[number].to(points)).cpu()
    return table


def kinds_of(records: Sequence[ClipRecord]) -> tuple[str, ...]:
    """The kinds that occur, in the order of the alphabet."""
    return tuple(sorted({kind_of(record) for record in records}))


def kind_of(record: ClipRecord) -> str:
    """``metal, hit``."""
    return f"{record.material}, {record.action}"


def keys_of(records: Sequence[ClipRecord], captions: Captions, text: Float[Tensor, "caption dim"]) -> Float[Tensor, "kind dim"]:
    """Where the captions of each of ``kinds_of(records)`` lie: the mean point of all that its clips bear, of unit length."""
    said: dict[str, list[int]] = {kind: [] for kind in kinds_of(records)}
    for record, borne in zip(records, captions.of_clip, strict=True):
        said[kind_of(record)] += borne
    return F.normalize(torch.stack([text[places].mean(0) for places in said.values()]), dim=-1)


class MemoryTraining(Config):
    """``without``: shell patterns of recordings, as the manifest names families, that are not remembered, such as
    ``*/Xylophone``; a clip that holds one of them is passed over."""

    without: tuple[str, ...] = ()


def remember(
    records: Sequence[ClipRecord],
    captions: Captions,
    points: ClipEmbeddings,
    sound: Callable[[int], Audio],
    autoencoder: SpectralAutoencoder,
    palettes: Float[np.ndarray, "clip shade band"],
    room: int = MemoryConfig().sounds,
    without: Sequence[str] = (),
    embed: Callable[[Sequence[str]], Float[Tensor, "text dim"]] | None = None,
) -> Memory:
    """The memory of these clips. ``points``: of clips and captions; ``sound``: of a clip;
    ``palettes``: of the clips, dB, NaN where one has none; ``room``: sounds of a kind; ``embed``: texts to points, where the
    picture tower has a classifier, whose classes are then known by name. A kind takes its most typical clips
    that have a palette and strokes and hold nothing that a pattern of ``without`` fits (:class:`MemoryTraining`), of objects
    that share no family; one without any is left out. Raises DataError where no
    kind has any."""
    of_kind = by_typicality(records, palettes)
    audio, text = (torch.from_numpy(np.asarray(side, np.float32)) for side in (points.audio, points.text))
    found, first = [], set()
    for kind, key in zip(kinds_of(records), keys_of(records, captions, text), strict=True):
        heard, objects = [], set()
        for place in of_kind.get(kind, ()):
            if len(heard) == room:
                break
            families = set(records[place].family)
            if any(fnmatchcase(family, pattern) for family in families for pattern in without):
                continue
            if not objects & families and (one := heard_of(sound(place).stereo(), audio[place], autoencoder)):
                if not heard:
                    first |= families
                heard.append(one)
                objects |= families
        if heard:
            found.append((kind, key, heard))
    if not found:
        raise DataError("nothing in the training clips is struck and dies away, so there is nothing to remember")
    kinds = tuple(kind for kind, *_ in found)
    classes = 0 if embed is None else len(CLASSES)
    config = MemoryConfig(kinds=kinds, sounds=room, families=tuple(sorted(first)), classes=classes)
    memory = Memory(config, audio.shape[1], autoencoder.config.rate)
    for number, (_, key, heard) in enumerate(found):
        memory.keep(number, key, heard)
    if embed is not None:
        memory.class_keys.copy_(class_keys(embed, kinds, memory.keys))
    return memory


def fit_nothing(patterns: Sequence[str], records: Sequence[ClipRecord]) -> list[str]:
    """The shell patterns that fit no family of these clips: mistyped, or of another set of recordings."""
    families = {family for record in records for family in record.family}
    return [pattern for pattern in patterns if not any(fnmatchcase(family, pattern) for family in families)]


def by_typicality(records: Sequence[ClipRecord], palettes: Float[np.ndarray, "clip shade band"]) -> dict[str, list[int]]:
    """The clips of each kind that have a palette, the most typical first."""
    places = np.flatnonzero(~np.isnan(palettes).any(axis=(1, 2)))
    if not len(places):
        return {}
    own = [records[place] for place in places]
    order = typicality(
        colours(palettes[places]), [each.material for each in own], [set(each.family) or {each.id} for each in own]
    )
    kinds: dict[str, list[int]] = {}
    for rank in (-order).argsort(kind="stable"):
        kinds.setdefault(kind_of(own[rank]), []).append(int(places[rank]))
    return kinds


def heard_of(sound: Audio, point: Float[Tensor, "dim"], autoencoder: SpectralAutoencoder) -> Remembered | None:
    """What is remembered of a sound; None where it has no palette or no strokes."""
    colours, strokes = palette(sound), sound_strokes(sound)
    if colours is None or strokes is None:
        return None
    with torch.no_grad():
        samples = torch.from_numpy(sound.samples)[None].to(autoencoder.to_latent.weight.device)
        detail = autoencoder.detail(autoencoder.encode(samples))[0].cpu()
    return Remembered(point, colours, strokes, detail)
