"""Strokes: a guide says when things are struck and how hard, a reference says how a stroke rises, sounds and dies away.

A curve drawn from hits or predicted from a picture does not know what was struck; a reference sound does. Its strokes are
measured one by one, without their times, and laid in turn at the events of a guide: what a sampler calls round robin. Ours, not
in the paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from foleygram.signal.envelope import extract_envelope
from foleygram.timing.track import OnsetTrack
from foleygram.types import ENVELOPE_RATE, Audio, Envelope

Whose = Literal["guide", "reference", "memory"]
"""Whose strokes events become: as the guide has them, a reference sound's, or those of a sound that the model remembers."""

MOST = 8
"""Strokes that are measured of a sound, spread over it."""

LONGEST = 4.0
"""s after which a stroke is over."""

DEAD = -100.0
"""dB under its peak at which a stroke is silent."""

HEARD = 20.0
"""dB under the loudest event of a sound within which an event is a stroke of its own rather than a by-sound."""

FALLEN = 12.0
"""dB that strokes have to fall in the reference to be some: a steady noise has none."""

ROOM = 6.0
"""dB above the quietest tenth of a sound within which its level is that of the room, not of a stroke."""

HELD = 0.7
"""An event is held where the second half of its loud part has at least this share of the first half's power."""

SLOWEST = 0.5
"""Share of the mean slope of a tail as far as it is heard; beyond, it falls at least that fast."""

NOTHING = 1e-4
"""Share of the loudest amplitude (-80 dB) under which a sound counts as silent rather than as the room."""

LEAD = 0.006
"""s ahead of an onset from which its attack counts: half a window of Eq. 5 rises before it."""

SOON = 0.04
"""s after the onset of an event that was named within which it is loudest: it may lie in the tail of a louder one."""

RISE = 0.08
"""s from onset to peak beyond which an event is no stroke, where there are quicker ones: a roll, or what fades in."""

CLEAR, DAMPED = 9.0, 12.0
"""dB that an attack stands out of earlier strokes once they made way, and most that they are lowered for it; a fainter attack
stays covered."""

AHEAD = 0.03
"""s ahead of an attack over which earlier strokes fall to make way."""

FADE = 0.5
"""s over which a stroke that still sounds ends."""

STEPS = round(LONGEST * ENVELOPE_RATE)
"""Of a stroke, ``ENVELOPE_RATE`` a second."""


@dataclass(frozen=True, eq=False)
class Strokes:
    """How the events of a sound rise and die away. ``levels``: dB of each under its own peak, from ``LEAD`` before its
    onset on, ``STEPS`` of them, ``ENVELOPE_RATE`` a second; never above 0, silent at ``DEAD``."""

    levels: Float[np.ndarray, "stroke step"]

    def __len__(self) -> int:
        return len(self.levels)

    def amplitudes(self, number: int, rate: float) -> Float[np.ndarray, "step"]:
        """Of event ``number`` of a guide, linear, 1 at the peak, at ``rate`` steps a second: strokes take turns."""
        levels = self.levels[number % len(self)]
        amplitudes = np.where(levels > DEAD, 10 ** (levels / 20), 0.0)
        if rate == ENVELOPE_RATE:
            return amplitudes
        places = np.arange(math.ceil(LONGEST * rate)) / rate
        if rate > ENVELOPE_RATE:
            return np.interp(places, np.arange(STEPS) / ENVELOPE_RATE, amplitudes, right=0.0)
        # a step of the guide lasts for several of a stroke, the loudest of which counts
        starts = np.minimum((places * ENVELOPE_RATE).astype(int), STEPS - 1)  # the last place may lie beyond the last step
        return np.maximum.reduceat(amplitudes, starts)


@dataclass(frozen=True)
class Span:
    """One event in steps of its curve: where its attack begins, where its tail begins, and where the next event takes over;
    ``strength``: linear amplitude that is the event's own at most, the rest being what is left of the one before; ``held``: it
    stays as loud for a while, as a long scratch does."""

    first: int
    peak: int
    end: int
    strength: float
    held: bool = False


def spans(envelope: Envelope, track: OnsetTrack | None = None) -> list[Span]:
    """The events of a curve, those of ``track`` or what can be heard of them (``OnsetTrack.from_envelope``). The tail of a hit
    begins at its peak, that of a scratch, which is held, where it was last within 6 dB of it; of a named one where its duration
    ends."""
    named = track is not None
    track = track if named else OnsetTrack.from_envelope(envelope)
    lead, soon = (max(math.ceil(seconds * envelope.rate), least) for seconds, least in ((LEAD, 1), (LEAD + SOON, 2)))
    starts = [max(math.floor(event.seconds * envelope.rate) - lead + 1, 0) for event in track.events]
    ends = [*starts[1:], len(envelope.values)][: len(starts)]
    found = []
    for event, first, end in zip(track.events, starts, ends, strict=True):
        # the peak of one that is named may lie beyond the next onset; more than its own strength never counts
        part = envelope.values[first : first + soon] if named else envelope.values[first:end]
        if not part.any():
            continue
        peak = int(part.argmax())
        held = event.kind == "scratch" and (event.duration > 0 if named else is_held(loud_part(part, peak)))
        if held and named:
            peak = max(math.floor((event.seconds + event.duration) * envelope.rate) - lead - first, 0)
            peak = min(peak, len(envelope.values) - 1 - first)
        elif held:
            peak = tail_start(part, peak)
        found.append(Span(first, first + peak, end, event.strength, held))
    return found


def loud_part(part: Float[np.ndarray, "step"], peak: int) -> Float[np.ndarray, "step"]:
    """Of an event, from the first step within 6 dB of its peak to the last."""
    loud = np.flatnonzero(part >= part[peak] / 2)
    return part[loud[0] : loud[-1] + 1]


def tail_start(part: Float[np.ndarray, "step"], peak: int) -> int:
    """Where the tail of an event begins: at its peak, or where it is held the last step within 6 dB of it."""
    return int(np.flatnonzero(part >= part[peak] / 2)[-1]) if is_held(loud_part(part, peak)) else peak


def is_held(part: Float[np.ndarray, "step"]) -> bool:
    """Whether a part of a curve stays as loud rather than dies away slowly."""
    power = part.astype(np.float64) ** 2
    half = (len(power) + 1) // 2
    return bool(power[-half:].mean() >= HELD * power[:half].mean())


def known_spans(envelope: Envelope) -> tuple[Float[np.ndarray, "step"], list[Span]]:
    """The curve at ``ENVELOPE_RATE``, and its events but for weak ones, each up to where it is known: to the next event, the
    end or the room."""
    count = max(round(envelope.seconds * ENVELOPE_RATE), 1)
    even = Envelope(envelope.at(np.arange(count) / ENVELOPE_RATE))
    values, events = even.values.astype(np.float64), spans(even)
    if not events:
        return values, []
    top = max(values[span.peak] for span in events)
    room = float(np.percentile(values[values > top * NOTHING], 10)) * 10 ** (ROOM / 20)
    known = []
    for span in events:
        if values[span.peak] < top * 10 ** (-HEARD / 20):
            continue
        part = values[span.peak : span.end]
        quiet = np.flatnonzero(part <= room)
        if len(quiet) and is_held(part[quiet[0] :]):  # else it still falls
            if quiet[0] == 0:  # it is the room itself
                continue
            span = replace(span, end=span.peak + int(quiet[0]) + 1)
        known.append(span)
    # what sounds at the very start may have begun before
    return values, [span for span in known if span.first > 0] or known


def levels_of(values: Float[np.ndarray, "step"], peak: float) -> Float[np.ndarray, "step"]:
    """dB under ``peak``."""
    return np.clip(20 * np.log10(np.maximum(values, 1e-9) / peak), DEAD, 0.0)


def tail_of(values: Float[np.ndarray, "step"], events: list[Span]) -> Float[np.ndarray, "step"] | None:
    """The tail that these events have in common, ``STEPS`` levels in dB from 0, never rising: the median of those that still
    sound, on from where all are cut off as it fell before. None where it does not fall by ``FALLEN``."""
    rows = np.full((len(events), STEPS), np.nan)
    for row, span in zip(rows, events, strict=True):
        part = values[span.peak : span.end][:STEPS]
        row[: len(part)] = levels_of(part, part[0]) if len(part) else []
    known = np.isfinite(rows).any(axis=0)
    heard = int(np.argmin(known)) if not known.all() else STEPS
    if not heard:
        return None
    levels = falling(np.nanmedian(rows[:, :heard], axis=0))
    levels -= levels[0]
    if levels[-1] > -FALLEN:
        return None
    # beyond what is heard it falls on as it did in the last third, but for the bend that the room makes
    before = max(heard - max(heard // 3, round(0.05 * ENVELOPE_RATE)), 0)
    late = (levels[-1] - levels[before]) / max(heard - 1 - before, 1)
    slope = min(late, SLOWEST * levels[-1] / max(heard - 1, 1), (DEAD - levels[-1]) / STEPS)
    beyond = levels[-1] + slope * np.arange(1, STEPS - heard + 1)
    return np.maximum(np.concatenate([levels, beyond]), DEAD)


def falling(levels: Float[np.ndarray, "step"]) -> Float[np.ndarray, "step"]:
    """Levels that never rise: midway between the largest such curve below these and the smallest above."""
    return (np.minimum.accumulate(levels) + np.maximum.accumulate(levels[::-1])[::-1]) / 2


def strokes_of(envelope: Envelope) -> Strokes | None:
    """The strokes of a sound, ``MOST`` of them, each as far as it is known and on from there as their common tail falls. None
    where nothing falls."""
    values, events = known_spans(envelope)
    tail = tail_of(values, events) if events else None
    if tail is None:
        return None
    quick = [span for span in events if values[span.first : span.end].argmax() <= RISE * ENVELOPE_RATE]
    events = quick or events
    chosen = np.unique(np.linspace(0, len(events) - 1, min(MOST, len(events))).round().astype(int))
    return Strokes(np.stack([stroke(values, events[place], tail) for place in chosen]))


def stroke(values: Float[np.ndarray, "step"], span: Span, tail: Float[np.ndarray, "step"]) -> Float[np.ndarray, "step"]:
    """The levels of one event in dB, beyond its end as ``tail`` falls."""
    part = values[span.first : span.end].copy()
    rise = slice(0, int(part.argmax()))
    part[rise] = np.sqrt(np.maximum(part[rise] ** 2 - part[0] ** 2, 0))  # without what rang before it
    levels = levels_of(part, part.max())
    fallen = max(len(part) - (span.peak - span.first), 1)  # steps of its tail that are known
    beyond = levels[-1] + tail[fallen:] - tail[min(fallen, STEPS) - 1]
    levels = np.concatenate([levels, beyond, np.full(STEPS, DEAD)])[:STEPS]
    fading = np.linspace(1, 0, round(FADE * ENVELOPE_RATE))
    levels[-len(fading) :] += 20 * np.log10(np.maximum(np.sin(fading * np.pi / 2), 1e-9))
    return np.maximum(levels, DEAD)


def sound_strokes(sound: Audio) -> Strokes | None:
    """:func:`strokes_of` a sound; an offset is no sound."""
    return strokes_of(extract_envelope(sound.centred()))


def with_strokes(envelope: Envelope, strokes: Strokes, track: OnsetTrack | None = None, first: int = 0) -> Envelope:
    """The curve with its events in the shapes of ``strokes``, one after the other, each as strong as before. A stroke rings on
    under those that follow, but makes way for their attacks. What holds on in the guide, as a long scratch does, is held as
    long as there, and dies away as a stroke. ``track``: its events, where they are known: a weak one in the tail of a loud one
    cannot be told from the curve, and would be lost; ``first``: number of the stroke that begins."""
    values = envelope.values.astype(np.float64)
    events = spans(envelope, track)
    if not events:
        return envelope
    result = values.copy()
    result[events[0].first :] = 0
    strengths = [min(values[span.peak], span.strength) for span in events]
    for number, (span, strength) in enumerate(zip(events, strengths, strict=True)):
        shape, start = strokes.amplitudes(first + number, envelope.rate), span.first
        if span.held:
            body = slice(span.first, span.peak)
            result[body] = np.maximum(result[body], np.minimum(values[body], span.strength))
            shape, start = shape[tail_start(shape, int(shape.argmax())) :], span.peak
            shape = shape / shape[0]
        laid = strength * shape[: len(result) - start]
        for later, other in zip(events[number + 1 :], strengths[number + 1 :], strict=True):
            if later.first >= start + len(laid):
                break
            make_way(laid, later.first - start, other, envelope.rate)
        place = slice(start, start + len(laid))
        result[place] = np.maximum(result[place], laid)
    return replace(envelope, values=result.astype(np.float32))


def make_way(laid: Float[np.ndarray, "step"], place: int, strength: float, rate: float) -> None:
    """Lowers a stroke so that what begins at step ``place`` with ``strength`` rises out of it by ``CLEAR`` dB, where ``DAMPED``
    dB suffice for that; its attack, up to the middle at most, stays. In place."""
    if place <= 0:
        return
    attack = min(int(laid.argmax()), place // 2)
    excess = 20 * math.log10(max(laid[place:].max(), 1e-12) / max(strength, 1e-12)) + CLEAR
    if 0 < excess <= DAMPED:
        steps = min(math.ceil(AHEAD * rate), place - attack)
        laid[place:] *= 10 ** (-excess / 20)
        laid[place - steps : place] *= 10 ** (-excess / 20 * np.arange(steps) / steps)
