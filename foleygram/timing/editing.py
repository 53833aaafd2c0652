"""Editing of envelopes: pure functions, and ``edit``, which does several in one fixed order.

All take and give an Envelope of the same length and rate, unless they say otherwise. Times are in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from foleygram.config import Config
from foleygram.errors import UsageError
from foleygram.signal.onsets import envelope_onsets
from foleygram.timing.strokes import Strokes, with_strokes
from foleygram.timing.track import OnsetEvent, OnsetTrack, nearest
from foleygram.types import Envelope

SAME = 0.01
"""s within which two events of two lists are one moment."""


class EnvelopeEdits(Config):
    """What ``edit`` does, in this order; what is left at its default is left out. After the gate, events get the strokes
    that ``edit`` is given.

    ``snap``: onsets to the nearest frame; ``shift_ms``, ``shift_frames``: later by so much, earlier where negative;
    ``gate``: linear amplitude below which it is silent; ``attack_ms``, ``decay_ms``: time constants of the fastest rise and
    fall; ``smooth_ms``: length of the smoothing window; ``scale``: factor; ``mute``: (from, to) in s; ``mix``: how another
    envelope is laid over it, ``mix_gain``: factor of that."""

    snap: bool = False
    shift_ms: float = 0.0
    shift_frames: float = 0.0
    gate: float = 0.0
    attack_ms: float = 0.0
    decay_ms: float = 0.0
    smooth_ms: float = 0.0
    scale: float = 1.0
    mute: tuple[tuple[float, float], ...] = ()
    mix: Literal["power", "loudest", "product"] = "power"
    mix_gain: float = 1.0


def edit(
    envelope: Envelope,
    edits: EnvelopeEdits,
    frame_times: np.ndarray | None = None,
    other: Envelope | None = None,
    strokes: Strokes | None = None,
    track: OnsetTrack | None = None,
) -> Envelope:
    """The envelope after all of ``edits``. ``frame_times``: presentation times of the picture's frames (s), needed by
    ``snap`` and ``shift_frames``; ``other``: the envelope to mix in; ``strokes``: whose shapes its events take, those
    of ``track`` as they are after the gate, where they are known. Raises UsageError."""
    later = delay(edits, frame_times)
    if edits.snap:
        envelope = snap(envelope, frame_times)
    if later:
        envelope = shift(envelope, later)
    if edits.gate:
        envelope = gate(envelope, edits.gate)
    if strokes is not None:
        envelope = with_strokes(envelope, strokes, track)
    if edits.attack_ms or edits.decay_ms:
        envelope = shape(envelope, edits.attack_ms / 1000, edits.decay_ms / 1000)
    if edits.smooth_ms:
        envelope = smooth(envelope, edits.smooth_ms / 1000)
    if edits.scale != 1:
        envelope = scale(envelope, edits.scale)
    for start, end in edits.mute:
        envelope = mute(envelope, start, end)
    if other is not None:
        envelope = mix(envelope, scale(other, edits.mix_gain), edits.mix)
    return envelope


def edit_track(
    track: OnsetTrack, edits: EnvelopeEdits, frame_times: np.ndarray | None = None, other: OnsetTrack | None = None
) -> OnsetTrack:
    """The events after all of ``edits``, in the same order: exact where ``edit`` can only stretch a curve.

    The gate removes weaker events; a muted range those that begin in it, and it ends a scratch that reaches into it; attack,
    decay and smoothing say nothing of when. Mixing joins both lists; ``loudest`` keeps of two events of one kind within
    ``SAME`` s the stronger one. Raises UsageError."""
    later = delay(edits, frame_times)
    if edits.snap:
        track = track.snapped(frame_times)
    if later:
        track = track.shifted(later)
    events = [event for event in track.events if event.strength >= checked("gate", edits.gate)]
    events = list(OnsetTrack(tuple(events)).scaled(checked("scale", edits.scale)).events)
    for start, end in edits.mute:
        check_range(start, end)
        events = [event for event in events if not start <= event.seconds < end]
        events = [
            replace(event, duration=start - event.seconds) if event.seconds < start < event.seconds + event.duration else event
            for event in events
        ]
    if other is not None:
        more = other.scaled(edits.mix_gain).events
        events = louder(events, more) if edits.mix == "loudest" else [*events, *more]
    return OnsetTrack(tuple(events))


def louder(first: Sequence[OnsetEvent], second: Sequence[OnsetEvent]) -> list[OnsetEvent]:
    """Both lists without the events for which the other one has a stronger one of the same kind within ``SAME`` s; of two as
    strong the first list's stays."""
    ranked = sorted([*((e, 0) for e in first), *((e, 1) for e in second)], key=lambda pair: (-pair[0].strength, pair[1]))
    kept: list[tuple[OnsetEvent, int]] = []
    for event, owner in ranked:
        rivals = (k for k, whose in kept if whose != owner and k.kind == event.kind)
        if not any(abs(rival.seconds - event.seconds) <= SAME for rival in rivals):
            kept.append((event, owner))
    return [event for event, _ in kept]


def delay(edits: EnvelopeEdits, frame_times: np.ndarray | None) -> float:
    """s by which ``edits`` shift. Raises UsageError where frames are counted but not known."""
    if (edits.snap or edits.shift_frames) and (frame_times is None or len(frame_times) == 0):
        raise UsageError(
            "frames are counted in a picture; give a video (--film) or a rate (--snap-fps), or shift by milliseconds"
        )
    return edits.shift_ms / 1000 + (edits.shift_frames * frame_step(frame_times) if edits.shift_frames else 0.0)


def checked(name: str, value: float, low: float = 0.0) -> float:
    """``value`` where it is finite and at least ``low``. Raises UsageError."""
    if not (math.isfinite(value) and value >= low):
        raise UsageError(f"{name} takes a number of at least {low:g}, not {value:g}")
    return value


def scale(envelope: Envelope, factor: float) -> Envelope:
    """Amplitudes times ``factor`` >= 0."""
    return replace(envelope, values=envelope.values * np.float32(checked("scale", factor)))


def shift(envelope: Envelope, seconds: float) -> Envelope:
    """Later by ``seconds`` (earlier where negative), to a part of a step; what comes in is silence."""
    checked("shift", seconds, -math.inf)
    return replace(envelope, values=envelope.at(envelope.times - seconds))


def frame_step(frame_times: np.ndarray) -> float:
    """Median s between frames. Raises UsageError for fewer than two."""
    gaps = np.diff(np.asarray(frame_times, dtype=np.float64))
    if not len(gaps):
        raise UsageError("a picture of a single frame has no frame step; shift by milliseconds instead")
    return float(np.median(gaps))


def gate(envelope: Envelope, threshold: float, release: float = 0.02) -> Envelope:
    """Silent where it stays below ``threshold`` (linear amplitude); what is louder keeps its rise and its fall down to half
    the threshold, and falls to 1/e within ``release`` s beyond."""
    checked("gate", threshold)
    values = envelope.values
    above, near = values >= threshold, values >= threshold / 2
    # runs of ``near`` that hold at least one step of ``above``
    edges = np.flatnonzero(np.diff(np.concatenate([[0], near.astype(np.int8), [0]])))
    opened = np.zeros(len(values), np.float32)
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        if above[first:last].any():
            opened[first:last] = 1
    fall = math.exp(-1 / max(checked("release", release) * envelope.rate, 1e-6))
    level = 0.0
    for k in range(len(opened)):
        level = 1.0 if opened[k] else (level * fall if level * fall > 0.01 else 0.0)
        opened[k] = level
    return replace(envelope, values=values * opened)


def smooth(envelope: Envelope, seconds: float) -> Envelope:
    """The mean power under a Hann window of ``seconds`` (0 leaves it as it is); keeps the energy, lowers and widens peaks."""
    half = round(checked("smooth", seconds) * envelope.rate / 2)
    if half == 0:
        return envelope
    window = np.hanning(2 * half + 3)[1:-1]
    power = np.convolve(np.pad(envelope.values.astype(np.float64) ** 2, half), window / window.sum(), mode="valid")
    return replace(envelope, values=np.sqrt(np.maximum(power, 0)))


def snap(envelope: Envelope, frame_times: np.ndarray) -> Envelope:
    """Time is stretched between onsets so that each onset lies at the nearest frame's time (s).

    Where two onsets share a nearest frame, only the stronger one moves there. Without onsets it is unchanged."""
    onsets = envelope_onsets(envelope)
    if not onsets:
        return envelope
    targets = nearest(np.asarray(frame_times, dtype=np.float64), np.array([time for time, _ in onsets]))
    chosen: dict[float, tuple[float, float]] = {}
    for (time, strength), target in zip(onsets, targets.tolist(), strict=True):
        if target not in chosen or strength > chosen[target][1]:
            chosen[target] = (time, strength)
    # a moment before each onset moves with it, so that the attack keeps its shape
    lead = 0.012
    now, then = [], []
    for target in sorted(chosen):
        time = chosen[target][0]
        if not then or (target - lead > then[-1] and time - lead > now[-1]):
            now += [time - lead, time]
            then += [target - lead, target]
    end = max(envelope.seconds, then[-1] + lead, now[-1] + lead) + lead
    source = np.interp(envelope.times, [min(-1.0, then[0] - 1), *then, end], [min(-1.0, now[0] - 1), *now, end])
    return replace(envelope, values=envelope.at(source))


def check_range(start: float, end: float) -> None:
    """Raises UsageError unless ``end`` is later than ``start`` (s)."""
    if not (math.isfinite(start) and math.isfinite(end) and end > start):
        raise UsageError(f"a range to mute goes from an earlier to a later time, not from {start:g} to {end:g} s")


def mute(envelope: Envelope, start: float, end: float, fade: float = 0.005) -> Envelope:
    """Silent from ``start`` to ``end`` s, with fades of ``fade`` s outside. Raises UsageError where the end is not later."""
    check_range(start, end)
    distance = np.maximum(start - envelope.times, envelope.times - end)
    return replace(envelope, values=envelope.values * np.clip(distance / max(fade, 1e-6), 0, 1))


def mix(envelope: Envelope, other: Envelope, how: Literal["power", "loudest", "product"] = "power") -> Envelope:
    """Two envelopes over one another, at the rate and of the length of the first: ``power`` adds them as independent sounds
    do, ``loudest`` takes the larger, ``product`` shapes the first by the second (full at its peak)."""
    second = other.at(envelope.times)
    if how == "power":
        values = np.hypot(envelope.values, second)
    elif how == "loudest":
        values = np.maximum(envelope.values, second)
    elif how == "product":
        values = envelope.values * second / max(float(second.max()), 1e-9)
    else:
        raise UsageError(f"envelopes are mixed as power, loudest or product, not as '{how}'")
    return replace(envelope, values=values)


def shape(envelope: Envelope, attack: float, decay: float) -> Envelope:
    """No rise faster than ``attack`` and no fall faster than ``decay`` (time constants in s, 0: as it is): an envelope
    follower. A longer decay lets hits ring, a longer attack softens them."""
    rise = 1 - math.exp(-1 / (checked("attack", attack) * envelope.rate)) if attack > 0 else 1.0
    fall = math.exp(-1 / (checked("decay", decay) * envelope.rate)) if decay > 0 else 0.0
    values = envelope.values.astype(np.float64)
    # the held target first: a short peak must last until a slow attack has reached it
    if fall:
        held = 0.0
        for k, value in enumerate(values):
            held = max(value, held * fall)
            values[k] = held
    if rise < 1:
        level = 0.0
        for k, value in enumerate(values):
            level = level + rise * (value - level) if value > level else value
            values[k] = level
    return replace(envelope, values=values)
