"""Noise levels, the noised latent and the v-prediction objective (section III-B3, Eqs. 6-7).

The continuous form of Stable Audio: t in 0..1, signal cos(pi t / 2), noise sin(pi t / 2). It is Eq. 7 with
alpha-bar_t = cos^2(pi t / 2); the paper's discrete chain (Eq. 6) is any grid of such t.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

TimeDistribution = Literal["uniform", "logit_normal"]


def alpha_sigma(t: Float[Tensor, "batch"]) -> tuple[Tensor, Tensor]:
    """Weights of signal and noise at the level t, alpha^2 + sigma^2 = 1."""
    return torch.cos(math.pi / 2 * t), torch.sin(math.pi / 2 * t)


def add_noise(z: Tensor, noise: Tensor, t: Float[Tensor, "batch"]) -> Tensor:
    """Eq. 7: z_t = sqrt(alpha-bar) z + sqrt(1 - alpha-bar) noise; z [batch, channel, length]."""
    alpha, sigma = (weight[:, None, None] for weight in alpha_sigma(t))
    return alpha * z + sigma * noise


def v_target(z: Tensor, noise: Tensor, t: Float[Tensor, "batch"]) -> Tensor:
    """v = sqrt(alpha-bar) noise - sqrt(1 - alpha-bar) z (end of section III-B3)."""
    alpha, sigma = (weight[:, None, None] for weight in alpha_sigma(t))
    return alpha * noise - sigma * z


def draw_times(count: int, distribution: TimeDistribution, generator: torch.Generator | None = None) -> Float[Tensor, "batch"]:
    """Noise levels for a training step: stratified uniform (Stable Audio) or sigmoid of a normal (the ControlNet)."""
    if distribution == "logit_normal":
        return torch.sigmoid(torch.randn(count, generator=generator))
    # one draw in each of `count` equal parts: as even as the reference's Sobol sequence, and stateless
    order = torch.randperm(count, generator=generator)
    return (order + torch.rand(count, generator=generator)) / count


def v_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared error; the paper prints it without the square (docs/decisions.md)."""
    return torch.nn.functional.mse_loss(prediction.float(), target.float())
