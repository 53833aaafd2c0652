"""The tint of a sound: its mean latent in each shade (palette.py), which estimates take while a latent is made.

A palette is laid on a finished sound: what was noise stays noise, through a comb. A tint is laid on what the sampler believes
at its high noise levels, and the network goes on from there, so that it makes what fits: tones where the reference has lines.
What the network expects is a mean over all that may be, so over the moments of one shade its mean has to be the reference's,
which is all that is asked here. Each frame keeps its strength, and so its timing. Not in the paper; means of features are
matched as in AdaIN (Huang and Belongie 2017), on the way from noise as in ILVR (Choi et al. 2021).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from foleygram.diffusion.sampler import Denoiser
from foleygram.diffusion.spectral import SpectralAutoencoder
from foleygram.finish.palette import FEWEST, Grain, Shading
from foleygram.signal.envelope import extract_envelope
from foleygram.types import Audio, Envelope

MOMENTS = (-0.02, 0.0, 0.023, 0.05, 0.1, 0.2, 0.5)
"""s since the attack at which shades lie."""

STRENGTHS = (0.0, -6.0, -12.0, -18.0, -25.0, -35.0, -45.0, -65.0)
"""dB under the loudest moment at which shades lie."""

FEWEST_LENT = 1.0
"""Positions in a shade of the reference below which it lends nothing."""

UNTIL = 1.0
"""Noise level under which an estimate is left to the network: there it is almost the result, whose details are its own."""

ROUNDS = 4
"""Of fitting the shifts: a position belongs to several shades, so they depend on each other."""

LIMIT = 3.0
"""Factor by which the compressed magnitudes of a frame are made as strong as before, at most."""

PIECE = 1024
"""Positions whose frames are looked at together, 24 s."""


def shading(guide: Envelope, autoencoder: SpectralAutoencoder) -> Shading:
    """By the positions of the latent, of which a window of the grain holds four; the bands are the latent's directions."""
    return Shading(guide, autoencoder.config.rate, Grain(4 * autoencoder.hop, autoencoder.latent_dim, MOMENTS, STRENGTHS))


def sounding(
    latent: Float[Tensor, "1 latent_dim length"], top: float, autoencoder: SpectralAutoencoder
) -> Float[Tensor, "length latent_dim"]:
    """The latent with silence at zero, as if the loudest moment of its guide were 1 and not ``top``: the code is linear in
    compressed magnitudes."""
    return ((latent[0].float() - autoencoder.silence) / top**autoencoder.config.compression).T


@torch.no_grad()
def tint(
    latent: Float[Tensor, "1 latent_dim length"], sound: Audio, autoencoder: SpectralAutoencoder
) -> Float[Tensor, "shade latent_dim"] | None:
    """Of a ``sound`` and its latent; shades that it does not go through are NaN. None where it goes through none, and of a
    sound of a lower rate, which does not tell what its highs are."""
    guide = extract_envelope(sound)
    top = float(guide.values.max(initial=0.0))
    if top <= 0 or sound.known_hz < autoencoder.config.rate / 2:
        return None
    belongs = torch.from_numpy(shading(guide, autoencoder).of(0, latent.shape[-1])).to(latent)
    weights = belongs.sum(1)
    known = weights >= FEWEST_LENT
    if not known.any():
        return None
    found = belongs @ sounding(latent, top, autoencoder) / weights.clamp(min=FEWEST_LENT)[:, None]
    return torch.where(known[:, None], found, torch.nan)


def shifts(
    mean: Float[Tensor, "shade latent_dim"],
    mixed: Float[Tensor, "shade shade"],
    wanted: Float[Tensor, "shade latent_dim"],
    known: Tensor,
) -> Float[Tensor, "shade latent_dim"]:
    """What to add to the positions of each shade, by how far they belong to it, so that the ``mean`` of the shades that are
    ``known`` becomes the ``wanted`` one. ``mixed``: how far the positions of a shade belong to all, on average."""
    found = torch.zeros_like(mean)
    for _ in range(ROUNDS):
        found = found + torch.where(known[:, None], wanted - mean - mixed @ found, 0)
    return found


def strengths(frames: Float[Tensor, "batch channel frame bin"]) -> Float[Tensor, "batch frame"]:
    """Length of each frame's compressed magnitudes."""
    return frames.transpose(1, 2).flatten(2).norm(dim=2)


def as_strong(
    moved: Float[Tensor, "1 latent_dim length"],
    before: Float[Tensor, "1 latent_dim length"],
    autoencoder: SpectralAutoencoder,
) -> Float[Tensor, "1 latent_dim length"]:
    """The ``moved`` latent with each of its frames as strong as ``before``: a position is four frames long, and the mean of
    many attacks says nothing of where in it this one is."""
    parts = []
    for start in range(0, moved.shape[-1], PIECE):
        now, then = (latent[..., start : start + PIECE] for latent in (moved, before))
        frames, was = (autoencoder.frames(latent) for latent in (now, then))
        factor = (strengths(was) / strengths(frames).clamp(min=1e-6)).clamp(1 / LIMIT, LIMIT)[:, None, :, None]
        parts.append(autoencoder.shifted(now, frames * (factor - 1)))
    return torch.cat(parts, dim=-1)


def tinted(
    denoise: Denoiser,
    autoencoder: SpectralAutoencoder,
    wanted: Float[Tensor, "shade latent_dim"],
    guide: Envelope,
    share: float = 1.0,
) -> Denoiser:
    """A denoiser of latents [1, latent_dim, length] whose estimates under ``guide`` have the ``wanted`` tint, at noise levels
    of ``UNTIL`` and above; ``share``: how much of the way, 0..1."""
    top = float(guide.values.max(initial=0.0))
    if top <= 0:
        return denoise
    shades = shading(guide, autoencoder)
    lent, wanted = wanted.isfinite().all(1), wanted.nan_to_num()

    def estimate(x: Tensor, sigma: float) -> Tensor:
        latent = denoise(x, sigma)
        if sigma < UNTIL:
            return latent
        belongs = torch.from_numpy(shades.of(0, latent.shape[-1])).to(wanted)
        weights = belongs.sum(1)
        over = weights.clamp(min=FEWEST)[:, None]
        mean, mixed = belongs @ sounding(latent, top, autoencoder) / over, belongs @ belongs.T / over
        change = share * shifts(mean, mixed, wanted, lent & (weights >= FEWEST))
        moved = latent + (belongs.T @ change * top**autoencoder.config.compression).T[None].to(latent)
        return as_strong(moved, latent, autoencoder)

    return estimate
