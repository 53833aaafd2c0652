"""Golden numbers of the diffusion parts: ``python -m tests.diffusion.golden`` from the repository's root writes golden.json.

The file was compared once, on 2026-11-23, with the reference implementations on the same weights and inputs, to rtol 1e-4
and atol 1e-5: transformer, conditioner and autoencoder with stable-audio-tools 50049e3 (0.0.19) and with diffusers
0.42.1, the ControlNet with stable-audio-controlnet cbc37e6 on stable-audio-tools bd6084d (0.0.16), the sampler with
k-diffusion 0.1.1.post1. Weights and inputs come from a stream of numbers that no version of torch or numpy changes.
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from foleygram.diffusion.autoencoder import OobleckAutoencoder, OobleckConfig
from foleygram.diffusion.conditioner import Conditioner, ConditionerConfig
from foleygram.diffusion.control import ControlNet, ControlNetConfig
from foleygram.diffusion.sampler import SamplerConfig, denoiser, guided, sample
from foleygram.diffusion.transformer import Transformer, TransformerConfig
from foleygram.types import Condition

FILE = Path(__file__).with_name("golden.json")
SHOWN = 24  # numbers kept of each row

TRANSFORMER = TransformerConfig(latent_dim=6, embed_dim=128, depth=3, head_dim=64, cross_dim=64, global_dim=128)
CONTROL = ControlNetConfig(depth=2)
CONDITIONER = ConditionerConfig(embedding_dim=10, token_dim=64, text_dim=64)
OOBLECK = OobleckConfig(kind="oobleck", latent_dim=3, width=4, multiples=(1, 2, 4), strides=(2, 4, 8), chunk=1000)
SECONDS = (0.0, 10.0, 512.0, 600.0)


def randomise(module: nn.Module, seed: int) -> nn.Module:
    """Fills every parameter, zero-initialised ones too; norms and gains stay near 1, matrices keep the scale of their
    input. Returns the module in evaluation mode."""
    stream = np.random.RandomState(seed)
    with torch.no_grad():
        for name, tensor in module.named_parameters():
            gain = name.endswith("weight_g") or (tensor.ndim == 1 and name.endswith("weight") and "time_proj" not in name)
            small = gain or tensor.ndim < 2 or name.endswith(("alpha", "beta"))
            scale = 0.1 if small else tensor[0].numel() ** -0.5
            if name.endswith(("time_proj.weight", "weights")):
                scale = 1.0  # frequencies
            tensor.copy_(torch.as_tensor((1.0 if gain else 0.0) + scale * stream.standard_normal(tuple(tensor.shape))))
    return module.eval()


def noise(seed: int, *shape: int) -> Tensor:
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape)).float()


def draws(seed: int, *shape: int) -> Iterator[Tensor]:
    """Endless noise for the sampler."""
    return (noise(seed + step, *shape) for step in itertools.count())


def transformer() -> Transformer:
    return randomise(Transformer(TRANSFORMER), 1)


def control_net() -> ControlNet:
    return randomise(ControlNet(TRANSFORMER, CONTROL), 2)


def conditioner() -> Conditioner:
    return randomise(Conditioner(CONDITIONER), 3)


def oobleck() -> OobleckAutoencoder:
    return randomise(OobleckAutoencoder(OOBLECK), 4)


def condition() -> Condition:
    return Condition(noise(21, 2, 5, 64), noise(22, 2, 128))


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    """Noisy latent [2, 6, 11], noise level [2], control latent [2, 6, 11]."""
    return noise(23, 2, 6, 11), torch.tensor([0.1, 0.83]), noise(24, 2, 6, 11)


def gaussian_mixture(x: Tensor, sigma: float) -> Tensor:
    """The exact denoiser of data that are +1 or -1 with a spread of 0.1: curved, unlike that of one Gaussian."""
    spread = 0.1**2 + sigma**2
    return (sigma**2 * torch.tanh(x / spread) + 0.1**2 * x) / spread


@torch.no_grad()
def outputs() -> dict[str, Tensor]:
    """Each [row, ...]."""
    x, t, control = inputs()
    network, net, steered = transformer(), control_net(), condition()
    residuals = net(x, t, steered, control)
    denoise = guided(network, net, steered, control, SamplerConfig(guidance=3.5))
    seconds = torch.tensor(SECONDS)
    timing, global_vector = conditioner().timing(seconds, seconds.flip(0))
    codec = oobleck()
    mean, deviation = codec.distribution(noise(25, 2, 2, 64 * 9))
    steps = SamplerConfig(steps=12)
    return {
        "transformer": network(x, t, steered),
        "residuals": torch.cat(residuals),
        "controlled": network(x, t, steered, residuals),
        "guided": denoise(x, 1.7),
        "timing": timing,
        "global": global_vector,
        "oobleck_mean": mean,
        "oobleck_deviation": deviation,
        "oobleck_sound": codec.decode(noise(26, 2, 3, 9)),
        "sampler_sde": sample(gaussian_mixture, draws(100, 2, 1, 8), steps),
        "sampler_ode": sample(gaussian_mixture, draws(100, 2, 1, 8), steps.replace(eta=0.0)),
        "sampler_v": sample(denoiser(lambda z, t, sigma: torch.sin(3 * z) * t[:, None, None]), draws(200, 2, 1, 8), steps),
    }


def shown(rows: Tensor) -> Tensor:
    """The numbers that are kept: evenly spread over each row."""
    flat = rows.flatten(1)
    return flat[:, torch.linspace(0, flat.shape[1] - 1, min(SHOWN, flat.shape[1])).long()]


if __name__ == "__main__":
    kept = {name: [[round(value, 6) for value in row] for row in shown(rows).tolist()] for name, rows in outputs().items()}
    FILE.write_text(json.dumps(kept) + "\n")
