"""The network's curves become events, and events and levels an envelope.

Onsets decide when something begins, to a part of a frame; the level decides how it goes on. So the attack is as sharp as
a real one although the network's level is blurred by what it cannot know.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from foleygram.signal.envelope import step_count
from foleygram.timing.track import OnsetEvent, OnsetTrack
from foleygram.types import ENVELOPE_RATE, ENVELOPE_WINDOW, SAMPLE_RATE, Envelope

SPREAD = 1.5
"""Standard deviation in steps of the bump that the network learns to draw around an onset."""

REACH = 5
"""Steps to both sides of an onset whose probability belongs to it (58 ms)."""

BLUR = 0.06
"""s before the next onset in which the level already rises because the network is unsure of the moment."""

LEAD = ENVELOPE_WINDOW / SAMPLE_RATE / 2
"""Half a window of Eq. 5 in s."""

RISE = {"hit": LEAD, "scratch": 0.025}  # s from the onset to the peak
FALL = {"hit": 0.03, "scratch": 0.06}  # s in which it falls to 1/e from its peak towards the level that follows

FAINT = 0.1
"""Share of an event's peak (-20 dB) under which the network's level says little: its classes end at 0.01, and the mean of what
may be silence is not silence. From there the sound dies away."""

DEATH = 0.1
"""s in which it then falls to 1/e. Both chosen on ten validation films: mean error of the curve 13.5 dB without, 6.7 dB
with."""


@dataclass(frozen=True, eq=False)
class Reading:
    """The network's results of a whole film on an even grid from time 0, float32 [step] each. ``level``: linear amplitude
    relative to full strength; ``onset``: probability; ``offset``: s to the nearest onset; ``strength``: dB under full
    strength; ``scratch``: probability of this kind; ``rate``: steps/s; ``seconds``: length of the sound to make."""

    level: np.ndarray
    onset: np.ndarray
    offset: np.ndarray
    strength: np.ndarray
    scratch: np.ndarray
    rate: float
    seconds: float


def confidence(onset: np.ndarray) -> np.ndarray:
    """Probability that an onset lies within ``REACH`` steps, about 0..1: the mass of the bump there, 1 for a whole one."""
    mass = np.convolve(onset, np.ones(2 * REACH + 1), mode="same")
    return mass / (SPREAD * math.sqrt(2 * math.pi))


def smoothed(onset: np.ndarray) -> np.ndarray:
    """``onset`` under a bump of the learned shape, so that two halves of one bump are one peak."""
    steps = np.arange(-REACH, REACH + 1)
    bump = np.exp(-0.5 * (steps / SPREAD) ** 2)
    return np.convolve(onset, bump / bump.sum(), mode="same")


def read_track(
    reading: Reading, threshold: float, apart: float, peak: float, sure: float = 0.0, near: float = 0.0, scratch: float = 0.5
) -> OnsetTrack:
    """Events where the probability peaks with a confidence of at least ``threshold``, ``apart`` s or more from a surer one, and
    of at least ``sure`` within ``near`` s of a surer one: a stroke that is seen badly peaks twice, at hit and rebound. They are
    scratches from a probability of ``scratch``.

    The time is the mean of what the steps around the peak point at, weighted by their probability, so it does not keep to
    the grid. ``peak``: linear amplitude of full strength."""
    curve, certain = smoothed(reading.onset), confidence(reading.onset)
    inner = (curve[1:-1] >= curve[:-2]) & (curve[1:-1] > curve[2:])
    places = np.flatnonzero(np.concatenate([[False], inner, [False]]) & (certain >= threshold))
    events: list[OnsetEvent] = []
    for place in places[np.argsort(-curve[places], kind="stable")]:
        part = slice(max(place - 2, 0), place + 3)
        weight = reading.onset[part].astype(np.float64)
        pointed = np.arange(part.start, part.start + len(weight)) / reading.rate + reading.offset[part]
        time = float((weight * pointed).sum() / max(weight.sum(), 1e-9))
        least = max(near, apart) if certain[place] < sure else apart
        if not 0 <= time < reading.seconds or any(abs(time - event.seconds) < least for event in events):
            continue
        strength = peak * 10 ** (min(float((weight * reading.strength[part]).sum() / max(weight.sum(), 1e-9)), 0.0) / 20)
        scraped = float((weight * reading.scratch[part]).sum() / max(weight.sum(), 1e-9)) > scratch
        events.append(OnsetEvent(time, strength, "scratch" if scraped else "hit"))
    return with_durations(OnsetTrack(tuple(events)), reading)


def with_durations(track: OnsetTrack, reading: Reading) -> OnsetTrack:
    """Scratches last until their level has fallen to a third of its height, or to the next event."""
    events = []
    for event, end in zip(track.events, ends_of(track, reading.seconds), strict=True):
        if event.kind == "scratch":
            first = round(event.seconds * reading.rate)
            part = reading.level[first : max(round((end - BLUR) * reading.rate), first + 1)]
            above = np.flatnonzero(part >= part.max() / 3) if len(part) and part.max() > 0 else np.zeros(0, int)
            length = float(above[-1] / reading.rate) if len(above) else 0.0
            event = OnsetEvent(event.seconds, event.strength, event.kind, max(length, 0.03))
        events.append(event)
    return OnsetTrack(tuple(events))


def ends_of(track: OnsetTrack, seconds: float) -> list[float]:
    """Where each event is followed by the next, or by the end of the clip; s."""
    return [*track.times[1:].tolist(), seconds] if len(track) else []


def render(track: OnsetTrack, reading: Reading, peak: float) -> Envelope:
    """The envelope: at each onset an attack to its strength, then the level of the network, which for a hit only falls.

    Between events it is silent where the level says so; without an event it is silent throughout."""
    steps = step_count(reading.seconds)
    grid = np.arange(steps) / ENVELOPE_RATE
    if not len(track):
        return Envelope(np.zeros(steps))
    level = peak * np.interp(grid, np.arange(len(reading.level)) / reading.rate, reading.level, right=0.0)
    values = np.zeros(steps)
    tail, fade = 0.0, FALL["hit"]  # what is left of the event before, and s in which that falls to 1/e
    for event, end in zip(track.events, ends_of(track, reading.seconds), strict=True):
        first, last = (max(math.ceil((time - LEAD) * ENVELOPE_RATE), 0) for time in (event.seconds, end))
        last = steps if end == reading.seconds else last
        if last <= first:
            continue
        since = grid[first:last] - event.seconds
        body = level[first:last].copy()
        body[since > end - event.seconds - BLUR] = np.inf  # that rise belongs to the next event
        body = np.minimum.accumulate(body) if event.kind == "hit" else held(body)
        body = np.minimum(body, event.strength)
        fall = event.strength * np.exp(-np.maximum(since - RISE[event.kind], 0) / FALL[event.kind])
        # the window of Eq. 5 meets an onset half its length ahead, and then holds ever more of its power
        shape = np.maximum(body, fall) * np.sqrt(np.clip((since + LEAD) / (RISE[event.kind] + LEAD), 0, 1))
        shape = dying(shape)
        values[first:last] = np.maximum(shape, tail * np.exp(-(since + LEAD) / fade))
        tail, fade = values[last - 1], FALL[event.kind]
    return Envelope(values)


def dying(shape: np.ndarray) -> np.ndarray:
    """One event's curve, which falls ever further once it has fallen to ``FAINT`` of its peak."""
    peak = int(shape.argmax())
    faint = np.flatnonzero(shape[peak:] <= FAINT * shape[peak])
    if len(faint):
        first = peak + int(faint[0])
        shape[first:] *= np.exp(-np.arange(len(shape) - first) / (DEATH * ENVELOPE_RATE))
    return shape


def held(body: np.ndarray) -> np.ndarray:
    """Where the level is not known (infinite, at the end), its last known value; 0 where there is none."""
    known = np.isfinite(body)
    return np.where(known, body, body[known][-1] if known.any() else 0.0)
