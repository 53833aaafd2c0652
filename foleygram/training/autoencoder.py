"""Stage 1: the mini's spectral autoencoder, from the linear solution upwards.

First the principal directions of compressed magnitudes (one pass, no steps), with a few directions kept for envelope
signals, so that the control signal of section III-B2 passes the same encoder as the sound. Then the network on the
linear inverse learns mean and spread of what the linear code lost. The encoder stays linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from foleygram.config import Config, Count, NotNegative, Positive, Share
from foleygram.diffusion.spectral import SpectralAutoencoder
from foleygram.hub.folder import read_notes, read_tensors, write_json, write_tensors
from foleygram.signal.envelope import extract_envelope
from foleygram.training.cache import key_of
from foleygram.training.loop import LoopConfig, Stage
from foleygram.types import Audio


class AutoencoderTraining(Config):
    """Numbers of stage 1."""

    loop: LoopConfig = LoopConfig(
        steps=4000, batch=24, learning_rate=1e-3, warmup=100, decay="cosine", precision="fp32", clip=1.0
    )
    seconds: Positive = 1.5  # length of a training crop
    fit_clips: Count = 240  # clips behind the principal directions
    envelope_directions: Count = 8  # of the latent's directions, kept for envelope signals
    whitening: Share = 0.5  # 0: latent scales as in the spectrum, 1: all directions of unit variance
    gain_db: NotNegative = 9.0  # random gain of a crop, +-


def principal_directions(rows: Tensor, count: int, weights_of: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Mean [dim], directions [count, dim] and standard deviations [count] of rows [row, dim]; float64 inside.

    ``weights_of``: directions [k, dim] that are projected out first."""
    mean = rows.mean(0)
    centred = rows - mean
    if weights_of is not None:
        centred = centred - (centred @ weights_of.T) @ weights_of
    covariance = (centred.T @ centred / len(rows)).double()
    values, vectors = torch.linalg.eigh(covariance)
    order = torch.arange(len(values) - 1, len(values) - 1 - count, -1)
    return mean, vectors[:, order].T.float(), values[order].clamp(min=1e-12).sqrt().float()


class SoundCrops:
    """Random crops of the training clips: pure functions of (seed, step, row)."""

    def __init__(self, sounds: np.ndarray, seed: int, samples: int, gain_db: float):
        self.sounds, self.seed, self.samples, self.gain_db = sounds, seed, samples, gain_db

    def crop(self, step: int, row: int) -> Tensor:
        """[2, samples]; channels sometimes exchanged, gain random."""
        draw = np.random.default_rng([self.seed, step, row])
        clip = self.sounds[draw.integers(len(self.sounds))]
        start = draw.integers(clip.shape[-1] - self.samples + 1)
        sound = clip[:, start : start + self.samples].astype(np.float32) / 32768
        gain = 10 ** (draw.uniform(-self.gain_db, self.gain_db) / 20)
        return torch.from_numpy(sound[:: draw.choice([-1, 1])].copy() * np.float32(gain))


class AutoencoderStage(Stage):
    """Negative log-likelihood of compressed magnitudes under a normal distribution around the prediction."""

    losses = ("nll", "error")
    validation = ("valid_nll", "valid_error", "valid_linear_error")

    def __init__(
        self,
        model: SpectralAutoencoder,
        config: AutoencoderTraining,
        train: np.ndarray,
        valid: np.ndarray,
        seed: int,
        folder: Path,
    ):
        super().__init__()
        self.model, self.config, self.folder = model, config, folder
        samples = round(config.seconds * model.config.rate) // model.hop * model.hop
        self.crops = SoundCrops(train, seed, samples, config.gain_db)
        self.held_out = SoundCrops(valid, seed + 1, samples, 0.0)
        self.fitted = folder / "training" / "autoencoder" / "linear.safetensors"
        self.fit(train)
        for part in (model.to_latent, model.to_magnitude):
            part.requires_grad_(False)
        nn.init.zeros_(model.to_correction.weight)
        nn.init.zeros_(model.to_correction.bias)

    @torch.no_grad()
    def fit(self, train: np.ndarray) -> None:
        """The linear solution (module docstring)."""
        model, config = self.model, self.config
        linear = {name: p for name, p in model.named_parameters() if name.startswith(("to_latent", "to_magnitude"))}
        key = key_of(train, model.config, config.fit_clips, config.envelope_directions, config.whitening)
        if self.fitted.exists() and read_notes(self.fitted).get("key") == key:
            for name, tensor in read_tensors(self.fitted).items():
                linear[name].copy_(tensor)
            return
        chosen = np.linspace(0, len(train) - 1, min(config.fit_clips, len(train))).astype(int)
        sound_rows, envelope_rows = [], []
        for index in chosen:
            sound = torch.from_numpy(train[index].astype(np.float32) / 32768)
            rows = model.magnitudes(sound[None])[0]
            sound_rows.append(rows[rows.mean(-1) > 1e-3])
            envelope = extract_envelope(Audio(sound.numpy(), model.config.rate)).as_audio()
            envelope_rows.append(model.magnitudes(torch.from_numpy(envelope.samples)[None])[0])
        rows, envelopes = torch.cat(sound_rows), torch.cat(envelope_rows)
        kept = model.latent_dim - config.envelope_directions
        mean, directions, spread = principal_directions(rows, kept)
        if config.envelope_directions:
            _, more, more_spread = principal_directions(envelopes - mean, config.envelope_directions, directions)
            directions, spread = torch.cat([directions, more]), torch.cat([spread, more_spread])
        scale = spread**-config.whitening
        scale = scale / (scale[:kept] * spread[:kept]).square().mean().sqrt()
        model.to_latent.weight.copy_(directions * scale[:, None])
        model.to_latent.bias.copy_(-(directions @ mean) * scale)
        model.to_magnitude.weight.copy_((directions / scale[:, None]).T)
        model.to_magnitude.bias.copy_(mean)
        write_tensors(self.fitted, linear, {"key": key})

    def batch(self, step: int, rows: range, size: int) -> tuple[Tensor, ...]:
        return (torch.stack([self.crops.crop(step, row) for row in rows]),)

    def forward(self, sound: Tensor) -> Tensor:
        with torch.no_grad():
            target = self.model.magnitudes(sound)
            with torch.autocast(sound.device.type, enabled=False):
                latent = self.model.to_latent(target).transpose(1, 2)
        mean, spread = self.model.predict(latent)
        error = target - mean
        nll = (spread.log() + 0.5 * (error / spread).square()).mean()
        return torch.stack([nll, error.square().mean()])

    def validate(self) -> Sequence[float]:
        sound = torch.stack([self.held_out.crop(0, row) for row in range(32)]).to(self.model.to_latent.weight.device)
        target = self.model.magnitudes(sound)
        latent = self.model.to_latent(target).transpose(1, 2)
        linear = (self.model.to_magnitude(latent.transpose(1, 2)) - target).square().mean()
        return (*self.forward(sound).tolist(), linear.item())

    def export(self) -> None:
        write_tensors(self.folder / "autoencoder.safetensors", {name: p.half() for name, p in self.model.state_dict().items()})
        write_json(self.folder / "autoencoder.json", self.model.config.model_dump(mode="json"))
