"""A take: one contact cut out of a recording so that the sample of its attack is known.

A take starts ``LEAD`` samples before its attack, is normalised in loudness, and ends in a fade above the noise floor of
its recording, so mixing takes brings neither hiss nor a second unlabelled contact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, find_peaks, sosfilt

from foleygram.types import SAMPLE_RATE

LEAD = 88  # samples kept before the attack (2 ms), faded in
LOUDNESS = 0.1  # highest 10-ms RMS of every take
WIDTH = 441  # samples of the 10-ms level
PAUSE = {"hit": 0.010, "step": 0.020, "scratch": 0.030}  # s of quiet that separate an attack from what rustles before it
THRESHOLD = {"hit": 0.2, "step": 0.2, "scratch": 0.1}  # share of the 1-ms peak at which an attack is heard
SWELL = 0.25  # the same for what rises slowly
APART = {"hit": 0.07, "step": 0.28, "scratch": 0.12}  # s between two contacts of a recording
STAND_OUT = {"hit": 8, "step": 12, "scratch": 20}  # dB of a contact above what lies between it and the next
SINGLE = {"hit": 0.03, "step": 0.22}  # s after which a second rise ends a take
LONGEST = {"hit": 2.2, "step": 0.9, "scratch": 1.1}  # s
SHORTEST = {"hit": 0.025, "step": 0.06, "scratch": 0.09}  # s
_RUMBLE = butter(2, 30, "highpass", fs=SAMPLE_RATE, output="sos")  # what wind and tables leave below 30 Hz
RISE = 0.06  # s within which a hit or step reaches half of its height


@dataclass(frozen=True, eq=False)
class Take:
    """One contact. ``samples``: float32 [channel, sample] at 44.1 kHz; ``attack``: sample of the attack;
    ``duration``: s of contact (0 for a hit or step); ``family``: what was recorded; ``name``: ``path#k`` or
    ``modal:<material>:<seed>``."""

    name: str
    family: str
    samples: np.ndarray
    attack: int
    duration: float


def level(samples: np.ndarray, width: int) -> np.ndarray:
    """RMS over channels of [channel, sample] in a centred window of ``width`` samples, float64 [sample]."""
    power = np.square(samples, dtype=np.float64).mean(axis=0)
    return np.sqrt(np.maximum(uniform_filter1d(power, width, mode="constant"), 0))


def normalised(samples: np.ndarray) -> np.ndarray:
    """[channel, sample] scaled to ``LOUDNESS``, float32."""
    return (samples * (LOUDNESS / max(level(samples, WIDTH).max(), 1e-9))).astype(np.float32)


def find_attacks(samples: np.ndarray, action: str, threshold: float | None = None) -> list[int]:
    """Samples at which single contacts begin, of float32 [channel, sample] at 44.1 kHz.

    A contact is a peak of the 10-ms level that stands out; its attack is where the 1-ms level crosses ``THRESHOLD`` of
    its peak after the last ``PAUSE`` before it (the first crossing for a scratch). ``threshold``: another share."""
    coarse = level(samples, WIDTH)[::44]
    top = coarse.max()
    if top <= 1e-5:
        return []
    decibel = 20 * np.log10(np.maximum(coarse, top * 1e-4))
    decibel = np.concatenate([[decibel.min()], decibel, [decibel.min()]])
    peaks, found = find_peaks(
        decibel, height=decibel.max() - 18, prominence=STAND_OUT[action], distance=int(APART[action] * 1000)
    )
    fine = level(samples, 44)
    attacks: list[int] = []
    for peak, left in zip(peaks.tolist(), found["left_bases"].tolist(), strict=True):
        earlier = attacks[-1] + 1323 if attacks else 0
        first = max((left - 1) * 44, earlier, (peak - 1) * 44 - int(LONGEST[action] * SAMPLE_RATE), 0)
        last = min(peak * 44 + 220, len(fine))
        if last - first < 44:
            continue
        stretch = fine[first:last]
        above = stretch >= (threshold or THRESHOLD[action]) * stretch.max()
        start = int(np.argmax(above))
        if action != "scratch":
            start = _after_pause(above, int(np.argmax(stretch)), int(PAUSE[action] * SAMPLE_RATE))
        attacks.append(first + start + 11)  # the centred window sees an attack a quarter of its width early
    return attacks


def _after_pause(above: np.ndarray, start: int, pause: int) -> int:
    """Goes back from ``start`` while something is ``above`` within ``pause`` samples."""
    while start > 0:
        window = above[max(0, start - pause) : start]
        if not window.any():
            break
        start = max(0, start - pause) + int(np.argmax(window))
    return start


def cut(samples: np.ndarray, action: str, swelling: bool = False) -> list[tuple[np.ndarray, int, float]]:
    """Single contacts of float32 [channel, sample] at 44.1 kHz: (normalised samples, attack sample, seconds of contact).

    Contacts whose attack would be heard late are left out: those that rise slowly or stand out of the level just before
    them by less than 12 dB. ``swelling``: the sound is known to rise slowly (water); it is taken as it is."""
    samples = sosfilt(_RUMBLE, samples, axis=-1).astype(np.float32)
    floor = np.percentile(level(samples, WIDTH), 5)
    samples = np.pad(samples, ((0, 0), (2205, 0)))  # some recordings begin with their attack
    smooth, fine = level(samples, WIDTH), level(samples, 132)
    attacks = find_attacks(samples, "scratch", SWELL) if swelling else find_attacks(samples, action)
    takes: list[tuple[np.ndarray, int, float]] = []
    if not attacks:
        return takes
    for attack, following in zip(attacks, [*attacks[1:], None], strict=True):
        end = samples.shape[1] if following is None else following - 132
        end = min(end, attack + int(LONGEST[action] * SAMPLE_RATE))
        if end <= attack + 300:
            continue
        if action in SINGLE:
            end = _before_second(smooth, attack, end, 0.25 if swelling else SINGLE[action])
        peak = smooth[attack:end].max()
        before = smooth[max(0, attack - 1764) : max(1, attack - 330)].max()
        rise = int(np.argmax(fine[attack:end] > 0.5 * fine[attack:end].max())) / SAMPLE_RATE
        if before > peak * (0.4 if swelling else 10 ** (-12 / 20)) or (action != "scratch" and not swelling and rise > RISE):
            continue
        audible = np.flatnonzero(smooth[attack:end] > max(peak * 10 ** (-52 / 20), 1.6 * min(floor, peak * 0.03)))
        end = min(end, attack + int(audible[-1]) + WIDTH) if len(audible) else end
        length = end - attack
        if length < SHORTEST[action] * SAMPLE_RATE:
            continue
        piece = _shape_edges(samples[:, attack - LEAD : end], min(int(0.35 * length), SAMPLE_RATE // 4))
        loud = np.flatnonzero(smooth[attack:end] > peak * 0.1)
        duration = float(loud[-1] / SAMPLE_RATE) if action == "scratch" else 0.0
        takes.append((normalised(piece), LEAD, duration))
    return takes


def aligned(samples: np.ndarray, action: str) -> tuple[np.ndarray, int]:
    """A single contact [channel, sample] without what is not heard before its attack: (samples, sample of the attack)."""
    fine = level(samples, 44)
    attack = int(np.argmax(fine >= THRESHOLD[action] * fine.max())) + 11
    padded = np.pad(samples, ((0, 0), (LEAD, 0)))[:, attack:]
    return _shape_edges(padded, min(padded.shape[1] // 3, 4000)), LEAD


def _before_second(smooth: np.ndarray, attack: int, end: int, single: float) -> int:
    """Where a second contact within a take begins: a rise of 7 dB to within 14 dB of the peak, later than ``single`` s."""
    decibel = 20 * np.log10(smooth[attack:end:22] + 1e-7)
    first = int(single * SAMPLE_RATE / 22)
    if len(decibel) <= first + 2:
        return end
    lowest = np.minimum.accumulate(decibel[first:])
    second = np.flatnonzero((decibel[first:] > lowest + 7) & (decibel[first:] > decibel.max() - 14))
    if not len(second):
        return end
    return attack + 22 * (first + int(np.argmin(decibel[first : first + second[0]])))


def _shape_edges(samples: np.ndarray, fade: int) -> np.ndarray:
    """A copy of [channel, sample] with ``LEAD`` samples of raised-cosine fade in and ``fade`` samples of fade out."""
    shaped = samples.copy()
    shaped[:, :LEAD] *= (0.5 - 0.5 * np.cos(np.pi * np.arange(LEAD) / LEAD)).astype(np.float32)
    if fade:
        shaped[:, -fade:] *= (0.5 + 0.5 * np.cos(np.pi * np.arange(1, fade + 1) / fade)).astype(np.float32)
    return shaped
