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

from foleygram.config import Config, Count, NotNegative, Positive, Share
from foleygram.timing.motion import APPEARANCE_UNIT, DIFFERENCE_UNIT, MotionConfig
from foleygram.types import ENVELOPE_RATE

LEVELS = 64
"""Classes of the envelope: 0 is silence, the others are even in mu-law between ``QUIETEST`` and 1."""

QUIETEST = 0.01  # linear amplitude, edge of silence in Video2RMS
MU = 63.0


class TimingConfig(Config):
    """Numbers of the mini predictor. ``rate``: results a second; ``peak``: linear RMS amplitude that a result of full
    strength has; ``threshold``: confidence from which an onset counts, ``sure``: the same within ``near`` s of a surer one,
    which it may be the rebound of, ``scratch``: probability from which it is a scratch and no hit (chosen on validation films
    and real clips, docs/real-clips.md); ``apart``: least s between two onsets; ``window``, ``margin``: s of film seen at once,
    and of its ends that are seen again."""

    motion: MotionConfig = MotionConfig()
    rate: Positive = ENVELOPE_RATE / 4
    stem: Count = 32
    middle: Count = 64
    top: Count = 96
    width: Count = 160
    hidden: Count = 320
    dilations: tuple[Count, ...] = (1, 2, 4, 8, 16)
    peak: Positive = 0.2
    threshold: Share = 0.15
    sure: NotNegative = 0.3
    near: NotNegative = 0.4
    scratch: Share = 0.85
    apart: NotNegative = 0.09
    window: Positive = 12.0
    margin: NotNegative = 1.5


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


class Shift(torch.autograd.Function):
    """A quarter of the channels of each frame from the one before, a quarter from the one after, zeros beyond the ends:
    what a convolution over space needs to see time (temporal shift, Lin et al. 2019). ``x``: [frames, channel, high, wide]
    of ``batch`` films one after another. By hand, because slices and concatenations cost more than the convolutions."""

    @staticmethod
    def forward(ctx, x: Tensor, batch: int) -> Tensor:
        ctx.batch = batch
        return Shift.moved(x, batch, 1)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return Shift.moved(gradient, ctx.batch, -1), None

    @staticmethod
    def moved(x: Tensor, batch: int, step: int) -> Tensor:
        result = x.clone(memory_format=torch.channels_last)
        old, new = x.unflatten(0, (batch, -1)), result.unflatten(0, (batch, -1))
        part = x.shape[1] // 4
        for first, later in ((0, step > 0), (part, step < 0)):
            where = slice(first, first + part)
            if later:
                new[:, 1:, where] = old[:, :-1, where]
                new[:, 0, where] = 0
            else:
                new[:, :-1, where] = old[:, 1:, where]
                new[:, -1, where] = 0
        return result


class MotionBlock(nn.Module):
    """Residual convolution over space and three frames. No normalisation, since how much moves is what matters."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Float[Tensor, "frames width high wide"], batch: int) -> Tensor:
        return x + F.relu(self.conv(Shift.apply(x, batch)))


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
    """Motion of frames at their times -> ``Curves`` on a grid. About 0.9 M parameters."""

    def __init__(self, config: TimingConfig):
        super().__init__()
        self.config = config
        stem, middle, top, width = config.stem, config.middle, config.top, config.width
        self.stem = nn.Conv2d(4, stem, 6, stride=4, padding=1)
        self.gap = nn.Linear(1, stem)
        self.to_middle = nn.Conv2d(stem, middle, 3, stride=2, padding=1)
        self.middle_blocks = nn.ModuleList([MotionBlock(middle) for _ in range(2)])
        self.to_top = nn.Conv2d(middle, top, 3, stride=2, padding=1)
        self.top_block = MotionBlock(top)
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

    def frames(
        self, motion: Int[Tensor, "batch frame 2 high wide"], times: Float[Tensor, "batch frame"]
    ) -> Float[Tensor, "batch frame width"]:
        """Features of each frame. ``motion``: difference and appearance in their int8 steps."""
        batch = motion.shape[0]
        device = motion.device.type
        # int8 is exact in bf16
        kind = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else self.stem.weight.dtype
        difference = 8 * DIFFERENCE_UNIT * motion[:, :, 0].to(kind)
        seen = [
            F.pad(difference[:, :-1], (0, 0, 0, 0, 1, 0)), difference, F.pad(difference[:, 1:], (0, 0, 0, 0, 0, 1)),
            APPEARANCE_UNIT * motion[:, :, 1].to(kind),
        ]  # fmt: skip
        x = torch.stack(seen, dim=2).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        gaps = torch.diff(times, dim=1, prepend=2 * times[:, :1] - times[:, 1:2] if times.shape[1] > 1 else times - 0.04)
        gaps = (gaps.clamp(0.008, 0.5) * 25).log2()[..., None]
        x = F.relu(self.stem(x) + self.gap(gaps.to(kind)).flatten(0, 1)[..., None, None])
        x = F.relu(self.to_middle(Shift.apply(x, batch)))
        for block in self.middle_blocks:
            x = block(x, batch)
        x = self.top_block(F.relu(self.to_top(Shift.apply(x, batch))), batch).unflatten(0, (batch, -1))
        pooled = torch.cat([x.mean(dim=(-2, -1)), x.amax(dim=(-2, -1))], dim=-1)
        return F.gelu(self.pooled(pooled))

    def between(
        self, features: Tensor, times: Float[Tensor, "batch frame"], grid: Float[Tensor, "batch step"]
    ) -> Float[Tensor, "batch step width"]:
        """Features of the frames around each step, and where the step lies between them."""
        after = torch.searchsorted(times.contiguous(), grid.contiguous(), right=True).clamp(max=times.shape[1] - 1)
        before = (torch.searchsorted(times.contiguous(), grid.contiguous(), right=True) - 1).clamp(min=0)
        since = grid - times.gather(1, before)
        until = times.gather(1, after) - grid
        share = (since / (since + until).clamp(min=1e-3)).clamp(0, 1)
        since, until = since.clamp(-0.3, 0.3), until.clamp(-0.3, 0.3)
        angle = 2 * math.pi * share
        phase = torch.stack(
            [share, angle.sin(), angle.cos(), (2 * angle).sin(), (2 * angle).cos(), 10 * since, 10 * until], dim=-1
        )
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
