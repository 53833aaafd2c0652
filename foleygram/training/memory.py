"""Stage 6: what the model remembers of each kind of sound (memory.py). Nothing is trained.

Of each kind, a material and what is done to it, the clip is kept whose sound lies nearest to what is said of the kind: the most
typical one to the joint space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional as F

from foleygram.data.manifest import ClipRecord
from foleygram.diffusion.spectral import SpectralAutoencoder
from foleygram.errors import DataError
from foleygram.memory import Memory, MemoryConfig
from foleygram.palette import palette
from foleygram.timing.strokes import sound_strokes
from foleygram.training.control import ClipEmbeddings
from foleygram.training.latents import Captions
from foleygram.types import Audio


def kinds_of(records: Sequence[ClipRecord]) -> tuple[str, ...]:
    """The kinds that occur, in the order of the alphabet."""
    return tuple(sorted({kind_of(record) for record in records}))


def kind_of(record: ClipRecord) -> str:
    """``metal, hit``."""
    return f"{record.material}, {record.action}"


def remember(
    records: Sequence[ClipRecord],
    captions: Captions,
    points: ClipEmbeddings,
    sound: Callable[[int], Audio],
    autoencoder: SpectralAutoencoder,
    on_kind: Callable[[int, int], None] = lambda done, total: None,
) -> Memory:
    """The memory of these clips. ``points``: of clips and captions; ``sound``: of a clip, at the autoencoder's rate. A kind
    takes its nearest clip that has a palette and strokes. Raises DataError where none has."""
    kinds = kinds_of(records)
    of_kind = {kind: [place for place, record in enumerate(records) if kind_of(record) == kind] for kind in kinds}
    audio, text = (torch.from_numpy(np.asarray(side, np.float32)) for side in (points.audio, points.text))
    found = []
    for done, kind in enumerate(kinds, 1):
        said = [caption for place in of_kind[kind] for caption in captions.of_clip[place]]
        key = F.normalize(text[said].mean(0), dim=0)
        nearness = audio[of_kind[kind]] @ key
        for place in (of_kind[kind][rank] for rank in nearness.argsort(descending=True, stable=True).tolist()):
            heard = sound(place).stereo()
            colours, strokes = palette(heard), sound_strokes(heard)
            if colours is not None and strokes is not None:
                with torch.no_grad():
                    detail = autoencoder.detail(autoencoder.encode(torch.from_numpy(heard.samples)[None]))[0]
                found.append((kind, key, audio[place], colours, strokes, detail))
                break
        on_kind(done, len(kinds))
    if not found:
        raise DataError("nothing in the training clips is struck and dies away, so there is nothing to remember")
    memory = Memory(MemoryConfig(kinds=tuple(kind for kind, *_ in found)), audio.shape[1], autoencoder.config.rate)
    for number, (_, *kept) in enumerate(found):
        memory.keep(number, *kept)
    return memory
