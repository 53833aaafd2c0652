"""The mini's audio tower: a small convolutional network on filter banks as BEATs reads them, but of the whole band.

A BEATs of this size does not leave its initial constant output within the steps that two cores allow (docs/lab-notes.md);
convolutions learn from a few thousand clips. Same place in the encoder. BEATs hears up to 8 kHz; half of what tells a glass
from a bell lies above.
"""

from typing import Literal, Self

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor, nn

from foleygram.config import Chance, Count
from foleygram.gram.audio import BankConfig
from foleygram.gram.colour import colour

GROUPS = 8
"""Of channels that are normed together."""


class SoundNetConfig(BankConfig):
    """``channels`` of the stages, each of which halves time and frequency."""

    kind: Literal["sound_net"] = "sound_net"
    rate: Count = 44100
    mel: Count = 96
    pad: Literal["mean", "silence"] = "silence"
    extend: bool = True
    channels: tuple[Count, ...] = (16, 32, 96, 192, 256)
    width: Count = 256  # of the feature
    dropout: Chance = 0.2  # training only

    @model_validator(mode="after")
    def channels_are_whole(self) -> Self:
        if any(count % GROUPS for count in self.channels):
            raise ValueError(f"channels {self.channels} do not divide by {GROUPS}, the groups of their norms")
        return self


class SoundNet(nn.Module):
    """``bank`` [batch, frames, mel] -> [batch, 1, width]: mean and maximum over time of the last stage and the bank's own
    colour (colour.py), projected. The maximum keeps a short hit from drowning in the silence around it."""

    def __init__(self, config: SoundNetConfig):
        super().__init__()
        self.config = config
        stages, inner = [], 1
        for outer in config.channels:
            stages += [
                nn.Conv2d(inner, outer, 3, padding=1, stride=2, bias=False), nn.GroupNorm(GROUPS, outer), nn.ReLU(),
                nn.Conv2d(outer, outer, 3, padding=1, bias=False), nn.GroupNorm(GROUPS, outer), nn.ReLU(),
            ]  # fmt: skip
            inner = outer
        self.stages = nn.Sequential(*stages)
        bands = -(-config.mel // 2 ** len(config.channels))
        self.project = nn.Linear(2 * inner * bands + 3 * config.mel, config.width)

    def forward(self, bank: Float[Tensor, "batch frames mel"]) -> Float[Tensor, "batch 1 width"]:
        maps = self.stages(bank[:, None]).transpose(1, 2).flatten(2)  # batch time channels*bands
        pooled = torch.cat([maps.mean(1), maps.amax(1)], dim=-1)
        pooled = F.dropout(pooled, self.config.dropout, self.training)
        return self.project(torch.cat([pooled, colour(bank).to(pooled.dtype)], dim=-1))[:, None]
