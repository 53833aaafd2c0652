"""From what moves in the picture to what sounds: the small network of the envelope predictor.

Frames come at the times they were shown, results on an even grid of their own, so any frame rate and a changing one give
the same kind of answer. Classes of the envelope are those of Video2RMS (Lee et al. 2025); the onset head is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from foleygram.config import Config
from foleygram.timing.motion import APPEARANCE_UNIT, DIFFERENCE_UNIT, MotionConfig
from foleygram.types import ENVELOPE_RATE

LEVELS = 64
"""Classes of the envelope: 0 is silence, the others are even in mu-law between ``QUIETEST`` and 1."""

QUIETEST = 0.01  # linear amplitude, edge of silence in Video2RMS
MU = 63.0


class TimingConfig(Config):
    """Numbers of the mini predictor. ``rate``: results a second; ``peak``: linear RMS amplitude that a result of full
    strength has; ``threshold``: probability from which an onset counts (chosen on the validation clips); ``apart``: least
    s between two onsets; ``window``, ``margin``: s of film seen at once, and of its ends that are seen again."""

    motion: MotionConfig = MotionConfig()
    rate: float = ENVELOPE_RATE / 4
    stem: int = 32
    middle: int = 48
    top: int = 64
    width: int = 160
    hidden: int = 320
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 4)
    peak: float = 0.2
    threshold: float = 0.4
    apart: float = 0.09
    window: float = 12.0
    margin: float = 1.5


@dataclass(frozen=True, eq=False)
class Curves:
    """What the network says at each step of the grid, [batch, step] each but ``level``.

    ``level``: logits [batch, step, 64] of the envelope's class; ``onset``: logit that an onset lies here; ``offset``: s
    from here to the nearest onset; ``strength``: level of that onset, dB under full strength; ``kind``: logit that it is a
    scratch rather than a hit."""

    level: Float[Tensor, "batch step 64"]
    onset: Float[Tensor, "batch step"]
    offset: Float[Tensor, "batch step"]
    strength: Float[Tensor, "batch step"]
    kind: Float[Tensor, "batch step"]


def level_edges() -> Float[Tensor, "63"]:
    """Linear amplitudes between neighbouring classes, 0.01 .. 0.94 (Video2RMS: mu 63, even in mu-law)."""
    first = math.log1p(MU * QUIETEST) / math.log1p(MU)
    even = torch.linspace(first, 1, LEVELS, dtype=torch.float64)[:-1]
    return torch.expm1(even * math.log1p(MU)) / MU


def level_values() -> Float[Tensor, "64"]:
    """Linear amplitude for each class: 0, then the middle of the class. (Video2RMS takes the upper edge, which is louder
    by half a class.)"""
    edges = torch.cat([level_edges(), torch.ones(1, dtype=torch.float64)])
    return torch.cat([torch.zeros(1, dtype=torch.float64), (edges[1:] + edges[:-1]) / 2])


def level_classes(amplitude: Float[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """The class 0..63 of linear amplitudes."""
    return torch.bucketize(amplitude.double(), level_edges().to(amplitude.device), right=True)


class FrameConv(nn.Module):
    """A convolution over space that halves both sides, then one over three frames; residual over time, no normalisation,
    since how much moves is what matters."""

    def __init__(self, source: int, target: int):
        super().__init__()
        self.space = nn.Conv2d(source, target, 3, stride=2, padding=1)
        self.time = nn.Conv3d(target, target, (3, 1, 1), padding=(1, 0, 0))

    def forward(self, x: Float[Tensor, "batch frame source high wide"]) -> Tensor:
        batch = x.shape[0]
        x = F.relu(self.space(x.flatten(0, 1)))
        return over_time(self.time, x, batch)


def over_time(conv: nn.Conv3d, x: Tensor, batch: int) -> Float[Tensor, "batch frame channel high wide"]:
    """``x`` [batch * frame, channel, high, wide] plus its convolution over frames."""
    frames = x.unflatten(0, (batch, -1))
    return frames + F.relu(conv(frames.transpose(1, 2))).transpose(1, 2)


class StepBlock(nn.Module):
    """Residual block on the grid: depth-wise convolution over 5 dilated steps, then two layers on each step."""

    def __init__(self, width: int, hidden: int, dilation: int):
        super().__init__()
        self.conv = nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Float[Tensor, "batch width step"], mask: Float[Tensor, "batch 1 step"]) -> Tensor:
        y = self.norm(self.conv(x * mask).transpose(1, 2))
        return x + self.down(F.gelu(self.up(y))).transpose(1, 2)


class TimingNetwork(nn.Module):
    """Motion of frames at their times -> ``Curves`` on a grid. About 0.8 M parameters."""

    def __init__(self, config: TimingConfig):
        super().__init__()
        self.config = config
        stem, middle, top, width = config.stem, config.middle, config.top, config.width
        self.stem = nn.Conv2d(2, stem, 6, stride=4, padding=1)
        self.gap = nn.Linear(1, stem)
        self.stem_time = nn.Conv3d(stem, stem, (3, 1, 1), padding=(1, 0, 0))
        self.middle = FrameConv(stem, middle)
        self.top = FrameConv(middle, top)
        self.top_time = nn.Conv3d(top, top, (3, 1, 1), padding=(1, 0, 0))
        self.pooled = nn.Linear(2 * top, width)
        self.neighbours = nn.Linear(2 * width, width)
        self.phase = nn.Linear(7, 2 * width)
        self.blocks = nn.ModuleList([StepBlock(width, config.hidden, dilation) for dilation in config.dilations])
        self.norm = nn.LayerNorm(width)
        self.heads = nn.Linear(width, LEVELS + 4)

    def initialise(self) -> None:
        """A start at which an onset is rare and everything is silent enough."""
        nn.init.zeros_(self.heads.weight)
        nn.init.zeros_(self.heads.bias)
        with torch.no_grad():
            self.heads.bias[LEVELS] = -3.0
            self.heads.bias[LEVELS + 2] = -10.0
        for block in self.blocks:
            nn.init.normal_(block.down.weight, std=0.02)
            nn.init.zeros_(block.down.bias)

    def frames(self, motion: Int[Tensor, "batch frame 2 high wide"], times: Float[Tensor, "batch frame"]) -> Float[Tensor, "batch frame width"]:
        """Features of each frame. ``motion``: difference and appearance in their int8 steps."""
        batch = motion.shape[0]
        scale = self.stem.weight.new_tensor([8 * DIFFERENCE_UNIT, APPEARANCE_UNIT])
        x = motion.flatten(0, 1).to(scale.dtype) * scale[:, None, None]
        gaps = torch.diff(times, dim=1, prepend=2 * times[:, :1] - times[:, 1:2] if times.shape[1] > 1 else times - 0.04)
        gaps = (gaps.clamp(0.008, 0.5) * 25).log2()[..., None]
        x = F.relu(self.stem(x) + self.gap(gaps.to(scale.dtype)).flatten(0, 1)[..., None, None])
        x = over_time(self.stem_time, x, batch)
        x = self.top(self.middle(x))
        x = over_time(self.top_time, x.flatten(0, 1), batch)
        pooled = torch.cat([x.mean(dim=(-2, -1)), x.amax(dim=(-2, -1))], dim=-1)
        return F.gelu(self.pooled(pooled))

    def between(self, features: Tensor, times: Float[Tensor, "batch frame"], grid: Float[Tensor, "batch step"]) -> Float[Tensor, "batch step width"]:
        """Features of the frames around each step, and where the step lies between them."""
        after = torch.searchsorted(times.contiguous(), grid.contiguous(), right=True).clamp(max=times.shape[1] - 1)
        before = (torch.searchsorted(times.contiguous(), grid.contiguous(), right=True) - 1).clamp(min=0)
        since = grid - times.gather(1, before)
        until = times.gather(1, after) - grid
        share = (since / (since + until).clamp(min=1e-3)).clamp(0, 1)
        since, until = since.clamp(-0.3, 0.3), until.clamp(-0.3, 0.3)
        angle = 2 * math.pi * share
        phase = torch.stack([share, angle.sin(), angle.cos(), (2 * angle).sin(), (2 * angle).cos(), 10 * since, 10 * until], dim=-1)
        width = features.shape[-1]
        rows = (features.gather(1, index[..., None].expand(-1, -1, width)) for index in (before, after))
        gain, shift = self.phase(phase.to(features.dtype)).chunk(2, dim=-1)
        return F.gelu(self.neighbours(torch.cat(list(rows), dim=-1)) * (1 + gain) + shift)

    def forward(
        self,
        motion: Int[Tensor, "batch frame 2 high wide"],
        times: Float[Tensor, "batch frame"],
        grid: Float[Tensor, "batch step"],
        mask: Float[Tensor, "batch step"] | None = None,
    ) -> Curves:
        """``times``, ``grid``: s from a common zero, rising; ``mask``: 1 where a step belongs to the film, else 0. Padding
        frames at the end repeat the last time + 1 s and more, with zero motion."""
        x = self.between(self.frames(motion, times), times, grid).transpose(1, 2)
        mask = torch.ones_like(x[:, :1]) if mask is None else mask[:, None].to(x.dtype)
        for block in self.blocks:
            x = block(x, mask)
        y = self.heads(self.norm(x.transpose(1, 2))).float()
        onset, offset, strength, kind = y[..., LEVELS:].unbind(-1)
        return Curves(y[..., :LEVELS], onset, 0.1 * offset, strength, kind)
