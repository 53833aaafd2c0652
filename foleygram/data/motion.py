"""How the tip of a tool moves through a MiniHits scene: it touches the surface at the events and never else, but for rests
that bounce or wobble (``Manner``).

Heights and places are in the camera's world unit (a frame width), times in seconds.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from foleygram.data.scenes import Event

_BEFORE, _AFTER = 4.0, 4.0  # s of motion laid before the first frame and after the last one
_SLOWEST, _MOST_PASSES = 0.2, 9  # world units / s of a scratch, and how often it goes to and fro
_HIGHEST = 0.8  # that a tool is raised by a player who raises it more than usual
_LOWER, _SLOWER = (1.0, 1.0, 0.3), (0.8, 3.5)  # than usual, how a tool comes down where hits and scratches begin alike
_LANDINGS, _LANDING_CHANCES = ("fall", "push", "land", "smooth"), (0.4, 0.2, 0.2, 0.2)  # where both begin alike
_RISES, _RISE_CHANCES = ("smooth", "rebound", "fall"), (0.5, 0.25, 0.25)  # and how the tool is raised before
_GLIDE = 0.012  # height of a tool that is drawn away close over the surface
_SWING = 0.45  # s that a foot is in the air at most

_EASES: dict[str, Callable[[float], float]] = {
    "smooth": lambda s: s * s * (3 - 2 * s),
    "rebound": lambda s: 1 - (1 - s) ** 2.2,  # fast off the surface, then slower
    "fall": lambda s: s**2.3,  # accelerates until it lands
    "land": lambda s: 0.5 * s * s * (3 - 2 * s) + 0.5 * s * s,  # put down with care
    "push": lambda s: s**1.3,  # nearly at one speed
}


@dataclass(frozen=True)
class Manner:
    """How a person plays, beyond what the events tell. ``rests``: share of hits after which the tool stays on the surface for
    a while; ``leaves``: share of pauses in which it is drawn far back, often out of the picture; ``wobbles``: share of rests
    in which the resting tool moves a little, without a sound; ``lifts``: share of events after which it is lifted in 0.06 to
    0.15 s; ``raises``: how much higher than usual it is raised at most; ``back``: how far the raised tip is drawn towards the
    body, per unit of height; ``arm``: share of the tip's height by which the whole arm rises, None for that of the actor,
    whose wrist turns; ``alike``: hits and scratches begin alike, from any height and at any speed, so that only what happens
    on the surface tells them apart; ``drags``: share of hits after which the tool is drawn away close over the surface, without
    a sound; ``bounces``: share of rests that begin with a jump off the surface and back, of which only the first touch sounds;
    ``late``: s by which the wrist follows the tip, so that the hand goes on when the tool has stopped. The benchmark's films
    have none of these; those that train the timing predictor do."""

    rests: float = 0.0
    leaves: float = 0.0
    wobbles: float = 0.0
    lifts: float = 0.0
    raises: float = 1.0
    back: float = 0.35
    arm: float | None = None
    alike: bool = False
    drags: float = 0.0
    bounces: float = 0.0
    late: float = 0.0


@dataclass(frozen=True)
class Contact:
    """The tip lies on the surface from ``start`` to ``end`` (s), but for bounces and wobbles, going ``passes`` times between
    ``place`` and ``place_end`` (world [2]); before, it was raised to ``height`` for ``lift`` s and fell in ``fall`` s."""

    start: float
    end: float
    place: np.ndarray
    place_end: np.ndarray
    strength: float
    height: float
    lift: float
    fall: float
    passes: int = 1

    @property
    def last_place(self) -> np.ndarray:
        return self.place_end if self.passes % 2 else self.place

    @property
    def scrapes(self) -> bool:
        """Whether the tip moves along the surface."""
        return bool((self.place != self.place_end).any())

    def share(self, t: float) -> float:
        """How far the tip is from ``place`` to ``place_end`` at t, 0..1; the stroke slows down at both ends."""
        span = max(self.end - self.start, 1e-6)
        phase = min(max((t - self.start) / span, 0.0), 1.0) * self.passes
        number = min(int(phase), self.passes - 1)
        share = _EASES["smooth"](phase - number)
        return share if number % 2 == 0 else 1 - share

    def at(self, t: float) -> np.ndarray:
        """World [2] of the tip on the surface at t."""
        return self.place + (self.place_end - self.place) * self.share(t)


def contacts_of(
    events: Sequence[Event],
    tool: str,
    ground: Callable[[float, float], np.ndarray],
    rng: np.random.Generator,
    manner: Manner = Manner(),
) -> tuple[Contact, ...]:
    """The contacts of the events in order of time. ``ground``: frame fractions to the world [2]."""
    ordered = sorted(events, key=lambda event: event.seconds)
    result = []
    for index, event in enumerate(ordered):
        gap = ordered[index + 1].seconds - event.seconds if index + 1 < len(ordered) else math.inf
        place = place_end = ground(event.x, event.y)
        strength = min(max(event.strength, 0.0), 1.0)
        drawn = rng.random(4)  # always the same number, so that one event does not shift the others' chances
        dwell, passes = 0.0, 1
        height = (0.11 + 0.31 * strength) * (0.85 + 0.3 * drawn[0])
        fall = (0.13 - 0.05 * strength) * (0.9 + 0.2 * drawn[1])
        if event.action == "scratch":
            dwell, place_end = event.duration, ground(event.x_end, event.y_end)
            if not manner.alike:
                height, fall = 0.05 + 0.06 * drawn[0], 0.12 + 0.08 * drawn[1]
            length = float(np.hypot(*(place_end - place)))
            if 0 < length < _SLOWEST * dwell:
                passes = min(math.ceil(_SLOWEST * dwell / length), _MOST_PASSES)  # long on a short way: rubs to and fro
            elif dwell > 0.7 and drawn[3] < 0.5:
                passes = 3 if drawn[3] < 0.3 else 2
        elif tool == "foot":
            # A foot stands until it is lifted for its next step, and for good after the last one.
            dwell = max(gap - _SWING, 0.45 * gap)
            height, fall = 0.5 * height, 1.3 * fall
        elif tool == "hand":
            dwell = 0.04 + 0.08 * drawn[3]
        if manner.raises > 1 and (event.action == "hit" or manner.alike) and tool != "foot":
            height = min(height * rng.uniform(1, manner.raises), _HIGHEST)
        if manner.alike and tool != "foot":
            height, fall = max(height * rng.choice(_LOWER), 0.04), fall * rng.uniform(*_SLOWER)
        if manner.rests and event.action == "hit" and tool != "foot" and rng.random() < manner.rests:
            dwell = min(rng.uniform(0.08, 0.8), 0.7 * gap)
        elif tool != "foot":
            dwell = min(dwell, (0.8 if event.action == "scratch" else 0.25) * max(gap, 0.0))
        end = event.seconds + dwell
        result.append(Contact(event.seconds, end, place, place_end, strength, height, 0.10 + 0.13 * drawn[2], fall, passes))
    return tuple(result)


class _Track:
    """A value over time, made of eased pieces laid end to end."""

    def __init__(self):
        self._starts: list[float] = []
        self._pieces: list[tuple] = []

    def add(self, start: float, end: float, first, last, ease: str = "smooth") -> None:
        """A piece of no length is left out."""
        if end > start:
            self._starts.append(start)
            self._pieces.append((start, end, first, last, _EASES[ease]))

    def at(self, t: float):
        index = max(bisect.bisect_right(self._starts, t) - 1, 0)
        start, end, first, last, ease = self._pieces[index]
        return first + (last - first) * ease(min(max((t - start) / (end - start), 0.0), 1.0))


class TipPath:
    """The path of the tip through all contacts. ``away``: world [2] unit vector from the tip towards the body; raised,
    the tip draws back along it, and in long pauses the tool sometimes leaves along it. A foot (``stands``) waits on the
    surface, any other tool above it."""

    def __init__(
        self,
        contacts: Sequence[Contact],
        seconds: float,
        away: np.ndarray,
        stands: bool,
        rng: np.random.Generator,
        manner: Manner = Manner(),
    ):
        self.contacts = tuple(contacts)
        self._manner = manner
        self._away, self._rng = np.asarray(away, dtype=np.float64), rng
        self._phase = rng.uniform(0, 2 * math.pi, 3)
        self._rate = 2 * math.pi * rng.uniform(0.25, 0.9, 3)
        self._hover = rng.uniform(0.05, 0.17)
        self._height, self._place = _Track(), _Track()
        place = (contacts[0].place if contacts else np.array([0.0, -0.05])) + rng.normal(0, 0.04, 2)
        time, last = -_BEFORE, seconds + _AFTER
        low = 0.0 if stands else None  # height at which the tool is; None where it hovers
        for contact in self.contacts:
            if stands:
                self._step(time, place, contact)
            else:
                self._swing(time, place, contact, low)
            end = min(contact.end, last)
            self._rest(contact, end)
            time, place, low = end, contact.last_place, 0.0
            if not stands and self._manner.drags and not contact.scrapes and rng.random() < self._manner.drags:
                time, place = self._drag(time, place, last)
                low = _GLIDE
        if stands:
            self._height.add(time, last, 0.0, 0.0)
        else:
            self._wait(time, last, place, place, low)
        self._place.add(time, last, place, place)

    def _drag(self, start: float, place: np.ndarray, last: float) -> tuple[float, np.ndarray]:
        """Drawn away from ``place``, just over the surface, in at most half of the time until the next contact; when and where
        that ends."""
        following = min((contact.start for contact in self.contacts if contact.start > start), default=last)
        end = start + min(self._rng.uniform(0.1, 0.6), 0.5 * (following - start))
        angle, length = self._rng.normal(0, 1.0), self._rng.uniform(0.03, 0.35)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        gone = place + length * (turn @ self._away)
        self._height.add(start, end, 0.0, _GLIDE)
        self._place.add(start, end, place, gone)
        return end, gone

    def _rest(self, contact: Contact, end: float) -> None:
        """Lies on the surface from the contact to ``end``. A tool that bounces leaves it at once, one that wobbles later on."""
        time = contact.start
        rests = not contact.scrapes and end - contact.start >= 0.15
        if self._manner.bounces and rests and self._rng.random() < self._manner.bounces:
            top = time + self._rng.uniform(0.03, 0.1)
            back, high = top + self._rng.uniform(0.05, 0.14), self._rng.uniform(0.01, 0.09)
            if back < end:
                self._height.add(time, top, 0.0, high, "rebound")
                self._height.add(top, back, high, 0.0, "fall")
                time = back
        if self._manner.wobbles and rests and self._rng.random() < self._manner.wobbles:
            begin = time + self._rng.uniform(0.02, 0.15)
            for _ in range(int(self._rng.integers(1, 3))):
                top, back = begin + self._rng.uniform(0.05, 0.15), begin + self._rng.uniform(0.2, 0.35)
                if back > end:
                    break
                high = self._rng.uniform(0.01, 0.06)
                self._height.add(time, begin, 0.0, 0.0)
                self._height.add(begin, top, 0.0, high)
                self._height.add(top, back, high, 0.0)
                time = begin = back
        self._height.add(time, end, 0.0, 0.0)

    def _step(self, time: float, place: np.ndarray, contact: Contact) -> None:
        """Stands, then lifts, carries and puts down the foot."""
        begin = max(time, contact.start - _SWING)
        fall = min(contact.fall, 0.45 * (contact.start - begin))
        high = max(contact.height * min(1.0, (contact.start - begin) / 0.3), 0.004)
        self._height.add(time, begin, 0.0, 0.0)
        self._height.add(begin, contact.start - fall, 0.0, high)
        self._height.add(contact.start - fall, contact.start, high, 0.0, "fall")
        self._place.add(time, begin, place, place)
        self._place.add(begin, contact.start - 0.3 * fall, place, contact.place)
        self._hold(contact.start - 0.3 * fall, contact)

    def _hold(self, time: float, contact: Contact) -> None:
        """Stays over the place of the contact until it begins."""
        self._place.add(time, contact.start, contact.place, contact.place)

    def _swing(self, time: float, place: np.ndarray, contact: Contact, low: float | None) -> None:
        """From the height ``low``, or from the hover, rebounds to the hover and waits, then is raised and falls."""
        gap = contact.start - time
        leave = self._rng.uniform(0.15, 0.28)
        if self._manner.lifts and self._rng.random() < self._manner.lifts:
            leave = self._rng.uniform(0.06, 0.15)
        landing = "land" if contact.end - contact.start > 0.15 else "fall"
        if self._manner.alike:
            landing = str(self._rng.choice(_LANDINGS, p=_LANDING_CHANCES))
        raised = contact.start - contact.fall - contact.lift
        if raised - time < leave + 0.1:
            # Too short to come to rest: one arch, lower where the time is shorter.
            fall = min(contact.fall, 0.45 * gap)
            peak = max(contact.height * min(1.0, max(gap, 0.0) / 0.45) ** 0.8, 0.004)
            self._height.add(time, contact.start - fall, self._hover if low is None else low, peak, "rebound")
            self._height.add(contact.start - fall, contact.start, peak, 0.0, landing)
            self._place.add(time, contact.start - fall, place, contact.place)
            self._hold(contact.start - fall, contact)
            return
        self._wait(time, raised, place, contact.place, low, leave)
        top = contact.start - contact.fall
        rise, stop = "smooth", top
        if self._manner.alike:  # it may stop in the air, and wait there, as abruptly as on the surface
            rise = str(self._rng.choice(_RISES, p=_RISE_CHANCES))
            if self._rng.random() < 0.4:
                stop -= self._rng.uniform(0.2, 0.7) * contact.lift
        self._height.add(raised, stop, self._hover, contact.height, rise)
        self._height.add(stop, top, contact.height, contact.height)
        self._height.add(top, contact.start, contact.height, 0.0, landing)
        self._hold(raised, contact)

    def _wait(self, start: float, end: float, place, goal, low: float | None, leave: float = 0.25) -> None:
        """From the height ``low`` where that is one, hovers from ``start`` to ``end``, moving on to ``goal``, with a feint or a
        retreat where there is time."""
        hover, rng = self._hover, self._rng
        chance, share, depth = rng.random(3)
        first = start
        if low is not None:
            first = min(start + leave, end)
            self._height.add(start, first, low, hover, "rebound")
        pause = end - first
        if pause > 0.8 and chance < 0.35:
            # A feint: a whole swing that stops in the air, so that not every swing is a sound.
            begin = first + (pause - 0.65) * share
            levels = (hover, hover, hover + 0.08 + 0.16 * depth, hover * (0.45 + 0.3 * depth), hover, hover)
            times = (first, begin, begin + 0.22, begin + 0.33, begin + 0.6, end)
        else:
            times, levels = (first, end), (hover, hover)
        for k in range(len(times) - 1):
            self._height.add(times[k], times[k + 1], levels[k], levels[k + 1])
        far = self._manner.leaves and pause > 0.4 and rng.random() < self._manner.leaves
        if far or (pause > 1.3 and chance > 0.7):
            gone = place + self._away * (0.2 + 0.7 * depth)
            out, back = start + 0.4 * (end - start), end - 0.3 * (end - start)
            self._place.add(start, out, place, gone)
            self._place.add(out, back, gone, gone)
            self._place.add(back, end, gone, goal)
        else:
            self._place.add(start, end, place, goal)

    def height(self, t: float) -> float:
        """Distance of the tip from the surface at t: 0 in contact, while it rests and while a foot stands, and nowhere else."""
        return self._height.at(t) * (1 + 0.07 * math.sin(self._rate[0] * t + self._phase[0]))

    def at(self, t: float) -> np.ndarray:
        """World [3] of the tip at t (s)."""
        height = self.height(t)
        if height == 0.0:
            for contact in self.contacts:
                if contact.start <= t <= contact.end:
                    return np.array([*contact.at(t), 0.0])
        drift = min(1.0, height / 0.06) * 0.02
        wander = drift * np.sin(self._rate[1:] * t + self._phase[1:])
        place = self._place.at(t) + self._away * (self._manner.back * height) + wander
        return np.array([place[0], place[1], height])
