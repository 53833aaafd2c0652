"""Noise becomes a latent: DPM-Solver++ 3M SDE with classifier-free guidance (sections III-B3 and IV-C).

The reference sampler of Stable Audio: noise levels sigma = noise / signal fall exponentially from 500 to 0.3, then to
0. Reference implementation: k-diffusion, sample_dpmpp_3m_sde.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import BeforeValidator, model_validator
from torch import Tensor

from foleygram.config import Config, Count, NotNegative, Positive
from foleygram.diffusion.control import ControlNet
from foleygram.diffusion.transformer import Transformer
from foleygram.limits import GUIDANCE, STEPS, check_range, check_whole
from foleygram.types import Condition

Denoiser = Callable[[Tensor, float], Tensor]
"""(noisy latent at unit signal [batch, channel, length], sigma) -> denoised latent."""


NoLimit = Annotated[NotNegative | None, BeforeValidator(lambda value: None if value == math.inf else value)]
"""A bound that may be absent; older configs say Infinity."""


class SamplerConfig(Config):
    """Section IV-C: 150 steps, guidance 2. ``eta``: 0 = deterministic, 1 = the full SDE."""

    steps: Count = 150
    guidance: NotNegative = 2.0
    sigma_min: Positive = 0.3
    sigma_max: Positive = 500.0
    eta: NotNegative = 1.0
    noise_scale: NotNegative = 1.0  # of the noise that each step adds anew; above 1 gives back detail that a small model loses
    guidance_sigma_min: NotNegative = 0.0  # guidance acts for sigma within these bounds; all levels by default
    guidance_sigma_max: NoLimit = None  # None: no upper bound; JSON has no infinity

    @model_validator(mode="after")
    def levels_fall(self) -> SamplerConfig:
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"noise falls from sigma_max to sigma_min, and {self.sigma_max:g} is not above {self.sigma_min:g}")
        return self

    def chosen(self, steps: int | None, guidance: float | None) -> SamplerConfig:
        """With what was said instead: ``steps`` 1..1000, ``guidance`` 0..20. Raises UsageError."""
        said = {
            "steps": None if steps is None else check_whole("--steps", steps, *STEPS),
            "guidance": None if guidance is None else check_range("--guidance", guidance, *GUIDANCE),
        }
        return self.replace(**{name: value for name, value in said.items() if value is not None})


def noise_levels(steps: int, sigma_min: float, sigma_max: float) -> Float[Tensor, "levels"]:
    """``steps`` levels falling exponentially from sigma_max to sigma_min, both exact, then 0; float64."""
    levels = torch.linspace(math.log(sigma_max), math.log(sigma_min), steps, dtype=torch.float64).exp()
    levels[-1], levels[0] = sigma_min, sigma_max
    return torch.cat([levels, levels.new_zeros(1)])


def denoiser(predict_v: Callable[[Tensor, Tensor, float], Tensor]) -> Denoiser:
    """Turns a v-prediction ``(z_t, t [batch], sigma)`` into a denoiser over sigma: t = atan(sigma) 2 / pi in float32, from
    which sigma cannot be had back exactly."""

    def denoise(x: Tensor, sigma: float) -> Tensor:
        scale = 1.0 / math.sqrt(sigma**2 + 1.0)
        t = torch.full((x.shape[0],), math.atan(sigma) * 2 / math.pi, dtype=torch.float32, device=x.device)
        v = predict_v(x * scale, t, sigma)
        return x * scale**2 - v.to(x.dtype) * (sigma * scale)

    return denoise


def guided(
    transformer: Transformer,
    control_net: ControlNet | None,
    condition: Condition,
    control: Float[Tensor, "batch channel length"] | None,
    config: SamplerConfig,
) -> Denoiser:
    """Classifier-free guidance: u + s (c - u), where u has the whole cross-attention sequence at zero and the same
    envelope. Without guidance (s = 1) only one branch is computed."""
    null = condition.null()
    both = Condition(torch.cat([condition.tokens, null.tokens]), torch.cat([condition.global_vector, null.global_vector]))
    dtype = condition.tokens.dtype

    def predict(x: Tensor, t: Tensor, steered: Condition, envelope: Tensor | None) -> Tensor:
        x = x.to(dtype)
        residuals = () if control_net is None or envelope is None else control_net(x, t, steered, envelope)
        return transformer(x, t, steered, residuals).float()

    def predict_v(x: Tensor, t: Tensor, sigma: float) -> Tensor:
        below = config.guidance_sigma_max is None or sigma <= config.guidance_sigma_max
        active = below and config.guidance_sigma_min <= sigma
        if config.guidance == 1.0 or not active:
            return predict(x, t, condition, control)
        envelope = None if control is None else torch.cat([control, control])
        with_condition, without = predict(torch.cat([x, x]), torch.cat([t, t]), both, envelope).chunk(2)
        return without + config.guidance * (with_condition - without)

    return denoiser(predict_v)


def takes_noise(shape: tuple[int, ...], seeds: Iterable[int]) -> Iterator[Tensor]:
    """Endless standard normal draws [take, *shape]; each take has its own generator on the CPU, so a take does not
    depend on its neighbours nor on the device."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    while True:
        yield torch.stack([torch.randn(shape, generator=generator) for generator in generators])


@torch.no_grad()
def sample(
    denoise: Denoiser,
    noise: Iterator[Tensor],
    config: SamplerConfig,
    on_step: Callable[[int, int], None] | None = None,
    device: torch.device | str = "cpu",
) -> Float[Tensor, "batch channel length"]:
    """Third-order multistep SDE solver; ``noise`` yields one standard normal latent for the start and one a step.

    ``on_step(done, steps)`` is called after each step. Computed in fp32."""
    sigmas = noise_levels(config.steps, config.sigma_min, config.sigma_max).tolist()
    x = next(noise).to(device) * sigmas[0]
    older: list[tuple[Tensor, float]] = []  # (denoised, h) of the last steps, newest first
    for step, (sigma, following) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        denoised = denoise(x, sigma)
        if following == 0.0:
            x = denoised
        else:
            h = math.log(sigma / following)
            stretched = h * (1 + config.eta)
            x = math.exp(-stretched) * x - math.expm1(-stretched) * denoised
            phi2 = math.expm1(-stretched) / stretched + 1.0
            if len(older) == 2:
                (first, h1), (second, h2) = older
                r0, r1 = h1 / h, h2 / h
                d1_0, d1_1 = (denoised - first) / r0, (first - second) / r1
                d1 = d1_0 + (d1_0 - d1_1) * r0 / (r0 + r1)
                d2 = (d1_0 - d1_1) / (r0 + r1)
                x = x + phi2 * d1 - (phi2 / stretched - 0.5) * d2
            elif len(older) == 1:
                first, h1 = older[0]
                x = x + phi2 * (denoised - first) / (h1 / h)
            if config.eta:
                spread = config.noise_scale * following * math.sqrt(-math.expm1(-2 * h * config.eta))
                x = x + next(noise).to(device) * spread
            older = [(denoised, h), *older[:1]]
        if on_step is not None:
            on_step(step + 1, config.steps)
    return x
