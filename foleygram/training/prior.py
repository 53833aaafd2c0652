"""The prior (gram/prior.py) in closed form: ridge regression from captions and pictures of the training clips to the points of
their sounds, each ridge chosen on validation. Not in the paper.

Pictures get a ridge of their own: the photographs of validation were never seen, and what a picture says of a known photograph
is worth less of an unknown one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from foleygram.config import Config, Positive
from foleygram.gram.linear import solve_linear
from foleygram.gram.prior import Prior
from foleygram.training.control import ClipEmbeddings
from foleygram.training.latents import Captions
from foleygram.types import Embeddings


class PriorTraining(Config):
    """``ridges``: those that are tried, in units of the mean square of a coordinate of a point of unit length."""

    ridges: tuple[Positive, ...] = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


@dataclass(frozen=True)
class Fitted:
    """``error``: mean squared distance to the validation sounds' points as a share of that of the mean training sound, 1 where
    nothing is told; ``text_ridge``, ``video_ridge``: as chosen, None where it has no such points."""

    error: float
    text_ridge: float | None
    video_ridge: float | None


@dataclass(frozen=True)
class PriorFit:
    """How well each map does on clips that it was not fitted to."""

    text: Fitted
    video: Fitted
    both: Fitted

    @property
    def sentence(self) -> str:
        """For whoever has run the stage."""
        fits = {"text": self.text, "picture": self.video, "both": self.both}
        told = ", ".join(f"{1 - fitted.error:.0%} from {name}" for name, fitted in fits.items())
        return f"of how sounds of validation differ it knows {told}"


def rows(points: ClipEmbeddings, captions: Captions) -> Embeddings:
    """Points [row, dim] of sound, picture and text, a row for each caption of each clip."""
    clips = [clip for clip, own in enumerate(captions.of_clip) for _ in own]
    texts = [caption for own in captions.of_clip for caption in own]
    sides = (points.audio[clips], points.video[clips], points.text[texts])
    audio, video, text = (torch.from_numpy(side.astype(np.float32)) for side in sides)
    return Embeddings(video=video, text=text, audio=audio)


@torch.no_grad()
def fit_prior(prior: Prior, train: Embeddings, valid: Embeddings, config: PriorTraining) -> PriorFit:
    """Sets the three maps. ``train``, ``valid``: points [row, dim] of all three modalities."""

    def fitted(linear: nn.Linear, *sides: Literal["text", "video"]) -> Fitted:
        known, unheard = (torch.cat([getattr(points, side) for side in sides], dim=-1) for points in (train, valid))
        dim = known.shape[1] // len(sides)

        def solve(ridges: tuple[float, ...]) -> float:
            each = torch.tensor(ridges, dtype=torch.double).repeat_interleave(dim)
            solve_linear(linear, known, train.audio, each / dim)  # 1 / dim: the mean square of a coordinate
            return squared_error(linear(unheard), valid.audio) / squared_error(train.audio.mean(0), valid.audio)

        errors = {ridges: solve(ridges) for ridges in product(config.ridges, repeat=len(sides))}
        chosen = min(errors, key=errors.get)
        solve(chosen)
        ridge = dict(zip(sides, chosen, strict=True))
        return Fitted(errors[chosen], ridge.get("text"), ridge.get("video"))

    text, video = fitted(prior.from_text, "text"), fitted(prior.from_video, "video")
    return PriorFit(text, video, fitted(prior.from_both, "text", "video"))


def squared_error(guessed: Float[Tensor, "row dim"], true: Float[Tensor, "row dim"]) -> float:
    """Mean squared distance of points."""
    return float((guessed - true).square().sum(-1).mean())
