"""The level of a guide laid over a sound: where the sound is louder or softer than the envelope says, a gain follows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from foleygram.signal.envelope import extract_envelope
from foleygram.types import ENVELOPE_HOP, SAMPLE_RATE, Audio, Envelope

CONTEXT = 18 * ENVELOPE_HOP
"""Samples beside a place that its gain depends on, and a little more."""

SMOOTHING = 5
"""Steps (14.5 ms) over which powers are compared: noise has an envelope of its own that a faster gain would undo."""

CALM = 21
"""Steps (61 ms) over which the gain is a mean in dB away from attacks: tones beat in the guide's sound otherwise than in this
one, and a gain that followed would drum the beats of one upon the other."""

ATTACK_DB, ATTACK_STEPS = 8.0, 5
"""An attack is where the guide rises by so much within so many steps (14.5 ms)."""

REACH = 6
"""Steps to both sides of an attack in which the gain is as fast as it can be."""

FAINT = 1e-6
"""Linear amplitude (-120 dB) that counts as nothing."""


def followed(pieces: Iterable[np.ndarray], guide: Envelope, rate: int, boost_db: float, cut_db: float) -> Iterator[np.ndarray]:
    """Consecutive pieces float32 [channel, sample] at the level of ``guide`` (Eq. 5 of the mean of the channels); all that goes
    in comes out, in pieces of about the same lengths.

    The gain is at most ``boost_db``; it falls by at most ``cut_db``, and further where the guide is silent."""
    waiting = np.zeros((0, 0), np.float32)
    before = start = 0  # samples of ``waiting`` that are out already; place of its first sample
    for piece, last in _and_whether_last(pieces):
        waiting = piece if not waiting.size else np.concatenate([waiting, piece], axis=1)
        ready = waiting.shape[1] if last else max(waiting.shape[1] - CONTEXT, before)
        if ready == before and not last:
            continue
        gains = _gains(waiting, start, guide, rate, boost_db, cut_db)
        yield (waiting[:, before:ready] * gains[before:ready]).astype(np.float32)
        # the first sample that waits lies on a step of the envelope
        drop = max(ready - CONTEXT, 0) // ENVELOPE_HOP * ENVELOPE_HOP
        waiting, before, start = waiting[:, drop:], ready - drop, start + drop


def _and_whether_last(pieces: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, bool]]:
    held: np.ndarray | None = None
    for piece in pieces:
        if held is not None:
            yield held, False
        held = piece
    if held is not None:
        yield held, True


def _gains(sound: np.ndarray, start: int, guide: Envelope, rate: int, boost_db: float, cut_db: float) -> np.ndarray:
    """Linear gain of each sample of ``sound``, whose first is at sample ``start`` of the whole."""
    own = extract_envelope(Audio(sound, SAMPLE_RATE)).values.astype(np.float64)  # in samples: no resampling
    steps = np.arange(len(own))
    wanted = guide.at((start + steps * ENVELOPE_HOP) / rate).astype(np.float64)
    before = guide.at((start + (steps - ATTACK_STEPS) * ENVELOPE_HOP) / rate)
    attacks = wanted + FAINT > (before + FAINT) * 10 ** (ATTACK_DB / 20)
    own, wanted = (np.sqrt(_mean(level**2, SMOOTHING)) for level in (own, wanted))
    gain = np.log(np.clip((wanted + FAINT) / (own + FAINT), 10 ** (-cut_db / 20), 10 ** (boost_db / 20)))
    heard = (wanted > FAINT).astype(np.float64)
    calm = _mean(gain * heard, CALM) / np.maximum(_mean(heard, CALM), 1e-9)  # what is silent says nothing of what sounds
    near = _mean(attacks.astype(np.float64), 2 * REACH + 1) > 1e-9
    fast = _mean(near.astype(np.float64), SMOOTHING)
    gain = np.exp(fast * gain + (1 - fast) * calm) * heard
    return np.interp(np.arange(sound.shape[1]) / ENVELOPE_HOP, steps, gain)


def _mean(row: np.ndarray, steps: int) -> np.ndarray:
    """Moving mean over so many steps, an odd number, the ends repeated."""
    padded = np.pad(row, steps // 2, mode="edge")
    return np.convolve(padded, np.full(steps, 1 / steps), mode="valid")
