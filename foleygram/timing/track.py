"""The onset track: when something sounds, how strongly, and whether it is struck or scraped.

It stands between the picture and the envelope: a predictor or a person writes it, ``to_envelope`` makes the control of
the paper from it, ``from_envelope`` reads it off a sound. The impulse track of SyncFusion (Comunita et al. 2024) is the
special case of hits without strengths.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from foleygram.errors import EnvelopeError, UsageError
from foleygram.signal.envelope import DEFAULT_STRENGTH, LONGEST, LOUDEST, begins_within, step_count
from foleygram.signal.onsets import envelope_onsets
from foleygram.types import ENVELOPE_HOP, ENVELOPE_WINDOW, SAMPLE_RATE, Envelope, sample_count

Kind = Literal["hit", "scratch"]
KINDS: tuple[Kind, ...] = ("hit", "scratch")

BLOCK = 16
"""Samples between the points at which the shape of an event is sampled, 0.36 ms: W and h of Eq. 5 are multiples of it."""

SILENT = 11.5
"""After so many decay times an event is 100 dB below its peak and counts no longer."""


@dataclass(frozen=True)
class OnsetEvent:
    """``seconds``: when the attack begins, >= 0; ``strength``: linear RMS amplitude where the event is loudest, >= 0;
    ``kind``: hit (also a step) or scratch; ``duration``: s for which a scratch is held before it decays, 0 for a hit."""

    seconds: float
    strength: float = DEFAULT_STRENGTH
    kind: Kind = "hit"
    duration: float = 0.0

    def __post_init__(self):
        if not 0 <= self.seconds <= LONGEST:
            raise EnvelopeError(f"an event has a time of 0 to {LONGEST:g} s, not {self.seconds:g}; correct it")
        if not (math.isfinite(self.strength) and self.strength >= 0):
            raise EnvelopeError(f"the event at {self.seconds:g} s has a strength of {self.strength}; it is at least 0")
        if self.strength > LOUDEST:
            raise EnvelopeError(f"the event at {self.seconds:g} s has a strength of {self.strength:g}; full scale is 1")
        if self.kind not in KINDS:
            raise EnvelopeError(f"the event at {self.seconds:g} s is of the kind '{self.kind}'; known are hit and scratch")
        if not 0 <= self.duration <= LONGEST:
            raise EnvelopeError(f"the event at {self.seconds:g} s lasts {self.duration:g} s; a duration is 0 to {LONGEST:g}")


@dataclass(frozen=True)
class Shape:
    """How events rise and fall. ``attack``, ``decay``: of a hit, s (decay to 1/e); ``scratch_attack``, ``scratch_decay``:
    of a scratch. Defaults are the medians of short real hits."""

    attack: float = 0.004
    decay: float = 0.12
    scratch_attack: float = 0.03
    scratch_decay: float = 0.05

    def __post_init__(self):
        times = (self.attack, self.decay, self.scratch_attack, self.scratch_decay)
        if not all(value > 0 and math.isfinite(value) for value in times):
            raise UsageError("attack and decay are longer than 0 s")

    def of(self, event: OnsetEvent) -> tuple[float, float]:
        """Attack and decay of an event, s."""
        return (self.attack, self.decay) if event.kind == "hit" else (self.scratch_attack, self.scratch_decay)

    def amplitude(self, since: np.ndarray, event: OnsetEvent) -> np.ndarray:
        """Linear amplitude ``since`` s after the onset (>= 0): a straight rise, held for ``duration``, an exponential fall."""
        attack, decay = self.of(event)
        held = max(attack, event.duration)
        return event.strength * np.minimum(since / attack, np.exp(-np.maximum(since - held, 0) / decay))


@dataclass(frozen=True)
class Agreement:
    """How well two tracks agree: pairs within the tolerance, and the mean |dt| of the pairs in s (NaN without a pair)."""

    hits: int
    true: int
    found: int
    mean_error: float

    @property
    def f1(self) -> float:
        """2 hits / (true + found); 1 where both are empty."""
        return 2 * self.hits / (self.true + self.found) if self.true + self.found else 1.0


@dataclass(frozen=True)
class OnsetTrack:
    """Events in the order of time. Raises EnvelopeError for events that are none."""

    events: tuple[OnsetEvent, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "events", tuple(sorted(self.events, key=lambda event: event.seconds)))

    def __len__(self) -> int:
        return len(self.events)

    @property
    def times(self) -> np.ndarray:
        """Seconds of the onsets, float64 [event], rising."""
        return np.array([event.seconds for event in self.events], dtype=np.float64)

    @property
    def strengths(self) -> np.ndarray:
        """Linear amplitudes, float64 [event]."""
        return np.array([event.strength for event in self.events], dtype=np.float64)

    @property
    def hits(self) -> list[tuple[float, float]]:
        """(seconds, strength) of all events, as ``signal.envelope`` has them."""
        return [(event.seconds, event.strength) for event in self.events]

    def within(self, seconds: float) -> OnsetTrack:
        """Without the events that begin at or after ``seconds``."""
        return OnsetTrack(tuple(event for event in self.events if begins_within(event.seconds, seconds)))

    def snapped(self, frame_times: np.ndarray) -> OnsetTrack:
        """Every onset at the presentation time (s) of the frame nearest to it. Raises UsageError without a frame."""
        targets = nearest(np.asarray(frame_times, dtype=np.float64), self.times)
        return OnsetTrack(
            tuple(replace(event, seconds=max(float(t), 0.0)) for event, t in zip(self.events, targets, strict=True))
        )

    def shifted(self, seconds: float) -> OnsetTrack:
        """Later by ``seconds`` (earlier where negative); what would begin before 0 is left out."""
        moved = (replace(event, seconds=event.seconds + seconds) for event in self.events if event.seconds + seconds >= 0)
        return OnsetTrack(tuple(moved))

    def scaled(self, factor: float) -> OnsetTrack:
        """Strengths times ``factor`` >= 0."""
        return OnsetTrack(tuple(replace(event, strength=event.strength * factor) for event in self.events))

    def to_envelope(self, seconds: float, shape: Shape | None = None) -> Envelope:
        """The envelope of ``seconds`` as Eq. 5 would measure it on sounds of this shape, which add in power.

        Equal to ``signal.envelope.envelope_from_hits`` within 2 % of the peak for hits, but without an array of samples.
        Raises EnvelopeError for an event at the end or later, UsageError for a length that is none."""
        if not (math.isfinite(seconds) and seconds > 0):
            raise UsageError(f"an envelope lasts longer than 0 s, not {seconds}")
        shape = shape or Shape()
        late = [event for event in self.events if not begins_within(event.seconds, seconds)]
        if late:
            raise EnvelopeError(f"the event at {late[0].seconds:g} s lies outside the clip of {seconds:g} s; move or remove it")
        steps = step_count(seconds)
        per_hop, per_window = ENVELOPE_HOP // BLOCK, ENVELOPE_WINDOW // BLOCK
        # half a window of blocks before time 0 and after the last step
        power = np.zeros((steps - 1) * per_hop + per_window)
        last = min(sample_count(seconds) / SAMPLE_RATE, (len(power) - per_window // 2) * BLOCK / SAMPLE_RATE)
        for event in self.events:
            attack, decay = shape.of(event)
            first = math.ceil(event.seconds * SAMPLE_RATE / BLOCK - 0.5)
            length = math.ceil((max(attack, event.duration) + SILENT * decay) * SAMPLE_RATE / BLOCK)
            places = np.arange(max(first, 0), min(first + length, int(last * SAMPLE_RATE / BLOCK)))
            since = np.maximum((places + 0.5) * BLOCK / SAMPLE_RATE - event.seconds, 0)
            power[places + per_window // 2] += shape.amplitude(since, event) ** 2
        hops = np.add.reduceat(power, np.arange(0, len(power), per_hop))
        windows = np.lib.stride_tricks.sliding_window_view(hops, ENVELOPE_WINDOW // ENVELOPE_HOP)
        return Envelope(np.sqrt(windows.mean(axis=1) / per_hop))

    @classmethod
    def from_envelope(cls, envelope: Envelope, rise: float = 6.0, floor: float = 40.0, apart: float = 0.03) -> OnsetTrack:
        """The events of an envelope (``signal.onsets.envelope_onsets``: rises of ``rise`` dB that end at most ``floor`` dB
        under the loudest, ``apart`` s or more from one another). An event that stays within 6 dB of its loudest for 0.15 s
        or longer is a scratch."""
        found = envelope_onsets(envelope, rise, floor, apart)
        ends = ([time for time, _ in found[1:]] + [envelope.seconds])[: len(found)]
        events = []
        for (time, _), end in zip(found, ends, strict=True):
            first = math.floor(time * envelope.rate)
            part = envelope.values[first : max(math.ceil(end * envelope.rate) - 3, 0) or None]
            part = part if len(part) else envelope.values[first:]  # what begins in the last moment
            strength = float(part.max()) if len(part) else 0.0
            loud = np.flatnonzero(part >= strength / 2) if strength else np.zeros(0, int)
            duration = float(loud[-1] / envelope.rate) if len(loud) else 0.0
            events.append(OnsetEvent(float(time), strength, *(("scratch", duration) if duration >= 0.15 else ("hit", 0.0))))
        return cls(tuple(events))

    @classmethod
    def at(cls, times: Iterable[float], strength: float = DEFAULT_STRENGTH) -> OnsetTrack:
        """Hits of one strength at ``times`` (s)."""
        return cls(tuple(OnsetEvent(float(time), strength) for time in times))

    def agreement(self, found: OnsetTrack | Sequence[float], tolerance: float = 0.05) -> Agreement:
        """This track as the truth, ``found`` against it: the largest number of pairs at most ``tolerance`` s apart, each
        onset in one pair at most (in time order, which is as large as any pairing of points on a line)."""
        true, other = self.times, found.times if isinstance(found, OnsetTrack) else np.sort(np.asarray(found, dtype=np.float64))
        k = hits = 0
        error = 0.0
        for time in true:
            while k < len(other) and other[k] < time - tolerance - 1e-9:
                k += 1
            if k < len(other) and other[k] <= time + tolerance + 1e-9:
                hits += 1
                error += abs(other[k] - time)
                k += 1
        return Agreement(hits, len(true), len(other), error / hits if hits else math.nan)


def nearest(grid: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The point of a rising ``grid`` nearest to each time; of two equally near the earlier. Raises UsageError for an empty
    one."""
    if len(grid) == 0:
        raise UsageError("there is no frame to snap to; give the times of at least one")
    return grid[np.searchsorted((grid[:-1] + grid[1:]) / 2, times, side="left")]
