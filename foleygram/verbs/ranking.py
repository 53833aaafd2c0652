"""Which of several takes is the best: the one that fits the clip and keeps its moments.

Fit is the volume that the take's own point spans with those of the clip's picture and text in the GRAM space (section
III-A), timing is whether the take's onsets are those of the envelope that it was made under.
"""

from __future__ import annotations

from dataclasses import dataclass

from foleygram.errors import UsageError
from foleygram.gram.volume import volume
from foleygram.signal.envelope import extract_envelope
from foleygram.timing.track import OnsetTrack
from foleygram.types import Embeddings, Envelope, Sound

TOLERANCE = 0.05  # s


@dataclass(frozen=True)
class Rank:
    """One take. ``take``: its number from 1; ``volume``: 0 (agrees with the clip) .. 1; ``onset_f1``: of
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
