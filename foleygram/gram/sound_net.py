"""The mini's audio tower: a small convolutional network on the same filter banks that BEATs reads.

A BEATs of this size does not leave its initial constant output within the steps that two cores allow (docs/lab-notes.md);
convolutions learn from a few thousand clips. Same input, same place in the encoder.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from foleygram.gram.audio import BankConfig


class SoundNetConfig(BankConfig):
    """``channels`` of the stages, each of which halves time and frequency."""

    kind: Literal["sound_net"] = "sound_net"
    channels: tuple[int, ...] = (32, 64, 128, 192, 256)
    width: int = 256  # of the feature
    dropout: float = 0.2  # training only


class SoundNet(nn.Module):
    """``bank`` [batch, frames, mel] -> [batch, 1, width]: mean and maximum over time of the last stage, projected.

    The maximum keeps a short hit from drowning in the silence around it."""

    def __init__(self, config: SoundNetConfig):
        super().__init__()
        self.config = config
        stages, inner = [], 1
        for outer in config.channels:
            stages += [
                nn.Conv2d(inner, outer, 3, padding=1, stride=2, bias=False), nn.GroupNorm(8, outer), nn.ReLU(),
                nn.Conv2d(outer, outer, 3, padding=1, bias=False), nn.GroupNorm(8, outer), nn.ReLU(),
            ]  # fmt: skip
            inner = outer
        self.stages = nn.Sequential(*stages)
        bands = -(-config.mel // 2 ** len(config.channels))
        self.project = nn.Linear(2 * inner * bands, config.width)

    def forward(self, bank: Float[Tensor, "batch frames mel"]) -> Float[Tensor, "batch 1 width"]:
        maps = self.stages(bank[:, None]).transpose(1, 2).flatten(2)  # batch time channels*bands
        pooled = torch.cat([maps.mean(1), maps.amax(1)], dim=-1)
        return self.project(F.dropout(pooled, self.config.dropout, self.training))[:, None]
