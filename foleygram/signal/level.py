"""The level of a guide laid over a sound: where the sound is louder or softer than the envelope says, a gain follows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from foleygram.signal.envelope import extract_envelope
from foleygram.types import ENVELOPE_HOP, SAMPLE_RATE, Audio, Envelope

CONTEXT = 8 * ENVELOPE_HOP
"""Samples beside a place that its gain depends on, and a little more."""

SMOOTHING = 5
"""Steps (14.5 ms) over which powers are compared: noise has an envelope of its own that a faster gain would undo."""

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
    own, wanted = (np.sqrt(_smoothed(level**2)) for level in (own, wanted))
    gain = np.clip((wanted + FAINT) / (own + FAINT), 10 ** (-cut_db / 20), 10 ** (boost_db / 20))
    gain[wanted <= FAINT] = 0.0  # silence is asked for
    return np.interp(np.arange(sound.shape[1]) / ENVELOPE_HOP, steps, gain)


def _smoothed(power: np.ndarray) -> np.ndarray:
    """Mean over ``SMOOTHING`` steps, the ends repeated."""
    padded = np.pad(power, SMOOTHING // 2, mode="edge")
    return np.convolve(padded, np.full(SMOOTHING, 1 / SMOOTHING), mode="valid")
