"""How the tip of a tool moves through a MiniHits scene: it touches the surface at the events and never else.

Heights and places are in the camera's world unit (a frame width), times in seconds.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from foleygram.data.scenes import Event

_FOREVER = 1000.0  # s: after its last step a foot stands

_EASES: dict[str, Callable[[float], float]] = {
    "smooth": lambda s: s * s * (3 - 2 * s),
    "rebound": lambda s: 1 - (1 - s) ** 2.2,  # fast off the surface, then slower
    "fall": lambda s: s**2.3,  # accelerates until it lands
    "land": lambda s: 0.5 * s * s * (3 - 2 * s) + 0.5 * s**2,  # put down with care
}


@dataclass(frozen=True)
class Contact:
    """The tip lies on the surface from ``start`` to ``end`` (s), going ``passes`` times from ``place`` to
    ``place_end`` (world [2]) and back; before, it was raised to ``height`` and fell in ``fall`` s."""

    start: float
    end: float
    place: np.ndarray
    place_end: np.ndarray
    strength: float
    height: float
    raise_time: float
    fall: float
    passes: int


class _Track:
    """A value over time, made of eased pieces laid end to end."""

    def __init__(self):
        self._starts: list[float] = []
        self._pieces: list[tuple[float, float, object, object, Callable[[float], float]]] = []

    def add(self, start: float, end: float, first, last, ease: str = "smooth") -> None:
        if end > start:
            self._starts.append(start)
            self._pieces.append((start, end, first, last, _EASES[ease]))

    def at(self, t: float):
        index = max(bisect.bisect_right(self._starts, t) - 1, 0)
        start, end, first, last, ease = self._pieces[index]
        share = ease(min(max((t - start) / (end - start), 0.0), 1.0))
        return first + (last - first) * share


def contacts_of(
    events: Sequence[Event], tool: str, ground: Callable[[float, float], np.ndarray], rng: np.random.Generator
) -> tuple[Contact, ...]:
    """The contacts of the events in order of time. ``ground``: frame fractions to the world [2]."""
    ordered = sorted(events, key=lambda event: event.seconds)
    result = []
    for index, event in enumerate(ordered):
        following = (
            ordered[index + 1].seconds if index + 1 < len(ordered) else event.seconds + (_FOREVER if tool == "foot" else 2.0)
        )
        gap = max(following - event.seconds, 1e-3)
        place = ground(event.x, event.y)
        strength = min(max(event.strength, 0.0), 1.0)
        drawn = rng.random(4)  # always the same number, so that one event does not shift the others' chances
        dwell, passes, place_end = 0.0, 1, place
        height = (0.10 + 0.26 * strength) * (0.85 + 0.3 * drawn[0])
        fall = (0.13 - 0.05 * strength) * (0.9 + 0.2 * drawn[1])
        raise_time = 0.10 + 0.13 * drawn[2]
        if event.action == "scratch":
            dwell = event.duration
            place_end = ground(event.x_end, event.y_end)
            height = 0.05 + 0.06 * drawn[0]
            fall = 0.12 + 0.08 * drawn[1]
            if dwell > 0.7 and drawn[3] < 0.5:
                passes = 3 if drawn[3] < 0.3 else 2
        elif tool == "foot":
            # A foot stands until it is lifted for the next step.
            dwell = gap - min(0.45, 0.6 * gap) if gap < 1.8 else gap - 0.6
            height, fall = 0.5 * height, 1.3 * fall
        elif tool == "hand":
            dwell = min(0.04 + 0.08 * drawn[3], 0.25 * gap)
        dwell = max(min(dwell, 0.8 * gap), 0.0)
        result.append(
            Contact(event.seconds, event.seconds + dwell, place, place_end, strength, height, raise_time, fall, passes)
        )
    return tuple(result)


class TipPath:
    """The path of the tip. ``away``: world [2] unit vector from the tip towards the body: raised, the tip draws back
    along it, and between events the tool sometimes leaves along it. ``rests``: whether the tool hovers between contacts
    (stick, hand) rather than standing (foot)."""

    def __init__(self, contacts: Sequence[Contact], seconds: float, away: np.ndarray, rests: bool, seed: Sequence[int]):
        rng = np.random.default_rng(seed)
        self.contacts = tuple(contacts)
        self._away = np.asarray(away, dtype=np.float64)
        self._phase = rng.uniform(0, 2 * math.pi, 4)
        self._rate = 2 * math.pi * rng.uniform(0.25, 0.9, 4)
        self._height, self._place = _Track(), _Track()
        hover = rng.uniform(0.05, 0.13)
        home = np.mean([c.place for c in contacts], axis=0) if contacts else np.array([0.0, -0.05])
        time, place = -3.0, (contacts[0].place if contacts else home) + rng.normal(0, 0.04, 2)
        if not rests:
            place = place + self._away * 0.8  # a foot comes in from outside the frame
        first_level = hover
        for contact in contacts:
            self._gap(min(time, contact.start), contact, first_level, hover, place, rests, rng)
            time, place, first_level = contact.end, self._stroke(contact), 0.0
        self._rest(time, seconds + 3.0, first_level, hover, place, rests and bool(contacts), rng)

    @staticmethod
    def _final_place(contact: Contact) -> np.ndarray:
        return contact.place if contact.passes % 2 == 0 else contact.place_end

    def _stroke(self, contact: Contact) -> np.ndarray:
        """Lays the time on the surface and returns where the tip leaves it."""
        zero = 0.0
        self._height.add(contact.start, contact.end, zero, zero)
        step = (contact.end - contact.start) / contact.passes
        for number in range(contact.passes):
            ends = (contact.place, contact.place_end) if number % 2 == 0 else (contact.place_end, contact.place)
            self._place.add(contact.start + number * step, contact.start + (number + 1) * step, *ends)
        return self._final_place(contact)

    def _gap(self, time, contact, level, hover, place, rests, rng) -> None:
        """From leaving the surface at ``time`` (or from ``level`` above it) to the next contact."""
        gap = contact.start - time
        fall, lift = contact.fall, contact.raise_time
        leave = rng.uniform(0.15, 0.28)
        if not rests and level == 0.0:
            self._step(time, contact, place)
            return
        landing = "fall" if contact.end == contact.start or contact.passes == 1 else "land"
        if gap < leave + 0.1 + lift + fall:
            # Too short to come to rest: one arch, lower where the time is shorter.
            fall = min(fall, 0.45 * gap)
            peak = max(contact.height * min(1.0, gap / 0.45) ** 0.8, 0.004)
            self._height.add(time, contact.start - fall, level, peak, "rebound" if level == 0 else "smooth")
            self._height.add(contact.start - fall, contact.start, peak, 0.0, landing)
            self._place.add(time, contact.start - fall, place, contact.place)
            self._place.add(contact.start - fall, contact.start, contact.place, contact.place)
            return
        raised = contact.start - fall - lift
        self._rest(time, raised, level, hover, place, True, rng, leave, contact.place)
        self._height.add(raised, contact.start - fall, hover, contact.height)
        self._height.add(contact.start - fall, contact.start, contact.height, 0.0, landing)
        self._place.add(raised, contact.start, contact.place, contact.place)

    def _step(self, time, contact, place) -> None:
        swing = contact.start - max(time, contact.start - 0.6)
        begin = contact.start - swing
        fall = min(contact.fall, 0.45 * swing)
        self._height.add(time, begin, 0.0, 0.0)
        self._place.add(time, begin, place, place)
        self._height.add(begin, contact.start - fall, 0.0, max(contact.height * min(1.0, swing / 0.35), 0.004))
        self._height.add(contact.start - fall, contact.start, max(contact.height * min(1.0, swing / 0.35), 0.004), 0.0, "fall")
        self._place.add(begin, contact.start - 0.5 * fall, place, contact.place)
        self._place.add(contact.start - 0.5 * fall, contact.start, contact.place, contact.place)

    def _rest(self, start, end, level, hover, place, moves, rng, leave=0.25, goal=None) -> None:
        """Rebound to the hover and wait there, with a feint or a retreat where the wait is long."""
        goal = place if goal is None else goal
        if not moves:
            self._height.add(start, end, level, level)
            self._place.add(start, end, place, place)
            return
        chance, share, depth = rng.random(3)
        first = min(start + leave, end)
        self._height.add(start, first, level, hover, "rebound" if level == 0 else "smooth")
        wait = end - first
        if wait > 0.8 and chance < 0.35:
            # A feint: a whole swing that stops in the air, so that not every swing is a sound.
            begin = first + (wait - 0.65) * share
            high, low = hover + 0.08 + 0.16 * depth, hover * (0.45 + 0.3 * depth)
            self._height.add(first, begin, hover, hover)
            self._height.add(begin, begin + 0.22, hover, high)
            self._height.add(begin + 0.22, begin + 0.33, high, low)
            self._height.add(begin + 0.33, begin + 0.6, low, hover)
            self._height.add(begin + 0.6, end, hover, hover)
        else:
            self._height.add(first, end, hover, hover)
        if wait > 1.3 and chance > 0.7:
            # The tool leaves, often out of the frame, and comes back.
            gone = place + self._away * (0.2 + 0.7 * depth)
            out, back = start + 0.4 * (end - start), end - 0.3 * (end - start)
            self._place.add(start, out, place, gone)
            self._place.add(out, back, gone, gone)
            self._place.add(back, end, gone, goal)
        else:
            self._place.add(start, end, place, goal)

    def height(self, t: float) -> float:
        """Distance of the tip from the surface at t: 0 during contacts and nowhere else."""
        bare = self._height.at(t)
        return bare * (1 + 0.07 * math.sin(self._rate[0] * t + self._phase[0]))

    def at(self, t: float) -> np.ndarray:
        """World [3] of the tip at t (s)."""
        height = self.height(t)
        drift = min(1.0, height / 0.06) * 0.02
        sines = np.sin(self._rate[1:3] * t + self._phase[1:3])
        place = self._place.at(t) + self._away * (0.35 * height) + drift * sines
        return np.array([place[0], place[1], height])

    def touching(self, t: float) -> bool:
        """Whether the tip lies on the surface at t."""
        return any(contact.start <= t <= contact.end for contact in self.contacts)
