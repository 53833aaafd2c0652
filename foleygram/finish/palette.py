"""The palette of a sound: its colour at each moment after an attack, and at each strength.

A plate is bright when it is struck, its upper partials die first, and what rings on is dull; gravel hisses under the foot and
rumbles after it. One long-term spectrum does not tell that; a spectrum for each shade does, and it tells nothing of when
anything sounds. A result takes the palette of its reference by gains that follow the guide (matching.py). Not in the paper.

It is taken twice: by ``COLOURS``, quick enough for an attack, and by ``PARTIALS`` from what rings between attacks, whose lines
a short window cannot tell apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Complex, Float

from foleygram.signal.envelope import extract_envelope
from foleygram.signal.mel import kaldi_mel
from foleygram.signal.onsets import envelope_onsets
from foleygram.types import Audio, Envelope

FIRST = 0.004
"""s beside the first moment over which time is straight; beyond, moments are apart in its logarithm."""


@dataclass(frozen=True)
class Grain:
    """How finely tones and moments are told apart.

    ``window``: samples, Hann, a quarter of it apart; ``bands``: even in mel, fewer where that is narrower than a bin of the
    window; ``moments``: s since the attack, in part between two; ``strengths``: dB under the loudest moment, falling, in part
    between two; ``clear``: s from an attack, before it or after it, between which a frame begins to count, None = all count.
    What is painted rings as long before as half the window; signal/attack.py takes that away."""

    window: int
    bands: int
    moments: tuple[float, ...]
    strengths: tuple[float, ...]
    clear: tuple[float, float] | None = None

    @property
    def step(self) -> int:
        """Samples between frames."""
        return self.window // 4

    @property
    def shades(self) -> int:
        """All strengths of the first moment, then those of the next."""
        return len(self.moments) * len(self.strengths)

    @property
    def hann(self) -> Float[np.ndarray, "sample"]:
        """The window."""
        return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)


# half a window ahead of an attack a frame hears it already
COLOURS = Grain(
    1024,
    300,
    moments=(-0.012, -0.006, 0.0, 0.006, 0.012, 0.02, 0.03, 0.045, 0.07, 0.1, 0.15, 0.25, 0.4, 0.7),
    strengths=(0.0, -12.0, -25.0, -45.0),
)
"""Tells tones 43 Hz apart at 44.1 kHz; 208 bands in all."""

PARTIALS = Grain(
    2048,
    450,
    moments=(0.03, 0.06, 0.1, 0.2, 0.4, 0.8),
    strengths=(*COLOURS.strengths, -65.0, -85.0),  # else the room between two hits has the lines of the late ring
    clear=(0.03, 0.05),
)
"""Tells lines 22 Hz apart, in what rings between attacks; 343 bands."""

BORDER = 16
"""Bands at the upper end of what a sound tells, whose mean gain holds for all above."""

FEWEST = 0.5
"""Frames of a shade below which it is not known; it then has the colour of the nearest one."""

SILENT = 1 / 32768
"""A sound that stays below one step of 16 bits has no palette."""

FLOOR = 1e-9
"""Share of a shade's power (-90 dB) under which a band counts as empty."""

ROUNDS = 3
"""Of fitting the gains: a frame belongs to several shades, so they depend on each other."""

HELD = 2**22
"""Samples of a result of which all frames are measured, a minute and a half (by ``COLOURS`` 17 MiB, by ``PARTIALS`` 12); of a
longer sound every other one, and so on."""


@lru_cache(maxsize=4)
def band_centres(rate: int, grain: Grain = COLOURS) -> Float[np.ndarray, "band"]:
    """Hz in the middle of each band, rising from 0: bins of the spectrum, even in mel where that is wider than a bin."""
    apart = rate / grain.window
    even = 700 * np.expm1(np.linspace(kaldi_mel(0), kaldi_mel(rate / 2), grain.bands + 1)[:-1] / 1127)
    kept = [0.0]
    for centre in even:
        if centre >= kept[-1] + apart:
            kept.append(float(centre))
    return np.unique(np.round(np.array(kept) / apart)) * apart


@lru_cache(maxsize=4)
def band_matrices(rate: int, grain: Grain) -> tuple[Float[np.ndarray, "band bin"], Float[np.ndarray, "bin band"]]:
    """Power of bins to mean power of bands, and gains of bands (dB) to gains of bins, straight in between; float32."""
    spread = hats(np.arange(grain.window // 2 + 1) * rate / grain.window, band_centres(rate, grain)).T
    return (spread / spread.sum(axis=0)).T.astype(np.float32), spread.astype(np.float32)


def hats(places: Float[np.ndarray, "place"], grid: Float[np.ndarray, "knot"]) -> Float[np.ndarray, "knot place"]:
    """How far each place belongs to each knot of a rising grid: straight between two of them, wholly to an end beyond it."""
    return np.stack([np.interp(places, grid, row) for row in np.eye(len(grid))])


class Shading:
    """How far the moments of a sound under ``guide`` belong to each shade."""

    def __init__(self, guide: Envelope, rate: int, grain: Grain):
        self.guide, self.rate, self.grain = guide, rate, grain
        self.attacks = np.array([seconds for seconds, _ in envelope_onsets(guide)])
        self.top = max(float(guide.values.max(initial=0.0)), 1e-9)

    def of(self, first: int, count: int) -> Float[np.ndarray, "shade frame"]:
        """Of the frames ``first`` .. ``first + count``, ``step`` samples apart; what one frame belongs to its shades sums to
        1, beside an attack to less where the grain keeps clear of it. Before the first attack, and without one, it is as long
        after one."""
        known = self.grain.moments
        times = np.arange(first, first + count) * self.grain.step / self.rate
        ahead = max(FIRST - known[0], 0.0)
        last = np.searchsorted(self.attacks, times - min(known[0], 0.0), side="right") - 1
        since = np.full(count, np.inf)
        if len(self.attacks):
            since = np.where(last >= 0, times - self.attacks[np.maximum(last, 0)], np.inf)
        moments = hats(np.log(np.clip(since + ahead, FIRST, known[-1] + ahead)), np.log(np.array(known) + ahead))
        levels = 20 * np.log10(np.maximum(self.guide.at(times) / self.top, 1e-7))
        strengths = hats(levels, np.array(self.grain.strengths[::-1]))[::-1]
        belongs = moments[:, None] * strengths[None]
        if self.grain.clear is not None:
            until = np.append(self.attacks, np.inf)[last + 1] - times
            belongs = belongs * np.interp(np.minimum(since, until), self.grain.clear, (0.0, 1.0))
        return belongs.reshape(self.grain.shades, count).astype(np.float32)


def nearest(
    rows: Float[np.ndarray, "shade band"], known: Bool[np.ndarray, "shade"], grain: Grain
) -> Float[np.ndarray, "shade band"]:
    """The rows with each that is not ``known`` replaced by that of the nearest moment and strength."""
    filled = np.array(rows)
    there = np.flatnonzero(known)
    moment, strength = np.divmod(np.arange(grain.shades), len(grain.strengths))
    for shade in np.flatnonzero(~known):
        far = (moment[there] - moment[shade]) ** 2 + (strength[there] - strength[shade]) ** 2
        filled[shade] = rows[there[np.argmin(far)]]
    return filled


def frames(sound: Float[np.ndarray, "channel sample"], grain: Grain) -> Float[np.ndarray, "channel frame sample"]:
    """Windowed frames, as many as fit in."""
    views = np.lib.stride_tricks.sliding_window_view(sound, grain.window, axis=1)
    return views[:, :: grain.step] * grain.hann.astype(np.float32)


def blocks(pieces: Iterable[np.ndarray], grain: Grain) -> Iterator[tuple[int, Float[np.ndarray, "channel frame sample"]]]:
    """The windowed frames of consecutive pieces [channel, sample], with the number of the first: frame k is centred at sample
    k * step, the first at -step, and as many as touch the sound."""
    window, step = grain.window, grain.step
    waiting: np.ndarray | None = None
    first = -1
    for piece in pieces:
        ahead = np.zeros((piece.shape[0], window - step), np.float32) if waiting is None else waiting
        waiting = np.concatenate([ahead, piece], axis=1)
        count = (waiting.shape[1] - window) // step + 1
        if count > 0:
            yield first, frames(waiting, grain)
            waiting, first = waiting[:, count * step :], first + count
    if waiting is not None:
        yield first, frames(np.pad(waiting, ((0, 0), (0, window))), grain)


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Matrix product by torch, whose number of threads a sidecar records: sums depend on it."""
    return (torch.from_numpy(np.ascontiguousarray(a)) @ torch.from_numpy(np.ascontiguousarray(b))).numpy()


def spectra(part: Float[np.ndarray, "channel frame sample"]) -> Complex[np.ndarray, "channel frame bin"]:
    """Of windowed frames; by torch in single precision, in a third of numpy's time. A copy, whose place in memory is as torch
    wants it: the last bit may hang on that."""
    return torch.fft.rfft(torch.tensor(part, dtype=torch.float32)).numpy()


def band_powers(part: Float[np.ndarray, "channel frame sample"], rate: int, grain: Grain) -> Float[np.ndarray, "frame band"]:
    """Mean power of the channels in each band, float32."""
    power = (np.abs(spectra(part)) ** 2).mean(axis=0)
    return product(power, band_matrices(rate, grain)[0].T)


def shares(powers: Float[np.ndarray, "shade band"]) -> Float[np.ndarray, "shade band"]:
    """Each shade's powers as shares of their sum."""
    return powers / np.maximum(powers.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)


def known_shades(weights: Float[np.ndarray, "shade"], powers: Float[np.ndarray, "shade band"]) -> Bool[np.ndarray, "shade"]:
    """Which shades have frames enough (``weights``: how many), and power."""
    return (weights >= min(FEWEST, weights.max())) & (powers.sum(axis=1) > 0)


def palette(sound: Audio, grain: Grain = COLOURS) -> Float[np.ndarray, "shade band"] | None:
    """Share of each band in the power of each shade of a sound, float32; None for silence, and where no frame counts. Bands
    that a sound of a lower rate does not tell of are NaN."""
    sound = sound.centred()  # an offset is no sound
    if sound.peak < SILENT:
        return None
    shading = Shading(extract_envelope(sound), sound.rate, grain)
    heard = band_centres(sound.rate, grain) < sound.known_hz
    total, weights = np.zeros((grain.shades, len(heard))), np.zeros(grain.shades)
    for first, part in blocks([sound.samples], grain):
        belongs = shading.of(first, part.shape[1])
        total += product(belongs.astype(np.float64), band_powers(part, sound.rate, grain).astype(np.float64))
        weights += belongs.sum(axis=1)
    total[:, ~heard] = 0
    known = known_shades(weights, total)
    if not known.any():
        return None
    found = nearest(shares(total), known, grain).astype(np.float32)
    found[:, ~heard] = np.nan
    return found


class Measured:
    """Band powers and shades of the frames of a sound; of a long one, of as many as ``HELD``."""

    def __init__(self, grain: Grain) -> None:
        self.grain = grain
        self.parts: list[tuple[Float[np.ndarray, "frame band"], Float[np.ndarray, "shade frame"]]] = []
        self.apart, self.count = 1, 0

    def add(
        self, part: Float[np.ndarray, "channel frame sample"], belongs: Float[np.ndarray, "shade frame"], rate: int
    ) -> None:
        """Consecutive windowed frames of the sound, and how far they belong to the shades."""
        self.parts.append((band_powers(part[:, :: self.apart], rate, self.grain), belongs[:, :: self.apart]))
        self.count += len(self.parts[-1][0])
        if self.count * self.grain.step > HELD:
            self.parts = [(powers[::2].copy(), belongs[:, ::2].copy()) for powers, belongs in self.parts]
            self.apart, self.count = 2 * self.apart, sum(len(powers) for powers, _ in self.parts)

    def painted(self, gains: Float[np.ndarray, "shade band"]) -> Float[np.ndarray, "shade band"]:
        """Power of each shade in each band under these gains (dB)."""
        total = np.zeros(gains.shape)
        for powers, belongs in self.parts:
            total += product(belongs, powers * 10 ** (product(belongs.T, gains.astype(np.float32)) / 10))
        return total

    def weights(self) -> Float[np.ndarray, "shade"]:
        """Frames in each shade, those that were passed over included."""
        return self.apart * sum((belongs.sum(axis=1) for _, belongs in self.parts), np.zeros(self.grain.shades))


def fitted_gains(measured: Measured, wanted: Float[np.ndarray, "shade band"], limit: float) -> Float[np.ndarray, "shade band"]:
    """Gains (dB, at most ``limit`` up or down) of each shade that give the ``wanted`` palette. Bands of which it tells nothing
    (NaN) get the mean gain of the highest that it tells of."""
    gains = np.zeros(wanted.shape)
    known = known_shades(measured.weights(), measured.painted(gains))
    heard = np.flatnonzero(np.isfinite(wanted[0]))
    if not known.any() or not len(heard):
        return gains
    for _ in range(ROUNDS):
        now = shares(measured.painted(gains)[:, heard])
        apart = 10 * np.log10((wanted[:, heard] + FLOOR) / (now + FLOOR))
        now = np.clip(gains[:, heard] + apart, -limit, limit)
        above = np.repeat(now[:, -BORDER:].mean(axis=1, keepdims=True), gains.shape[1] - len(heard), axis=1)
        gains = nearest(np.concatenate([now, above], axis=1), known, measured.grain)
    return gains


def measured_gains(
    pieces: Iterable[np.ndarray], rate: int, guide: Envelope, wanted: Float[np.ndarray, "shade band"], limit: float,
    grain: Grain = COLOURS,
) -> Float[np.ndarray, "shade band"]:  # fmt: skip
    """Gains (dB) that give consecutive pieces under ``guide`` the ``wanted`` palette. Frames of ``HELD`` samples are held."""
    measured, shading = Measured(grain), Shading(guide, rate, grain)
    for first, part in blocks(pieces, grain):
        measured.add(part, shading.of(first, part.shape[1]), rate)
    return fitted_gains(measured, wanted, limit)


def repainted(
    pieces: Iterable[np.ndarray], rate: int, guide: Envelope, gains: Float[np.ndarray, "shade band"], grain: Grain = COLOURS
) -> Iterator[np.ndarray]:
    """Consecutive pieces float32 [channel, sample] with the gains (dB) of the shades that the guide goes through; as many
    samples in all, in pieces of other lengths."""
    shading, gains = Shading(guide, rate, grain), product(gains.astype(np.float32), band_matrices(rate, grain)[1].T)
    count = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal count
        for piece in pieces:
            count += piece.shape[1]
            yield piece

    tail: np.ndarray | None = None
    done = grain.step - grain.window  # samples that are out; the first frame begins before the sound
    for first, part in blocks(counted(), grain):
        gain = product(shading.of(first, part.shape[1]).T, gains)
        painted = torch.from_numpy(spectra(part) * 10 ** (gain / 20))
        made = torch.fft.irfft(painted, n=grain.window).numpy()
        sound = overlapped(made, tail, grain)
        ready = part.shape[1] * grain.step
        out, tail = sound[:, :ready], sound[:, ready:]
        before, done = done, done + ready
        if done > 0:
            yield out[:, max(-before, 0) : max(count - before, 0)].astype(np.float32)


def overlapped(
    made: Float[np.ndarray, "channel frame sample"], tail: np.ndarray | None, grain: Grain
) -> Float[np.ndarray, "channel sample"]:
    """The frames, windowed once more, laid over each other and over the ``tail`` of those before."""
    window, step = grain.window, grain.step
    made = made * (grain.hann / 1.5).astype(np.float32)  # squared Hann windows a quarter apart sum to 1.5
    channels, number, _ = made.shape
    sound = np.zeros((channels, (number - 1) * step + window))
    parts = window // step
    for part in range(parts):  # quarters of all frames at once
        where = slice(part * step, part * step + number * step)
        sound[:, where] += made[:, :, part * step : (part + 1) * step].reshape(channels, -1)
    if tail is not None:
        sound[:, : tail.shape[1]] += tail
    return sound
