"""Clips longer than the training window: overlapping windows, denoised together, decoded piece by piece.

At each step of the sampler every window is denoised under its own condition, and where windows overlap their answers are
averaged with weights that fall towards the ends (MultiDiffusion, Bar-Tal et al. 2023), so that the latent is one whole and
has no seam. At a cut of the film windows meet almost without overlap: what is seen before it says nothing of what follows.
The latent of an hour is small; sound is decoded in pieces that are joined where it is quietest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from foleygram.config import Chance, Config, NotNegative, Positive
from foleygram.diffusion.sampler import Denoiser, SamplerConfig, guided, sample, takes_noise
from foleygram.errors import UsageError
from foleygram.types import Audio, Embeddings, Envelope, sample_count

if TYPE_CHECKING:
    from foleygram.pipeline import FoleyGRAM

MARGIN = 16
"""Positions of the latent beside a piece of a guide: farther than an encoder reaches."""


class WindowConfig(Config):
    """``overlap``: share of a window that it has in common with the next; ``shortest``: s of a shot below which it is
    joined with its neighbour; ``at_cut``: s of overlap at a cut; ``decoded``: s of latent decoded at once; ``lap``: s that
    two decoded pieces have in common; ``fade``: s of the cross-fade within it."""

    overlap: Chance = 0.25
    shortest: NotNegative = 2.0
    at_cut: NotNegative = 0.12
    decoded: Positive = 8.0  # with its lap and margins a piece is shorter than the clip of 10 s that is decoded at once
    lap: NotNegative = 0.6
    fade: Positive = 0.02


@dataclass(frozen=True)
class Window:
    """Latent positions ``start`` .. ``end`` (not included), whose weights rise over ``rise`` positions and fall over
    ``fall``; 0 at the ends of the clip."""

    start: int
    end: int
    rise: int = 0
    fall: int = 0

    @property
    def length(self) -> int:
        return self.end - self.start

    def weights(self) -> Tensor:
        """Float32 [length], > 0; the overlap of two windows is shared out along a straight line."""
        weights = torch.ones(self.length)
        if self.rise:
            weights[: self.rise] = (torch.arange(self.rise) + 0.5) / self.rise
        if self.fall:
            weights[-self.fall :] = torch.minimum(weights[-self.fall :], (torch.arange(self.fall).flip(0) + 0.5) / self.fall)
        return weights


@dataclass(frozen=True, eq=False)
class Film:
    """What is known of the picture over time. ``cuts``: s of the first frame after each cut; ``embed``: from, to (s) -> the
    points of this part of the clip."""

    embed: Callable[[float, float], Embeddings]
    cuts: tuple[float, ...] = ()


def shot_bounds(seconds: float, cuts: Sequence[float], shortest: float) -> list[float]:
    """Bounds (s) of the shots, 0 and ``seconds`` included; a shot shorter than ``shortest`` is joined with its neighbour."""
    bounds = [0.0]
    for cut in sorted(cuts):
        if cut - bounds[-1] >= shortest and seconds - cut >= shortest:
            bounds.append(float(cut))
    return [*bounds, seconds]


def even_windows(start: int, end: int, longest: int, overlap: int) -> list[tuple[int, int]]:
    """As few windows of one length as cover ``start`` .. ``end`` with at least ``overlap`` positions in common."""
    total = end - start
    if total <= longest:
        return [(start, end)]
    count = math.ceil((total - overlap) / (longest - overlap))
    starts = [start + round(k * (total - longest) / (count - 1)) for k in range(count)]
    return [(first, first + longest) for first in starts]


def plan_windows(
    length: int, rate: float, longest: int, cuts: Sequence[float] = (), config: WindowConfig | None = None
) -> list[Window]:
    """Windows that cover ``length`` latent positions at ``rate`` a second, each at most ``longest`` positions (and the few
    of ``at_cut``) long; none but those few cross a cut."""
    config = config or WindowConfig()
    bounds = [round(bound * rate) for bound in shot_bounds(length / rate, cuts, config.shortest)]
    half = max(round(config.at_cut * rate / 2), 1)
    overlap = min(round(config.overlap * longest), longest - 1)
    spans: list[tuple[int, int]] = []
    for first, last in zip(bounds[:-1], bounds[1:], strict=True):
        parts = even_windows(first, last, longest, overlap)
        # the outer windows of a shot reach a little over its cuts
        parts[0] = (max(parts[0][0] - half, 0), parts[0][1])
        parts[-1] = (parts[-1][0], min(parts[-1][1] + half, length))
        spans += parts
    windows = []
    for k, (first, last) in enumerate(spans):
        rise = spans[k - 1][1] - first if k else 0
        fall = last - spans[k + 1][0] if k + 1 < len(spans) else 0
        windows.append(Window(first, last, max(rise, 0), max(fall, 0)))
    return windows


def joint(denoisers: Sequence[Denoiser], windows: Sequence[Window], length: int) -> Denoiser:
    """One denoiser of the whole latent from those of its windows: the weighted mean where they overlap."""
    weights = [window.weights() for window in windows]
    total = torch.zeros(length)
    for window, weight in zip(windows, weights, strict=True):
        total[window.start : window.end] += weight
    if (total <= 0).any():
        raise UsageError("the windows leave a gap; plan them with plan_windows")
    weights = [weight / total[window.start : window.end] for window, weight in zip(windows, weights, strict=True)]

    def denoise(x: Tensor, sigma: float) -> Tensor:
        result = torch.zeros_like(x)
        for part, window, weight in zip(denoisers, windows, weights, strict=True):
            where = slice(window.start, window.end)
            result[..., where] += part(x[..., where], sigma) * weight.to(x)
        return result

    return denoise


def encode_envelope(model: FoleyGRAM, envelope: Envelope, seconds: float, config: WindowConfig) -> Tensor:
    """The control latent [1, latent_dim, length] of an envelope of any length, encoded piece by piece with margins; at the end
    as in :meth:`FoleyGRAM.encode_envelope`."""
    hop, rate = model.autoencoder.hop, model.config.autoencoder.rate
    length = model.autoencoder.length(sample_count(seconds, rate))
    piece = max(round(config.decoded * rate / hop), 1)
    latents = []
    for start in range(0, length, piece):
        first, last = max(start - MARGIN, 0), min(start + piece + MARGIN, length + MARGIN)
        curve = envelope.held((first * hop + np.arange((last - first) * hop)) / rate, seconds)
        sound = torch.from_numpy(np.stack([curve, curve]))[None].to(model.device)
        latent = model.autoencoder.encode(sound)
        latents.append(latent[..., start - first : start - first + min(piece, length - start)])
    return torch.cat(latents, dim=-1).to(model.precision)


def quietest(power: np.ndarray, width: int) -> int:
    """First sample of the stretch of ``width`` samples with the least power [sample]."""
    sums = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    return int(np.argmin(sums[width:] - sums[:-width]))


def joined(before: np.ndarray, after: np.ndarray, fade: int) -> np.ndarray:
    """Two decodings [channel, sample] of one stretch become one: the first up to where both are quietest, then the second.

    The cross-fade keeps the power whatever the two have in common, equal sounds and independent noise alike."""
    fade = min(fade, before.shape[1])
    power = (before.astype(np.float64) ** 2 + after.astype(np.float64) ** 2).sum(axis=0)
    place = quietest(power, fade)
    where = slice(place, place + fade)
    share = (np.arange(fade) + 0.5) / fade
    down, up = np.cos(share * np.pi / 2), np.sin(share * np.pi / 2)
    one, two = before[:, where].astype(np.float64), after[:, where].astype(np.float64)
    both = float((one * two).sum()) / max(float(np.sqrt((one**2).sum() * (two**2).sum())), 1e-12)
    scale = 1 / np.sqrt(np.maximum(1 + 2 * down * up * min(max(both, 0.0), 1.0), 1e-6))
    blend = (one * down + two * up) * scale
    return np.concatenate([before[:, :place], blend.astype(np.float32), after[:, place + fade :]], axis=1)


@torch.no_grad()
def decode_pieces(model: FoleyGRAM, latent: Tensor, seed: int, config: WindowConfig) -> Iterator[np.ndarray]:
    """The sound of a latent of any length as consecutive pieces float32 [channel, sample]."""
    hop, rate = model.autoencoder.hop, model.config.autoencoder.rate
    length = latent.shape[-1]
    piece, lap = max(round(config.decoded * rate / hop), 1), max(round(config.lap * rate / hop), 2)
    margin = 8  # positions at the ends of a piece whose sound lacks its neighbours
    fade = max(round(config.fade * rate), 1)
    held: np.ndarray | None = None  # the end of the sound so far, which the next piece overlaps
    start = number = 0
    while start < length:
        stop = min(start + piece, length)
        last = min(stop + lap, length)
        first, beyond = max(start - margin, 0), min(last + margin, length)
        # each piece draws noise of its own, which depends on its number and not on the length of the clip
        with model.in_use(model.autoencoder):
            noise = (seed + 7919 * number) % 2**62
            sound = model.autoencoder.decode(latent[..., first:beyond], seed=noise)[0].float().cpu().numpy()
        sound = sound[:, (start - first) * hop : (last - first) * hop]
        if held is not None:
            count = min(held.shape[1], sound.shape[1])
            # magnitudes leave the phase of each piece free as a whole: of a sound and its negative the nearer one is taken
            if float((held[:, :count].astype(np.float64) * sound[:, :count]).sum()) < 0:
                sound = -sound
            sound = np.concatenate([joined(held[:, :count], sound[:, :count], fade), sound[:, count:]], axis=1)
        kept = (stop - start) * hop
        yield sound[:, :kept]
        held = sound[:, kept:]
        start, number = stop, number + 1


@torch.no_grad()
def long_pieces(
    model: FoleyGRAM,
    film: Film,
    envelope: Envelope,
    seconds: float,
    sampler: SamplerConfig,
    seeds: Sequence[int],
    on_step: Callable[[int, int], None] | None = None,
    config: WindowConfig | None = None,
    raw: bool = False,
) -> Iterator[Iterator[np.ndarray]]:
    """For each seed a sound of any length as consecutive pieces float32 [channel, sample], ``sample_count(seconds)`` samples
    in all; the pieces of one are taken before the next is asked for. A take depends on its seed only.

    ``on_step``: (steps done, steps of all takes). Memory does not grow with the length but for the few copies of the latent
    that the sampler holds, each a 16th of the sound in the mini."""
    config = config or WindowConfig()
    hop, rate = model.autoencoder.hop, model.config.autoencoder.rate
    samples = sample_count(seconds, rate)
    length = -(-samples // hop)
    longest = round(model.config.seconds * rate / hop)
    windows = plan_windows(length, rate / hop, longest, film.cuts, config)
    with model.in_use(model.autoencoder):
        control = encode_envelope(model, envelope, seconds, config)
    denoisers, points = [], []
    for window in windows:
        span = window.length * hop / rate
        points.append(film.embed(window.start * hop / rate, min(window.end * hop / rate, seconds)))
        condition = model.condition(points[-1], span)
        part = control[..., window.start : window.end]
        denoisers.append(guided(model.transformer, model.control_net, condition, part, sampler))
    denoise = joint(denoisers, windows, length)
    for index, seed in enumerate(seeds):
        report = None if on_step is None else lambda done, total, index=index: on_step(index * total + done, len(seeds) * total)
        with model.sampling(denoise, envelope, points, raw) as steered:
            latent = sample(steered, takes_noise(tuple(control.shape[1:]), [seed]), sampler, report, model.device)
        latent = latent if raw else model.detailed(latent, points)
        yield exactly(finished_pieces(model, latent, seed, envelope, points, config, raw), samples)


def finished_pieces(
    model: FoleyGRAM,
    latent: Tensor,
    seed: int,
    envelope: Envelope,
    points: Sequence[Embeddings],
    config: WindowConfig,
    raw: bool,
) -> Iterator[np.ndarray]:
    """The decoded pieces, finished as those of a short clip are."""

    def decoded() -> Iterator[np.ndarray]:
        return decode_pieces(model, latent, seed, config)

    yield from decoded() if raw else model.finish(decoded, envelope, points)


def exactly(pieces: Iterator[np.ndarray], samples: int) -> Iterator[np.ndarray]:
    """The first ``samples`` of consecutive pieces [channel, sample]."""
    for piece in pieces:
        yield piece[:, :samples]
        samples -= min(piece.shape[1], samples)


def synthesise_long(model: FoleyGRAM, *arguments, **options) -> Iterator[Audio]:
    """One whole sound for each seed; all arguments are those of ``long_pieces``."""
    for pieces in long_pieces(model, *arguments, **options):
        yield Audio(np.concatenate(list(pieces), axis=1), model.config.autoencoder.rate)
