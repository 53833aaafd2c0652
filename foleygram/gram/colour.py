"""The colour of a sound: its long-term spectrum with the level taken off, read off a filter bank.

Contrastive losses ask for the material and no more; a plate that is brighter than another of the same metal differs in
colour. The mini's audio tower sees it beside its maps, and its points learn to tell it (training/gram.py).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foleygram.gram.audio import FBANK_STD
from foleygram.gram.linear import solve_linear

NATS = 2 * FBANK_STD  # of log power in one unit of a normalised bank
DEPTH = 80 * math.log(10) / 10 / NATS  # 80 dB; what lies deeper under the loudest moment counts as silence
LOUD = 0.05  # share of the frames that count as loud


def colour(bank: Float[Tensor, "batch frame mel"]) -> Float[Tensor, "batch 3*mel"]:
    """Three curves over the bands, in units of a normalised bank, fp32: mean power; the mean of the loudest twentieth of the
    frames, which is the sound of the attacks; and the mean logarithm, which tells ringing and noise from silence.

    The level of the loudest frame is taken off, so a gain changes nothing; of the first two also their mean over the bands,
    so that it does not matter how often it sounds."""
    bank = bank.float()
    levels = torch.logsumexp(bank * NATS, dim=-1) / NATS
    top = levels.amax(dim=-1)[:, None, None]
    bank = (bank - top).clamp(min=-DEPTH)
    power = (torch.logsumexp(bank * NATS, dim=1) - math.log(bank.shape[1])) / NATS
    count = max(1, round(LOUD * bank.shape[1]))
    loudest = levels.topk(count, dim=-1).indices
    attacks = bank.gather(1, loudest[..., None].expand(-1, -1, bank.shape[2])).mean(dim=1)
    return torch.cat([power - power.mean(-1, keepdim=True), attacks - attacks.mean(-1, keepdim=True), bank.mean(dim=1)], dim=-1)


RIDGE = 1e-4
"""Of :func:`solve_linear`, for each clip beside the mean square of a coordinate of a point of unit length, which is 1 / dim."""


class ColourReader(nn.Module):
    """Reads the colour of a sound off its point in the joint space: linear, in units of the spread over training clips."""

    def __init__(self, dim: int, mel: int):
        super().__init__()
        self.linear = nn.Linear(dim, 3 * mel)
        self.register_buffer("middle", torch.zeros(3 * mel))
        self.register_buffer("spread", torch.ones(3 * mel))

    def fit(self, colours: Float[Tensor, "clip 3*mel"]) -> None:
        """Takes middle and spread from the colours of the training clips."""
        self.middle.copy_(colours.mean(0))
        self.spread.copy_(colours.std(0, correction=0) + 0.01)

    def solve(self, points: Float[Tensor, "clip dim"], colours: Float[Tensor, "clip 3*mel"]) -> None:
        """Takes the linear map with the least squared error on these clips; :data:`RIDGE` keeps it small."""
        solve_linear(self.linear, points, (colours - self.middle) / self.spread, RIDGE / points.shape[1])

    def error(self, points: Float[Tensor, "batch dim"], colours: Float[Tensor, "batch 3*mel"]) -> Tensor:
        """Mean squared error as a share of the variance over training clips: 1 where the points tell nothing."""
        return (self.linear(points).float() - (colours - self.middle) / self.spread).square().mean()

    def forward(self, points: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch 3*mel"]:
        """As :func:`colour` gives it."""
        return self.linear(points.to(self.linear.weight.dtype)).float() * self.spread + self.middle
