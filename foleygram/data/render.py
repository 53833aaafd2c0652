"""A MiniHits scene becomes a picture: hand-held camera, surface, acting tool, its shadow and the surface's answer.

Any frame is a closed function of the scene and its time; frames are drawn alone or in a row with the same bytes.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from foleygram.data.actor import Actor, composite
from foleygram.data.camera import Camera, Sway
from foleygram.data.motion import Manner, TipPath, contacts_of
from foleygram.data.opencv import cv2
from foleygram.data.reactions import Reactions
from foleygram.data.scenes import Event, Scene
from foleygram.data.stage import Stage
from foleygram.data.surfaces import canonical
from foleygram.errors import DataError

_STREAMS = ("camera", "sway", "motion", "path", "stage", "actor", "reactions", "noise", "light", "shutter", "mirror")
_SHINE = {"glass": 0.35, "water": 0.25, "ice": 0.25, "tile": 0.22, "metal": 0.25, "ceramic": 0.22, "plastic": 0.12}
_MOST_MOMENTS = 12  # sub-frames of one exposure
_STRIDE = 0.1  # fractions of the frame that two feet are apart
_STEP = 2.2  # pixels that the tool may move between two sub-frames


class Picture:
    """Everything of a scene that does not depend on the time, and ``frame(t)``. ``exposure``: s of light in each frame, with
    its middle at the frame's time; by default short and drawn from the scene, as in the benchmark's films; ``shade``: how dark
    shadows are, of what is usual; ``answers``: whether the surface shows that it was touched. Raises DataError for a scene that
    cannot be drawn."""

    def __init__(
        self, scene: Scene, textures: Path | None, manner: Manner | None = None, exposure: float | None = None,
        shade: float = 1.0, answers: bool = True,
    ):  # fmt: skip
        manner = manner or Manner()
        if scene.width < 32 or scene.height < 32:
            raise DataError(f"scene {scene.id} is {scene.width} x {scene.height}; a picture is at least 32 x 32 pixels")
        if not (scene.fps > 0 and scene.seconds > 0):
            raise DataError(f"scene {scene.id} needs a positive length and frame rate")
        if scene.tool not in ("stick", "hand", "foot"):
            raise DataError(f"scene {scene.id} names the tool '{scene.tool}'; known are stick, hand and foot")
        self._scene = scene
        rng = self._stream("camera")
        self._camera = Camera(scene.width, scene.height, rng.uniform(0.6, 1.25), rng.uniform(1.25, 1.9))
        away = self._away(scene, rng)
        lamp = np.array([rng.normal(0, 0.5), rng.normal(0.2, 0.5), 1.0])
        self._lamp = lamp / np.linalg.norm(lamp)
        self._dark = rng.uniform(0.3, 0.62) * shade
        self._stage = Stage(scene, self._camera, textures, self._stream("stage"))
        self._sway = Sway(scene.shake, scene.width, scene.height, self._stream("sway"))
        self._limbs = []
        for number, events in enumerate(_limbs(scene)):
            contacts = contacts_of(events, scene.tool, self._camera.ground, self._stream("motion", number), manner)
            path = TipPath(contacts, scene.seconds, away, scene.tool == "foot", self._stream("path", number), manner)
            actor = Actor(
                scene.tool, self._camera, away, self._lamp, self._stage.grade, self._stream("actor"), number == 0, manner.arm,
                manner.late,
            )  # fmt: skip
            self._limbs.append((actor, path))
        # The farther foot first, so that the nearer one hides it.
        self._limbs.sort(key=lambda limb: -limb[1].at(scene.seconds)[1])
        contacts = tuple(sorted((c for _, path in self._limbs for c in path.contacts), key=lambda c: c.start))
        broad = {"stick": 0.0, "hand": 0.05, "foot": 0.10}[scene.tool]
        colours = self._palette(contacts)
        shown = contacts if answers else ()
        self._reactions = Reactions(scene.material, shown, self._camera, colours, broad, self._stream("reactions"))
        self._mirror = self._shine(scene, self._stream("mirror"))
        self._stills = {0: self._stage.image}
        shutter = self._stream("shutter")
        self._exposure = min(shutter.uniform(0.25, 0.5) / scene.fps, 1 / 40)
        self._most, self._looks = _MOST_MOMENTS, (-0.5, 0.5)
        self._shades = (0.0,)
        if exposure is not None:
            # in a long one the tool may strike and rebound, and its shadow is blurred too
            self._exposure, self._most, self._looks = exposure, 2 * _MOST_MOMENTS, (-0.5, -0.25, 0.0, 0.25, 0.5)
            self._shades = tuple(exposure * share for share in (-0.375, -0.125, 0.125, 0.375))
        self._soft = shutter.random() < 0.35
        light = self._stream("light")
        self._light = (light.uniform(0.05, 0.5, 3), light.uniform(0, 2 * math.pi, 3))
        self._noise = self._grain(self._stream("noise"))

    @property
    def paths(self) -> list[TipPath]:
        """The path of each tip: one, or two for a pair of feet."""
        return [path for _, path in self._limbs]

    def _stream(self, name: str, number: int = 0) -> np.random.Generator:
        """A generator of its own for each part, so that a change in one leaves the others alone."""
        return np.random.default_rng([self._scene.seed, _STREAMS.index(name), number])

    def _shine(self, scene: Scene, rng: np.random.Generator) -> float:
        """Opacity of the tool's reflection: only in smooth surfaces that fill the frame."""
        share = _SHINE.get(canonical(scene.material), 0.0) * rng.uniform(0.3, 1.0)
        return share if self._stage.fills and rng.random() < 0.7 else 0.0

    @staticmethod
    def _away(scene: Scene, rng: np.random.Generator) -> np.ndarray:
        """Towards the body: from below, the left or the right, seldom from above."""
        if scene.tool == "foot":
            angle = -math.pi / 2 + rng.normal(0, 0.2)
        else:
            side = 1.0 if rng.random() < 0.6 else -1.0
            angle = -math.pi / 2 + side * rng.uniform(0.5, 1.75)
        return np.array([math.cos(angle), math.sin(angle)])

    def _palette(self, contacts) -> np.ndarray:
        """Colours of the surface where it is struck, [n, 3], before the picture's grade."""
        image, (left, top) = self._stage.image, self._stage.offset
        places = [contact.place for contact in contacts] or [np.zeros(2)]
        pixels, _ = self._camera.project([[*place, 0.0] for place in places])
        rows = []
        for x, y in pixels:
            column, row = int(np.clip(x + left, 8, image.shape[1] - 9)), int(np.clip(y + top, 8, image.shape[0] - 9))
            rows.append(image[row - 8 : row + 8 : 3, column - 8 : column + 8 : 3].reshape(-1, 3))
        return np.concatenate(rows).astype(np.float64) / self._stage.grade

    def _grain(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Sensor noise to add and to subtract, larger than the frame."""
        shape = (self._scene.height + 37, self._scene.width + 53)
        noise = rng.standard_normal((*shape, 1), dtype=np.float32) * 0.8
        noise = noise + rng.standard_normal((*shape, 3), dtype=np.float32) * 0.6
        noise *= rng.uniform(0.8, 4.0)
        rounded = np.round(noise)
        return np.clip(rounded, 0, 40).astype(np.uint8), np.clip(-rounded, 0, 40).astype(np.uint8)

    def _still(self, t: float) -> np.ndarray:
        """The stage with the marks that earlier contacts have left."""
        count = self._reactions.marks(t)
        if count not in self._stills:
            nearest = max(number for number in self._stills if number < count)
            image = self._stills[nearest].copy()
            for number in range(nearest, count):
                self._reactions.mark(image, number, self._stage.offset)
            self._stills[count] = image
        return self._stills[count]

    def _moments(self, actor: Actor, path: TipPath, t: float, sway: np.ndarray) -> list:
        """The solids at the sub-frames of one exposure, as many as the movement needs."""
        half = self._exposure / 2
        seen = [actor.placed(path, t + look * self._exposure, sway) for look in self._looks]
        moved = sum(
            max(float(np.abs(a[k] - b[k]).max()) for a, b in zip(first, last, strict=True) for k in (1, 2))
            for first, last in pairwise(seen)
        )
        count = int(min(max(math.ceil(moved / (_STEP * self._camera.width / 256)), 1), self._most))
        if count == 1:
            return [actor.placed(path, t, sway)]
        shifts = (np.arange(count) + 0.5) / count * self._exposure - half
        return [actor.placed(path, t + shift, sway) for shift in shifts]

    def _shaded(self, frame: np.ndarray, t: float, sway: np.ndarray) -> np.ndarray:
        """The frame under the shadows: sharp and dark where the tool is near, soft and faint where it is high."""
        wide, high = self._scene.width, self._scene.height
        darkness = None
        for actor, path in self._limbs:
            covers = [np.zeros(((high + 1) // 2, (wide + 1) // 2), np.uint8) for _ in self._shades]
            for cover, shift in zip(covers, self._shades, strict=True):
                actor.shade(cover, path, t + shift, sway)
            cover = covers[0] if len(covers) == 1 else np.mean(covers, axis=0).astype(np.uint8)
            above = path.height(t)
            cover = cv2.GaussianBlur(cover, (0, 0), 0.5 + (1.0 + 22.0 * above) * wide / 512)
            cover = cv2.convertScaleAbs(cover, alpha=self._dark * (0.55 + 0.45 * math.exp(-above / 0.15)))
            darkness = cover if darkness is None else cv2.max(darkness, cover)
        light = cv2.resize(255 - darkness, (wide, high), interpolation=cv2.INTER_LINEAR)
        return cv2.multiply(frame, cv2.merge([light] * 3), scale=1 / 255)

    def frame(self, seconds: float) -> np.ndarray:
        """uint8 RGB [height, width, 3] at the time."""
        # On the microsecond grid, so that k / fps computed in another way gives the same bytes.
        ticks = round(seconds * 1e6)
        t = ticks / 1e6
        scene, grade = self._scene, self._stage.grade
        sway = self._sway.at(t, self._reactions.jolt(t))
        left, top = self._stage.offset
        to_frame = sway @ np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]])
        frame = cv2.warpAffine(self._still(t), to_frame[:2], (scene.width, scene.height), borderMode=cv2.BORDER_REFLECT_101)
        if self._mirror:
            for actor, path in self._limbs:
                composite(frame, [actor.placed(path, t + shift, sway, mirrored=True) for shift in self._shades], self._mirror)
        self._reactions.deform(frame, t, sway)
        frame = self._shaded(frame, t, sway)
        for actor, path in self._limbs:
            composite(frame, self._moments(actor, path, t, sway))
        self._reactions.draw(frame, t, sway, grade)
        if self._soft:
            frame = cv2.GaussianBlur(frame, (3, 3), 0.6)
        rate, phase = self._light
        wave = float(np.sin(2 * math.pi * rate * t + phase).sum()) / 3
        frame = cv2.convertScaleAbs(frame, alpha=1 + 0.35 * scene.light * wave)
        key = zlib.crc32(ticks.to_bytes(8, "little", signed=True), scene.seed & 0xFFFFFFFF)
        row, column = key % 37, (key >> 8) % 53
        area = (slice(row, row + scene.height), slice(column, column + scene.width))
        return cv2.subtract(cv2.add(frame, self._noise[0][area]), self._noise[1][area])


def _limbs(scene: Scene) -> list[list[Event]]:
    """The events of each limb: those of a walk belong to two feet, all others to one tool."""
    events = list(scene.events)
    if scene.tool != "foot" or len(events) < 2:
        return [events]
    middle = float(np.mean([event.x for event in events]))
    sides = [[event for event in events if (event.x > middle) == right] for right in (True, False)]
    if not all(sides):
        return [events]
    apart = min(event.x for event in sides[0]) - max(event.x for event in sides[1])
    return sides if apart > _STRIDE else [events]


def render_frames(scene: Scene, textures: Path | None) -> Iterator[np.ndarray]:
    """The frames of a scene in order, uint8 RGB [height, width, 3]; frame k is shown at k / fps.

    ``textures``: folder of the photographs, None for procedural scenes. Raises DataError for an unusable scene."""
    picture = Picture(scene, textures)
    for number in range(frame_count(scene)):
        yield picture.frame(number / scene.fps)


def render_at(scene: Scene, times: Sequence[float] | np.ndarray, textures: Path | None) -> np.ndarray:
    """Only the frames at ``times`` (s), uint8 [frame, 3, height, width]; the same bytes as the streamed frames."""
    picture = Picture(scene, textures)
    if len(times) == 0:
        return np.zeros((0, 3, scene.height, scene.width), np.uint8)
    return np.stack([picture.frame(float(t)).transpose(2, 0, 1) for t in times])


def frame_count(scene: Scene) -> int:
    """Frames that begin before the scene ends."""
    return max(math.ceil(scene.seconds * scene.fps - 1e-6), 1)
