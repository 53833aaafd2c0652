"""The published predictor at its own scale: Video2RMS of Video-Foley (Lee et al. 2025), from features of another network.

BN-Inception (TSN) features of colour and of optical flow, 30 a second, become classes of the envelope 125 times a
second. Its features and weights come from its authors; here stand the numbers and the network (docs/timing.md).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foleygram.config import Chance, Config, Count, Positive
from foleygram.errors import UsageError
from foleygram.timing.network import LEVELS, level_edges
from foleygram.types import Envelope


class Video2RMSConfig(Config):
    """Numbers of the paper and its code: 10 s at 30 frames/s in, 1250 steps out."""

    features: Count = 2048  # 1024 of colour, 1024 of flow
    frames: Count = 300
    steps: Count = 1250
    seconds: Positive = 10.0
    convolutions: Count = 3
    kernel: Count = 5
    hidden: Count = 512  # of each direction of the LSTM
    layers: Count = 2
    dropout: Chance = 0.5


class Video2RMS(nn.Module):
    """Features [batch, frame, feature] -> logits [batch, step, 64]."""

    def __init__(self, config: Video2RMSConfig):
        super().__init__()
        self.config = config
        width = config.features
        self.convolutions = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(width, width, config.kernel, padding=config.kernel // 2), nn.BatchNorm1d(width), nn.ReLU(),
                nn.Dropout(config.dropout),
            )
            for _ in range(config.convolutions)
        )  # fmt: skip
        self.lstm = nn.LSTM(width, config.hidden, config.layers, batch_first=True, bidirectional=True)
        self.to_steps = nn.Linear(config.frames, config.steps)
        self.to_level = nn.Linear(2 * config.hidden, LEVELS)

    def forward(self, features: Float[Tensor, "batch frame feature"]) -> Float[Tensor, "batch step 64"]:
        if features.shape[1:] != (self.config.frames, self.config.features):
            raise UsageError(
                f"Video2RMS takes features [batch, {self.config.frames}, {self.config.features}], not {list(features.shape)}"
            )
        x = features.transpose(1, 2)
        for convolution in self.convolutions:
            x = convolution(x)
        x, _ = self.lstm(x.transpose(1, 2))
        x = self.to_steps(x.transpose(1, 2)).transpose(1, 2)
        return torch.relu(self.to_level(x))  # the reference has this ReLU before its softmax

    @torch.no_grad()
    def predict(self, features: Float[Tensor, "1 frame feature"]) -> Envelope:
        """The envelope of one clip at 125 steps/s: the upper edge of the likeliest class, as the reference decodes."""
        edges = torch.cat([level_edges(), torch.ones(1, dtype=torch.float64)])
        values = torch.cat([torch.zeros(1, dtype=torch.float64), edges[1:]])
        return Envelope(values[self(features)[0].argmax(-1).cpu()].numpy(), self.config.steps / self.config.seconds)
