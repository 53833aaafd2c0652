"""The mini's autoencoder: compressed magnitudes to a latent and back, phase from the magnitudes (docs/decisions.md).

Stands where the paper has Stable Audio's Oobleck (section III-B2) and has the same interface. Two cores cannot train
a waveform codec, but a linear code of |X|^0.3 is a good one, and a small network on top of its linear inverse adds
what a linear map cannot know: sharper magnitudes, and how noise-like each place of the spectrum is.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor, nn

from foleygram.config import Config, Count, Natural, NotNegative, Positive
from foleygram.diffusion.phase import integrated_phase
from foleygram.signal.attack import sharpened

LOUDEST = 1e15
"""Magnitude from which on a sound is no number: squares of fp32 end there."""


class SpectralAutoencoderConfig(Config):
    """Numbers of the mini autoencoder; the defaults are those of the mini that ships but for ``speckle``."""

    kind: Literal["spectral"] = "spectral"
    rate: Count = 44100  # Hz
    channels: Count = 2
    window: Count = 1024  # samples, Hann
    step: Count = 256  # samples between frames
    group: Count = 4  # frames in one latent position
    latent_dim: Count = 128
    compression: Positive = 0.3  # exponent on magnitudes: near to loudness, and silence stays at zero
    hidden: Count = 208  # width of the refining network
    blocks: Count = 4
    expansion: Count = 3
    phase_iterations: Natural = 6  # of Griffin-Lim, after the phase was integrated
    speckle: NotNegative = 1.0  # share of the predicted spread that decoding draws

    @model_validator(mode="after")
    def windows_overlap(self) -> SpectralAutoencoderConfig:
        if self.window % self.step or self.window == self.step:
            raise ValueError(f"windows of {self.window} samples cannot overlap by steps of {self.step}: several steps make one")
        return self

    @property
    def hop(self) -> int:
        """Samples of one latent position."""
        return self.step * self.group

    @property
    def frame_dim(self) -> int:
        """Magnitudes of one latent position: channels x bins x frames."""
        return self.channels * (self.window // 2 + 1) * self.group


class ConvBlock(nn.Module):
    """Depth-wise convolution over time, then a two-layer network on each position; residual."""

    def __init__(self, width: int, expansion: int):
        super().__init__()
        self.conv = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, expansion * width)
        self.down = nn.Linear(expansion * width, width)

    def forward(self, x: Float[Tensor, "batch width length"]) -> Float[Tensor, "batch width length"]:
        y = self.norm(self.conv(x).transpose(1, 2))
        return x + self.down(nn.functional.gelu(self.up(y))).transpose(1, 2)


class SpectralAutoencoder(nn.Module):
    """``encode``: sound [batch, 2, sample] -> latent [batch, latent_dim, length]; ``decode``: and back.

    ``length`` is ``ceil(sample / hop)``; sound is filled up with silence to whole positions. The code is linear in
    compressed magnitudes, so an envelope, which lives in the lowest bins, passes through it too (training/autoencoder
    reserves directions for it)."""

    def __init__(self, config: SpectralAutoencoderConfig):
        super().__init__()
        self.config = config
        dim, hidden = config.frame_dim, config.hidden
        self.to_latent = nn.Linear(dim, config.latent_dim)
        self.to_magnitude = nn.Linear(config.latent_dim, dim)
        self.conv_in = nn.Conv1d(config.latent_dim, hidden, 3, padding=1)
        self.blocks = nn.ModuleList([ConvBlock(hidden, config.expansion) for _ in range(config.blocks)])
        self.norm = nn.LayerNorm(hidden)
        self.to_correction = nn.Linear(hidden, dim)
        self.to_spread = nn.Linear(hidden, dim // config.channels)  # both channels have the same spread
        self.make_buffers()
        # mean and spread of Rayleigh magnitudes with unit power after compression: noise has this speckle
        power = config.compression / 2
        self.speckle_mean = math.gamma(1 + power)
        self.speckle_spread = math.sqrt(math.gamma(1 + 2 * power) - self.speckle_mean**2)

    def make_buffers(self) -> None:
        """What is computed, not stored: the window."""
        device = self.to_latent.weight.device
        self.register_buffer("hann", torch.hann_window(self.config.window, device=device), persistent=False)

    @property
    def hop(self) -> int:
        return self.config.hop

    @property
    def latent_dim(self) -> int:
        return self.config.latent_dim

    def length(self, samples: int) -> int:
        """Latent positions for so many samples."""
        return -(-samples // self.hop)

    def spectrum(self, sound: Float[Tensor, "batch channel sample"]) -> Tensor:
        """Complex [batch, channel, bin, frame], amplitude-scaled; frame k is centred at sample k * step."""
        config = self.config
        batch, channel, _ = sound.shape
        spectrum = torch.stft(
            sound.flatten(0, 1).float(), config.window, config.step, window=self.hann * (2 / config.window), center=True,
            pad_mode="constant", return_complex=True,
        )  # fmt: skip
        return spectrum[..., : sound.shape[-1] // config.step].unflatten(0, (batch, channel))

    def waveform(self, spectrum: Tensor, samples: int) -> Float[Tensor, "batch channel sample"]:
        """Inverse of ``spectrum``, by overlapping and adding; the frame after the last one counts as silent. What
        ``torch.istft`` gives, in two fifths of its time."""
        config, frames = self.config, spectrum.shape[-1]
        parts = config.window // config.step
        window = (self.hann * (2 / config.window)).unflatten(0, (parts, config.step))
        pieces = torch.fft.irfft(spectrum.mT, n=config.window).unflatten(-1, (parts, config.step))
        sound = pieces.new_zeros(*spectrum.shape[:2], frames + parts, config.step)
        weight = window.new_zeros(frames + parts, config.step)
        for part in range(parts):
            sound[..., part : part + frames, :].addcmul_(pieces[..., part, :], window[part])
            weight[part : part + frames + 1] += window[part].square()
        inside = slice(config.window // 2, config.window // 2 + samples)
        return sound.flatten(-2)[..., inside] / weight.flatten()[inside]

    def magnitudes(self, sound: Float[Tensor, "batch channel sample"]) -> Float[Tensor, "batch length frame_dim"]:
        """Compressed magnitudes of whole positions."""
        short = -sound.shape[-1] % self.hop
        magnitude = self.spectrum(torch.nn.functional.pad(sound, (0, short))).abs() ** self.config.compression
        return self.by_position(magnitude)

    def by_position(self, magnitude: Float[Tensor, "batch channel bin frame"]) -> Float[Tensor, "batch length frame_dim"]:
        """Magnitudes of frames as those of whole positions; the inverse of ``by_frame``."""
        return magnitude.unflatten(-1, (-1, self.config.group)).permute(0, 3, 1, 2, 4).flatten(2)

    def by_frame(self, magnitude: Float[Tensor, "batch length frame_dim"]) -> Float[Tensor, "batch channel frame bin"]:
        """Magnitudes of whole positions as those of their frames, the bins of a frame side by side as in a spectrum."""
        shape = (self.config.channels, self.config.window // 2 + 1, self.config.group)
        return magnitude.unflatten(-1, shape).permute(0, 2, 1, 4, 3).flatten(2, 3)

    def encode(self, sound: Float[Tensor, "batch channel sample"]) -> Float[Tensor, "batch latent_dim length"]:
        """The latent; no randomness."""
        with torch.autocast(sound.device.type, enabled=False):
            return self.to_latent(self.magnitudes(sound)).transpose(1, 2)

    @property
    def silence(self) -> Float[Tensor, "latent_dim 1"]:
        """Each position of the latent of silence."""
        return self.to_latent.bias[:, None]

    def frames(self, latent: Float[Tensor, "batch latent_dim length"]) -> Float[Tensor, "batch channel frame bin"]:
        """Compressed magnitudes of each frame as the linear code has them, fp32; below 0 where it errs about silence."""
        return self.by_frame(self.to_magnitude(latent.float().transpose(1, 2)))

    def shifted(
        self, latent: Float[Tensor, "batch latent_dim length"], change: Float[Tensor, "batch channel frame bin"]
    ) -> Float[Tensor, "batch latent_dim length"]:
        """The latent with ``change`` added to the compressed magnitudes of its frames, as far as the linear code can say it."""
        return latent + nn.functional.linear(self.by_position(change.mT), self.to_latent.weight).mT

    def octaves(self) -> list[slice]:
        """The latent's directions from coarse to fine without the coarsest sixteenth: four octaves."""
        first = max(self.latent_dim // 16, 1)
        return [slice(first << k, first << (k + 1)) for k in range(4)]

    def detail(self, latent: Float[Tensor, "batch latent_dim length"]) -> Float[Tensor, "batch 4"]:
        """How strong a sound is in each octave of directions, as a share of its strength in all (RMS, silence at zero): lines
        and grain are strong in the fine ones. A gain or more silence changes nothing."""
        sounding = latent - self.silence
        whole = sounding.square().sum(dim=(1, 2)).sqrt()[:, None]
        parts = [sounding[:, octave].square().sum(dim=(1, 2)).sqrt() for octave in self.octaves()]
        return torch.stack(parts, dim=1) / whole.clamp(min=1e-6)

    def with_detail(
        self, latent: Float[Tensor, "batch latent_dim length"], wanted: Float[Tensor, "batch 4"], limit: float
    ) -> Float[Tensor, "batch latent_dim length"]:
        """The latent with its octaves stretched, at most ``limit`` times, to the wanted ``detail``."""
        factors = (wanted / self.detail(latent).clamp(min=1e-6)).clamp(1 / limit, limit)
        scale = torch.ones_like(latent[..., :1])
        for octave, factor in zip(self.octaves(), factors.unbind(1), strict=True):
            scale[:, octave] = factor[:, None, None]
        return self.silence + (latent - self.silence) * scale

    def predict(
        self, latent: Float[Tensor, "batch latent_dim length"]
    ) -> tuple[Float[Tensor, "batch length frame_dim"], Float[Tensor, "batch length frame_dim"]]:
        """Mean and spread (standard deviation) of the compressed magnitudes, in fp32."""
        x = self.conv_in(latent)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x.transpose(1, 2))
        with torch.autocast(latent.device.type, enabled=False):  # the linear code keeps its precision
            linear = self.to_magnitude(latent.float().transpose(1, 2))
        mean = linear + self.to_correction(x).float()
        spread = nn.functional.softplus(self.to_spread(x).float() - 3.0) + 1e-3
        return mean, spread.repeat(1, 1, self.config.channels)

    @torch.no_grad()
    def decode(self, latent: Float[Tensor, "batch latent_dim length"], seed: int = 0) -> Float[Tensor, "batch channel sample"]:
        """Sound of ``length * hop`` samples in fp32. ``seed`` draws the speckle and the first phase."""
        config = self.config
        mean, spread = self.predict(latent.to(self.conv_in.weight.dtype))
        batch, length = mean.shape[:2]
        mean, spread = (self.by_frame(part).mT for part in (mean, spread))  # batch channel bin frame
        samples = length * config.hop
        generator = torch.Generator().manual_seed(seed)
        white = torch.randn(1, 1, samples, generator=generator).to(mean.device)
        noise = self.spectrum(white)
        noise = noise / noise.abs().square().mean().sqrt()
        # the same noise on both channels keeps a panned source in its place, and so does the same phase
        speckle = (noise.abs() ** config.compression - self.speckle_mean) / self.speckle_spread
        magnitude, expected = (
            part.clamp(min=0) ** (1 / config.compression) for part in (mean + config.speckle * spread * speckle, mean)
        )
        magnitude = torch.where(magnitude < LOUDEST, magnitude, torch.nan)
        phase = self.find_phase(magnitude.mean(1, keepdim=True), expected.mean(1, keepdim=True), noise.angle(), samples)
        return sharpened(self.waveform(scaled(phase, magnitude), samples), config.rate)

    def find_phase(
        self, magnitude: Float[Tensor, "batch 1 bin frame"], expected: Tensor, first: Tensor, samples: int
    ) -> Tensor:
        """Complex numbers of length 1, or 0 where it is silent, [batch, 1, bin, frame]: the phase integrated over ``expected``
        (``diffusion/phase.py``), then fast Griffin-Lim for ``magnitude`` (Perraudin et al. 2013). ``expected``: the magnitudes
        before speckle was drawn, which would be read as slopes; ``first`` [1, 1, bin, frame]: phases for what is too soft to
        tell (rad)."""
        config, start = self.config, first[0, 0].cpu().numpy()
        phases = [integrated_phase(one[0].cpu().numpy(), config.window, config.step, start) for one in expected]
        angle = torch.from_numpy(np.stack(phases)[:, None]).to(magnitude)
        estimate = torch.polar(magnitude, angle)
        momentum, previous = 0.99, None
        for _ in range(config.phase_iterations):
            consistent = self.spectrum(self.waveform(estimate, samples))
            ahead = consistent if previous is None else beyond(previous, consistent, momentum)
            previous = consistent
            estimate = scaled(ahead, magnitude * inverse_modulus(ahead))
        return scaled(estimate, inverse_modulus(estimate))


def beyond(before: Tensor, now: Tensor, momentum: float) -> Tensor:
    """As far beyond ``now`` as ``momentum`` of the way from ``before``."""
    return torch.view_as_complex(torch.lerp(torch.view_as_real(before), torch.view_as_real(now), 1 + momentum))


def scaled(spectrum: Tensor, gain: Tensor) -> Tensor:
    """Complex numbers times real ones. As torch multiplies them, the real ones become complex first: four times as long."""
    return torch.view_as_complex(torch.view_as_real(spectrum) * gain[..., None])


def inverse_modulus(spectrum: Tensor) -> Tensor:
    """1 over the absolute values, which count as 1e-12 at least."""
    real, imaginary = spectrum.real, spectrum.imag
    return torch.addcmul(real * real, imaginary, imaginary).clamp(min=1e-24).rsqrt()
