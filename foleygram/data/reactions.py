"""How a surface answers a contact: grains and drops that fly, dents and rings that pass, marks that stay, a jolt.

Everything is a closed function of the time since the contact, so any frame can be drawn alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from foleygram.data.camera import Camera
from foleygram.data.motion import Contact
from foleygram.data.opencv import cv2
from foleygram.data.surfaces import canonical

_GRAVITY = 4.5  # world units / s^2: about 9.8 m/s^2 where a frame is two metres wide
_RING_SPEED = 0.42  # world units / s
_STREAK = 0.012  # s of flight that a grain's streak shows
_SLANT = 0.6  # height over width of a circle on the surface as it is usually seen


@dataclass(frozen=True)
class Answer:
    """``grains``: particles at full strength, of ``size`` units; ``speed``: units/s; ``dent``: depth of the passing
    dent in units; ``rings``: whether it runs outwards; ``recover``: s; ``mark``: darkness of what stays; ``jolt``: pixels
    of a 256-wide frame by which the picture jumps; ``dust``: opacity of a cloud; ``pale``: light round grains and drops."""

    grains: int = 0
    size: float = 0.005
    speed: float = 0.5
    dent: float = 0.0
    rings: bool = False
    recover: float = 0.15
    mark: float = 0.0
    jolt: float = 0.5
    dust: float = 0.0
    pale: bool = False


_SOFT = Answer(dent=0.035, recover=0.22, jolt=0.2)
_HARD = Answer(jolt=1.1)
_ANSWERS = {
    "leaf": Answer(grains=14, size=0.012, speed=0.55, dent=0.035, recover=0.3, jolt=0.2),
    "gravel": Answer(grains=14, size=0.009, speed=0.75, dent=0.008, jolt=0.5, dust=0.12),
    "rock": Answer(grains=3, size=0.005, speed=0.6, jolt=0.8, dust=0.1),
    "sand": Answer(grains=26, size=0.004, speed=0.7, mark=0.25, jolt=0.2, dust=0.3),
    "dirt": Answer(grains=14, size=0.006, speed=0.6, mark=0.22, jolt=0.3, dust=0.25),
    "snow": Answer(grains=18, size=0.007, speed=0.6, mark=0.2, jolt=0.2, dust=0.35, pale=True),
    "grass": Answer(grains=4, size=0.008, speed=0.45, dent=0.03, recover=0.3, jolt=0.2),
    "water": Answer(grains=20, size=0.006, speed=0.95, dent=0.016, rings=True, recover=0.55, jolt=0.1, pale=True),
    "ice": Answer(grains=8, size=0.005, speed=0.7, jolt=0.8, pale=True),
    "paper": Answer(dent=0.035, recover=0.16, jolt=0.3),
    "cardboard": Answer(dent=0.014, recover=0.1, jolt=0.6),
    "cloth": _SOFT,
    "soft": _SOFT,
    "carpet": Answer(dent=0.015, recover=0.2, jolt=0.2, dust=0.08),
    "leather": Answer(dent=0.025, recover=0.25, jolt=0.2),
    "flesh": Answer(dent=0.03, recover=0.18, jolt=0.2),
    "rubber": Answer(dent=0.015, recover=0.12, jolt=0.3),
    "plastic-bag": Answer(dent=0.045, recover=0.3, jolt=0.2),
    "plastic": Answer(dent=0.008, recover=0.08, jolt=0.9),
    "drumskin": Answer(dent=0.012, rings=True, recover=0.14, jolt=0.5),
    "drywall": Answer(grains=2, size=0.004, speed=0.3, jolt=0.6, dust=0.1, pale=True),
    "brick": Answer(grains=3, size=0.004, speed=0.5, jolt=0.7, dust=0.12),
    "concrete": Answer(grains=2, size=0.004, speed=0.5, jolt=0.7, dust=0.08),
    "fruit": Answer(dent=0.01, recover=0.1, jolt=0.5),
    "ceramic-chip": Answer(grains=8, size=0.008, speed=0.5, jolt=0.7),
}


class Reactions:
    """The answers of one surface to all contacts. ``colours``: RGB [n, 3] taken from the surface itself."""

    def __init__(
        self,
        material: str,
        contacts: tuple[Contact, ...],
        camera: Camera,
        colours: np.ndarray,
        broad: float,
        rng: np.random.Generator,
    ):
        self._answer = _ANSWERS.get(canonical(material), _HARD)
        self._contacts, self._camera, self._broad = contacts, camera, broad
        self._grains = [self._burst(contact, colours, rng) for contact in contacts]
        self._turns = rng.uniform(0, 2 * math.pi, len(contacts) + 1)

    def _burst(self, contact: Contact, colours: np.ndarray, rng: np.random.Generator):
        """Particles of one contact: birth [n], place [n, 2], velocity [n, 3], size [n], colour [n, 3], life [n]."""
        power = contact.strength
        count = round(self._answer.grains * (0.3 + 0.9 * power))
        if contact.scrapes:
            count = round(count * min(1 + 2 * (contact.end - contact.start), 4))
        birth = contact.start + rng.random(count) * (min(contact.end - contact.start, 3.0) if contact.scrapes else 0.0)
        place = np.array([contact.at(t) for t in birth]).reshape(count, 2)
        place = place + rng.normal(0, 0.4 * self._broad + 0.01, (count, 2))
        angle, out = rng.uniform(0, 2 * math.pi, count), rng.uniform(0.1, 0.7, count)
        speed = self._answer.speed * (0.4 + 0.8 * power) * rng.uniform(0.3, 1.2, count)
        velocity = np.stack([np.cos(angle) * out * speed, np.sin(angle) * out * speed, speed], axis=1)
        size = self._answer.size * rng.uniform(0.5, 1.5, count)
        colour = colours[rng.integers(len(colours), size=count)] * rng.uniform(0.7, 1.35, (count, 1))
        if self._answer.pale:
            colour = 0.35 * colour + 0.65 * 244
        return birth, place, velocity, size, np.clip(colour, 0, 255), 2 * velocity[:, 2] / _GRAVITY, rng.uniform(0, 6, count)

    def jolt(self, t: float) -> tuple[float, float]:
        """Pixels by which the picture jumps at t."""
        x = y = 0.0
        scale = self._answer.jolt * self._camera.width / 256
        for contact in self._contacts:
            age = t - contact.start
            if 0 <= age < 0.4 and contact.height > 0.12:
                swing = scale * contact.strength * math.exp(-age / 0.07) * math.cos(age * 75)
                x, y = x + 0.3 * swing, y + swing
        return x, y

    def deform(self, frame: np.ndarray, t: float, sway: np.ndarray) -> None:
        """Bends ``frame`` in place by the dents and rings of contacts that are under way or just over."""
        answer = self._answer
        if answer.dent == 0.0:
            return
        for contact in self._contacts:
            age = t - contact.start
            # A foot or a palm that stays presses, then the surface comes back round it.
            held = contact.end - contact.start if contact.scrapes else min(contact.end - contact.start, 0.12)
            if age < 0 or age > held + 3.5 * answer.recover:
                continue
            power = (0.35 + 0.65 * contact.strength) * math.exp(-max(age - held, 0.0) / answer.recover)
            self._bend(frame, contact.at(t), age, power, sway)

    def _bend(self, frame: np.ndarray, place: np.ndarray, age: float, power: float, sway: np.ndarray) -> None:
        answer = self._answer
        pixels, scale = self._camera.project([place[0], place[1], 0.0])
        x, y = sway[:2, :2] @ pixels + sway[:2, 2]
        high, wide = frame.shape[:2]
        front = _RING_SPEED * min(age, 1.2) if answer.rings else 0.0  # units from the middle
        radius = np.float32((0.07 + 0.8 * self._broad + 1.3 * front) * scale + 2)
        left, right = int(max(x - radius, 0)), int(min(x + radius + 1, wide))
        top, bottom = int(max(y - radius * _SLANT, 0)), int(min(y + radius * _SLANT + 1, high))
        if right - left < 8 or bottom - top < 8:
            return
        # Computed on every second pixel and enlarged: the bends are smooth, and this is the slowest part of a frame.
        size = (right - left, bottom - top)
        rows, columns = (size[1] + 1) // 2, (size[0] + 1) // 2
        gx = np.linspace(left - x, right - 1 - x, columns, dtype=np.float32)[None]
        gy = np.linspace((top - y) / _SLANT, (bottom - 1 - y) / _SLANT, rows, dtype=np.float32)[:, None]
        distance = np.sqrt(gx * gx + gy * gy) + np.float32(1e-3)
        depth = np.float32(answer.dent * scale * power)
        if answer.rings:
            far = distance * np.float32(1 / scale)
            crest = np.exp(-(((far - np.float32(front)) / np.float32(0.07)) ** 2))
            wave = crest * np.sin((far - np.float32(front)) * np.float32(2 * math.pi / 0.05))
            push, tone = depth * wave, 1 + np.float32(14 * answer.dent * power) * wave
        else:
            window = np.clip(1 - distance / radius, 0, 1)
            push = depth * window * window * np.minimum(distance / 3, 1)
            tone = 1 - np.float32(5 * answer.dent * power) * window * (gy / radius + np.float32(0.4))
        push /= distance
        map_x, map_y = (gx + np.float32(x - left)) + push * gx, np.float32(_SLANT) * (gy + push * gy) + np.float32(y - top)
        map_x, map_y, tone = (cv2.resize(field, size, interpolation=cv2.INTER_LINEAR) for field in (map_x, map_y, tone))
        region = frame[top:bottom, left:right]
        bent = cv2.remap(region, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        if answer.rings:  # crests catch the light even where the surface is dark
            bent = cv2.add(bent, cv2.merge([np.maximum(45 * (tone - 1), 0)] * 3), dtype=cv2.CV_8U)
        region[:] = cv2.multiply(bent, cv2.merge([tone] * 3), dtype=cv2.CV_8U)

    def draw(self, frame: np.ndarray, t: float, sway: np.ndarray, gain: np.ndarray) -> None:
        """Flying particles and dust over ``frame``."""
        if self._answer.dust:
            self._dust(frame, t, sway, gain)
        points, sizes, colours, turns = [], [], [], []
        for birth, place, velocity, size, colour, life, turn in self._grains:
            age = t - birth
            alive = (age >= 0) & (age < life)
            if not alive.any():
                continue
            age = age[alive][:, None]
            path = np.concatenate([place[alive], np.zeros((len(age), 1))], axis=1) + velocity[alive] * age
            path[:, 2] -= 0.5 * _GRAVITY * age[:, 0] ** 2
            speed = velocity[alive] - np.array([0, 0, _GRAVITY]) * age
            points.append(np.stack([path, path - _STREAK * speed], axis=1))
            sizes.append(size[alive])
            colours.append(np.clip(colour[alive] * gain, 0, 255))
            turns.append(turn[alive] + 9 * age[:, 0])
        if not points:
            return
        pixels, scale = self._camera.project(np.concatenate(points))
        pixels = np.round((pixels @ sway[:2, :2].T + sway[:2, 2]) * 16).astype(int)
        radii = np.concatenate(sizes) * scale[:, 0]
        rows = zip(
            pixels.tolist(), radii.tolist(), np.concatenate(colours).tolist(), np.concatenate(turns).tolist(), strict=True
        )
        for (middle, behind), radius, colour, turn in rows:
            if self._answer.pale or radius < 1.0:
                # Drops and fine grains are streaks in the direction of their flight.
                cv2.line(frame, middle, behind, colour, max(int(1.3 * radius), 1), cv2.LINE_AA, 4)
            else:
                flat = 0.35 + 0.6 * abs(math.sin(turn))
                axes = (int(radius * 16), max(int(radius * flat * 16), 6))
                cv2.ellipse(frame, middle, axes, math.degrees(turn) % 360, 0, 360, colour, -1, cv2.LINE_AA, 4)

    def _dust(self, frame: np.ndarray, t: float, sway: np.ndarray, gain: np.ndarray) -> None:
        for contact, burst in zip(self._contacts, self._grains, strict=True):
            age = t - contact.start
            if not 0 <= age < 0.7 or not len(burst[0]):
                continue
            opacity = self._answer.dust * contact.strength * math.exp(-age / 0.25)
            place = contact.at(t)
            pixels, scale = self._camera.project([place[0], place[1], 0.015 + 0.06 * age])
            x, y = sway[:2, :2] @ pixels + sway[:2, 2]
            radius = (0.02 + self._broad + 0.10 * (1 - math.exp(-age / 0.12))) * scale
            left, right = int(max(x - radius, 0)), int(min(x + radius, frame.shape[1]))
            top, bottom = int(max(y - 0.6 * radius, 0)), int(min(y + 0.6 * radius, frame.shape[0]))
            if right - left < 3 or bottom - top < 3:
                continue
            gx = (np.arange(left, right, dtype=np.float32)[None] - x) / radius
            gy = (np.arange(top, bottom, dtype=np.float32)[:, None] - y) / (0.6 * radius)
            cloud = (opacity * np.clip(1 - gx**2 - gy**2, 0, 1))[..., None]
            colour = np.clip((burst[4].mean(axis=0) * 0.6 + 0.4 * 225) * gain, 0, 255)
            region = frame[top:bottom, left:right]
            region[:] = np.clip(region * (1 - cloud) + colour * cloud, 0, 255)

    def marks(self, t: float) -> int:
        """How many contacts have left a mark by t (finished ones)."""
        return sum(contact.end <= t for contact in self._contacts) if self._answer.mark else 0

    def mark(self, image: np.ndarray, number: int, offset: tuple[int, int]) -> None:
        """Presses the mark of contact ``number`` into the still picture in place."""
        contact = self._contacts[number]
        ends = np.array([[*contact.place, 0.0], [*contact.place_end, 0.0]])
        pixels, scale = self._camera.project(ends)
        pixels += offset
        mask = np.zeros(image.shape[:2], np.float32)
        radius = max((0.012 + 0.9 * self._broad) * scale[0] * (0.6 + 0.6 * contact.strength), 1.5)
        first, last = (tuple(int(v) for v in np.clip(p, -4000, 4000)) for p in pixels)
        cv2.line(mask, first, last, 1.0, max(int(2 * radius), 1), cv2.LINE_AA)
        mask = cv2.GaussianBlur(mask, (0, 0), 0.5 + 0.35 * radius)
        # Pressed in: darker towards the light, a bright rim behind.
        edge = np.clip(mask - np.roll(mask, int(max(radius * 0.6, 1)), axis=0), -1, 1)
        tone = 1 - self._answer.mark * mask + 0.6 * self._answer.mark * np.clip(-edge, 0, 1)
        image[:] = np.clip(image * tone[..., None], 0, 255)
