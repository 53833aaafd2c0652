"""The palette of a sound: its colour at each strength, while it attacks and while it dies away.

A plate is bright when it is struck and dull as it rings out; gravel hisses under the foot and rumbles after it. One long-term
spectrum does not tell that, a spectrum for each shade does, and it tells nothing of when anything sounds. A result takes
the palette of its reference by gains that change with the guide (finish.py). Ours, not in the paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from foleygram.signal.envelope import extract_envelope
from foleygram.signal.mel import kaldi_centres, kaldi_filters
from foleygram.types import Audio, Envelope

WINDOW, STEP = 1024, 256  # samples, Hann
BANDS = 128  # triangles, even in mel; those between two bins of the spectrum fall away
STRENGTHS = (0.0, -6.0, -12.0, -18.0, -24.0, -32.0, -40.0, -50.0)
"""dB under the loudest moment; between two of them a moment belongs to both in part."""

SHADES = 2 * len(STRENGTHS)
"""Strengths of attacks, then strengths of all else."""

PAST = 5
"""Steps (29 ms) within which an attack rises."""

RISE = (3.0, 9.0)
"""dB of rise from where a moment begins to count as an attack, and from where it wholly does."""

FEWEST = 3.0
"""Frames of a shade below which it is not known; it then has the colour of the nearest one."""

FLOOR = 1e-9
"""Share of a shade's power (-90 dB) under which a band counts as empty."""

ROUNDS = 3
"""Of fitting the gains: a frame belongs to several shades, so they depend on each other."""

MEASURED = 2
"""Every so many frames is measured of a result: their windows still overlap by half."""


@lru_cache(maxsize=2)
def band_matrices(rate: int) -> tuple[Float[np.ndarray, "band bin"], Float[np.ndarray, "bin band"]]:
    """Power of bins to power of bands, and gains of bands (dB) to gains of bins, straight in between."""
    filters = kaldi_filters(BANDS, rate, WINDOW)
    some = filters.sum(axis=1) > 0
    centres = kaldi_centres(BANDS, rate)[some]
    bins = np.arange(WINDOW // 2 + 1) * rate / WINDOW
    spread = np.stack([np.interp(bins, centres, row) for row in np.eye(len(centres))], axis=1)
    return filters[some] / filters[some].sum(axis=1, keepdims=True), spread.astype(np.float32)


def shades(guide: Envelope, first: int, count: int, rate: int) -> Float[np.ndarray, "shade frame"]:
    """How far the frames ``first`` .. ``first + count``, ``STEP`` samples apart, belong to each shade; what one frame belongs
    to its shades sums to 1."""
    top = max(float(guide.values.max(initial=0.0)), 1e-9)
    steps = np.arange(first - PAST, first + count)
    levels = 20 * np.log10(np.maximum(guide.at(np.maximum(steps, 0) * STEP / rate) / top, 1e-7))
    lowest = np.lib.stride_tricks.sliding_window_view(levels, PAST + 1).min(axis=1)
    levels = levels[PAST:]
    attack = np.clip((levels - lowest - RISE[0]) / (RISE[1] - RISE[0]), 0, 1)
    rising = STRENGTHS[::-1]
    clipped = np.clip(levels, rising[0], rising[-1])
    strengths = np.stack([np.interp(clipped, rising, row[::-1]) for row in np.eye(len(STRENGTHS))])
    return np.concatenate([strengths * attack, strengths * (1 - attack)])


def nearest(rows: Float[np.ndarray, "shade band"], known: Float[np.ndarray, "shade"]) -> Float[np.ndarray, "shade band"]:
    """The rows with each that is not ``known`` replaced by that of the nearest strength, of its own kind where there is one."""
    half = len(STRENGTHS)
    filled = np.array(rows)
    there = np.flatnonzero(known)
    for shade in np.flatnonzero(~known):
        far = np.abs(there % half - shade % half) + half * (there // half != shade // half)
        filled[shade] = rows[there[np.argmin(far)]]
    return filled


def frames(sound: Float[np.ndarray, "channel sample"]) -> Float[np.ndarray, "channel frame sample"]:
    """Windowed frames, as many as fit in."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
    return np.lib.stride_tricks.sliding_window_view(sound, WINDOW, axis=1)[:, ::STEP] * window


def blocks(pieces: Iterable[np.ndarray]) -> Iterator[tuple[int, Float[np.ndarray, "channel frame sample"]]]:
    """The windowed frames of consecutive pieces [channel, sample], with the number of the first: frame k is centred at sample
    k * STEP, the first at -STEP, and as many as touch the sound."""
    waiting: np.ndarray | None = None
    first = -1
    for piece in pieces:
        ahead = np.zeros((piece.shape[0], WINDOW - STEP), np.float32) if waiting is None else waiting
        waiting = np.concatenate([ahead, piece], axis=1)
        count = (waiting.shape[1] - WINDOW) // STEP + 1
        if count > 0:
            yield first, frames(waiting)
            waiting, first = waiting[:, count * STEP :], first + count
    if waiting is not None:
        yield first, frames(np.pad(waiting, ((0, 0), (0, WINDOW))))


def band_powers(part: Float[np.ndarray, "channel frame sample"], rate: int) -> Float[np.ndarray, "frame band"]:
    """Mean power of the channels in each band."""
    filters, _ = band_matrices(rate)
    return (np.abs(np.fft.rfft(part, axis=-1)) ** 2).mean(axis=0) @ filters.T


def shares(powers: Float[np.ndarray, "shade band"]) -> Float[np.ndarray, "shade band"]:
    """Each shade's powers as shares of their sum."""
    return powers / np.maximum(powers.sum(axis=1, keepdims=True), 1e-30)


def palette(sound: Audio) -> Float[np.ndarray, "shade band"] | None:
    """Share of each band in the power of each shade of a sound, float32; None for silence."""
    if not sound.samples.any():
        return None
    guide = extract_envelope(sound)
    total, weights = np.zeros((SHADES, len(band_matrices(sound.rate)[0]))), np.zeros(SHADES)
    for first, part in blocks([sound.samples]):
        belongs = shades(guide, first, part.shape[1], sound.rate)
        total += belongs @ band_powers(part, sound.rate)
        weights += belongs.sum(axis=1)
    known = (weights >= min(FEWEST, weights.max())) & (total.sum(axis=1) > 0)
    return nearest(shares(total), known).astype(np.float32) if known.any() else None


def fitted_gains(
    own: Float[np.ndarray, "frame band"],
    belongs: Float[np.ndarray, "shade frame"],
    wanted: Float[np.ndarray, "shade band"],
    limit: float,
) -> Float[np.ndarray, "shade band"]:
    """Gains (dB, at most ``limit`` up or down) of each shade that give frames of these powers the ``wanted`` palette."""
    weights = belongs.sum(axis=1)
    known = (weights >= min(FEWEST, weights.max())) & (belongs @ own.sum(axis=1) > 0)
    gains = np.zeros_like(wanted, dtype=np.float64)
    if not known.any():
        return gains
    for _ in range(ROUNDS):
        now = shares(belongs @ (own * 10 ** ((belongs.T @ gains) / 10)))
        apart = 10 * np.log10((wanted + FLOOR) / (now + FLOOR))
        ends = np.pad(apart, ((0, 0), (1, 1)), mode="edge")
        apart = 0.25 * ends[:, :-2] + 0.5 * apart + 0.25 * ends[:, 2:]
        gains = nearest(np.clip(gains + apart, -limit, limit), known)
    return gains


def measured_gains(
    pieces: Iterable[np.ndarray], rate: int, guide: Envelope, wanted: Float[np.ndarray, "shade band"], limit: float
) -> Float[np.ndarray, "shade band"]:
    """Gains (dB) that give consecutive pieces under ``guide`` the ``wanted`` palette. Of ten minutes 15 MB are held."""
    own, belongs = [], []
    for first, part in blocks(pieces):
        skip = first % MEASURED
        own.append(band_powers(part[:, skip::MEASURED], rate).astype(np.float32))
        belongs.append(shades(guide, first, part.shape[1], rate)[:, skip::MEASURED].astype(np.float32))
    if not own:
        return np.zeros(wanted.shape)
    return fitted_gains(np.concatenate(own), np.concatenate(belongs, axis=1), wanted, limit)


def repainted(
    pieces: Iterable[np.ndarray], rate: int, guide: Envelope, gains: Float[np.ndarray, "shade band"]
) -> Iterator[np.ndarray]:
    """Consecutive pieces float32 [channel, sample] with the gains (dB) of the shades that the guide goes through; as many
    samples in all, in pieces of other lengths."""
    _, spread = band_matrices(rate)
    count = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal count
        for piece in pieces:
            count += piece.shape[1]
            yield piece

    tail: np.ndarray | None = None
    done = STEP - WINDOW  # samples that are out; the first frame begins before the sound
    for first, part in blocks(counted()):
        gain = (shades(guide, first, part.shape[1], rate).T @ gains).astype(np.float32) @ spread.T
        made = np.fft.irfft(np.fft.rfft(part, axis=-1) * 10 ** (gain / 20), axis=-1)
        sound = overlapped(made, tail)
        ready = part.shape[1] * STEP
        out, tail = sound[:, :ready], sound[:, ready:]
        before, done = done, done + ready
        if done > 0:
            yield out[:, max(-before, 0) : max(count - before, 0)].astype(np.float32)


def overlapped(made: Float[np.ndarray, "channel frame sample"], tail: np.ndarray | None) -> Float[np.ndarray, "channel sample"]:
    """The frames, windowed once more, laid over each other and over the ``tail`` of those before."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    made = made * (window / 1.5)  # squared Hann windows a quarter apart sum to 1.5
    channels, number, _ = made.shape
    sound = np.zeros((channels, (number - 1) * STEP + WINDOW))
    parts = WINDOW // STEP
    for part in range(parts):  # quarters of all frames at once
        where = slice(part * STEP, part * STEP + number * STEP)
        sound[:, where] += made[:, :, part * STEP : (part + 1) * STEP].reshape(channels, -1)
    if tail is not None:
        sound[:, : tail.shape[1]] += tail
    return sound
