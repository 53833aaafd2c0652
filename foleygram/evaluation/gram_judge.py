"""The model's own GRAM space as a judge: one point a clip. It judges what the model was trained by, so it flatters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from foleygram.evaluation.embedders import Card, own_array, require_sound
from foleygram.types import SAMPLE_RATE, Audio, Clip

if TYPE_CHECKING:
    from foleygram.gram.encoder import GramEncoder


class GramJudge:
    """Wraps a trained encoder. ``name`` and ``weights`` (sha256) say which."""

    def __init__(self, encoder: GramEncoder, name: str, weights: str):
        self.encoder = encoder
        dim = int(encoder.contra_head_a.linear.out_features)
        self.card = Card(
            f"GRAM audio ({name})", dim, SAMPLE_RATE, 0.0, 0.0, "one point for the whole clip", weights,
            "the space the model was trained in: not an outside judge",
        )  # fmt: skip

    def embed(self, audio: Audio) -> np.ndarray:
        """Float32 [1, dim] of unit norm."""
        require_sound(audio)
        return own_array(self.encoder.embed(Clip(audio=audio, seconds=audio.seconds)).audio.float())
