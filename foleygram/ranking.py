"""Which of several takes is the best: the one that fits the clip and keeps its moments.

Fit is the volume that the take's own point spans with those of the clip's picture and text in the GRAM space (section
III-A), timing is whether the take's onsets are those of the envelope that it was made under.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from foleygram.errors import UsageError
from foleygram.gram.volume import volume
from foleygram.pipeline import FoleyGRAM
from foleygram.signal.envelope import extract_envelope
from foleygram.timing.track import OnsetTrack
from foleygram.types import Audio, Clip, Embeddings, Envelope, Sound

TOLERANCE = 0.05  # s


@dataclass(frozen=True)
class Rank:
    """One take. ``take``: its index from 0 among those given; ``volume``: 0 (agrees with the clip) .. 1; ``onset_f1``: of
    its onsets against the envelope's within 50 ms, 0..1; ``score``: ``onset_f1 - volume``, larger is better."""

    take: int
    volume: float
    onset_f1: float

    @property
    def score(self) -> float:
        return self.onset_f1 - self.volume


def onset_agreement(take: Sound, envelope: Envelope) -> float:
    """F1 of the take's onsets against those of the envelope, both read off the envelopes (Eq. 5) in the same way."""
    wanted = OnsetTrack.from_envelope(envelope).within(take.count / take.rate)
    return wanted.agreement(OnsetTrack.from_envelope(extract_envelope(take)), TOLERANCE).f1


def fit(take: Embeddings, clip: Embeddings) -> float:
    """Volume of the take's audio point with the clip's picture and text, or with its sound where it has neither."""
    others = [point for point in (clip.text, clip.video) if point is not None] or [clip.audio]
    if take.audio is None or others[0] is None:
        raise UsageError("takes are ranked against a picture, a text or a sound; the clip has none of them")
    return float(volume(take.audio, *others)[0])


@torch.no_grad()
def rank_takes(
    model: FoleyGRAM, clip: Clip, envelope: Envelope, takes: Sequence[Audio], points: Embeddings | None = None
) -> tuple[Rank, ...]:
    """The takes from the best to the worst; equal ones stay in order.

    ``points``: those of the clip where they are known already. Raises UsageError without takes or modalities."""
    if not takes:
        raise UsageError("there is nothing to rank; give at least one take")
    points = points if points is not None else model.embed(clip)
    ranks = [
        Rank(index, fit(model.embed(Clip(audio=take, seconds=take.seconds)), points), onset_agreement(take, envelope))
        for index, take in enumerate(takes)
    ]
    return tuple(sorted(ranks, key=lambda rank: -rank.score))
