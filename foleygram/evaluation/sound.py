"""The looks of a sound: what a listener hears first and no embedding tells. All pure functions of one ``Audio``.

Levels are dB relative to full scale (a full-scale square wave has 0 dBFS RMS); silence, and all below, is -120.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foleygram.evaluation.envelopes import rms
from foleygram.types import ENVELOPE_HOP, ENVELOPE_WINDOW, Audio

AFTER = 0.5  # s after an event that its tail may last
BEFORE = 0.05  # s before an event that its attack may start


@dataclass(frozen=True)
class Looks:
    """``level``: RMS, dBFS; ``peak``: dBFS; ``crest``: dB; ``floor``: dBFS between the events; ``stereo``: correlation
    of left and right (1 for mono, NaN where a side is silent); ``clipped``: share of samples at full scale;
    ``bandwidth``: Hz below which 99 % of the energy lies."""

    level: float
    peak: float
    crest: float
    floor: float
    stereo: float
    clipped: float
    bandwidth: float


def decibel(amplitude: float) -> float:
    """20 log10, at least -120."""
    return float(20 * np.log10(max(amplitude, 1e-6)))


def noise_floor(audio: Audio, onsets: np.ndarray | None = None) -> float:
    """Median level in dBFS of the steps that lie more than 0.5 s after and 0.05 s before every onset. Without onsets,
    or where events leave no such pause, the tenth percentile of all steps."""
    curve = rms(audio.mono())
    if len(curve) == 0:
        return decibel(0.0)
    times = np.arange(len(curve)) * ENVELOPE_HOP / audio.rate
    quiet = np.ones(len(curve), dtype=bool)
    for onset in () if onsets is None else onsets:
        quiet &= (times < onset - BEFORE) | (times > onset + AFTER)
    if onsets is None or quiet.sum() * ENVELOPE_HOP < audio.rate / 10:
        return decibel(float(np.quantile(curve, 0.1)))
    return decibel(float(np.median(curve[quiet])))


def crest_factor(audio: Audio) -> float:
    """Peak over RMS in dB, of the mono mix: 3 for a sine, 12 for noise, more for hits; NaN for silence."""
    wave = audio.mono().astype(np.float64)
    level = float(np.sqrt((wave**2).mean())) if len(wave) else 0.0
    return decibel(float(np.abs(wave).max()) / level) if level > 0 else float("nan")


def stereo_correlation(audio: Audio) -> float:
    """Pearson's r of the first two channels, -1..1; 1 for mono, NaN where one of them is silent."""
    if audio.channels == 1:
        return 1.0
    if audio.samples.shape[1] == 0:
        return float("nan")
    left, right = (channel.astype(np.float64) - channel.mean() for channel in audio.samples[:2])
    scale = np.sqrt((left**2).sum() * (right**2).sum())
    return float((left * right).sum() / scale) if scale > 1e-12 else float("nan")


def bandwidth(audio: Audio, share: float = 0.99) -> float:
    """Frequency in Hz below which ``share`` of the energy lies; 0 for silence."""
    wave = audio.mono().astype(np.float64)
    if len(wave) == 0:
        return 0.0
    energy = np.abs(np.fft.rfft(wave)) ** 2
    running = np.cumsum(energy)
    if running[-1] == 0:
        return 0.0
    return float(np.searchsorted(running, share * running[-1]) * audio.rate / len(wave))


def evaluate(audio: Audio, onsets: np.ndarray | None = None) -> Looks:
    """All of them. ``onsets``: seconds of the true events, for the floor between them."""
    wave = audio.mono().astype(np.float64)
    quietest = len(wave) < ENVELOPE_WINDOW
    return Looks(
        level=decibel(float(np.sqrt((wave**2).mean())) if len(wave) else 0.0),
        peak=decibel(float(np.abs(audio.samples).max()) if len(wave) else 0.0),
        crest=crest_factor(audio),
        floor=decibel(0.0) if quietest else noise_floor(audio, onsets),
        stereo=stereo_correlation(audio),
        clipped=float((np.abs(audio.samples) >= 0.9999).mean()) if len(wave) else 0.0,
        bandwidth=bandwidth(audio),
    )
