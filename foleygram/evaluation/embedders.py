"""What turns sound into embeddings: the ``Embedder`` protocol, and the card that every score carries.

Each embedder lies in its own file (``aisfx``, ``clap``, ``vggish``, ``i3d``, ``logmel``, ``gram_judge``). It owns its
whole way from ``Audio`` to windows: mixing down, resampling, cutting, padding. Nothing else decides about windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from foleygram.errors import DataError
from foleygram.types import Audio

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Card:
    """Who judges. ``name``: with the version or checkpoint; ``dim``: of one embedding; ``rate``: Hz it listens at;
    ``window``, ``hop``: s; ``padding``: what happens to the end of a clip; ``weights``: sha256 of the weights file,
    empty for an embedder without weights; ``note``: what else a reader of the number must know."""

    name: str
    dim: int
    rate: int
    window: float
    hop: float
    padding: str
    weights: str = ""
    note: str = ""

    @property
    def label(self) -> str:
        """Name and the first eight digits of the weights' hash, as tables print it."""
        return f"{self.name} #{self.weights[:8]}" if self.weights else self.name


class Embedder(Protocol):
    """Any judge of sound."""

    card: Card

    def embed(self, audio: Audio) -> np.ndarray:
        """Float32 [window, dim] with at least one window, in memory of its own (``own_array``). Raises DataError for sound
        without a sample."""
        ...


def require_sound(audio: Audio) -> None:
    """DataError where there is not a single sample to judge."""
    if audio.samples.shape[1] == 0:
        raise DataError("a sound of length 0 cannot be judged; leave the clip out or make it again")


def own_array(output: Tensor) -> np.ndarray:
    """What a network gave, as an array that may be kept.

    An output lies among the buffers of the network that made it. Kept there, it splits the room they leave, which the C
    library then does not find again for the next clip: some 20 MB a clip for 14 kB of windows. The copy is made when the
    buffers have been given back, and lies elsewhere."""
    return output.numpy(force=True).copy()
