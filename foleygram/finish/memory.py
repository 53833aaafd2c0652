"""The memory: of each kind of sound some that training heard, as what a reference lends.

A text says a material; how such a thing rings and dies away only a sound can tell. Where nobody gives one and the guide is
made up, the model remembers one of the kind that the points are nearest to: its point, palette, detail and strokes, as if it
were the reference; each take another one. unCLIP's prior, as a nearest neighbour (Ramesh et al. 2022). Not in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from foleygram.config import Config, Count, Natural
from foleygram.finish.palette import COLOURS, FLOOR, band_centres
from foleygram.timing.strokes import STEPS, Strokes
from foleygram.timing.track import Kind, OnsetTrack
from foleygram.types import ENVELOPE_RATE, Embeddings

STEP_DB = 0.5
"""dB of one step of a byte: palettes are kept down to -127.5 dB, strokes too."""

KEPT = 5
"""Strokes of a sound; where it has fewer they are repeated."""

LATE = np.linspace(ENVELOPE_RATE, STEPS - 1, 130).round().astype(int)
PLACES = np.unique(np.concatenate([np.arange(round(ENVELOPE_RATE)), LATE]))
"""Steps of a stroke that are kept: all of the first second, then every eighth; between them it is straight."""

SAID = 0.1
"""Cosine by which a text that says what is done is nearer to something scraped than to anything struck, or the reverse. Bare
names of things and texts that say both lie between (docs/decisions.md)."""


class MemoryConfig(Config):
    """``kinds``: name of each, such as ``metal, hit``; ``sounds``: that are remembered of each; ``families``: recordings that
    the first sounds of all kinds were mixed of, which a judge of results from memory should not have heard; ``classes``: that
    the picture tower can tell and the memory knows by name, 0 for none."""

    kinds: tuple[str, ...] = ()
    sounds: Count = 6
    families: tuple[str, ...] = ()
    classes: Natural = 0


@dataclass(frozen=True, eq=False)
class Remembered:
    """A sound as it is to be remembered: its ``point``, of unit length, ``palette``: shares of power, ``strokes``, and
    ``detail``: shares of strength."""

    point: Float[Tensor, "dim"]
    palette: Float[np.ndarray, "shade band"]
    strokes: Strokes
    detail: Float[Tensor, "4"]


def in_bytes(decibels: np.ndarray) -> UInt8[Tensor, "..."]:
    """dB of 0 and below in steps of ``STEP_DB``."""
    return torch.from_numpy(np.round(np.clip(-decibels / STEP_DB, 0, 255)).astype(np.uint8))


class Memory(nn.Module):
    """``recall``: points to a remembered sound. Buffers: ``keys`` [kind, dim], the mean point of the texts of a kind;
    ``points`` [kind, sound, dim], of its sounds; ``palettes`` [kind, sound, shade, band], ``strokes``
    [kind, sound, stroke, place], in ``STEP_DB`` under 0; ``details`` [kind, sound, 4]; ``class_keys`` [class, kind], cosine of
    the key of a kind with what the name of a class says done so, 0 for what does not sound."""

    def __init__(self, config: MemoryConfig, dim: int, rate: int):
        super().__init__()
        self.config = config
        kinds, bands = len(config.kinds), len(band_centres(rate))
        self.register_buffer("keys", torch.zeros(kinds, dim))
        self.register_buffer("points", torch.zeros(kinds, config.sounds, dim))
        self.register_buffer("palettes", torch.zeros(kinds, config.sounds, COLOURS.shades, bands, dtype=torch.uint8))
        self.register_buffer("strokes", torch.zeros(kinds, config.sounds, KEPT, len(PLACES), dtype=torch.uint8))
        self.register_buffer("details", torch.zeros(kinds, config.sounds, 4))
        self.register_buffer("class_keys", torch.zeros(config.classes, kinds) if config.classes else None)

    @torch.no_grad()
    def keep(self, kind: int, key: Float[Tensor, "dim"], sounds: Sequence[Remembered]) -> None:
        """Remembers sounds, the first one first, as those of the kind numbered ``kind``; ``key``: of unit length. Where
        they are fewer than there is room for they are repeated."""
        self.keys[kind] = key
        for place in range(self.config.sounds):
            heard = sounds[place % len(sounds)]
            self.points[kind, place], self.details[kind, place] = heard.point, heard.detail
            self.palettes[kind, place] = in_bytes(10 * np.log10(np.maximum(heard.palette, FLOOR)))
            count = len(heard.strokes)
            chosen = np.linspace(0, max(count, KEPT) - 1, KEPT).round().astype(int) % count
            self.strokes[kind, place] = in_bytes(heard.strokes.levels[chosen][:, PLACES])

    def nearest(self, embeddings: Embeddings, track: OnsetTrack | None = None) -> int:
        """The kind whose texts are nearest to text and picture together (sum of cosines), of a batch of one, and to the names
        of what the picture shows, each by how likely it is: the convex combination of Norouzi et al. (2014), which weighs less
        the less the tower knows what it sees. A picture does not tell whether it is a scratch: the text alone says so
        (:meth:`kind_said`), or most events of ``track``, where they are known; what a text only names is struck."""
        points = [point for point in (embeddings.text, embeddings.video) if point is not None]
        nearness = torch.cat(points).sum(0).to(self.keys) @ self.keys.T
        if embeddings.classes is not None and self.class_keys is not None:
            nearness = nearness + embeddings.classes[0].to(self.keys) @ self.class_keys
        said = None if embeddings.text is None else self.kind_said(embeddings.text[0])
        scraped = None
        if said is not None:
            scraped = said == "scratch"
        elif track is not None and len(track):
            scraped = 2 * sum(event.kind == "scratch" for event in track.events) > len(track)
        elif embeddings.text is not None:
            scraped = False
        if scraped is not None:
            fitting = self.scratches() == scraped
            if fitting.any():
                nearness[~fitting] = -torch.inf
        return int(nearness.argmax())

    def kind_said(self, text: Float[Tensor, "dim"]) -> Kind | None:
        """What is done according to a text, given as its point: ``scratch``, or ``hit``, which steps are too, by ``SAID``; None
        where it says neither or both."""
        nearness, scraped = text.to(self.keys) @ self.keys.T, self.scratches()
        if scraped.all() or not scraped.any():  # it knows one alone
            return None
        scratch, hit = (float(nearness.masked_fill(~these, -torch.inf).max()) for these in (scraped, ~scraped))
        return None if abs(scratch - hit) <= SAID else "scratch" if scratch > hit else "hit"

    def scratches(self) -> Bool[Tensor, "kind"]:
        """Which kinds are scraped; the others are hit or stepped on."""
        scraped = [kind.endswith(", scratch") for kind in self.config.kinds]
        return torch.tensor(scraped, dtype=torch.bool, device=self.keys.device)

    def recall(self, embeddings: Embeddings, take: int = 0, track: OnsetTrack | None = None) -> Embeddings:
        """The points with those of a remembered sound in the place of an absent one, and what it lends. ``take``: which of the
        sounds of the kind, from 0; they take turns. ``track``: see :meth:`nearest`."""
        kind, place = self.nearest(embeddings, track), take % self.config.sounds
        strokes = -STEP_DB * self.strokes[kind, place].cpu().numpy()
        levels = np.stack([np.interp(np.arange(STEPS), PLACES, row) for row in strokes])
        palette = 10 ** (-STEP_DB * self.palettes[kind, place].float() / 10)
        return replace(
            embeddings,
            audio=self.points[kind, place][None],
            palette=(palette / palette.sum(-1, keepdim=True))[None],
            detail=self.details[kind, place][None],
            strokes=torch.from_numpy(levels).float()[None].to(palette.device),
        )
