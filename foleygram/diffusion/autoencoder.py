"""Oobleck, the waveform autoencoder of Stable Audio Open: sound to latent and back (section III-B2).

Parameter names are those of the diffusers port (AutoencoderOobleck), so that its safetensors load with no map. Long
sounds are cut into chunks with so much context on both sides that the joined result is that of the whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from foleygram.config import Config, Count

DILATIONS = (1, 3, 9)  # of the three residual units of a block
KERNEL = 7  # of the dilated convolutions and of the outer ones


class OobleckConfig(Config):
    """Defaults: Stable Audio Open 1.0, 156.1 M parameters, one latent position for 2048 samples."""

    kind: Literal["oobleck"]
    rate: Count = 44100  # Hz
    channels: Count = 2
    latent_dim: Count = 64
    width: Count = 128  # channels of the outermost layer
    multiples: tuple[Count, ...] = (1, 2, 4, 8, 16)  # of the width, after each stride
    strides: tuple[int, ...] = (2, 4, 4, 8, 8)  # from sound to latent; even, which keeps lengths whole
    chunk: Count = 64  # latent positions coded at once; bounds the memory, not the result

    @model_validator(mode="after")
    def check_strides(self):
        if not self.strides or any(stride < 2 or stride % 2 for stride in self.strides):
            raise ValueError(f"strides are even numbers, not {self.strides}")
        if len(self.strides) != len(self.multiples):
            raise ValueError("there is one multiple of the width for each stride")
        return self

    @property
    def hop(self) -> int:
        """Samples of one latent position."""
        return math.prod(self.strides)


class Snake(nn.Module):
    """x + sin^2(e^alpha x) / e^beta with learned alpha, beta of each channel."""

    def __init__(self, width: int):
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(1, width, 1))
        self.beta = nn.Parameter(torch.zeros(1, width, 1))

    def forward(self, x: Float[Tensor, "batch width length"]) -> Float[Tensor, "batch width length"]:
        if torch.is_grad_enabled():
            return x + (self.alpha.exp() * x).sin().square() / (self.beta.exp() + 1e-9)
        # the same in one further array, for these are the widest of the network
        wave = (x * self.alpha.exp()).sin_().square_()
        return wave.mul_((self.beta.exp() + 1e-9).reciprocal()).add_(x)


class NormedConv(nn.Module):
    """Convolution whose kernels are ``weight_g * weight_v / |weight_v|`` over all but the first dimension."""

    def __init__(
        self, inner: int, outer: int, kernel: int, padding: int, stride: int = 1, dilation: int = 1, bias: bool = True
    ):
        super().__init__()
        self.padding, self.stride, self.dilation = padding, stride, dilation
        self.weight_v = nn.Parameter(torch.empty(self.kernel_shape(inner, outer, kernel)))
        nn.init.kaiming_uniform_(self.weight_v, a=math.sqrt(5))
        self.weight_g = nn.Parameter(self.weight_v.detach().flatten(1).norm(dim=1)[:, None, None])
        bound = (inner * kernel) ** -0.5
        self.bias = nn.Parameter(torch.empty(outer).uniform_(-bound, bound)) if bias else None

    @staticmethod
    def kernel_shape(inner: int, outer: int, kernel: int) -> tuple[int, int, int]:
        return outer, inner, kernel

    @property
    def weight(self) -> Tensor:
        return torch._weight_norm(self.weight_v, self.weight_g, 0)

    def forward(self, x: Float[Tensor, "batch inner length"]) -> Float[Tensor, "batch outer length"]:
        return F.conv1d(x, self.weight, self.bias, self.stride, self.padding, self.dilation)


class NormedUpsampling(NormedConv):
    """Transposed convolution; the gain belongs to an input channel."""

    @staticmethod
    def kernel_shape(inner: int, outer: int, kernel: int) -> tuple[int, int, int]:
        return inner, outer, kernel

    def forward(self, x: Float[Tensor, "batch inner length"]) -> Float[Tensor, "batch outer longer"]:
        return F.conv_transpose1d(x, self.weight, self.bias, self.stride, self.padding)


class ResidualUnit(nn.Module):
    """Two convolutions, the first one dilated, beside the identity."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.snake1 = Snake(width)
        self.conv1 = NormedConv(width, width, KERNEL, padding=KERNEL // 2 * dilation, dilation=dilation)
        self.snake2 = Snake(width)
        self.conv2 = NormedConv(width, width, 1, padding=0)

    def forward(self, x: Float[Tensor, "batch width length"]) -> Float[Tensor, "batch width length"]:
        return x + self.conv2(self.snake2(self.conv1(self.snake1(x))))


class EncoderBlock(nn.Module):
    """Three residual units, then ``stride`` samples become one."""

    def __init__(self, inner: int, outer: int, stride: int):
        super().__init__()
        self.res_unit1, self.res_unit2, self.res_unit3 = (ResidualUnit(inner, dilation) for dilation in DILATIONS)
        self.snake1 = Snake(inner)
        self.conv1 = NormedConv(inner, outer, 2 * stride, padding=stride // 2, stride=stride)

    def forward(self, x: Float[Tensor, "batch inner length"]) -> Float[Tensor, "batch outer shorter"]:
        return self.conv1(self.snake1(self.res_unit3(self.res_unit2(self.res_unit1(x)))))


class DecoderBlock(nn.Module):
    """One sample becomes ``stride``, then three residual units."""

    def __init__(self, inner: int, outer: int, stride: int):
        super().__init__()
        self.snake1 = Snake(inner)
        self.conv_t1 = NormedUpsampling(inner, outer, 2 * stride, padding=stride // 2, stride=stride)
        self.res_unit1, self.res_unit2, self.res_unit3 = (ResidualUnit(outer, dilation) for dilation in DILATIONS)

    def forward(self, x: Float[Tensor, "batch inner length"]) -> Float[Tensor, "batch outer longer"]:
        return self.res_unit3(self.res_unit2(self.res_unit1(self.conv_t1(self.snake1(x)))))


class OobleckEncoder(nn.Module):
    """Sound to mean and raw scale of the latent, one above the other: [batch, 2 latent_dim, length]."""

    def __init__(self, config: OobleckConfig):
        super().__init__()
        widths = [config.width * multiple for multiple in (1, *config.multiples)]
        self.conv1 = NormedConv(config.channels, widths[0], KERNEL, padding=KERNEL // 2)
        self.block = nn.ModuleList(map(EncoderBlock, widths[:-1], widths[1:], config.strides))
        self.snake1 = Snake(widths[-1])
        self.conv2 = NormedConv(widths[-1], 2 * config.latent_dim, 3, padding=1)

    def forward(self, sound: Float[Tensor, "batch channel sample"]) -> Float[Tensor, "batch double length"]:
        x = self.conv1(sound)
        for block in self.block:
            x = block(x)
        return self.conv2(self.snake1(x))


class OobleckDecoder(nn.Module):
    """[batch, latent_dim, length] -> [batch, channel, sample]; the mirror of the encoder."""

    def __init__(self, config: OobleckConfig):
        super().__init__()
        widths = [config.width * multiple for multiple in (*config.multiples[::-1], 1)]
        self.conv1 = NormedConv(config.latent_dim, widths[0], KERNEL, padding=KERNEL // 2)
        self.block = nn.ModuleList(map(DecoderBlock, widths[:-1], widths[1:], config.strides[::-1]))
        self.snake1 = Snake(widths[-1])
        self.conv2 = NormedConv(widths[-1], config.channels, KERNEL, padding=KERNEL // 2, bias=False)

    def forward(self, latent: Float[Tensor, "batch latent_dim length"]) -> Float[Tensor, "batch channel sample"]:
        x = self.conv1(latent)
        for block in self.block:
            x = block(x)
        return self.conv2(self.snake1(x))


class OobleckAutoencoder(nn.Module):
    """Same interface as the mini's SpectralAutoencoder: ``encode``, ``decode``, ``hop``, ``latent_dim``, ``length``."""

    def __init__(self, config: OobleckConfig):
        super().__init__()
        self.config = config
        self.encoder = OobleckEncoder(config)
        self.decoder = OobleckDecoder(config)

    @property
    def hop(self) -> int:
        return self.config.hop

    @property
    def latent_dim(self) -> int:
        return self.config.latent_dim

    def length(self, samples: int) -> int:
        """Latent positions for so many samples; 10 s are 216, of which the last is filled up with silence."""
        return -(-samples // self.hop)

    def distribution(self, sound: Float[Tensor, "batch channel sample"]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the latent, both [batch, latent_dim, length], chunk by chunk."""
        sound = F.pad(sound, (0, -sound.shape[-1] % self.hop)).to(self.encoder.conv1.weight_v.dtype)

        def encode(begin: int, end: int) -> Tensor:
            return self.encoder(sound[..., begin * self.hop : end * self.hop])

        coded = in_chunks(encode, sound.shape[-1] // self.hop, self.config.chunk, encoder_reach(self.config), 1)
        mean, scale = coded.chunk(2, dim=1)
        return mean, F.softplus(scale) + 1e-4

    def encode(
        self, sound: Float[Tensor, "batch channel sample"], seed: int | None = None
    ) -> Float[Tensor, "batch latent_dim length"]:
        """The mean of the latent, which is the same every time. With ``seed`` a draw around it, as the reference does
        at every encoding, of training clips and envelopes alike."""
        with torch.autocast(sound.device.type, enabled=False):
            mean, deviation = self.distribution(sound)
        if seed is None:
            return mean
        draw = torch.randn(mean.shape, generator=torch.Generator().manual_seed(seed))
        return mean + deviation * draw.to(mean)

    @torch.no_grad()
    def decode(self, latent: Float[Tensor, "batch latent_dim length"], seed: int = 0) -> Float[Tensor, "batch channel sample"]:
        """Sound of ``length * hop`` samples in fp32. There is nothing to draw: ``seed`` is for the common interface."""
        latent = latent.to(self.decoder.conv1.weight_v.dtype)

        def decode(begin: int, end: int) -> Tensor:
            return self.decoder(latent[..., begin:end]).float()

        return in_chunks(decode, latent.shape[-1], self.config.chunk, decoder_reach(self.config), self.hop)


def in_chunks(run: Callable[[int, int], Tensor], length: int, chunk: int, reach: int, scale: int) -> Tensor:
    """Joins ``run(begin, end)`` over 0..length in chunks of ``chunk`` positions, each computed with ``reach`` positions of
    context on both sides that are cut off again; ``scale``: places of the result for a position."""
    parts = []
    for begin in range(0, length, chunk):
        end = min(begin + chunk, length)
        first, last = max(0, begin - reach), min(length, end + reach)
        part = run(first, last)
        parts.append(part[..., (begin - first) * scale : part.shape[-1] - (last - end) * scale])
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def unit_reach() -> int:
    """How far three residual units of a block look to each side, in samples at their own rate."""
    return KERNEL // 2 * sum(DILATIONS)


def encoder_reach(config: OobleckConfig) -> int:
    """Latent positions to each side that one position of the latent depends on."""
    samples, spacing = KERNEL // 2, 1
    for stride in config.strides:
        # a kernel of two strides looks at most one and a half of them back from the start of its own
        samples += (unit_reach() + 2 * stride) * spacing
        spacing *= stride
    return math.ceil(samples / spacing) + 1


def decoder_reach(config: OobleckConfig) -> int:
    """Latent positions to each side that a sample depends on."""
    positions, spacing = float(KERNEL // 2), 1.0
    for stride in config.strides[::-1]:
        positions += spacing  # a kernel of two strides: the neighbours
        spacing /= stride
        positions += unit_reach() * spacing
    return math.ceil(positions + KERNEL // 2 * spacing)
