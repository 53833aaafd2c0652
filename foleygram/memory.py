"""The memory: of each kind of sound one that training heard, as what a reference lends.

A text says a material; how such a thing rings and dies away only a sound can tell. Where nobody gives one and the guide is
made up, the model remembers one of the kind that the points are nearest to: its point, palette, detail and strokes, as if it
were the reference. unCLIP's prior, as a nearest neighbour (Ramesh et al. 2022). Not in the paper.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from foleygram.config import Config
from foleygram.palette import FLOOR, SHADES, band_centres
from foleygram.timing.strokes import STEPS, Strokes
from foleygram.types import ENVELOPE_RATE, Embeddings

STEP_DB = 0.5
"""dB of one step of a byte: palettes are kept down to -127.5 dB, strokes too."""

KEPT = 5
"""Strokes of a sound; where it has fewer they are repeated."""

LATE = np.linspace(ENVELOPE_RATE, STEPS - 1, 130).round().astype(int)
PLACES = np.unique(np.concatenate([np.arange(round(ENVELOPE_RATE)), LATE]))
"""Steps of a stroke that are kept: all of the first second, then every eighth; between them it is straight."""


class MemoryConfig(Config):
    """``kinds``: name of each, such as ``metal, hit``."""

    kinds: tuple[str, ...] = ()


def in_bytes(decibels: np.ndarray) -> UInt8[Tensor, "..."]:
    """dB of 0 and below in steps of ``STEP_DB``."""
    return torch.from_numpy(np.round(np.clip(-decibels / STEP_DB, 0, 255)).astype(np.uint8))


class Memory(nn.Module):
    """``recall``: points to a remembered sound. Buffers: ``keys`` [kind, dim], the mean point of the texts of a kind;
    ``points`` [kind, dim], of its sound; ``palettes`` [kind, shade, band], ``strokes`` [kind, stroke, place], in ``STEP_DB``
    under 0; ``details`` [kind, 4]."""

    def __init__(self, config: MemoryConfig, dim: int, rate: int):
        super().__init__()
        self.config = config
        kinds = len(config.kinds)
        self.register_buffer("keys", torch.zeros(kinds, dim))
        self.register_buffer("points", torch.zeros(kinds, dim))
        self.register_buffer("palettes", torch.zeros(kinds, SHADES, len(band_centres(rate)), dtype=torch.uint8))
        self.register_buffer("strokes", torch.zeros(kinds, KEPT, len(PLACES), dtype=torch.uint8))
        self.register_buffer("details", torch.zeros(kinds, 4))

    @torch.no_grad()
    def keep(
        self,
        kind: int,
        key: Float[Tensor, "dim"],
        point: Float[Tensor, "dim"],
        palette: Float[np.ndarray, "shade band"],
        strokes: Strokes,
        detail: Float[Tensor, "4"],
    ) -> None:
        """Remembers a sound as the one of the kind numbered ``kind``. ``key``, ``point``: of unit length; ``palette``: shares
        of power; ``detail``: shares of strength."""
        self.keys[kind], self.points[kind], self.details[kind] = key, point, detail
        self.palettes[kind] = in_bytes(10 * np.log10(np.maximum(palette, FLOOR)))
        chosen = np.linspace(0, max(len(strokes), KEPT) - 1, KEPT).round().astype(int) % len(strokes)
        self.strokes[kind] = in_bytes(strokes.levels[chosen][:, PLACES])

    def nearest(self, embeddings: Embeddings) -> int:
        """The kind whose texts are nearest to text and picture together (sum of cosines), of a batch of one."""
        points = [point for point in (embeddings.text, embeddings.video) if point is not None]
        return int((torch.cat(points).sum(0).to(self.keys) @ self.keys.T).argmax())

    def recall(self, embeddings: Embeddings) -> Embeddings:
        """The points with those of the remembered sound in the place of an absent one, and what it lends."""
        kind = self.nearest(embeddings)
        levels = np.stack([np.interp(np.arange(STEPS), PLACES, -STEP_DB * row) for row in self.strokes[kind].cpu().numpy()])
        palette = 10 ** (-STEP_DB * self.palettes[kind].float() / 10)
        return replace(
            embeddings,
            audio=self.points[kind][None],
            palette=(palette / palette.sum(-1, keepdim=True))[None],
            detail=self.details[kind][None],
            strokes=torch.from_numpy(levels).float()[None].to(palette.device),
        )
