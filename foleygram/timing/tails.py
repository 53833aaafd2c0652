"""Tails: a guide says when things are struck and how hard, a reference says how they die away.

A curve drawn from hits or predicted from a picture does not know what was struck; a reference sound does. Its tail is measured
without time, as its palette is (palette.py), and laid after each event of a guide. Ours, not in the paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from foleygram.signal.envelope import extract_envelope
from foleygram.timing.track import OnsetTrack
from foleygram.types import ENVELOPE_RATE, Audio, Envelope

LONGEST = 4.0
"""s after its peak at which a tail is over."""

DEAD = -100.0
"""dB under its peak at which a tail is silent."""

HEARD = 20.0
"""dB under the loudest event of a sound within which an event tells something of its tail."""

FALLEN = 12.0
"""dB that a tail has to fall in the reference to be one: a steady noise has none."""

ROOM = 6.0
"""dB above the quietest tenth of a sound within which its level is that of the room, not of a tail."""

HELD = 0.7
"""Share of the power of the first half of an event's loud part that the second half has where it is held and does not fall."""

SLOWEST = 0.5
"""Of the mean slope of a tail as far as it is heard: it does not fall slower beyond."""

NOTHING = 1e-4
"""Share of the loudest amplitude (-80 dB) under which a sound counts as silent rather than as the room."""

LEAD = 0.006
"""s ahead of an onset from which its attack counts: half a window of Eq. 5 rises before it."""

SOON = 0.04
"""s after the onset of an event that was named within which it is loudest: it may lie in the tail of a louder one."""


@dataclass(frozen=True, eq=False)
class Tail:
    """How a sound dies away. ``levels``: dB under the peak at each step (``ENVELOPE_RATE`` a second) after it, from 0, never
    rising, silent at ``DEAD``."""

    levels: Float[np.ndarray, "step"]

    @property
    def amplitudes(self) -> Float[np.ndarray, "step"]:
        """Linear, 1 at the peak."""
        return np.where(self.levels > DEAD, 10 ** (self.levels / 20), 0.0)

    def falls(self, decibels: float) -> float:
        """s until it has fallen by so much; infinite where it never does."""
        below = np.flatnonzero(self.levels <= -decibels)
        return float(below[0] / ENVELOPE_RATE) if len(below) else math.inf


@dataclass(frozen=True)
class Span:
    """One event in steps of its curve: where its attack begins, where its tail begins, and where the next event takes over;
    ``strength``: linear amplitude that is the event's own at most, the rest being what is left of the one before."""

    first: int
    peak: int
    end: int
    strength: float


def spans(envelope: Envelope, track: OnsetTrack | None = None) -> list[Span]:
    """The events of a curve, those of ``track`` or what can be heard of them (``OnsetTrack.from_envelope``). The tail of a hit
    begins at its peak, that of a scratch, which is held, where it was last within 6 dB of it."""
    named = track is not None
    track = track if named else OnsetTrack.from_envelope(envelope)
    lead, soon = (max(math.ceil(seconds * envelope.rate), 1) for seconds in (LEAD, LEAD + SOON))
    starts = [max(math.floor(event.seconds * envelope.rate) - lead + 1, 0) for event in track.events]
    ends = [*starts[1:], len(envelope.values)][: len(starts)]
    found = []
    for event, first, end in zip(track.events, starts, ends, strict=True):
        part = envelope.values[first:end]
        if not part.any():
            continue
        peak = int(part[: soon if named else None].argmax())
        loud = np.flatnonzero(part >= part[peak] / 2)
        if event.kind == "scratch" and is_held(part[loud[0] : loud[-1] + 1]):
            peak = int(loud[-1])
        found.append(Span(first, first + peak, end, event.strength))
    return found


def is_held(loud: Float[np.ndarray, "step"]) -> bool:
    """Whether the loud part of an event stays as loud rather than dies away slowly."""
    power = loud.astype(np.float64) ** 2
    half = (len(power) + 1) // 2
    return bool(power[-half:].mean() >= HELD * power[:half].mean())


def tail_of(envelope: Envelope) -> Tail | None:
    """The tail that the events of a sound have in common: the median of those that still sound, on from where all are cut off
    by the next event, the end or the room as it fell before. None where it has no event that falls by ``FALLEN``."""
    count = max(round(envelope.seconds * ENVELOPE_RATE), 1)
    even = Envelope(envelope.at(np.arange(count) / ENVELOPE_RATE))
    values, events = even.values.astype(np.float64), spans(even)
    if not events:
        return None
    top = max(values[span.peak] for span in events)
    room = float(np.percentile(values[values > top * NOTHING], 10)) * 10 ** (ROOM / 20)
    count = round(LONGEST * ENVELOPE_RATE)
    rows = []
    for span in events:
        part = values[span.peak : span.end][:count]
        if part[0] < top * 10 ** (-HEARD / 20):
            continue
        quiet = np.flatnonzero(part <= room)
        known = quiet[0] if len(quiet) and is_held(part[quiet[0] :]) else len(part)  # else it still falls
        row = np.full(count, np.nan)
        row[:known] = np.maximum(20 * np.log10(np.maximum(part[:known], 1e-9) / part[0]), DEAD)
        rows.append(row)
    known = np.isfinite(rows).any(axis=0)
    heard = int(np.argmin(known)) if not known.all() else count
    if not heard:
        return None
    levels = falling(np.nanmedian(np.stack(rows)[:, :heard], axis=0))
    levels -= levels[0]
    if levels[-1] > -FALLEN:
        return None
    # beyond what is heard it falls on as it did in the last third, but for the bend that the room makes
    before = max(heard - max(heard // 3, round(0.05 * ENVELOPE_RATE)), 0)
    late = (levels[-1] - levels[before]) / max(heard - 1 - before, 1)
    slope = min(late, SLOWEST * levels[-1] / max(heard - 1, 1), (DEAD - levels[-1]) / count)
    beyond = levels[-1] + slope * np.arange(1, count - heard + 1)
    return Tail(np.maximum(np.concatenate([levels, beyond]), DEAD))


def falling(levels: Float[np.ndarray, "step"]) -> Float[np.ndarray, "step"]:
    """Levels that never rise: midway between the largest such curve below these and the smallest above."""
    return (np.minimum.accumulate(levels) + np.maximum.accumulate(levels[::-1])[::-1]) / 2


def sound_tail(sound: Audio) -> Tail | None:
    """:func:`tail_of` a sound; an offset is no sound."""
    return tail_of(extract_envelope(Audio(sound.samples - sound.samples.mean(axis=1, keepdims=True), sound.rate)))


def with_tail(envelope: Envelope, tail: Tail, track: OnsetTrack | None = None) -> Envelope:
    """The curve with its attacks, and what it holds of a scratch, as they are, and each event dying away as ``tail`` does, over
    what is left of the one before. ``track``: its events, where they are known: a weak one in the tail of a loud one cannot be
    told from the curve, and would be lost."""
    values = envelope.values.astype(np.float64)
    events = spans(envelope, track)
    if not events:
        return envelope
    result = values.copy()
    result[events[0].first :] = 0
    amplitudes = np.interp(
        np.arange(math.ceil(LONGEST * envelope.rate)) / envelope.rate,
        np.arange(len(tail.levels)) / ENVELOPE_RATE, tail.amplitudes, right=0.0,
    )  # fmt: skip
    for span in events:
        dying = min(values[span.peak], span.strength) * amplitudes[: len(result) - span.peak]
        attack, fall = slice(span.first, span.peak), slice(span.peak, span.peak + len(dying))
        result[attack] = np.maximum(result[attack], np.minimum(values[attack], span.strength))
        # it rings on under those that follow, as long as it is the louder one
        result[fall] = np.maximum(result[fall], dying)
    return replace(envelope, values=result.astype(np.float32))
