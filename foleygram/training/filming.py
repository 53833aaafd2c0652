"""How a training clip is filmed: the same scene by another camera, worse in the ways real films are.

Rates from 12 to 60 frames/s and uneven ones, other lenses and shapes of the picture, a hand that shakes, lamps that
flicker, a player who lets the stick rest or draws it far back, exposures as long as the frame and stamped at their start,
blur, noise, and the blocks of strong compression, so that the timing predictor does not lean on a clean render.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from foleygram.data.motion import Manner
from foleygram.data.opencv import cv2
from foleygram.data.render import Picture, render_frames
from foleygram.data.scenes import Scene

SHAPES = ((256, 192), (192, 144), (160, 120), (192, 108), (144, 144))
SHAPE_CHANCES = (0.2, 0.35, 0.2, 0.2, 0.05)
RATES = (12.0, 15.0, 20.0, 24.0, 25.0, 30.0, 50.0, 60.0)  # frames/s of the camera
RATE_CHANCES = (0.05, 0.25, 0.05, 0.14, 0.14, 0.3, 0.03, 0.04)

LONG_EXPOSURES = 0.75
"""Share of the other films at up to 30 frames/s whose frames gather light for 30 to 100 % of their time."""

STAMPS, STAMP_CHANCES = (0.0, 0.5, 1.0), (0.85, 0.1, 0.05)
"""Where in a long exposure the time lies that the file gives the frame: mostly at its start."""

RESTS, LEAVES = (0.2, 0.6, 0.9, 0.9), (0.0, 0.0, 0.6)
WOBBLES, LIFTS, RAISES = (0.0, 0.6), (0.0, 0.7), (1.0, 2.0, 3.5)
BACKS, ARMS, DRAGS = (0.35, 0.1, 0.7, 1.1), (None, None, 0.7, 1.0), (0.0, 0.0, 0.5, 0.9)
BOUNCES, LATES = (0.0, 0.6, 0.9), (0.0, 0.03, 0.06, 0.1)
"""Manners of playing that scenes are filmed with (``Manner``), each as likely: not everyone lets the tool rebound."""

USUAL = 0.15
"""Share of films that are as those of the benchmark: without them it is forgotten how these are played."""

ALIKE = 0.85
"""Share of the other films in which hits and scratches begin alike: else whatever comes down slowly is taken for a scratch."""

SHADES = (0.0, 0.0, 0.3, 1.0)
"""How dark shadows are, of those of the benchmark, each as likely: under a ceiling of lamps there are hardly any, and a
predictor that met them in every film takes the tip that meets its shadow for the contact."""

ANSWERS = 0.5
"""Share of the other films in which the surface and the camera show the contact; most real ones do not."""


def shown_times(seconds: float, camera: float, rng: np.random.Generator, most: float) -> np.ndarray:
    """Times (s) of the frames to draw: every one of the camera's, or every second, or some lost at random; none closer than
    ``1 / most``, since those would be passed over anyway."""
    every = 2 if camera >= 24 and rng.random() < 0.25 else 1
    times = np.arange(math.ceil(seconds * camera / every)) * every / camera
    if rng.random() < 0.1:
        times = times[rng.random(len(times)) > rng.uniform(0.05, 0.3)]
    kept = [0.0]
    for time in times[1:]:
        if time - kept[-1] >= 1 / most:
            kept.append(float(time))
    return np.array(kept)


def shutter(camera: float, rng: np.random.Generator) -> tuple[float | None, float]:
    """Exposure of a film (s, None for the scene's own short one) and how much later than its stamp its middle lies (s)."""
    chance = LONG_EXPOSURES if camera <= 30 else 0.0
    share, stamp, long = rng.uniform(0.3, 1.0), rng.choice(STAMPS, p=STAMP_CHANCES), rng.random() < chance
    exposure = share / camera
    return (exposure, float(0.5 - stamp) * exposure) if long else (None, 0.0)


class Lens:
    """A slowly moving, slightly turning window of the picture, uint8 RGB [height, width, 3] in and out."""

    def __init__(self, rng: np.random.Generator, middle: tuple[float, float]):
        """``middle``: fractions of the frame around which the scene happens; the window keeps it in view."""
        self.zoom = float(rng.uniform(1.0, 1.6)) if rng.random() < 0.5 else 1.0
        self.turn = float(rng.normal(0, rng.choice((0.12, 0.5)))) if rng.random() < 0.4 else 0.0
        self.middle = middle
        self.hand = float(rng.uniform(0.002, 0.02)) if rng.random() < 0.4 else 0.0
        self.omega = 2 * math.pi * np.exp(rng.uniform(np.log(0.15), np.log(5.0), (3, 4)))
        self.phase = rng.uniform(0, 2 * math.pi, (3, 4))
        self.idle = self.zoom == 1.0 and self.turn == 0.0 and self.hand == 0.0

    def __call__(self, frame: np.ndarray, time: float) -> np.ndarray:
        if self.idle:
            return frame
        high, wide = frame.shape[:2]
        # slow sways are wide, quick ones small
        sway = (np.sin(self.omega * time + self.phase) / (self.omega / 2) ** 0.7).sum(axis=1) * self.hand
        middle = (self.middle[0] * wide, self.middle[1] * high)
        matrix = cv2.getRotationMatrix2D(middle, math.degrees(self.turn + sway[2]), self.zoom)
        matrix[:, 2] += sway[:2] * wide
        # what happens moves to the middle by as much as the zoom hides
        hidden = (1 - 1 / self.zoom) * self.zoom * 0.5
        matrix[0, 2] += (0.5 - self.middle[0]) * wide * min(2 * hidden, 1)
        matrix[1, 2] += (0.5 - self.middle[1]) * high * min(2 * hidden, 1)
        return cv2.warpAffine(frame, matrix, (wide, high), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


class Film:
    """What light, sensor and file do to the frames of one clip, uint8 RGB [height, width, 3] in and out."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        curve = np.linspace(0, 1, 256) ** np.exp(rng.normal(0, 0.35))
        gain, lift = np.exp(rng.normal(0, 0.25)), rng.normal(0, 0.05)
        self.table = np.clip((curve - 0.5) * gain * 255 + 127.5 + 255 * lift, 0, 255).astype(np.uint8)
        self.blur = float(rng.uniform(0.4, 1.6)) if rng.random() < 0.3 else 0.0
        self.noise = float(rng.uniform(1, 7)) if rng.random() < 0.3 else 0.0
        self.flicker = float(rng.uniform(0.01, 0.1)) if rng.random() < 0.15 else 0.0
        self.quality = int(rng.integers(15, 75)) if rng.random() < 0.65 else 0
        self.hold = float(rng.uniform(0.5, 4.0))
        self.coded: np.ndarray | None = None

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        frame = cv2.LUT(frame, self.table)
        if self.flicker:
            frame = cv2.convertScaleAbs(frame, alpha=1 + self.flicker * float(self.rng.uniform(-1, 1)))
        if self.blur:
            frame = cv2.GaussianBlur(frame, (0, 0), self.blur)
        if self.noise:
            grain = self.rng.standard_normal(frame.shape[:2], dtype=np.float32)[..., None] * self.noise
            frame = np.clip(frame + grain, 0, 255).astype(np.uint8)
        return self.compress(frame) if self.quality else frame

    def compress(self, frame: np.ndarray) -> np.ndarray:
        """Blocks as a video codec leaves them: quantised, and repeated from the last frame where little has changed."""
        _, code = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        now = cv2.imdecode(code, cv2.IMREAD_COLOR)
        if self.coded is not None:
            high, wide = (side // 8 * 8 for side in frame.shape[:2])
            change = np.abs(frame[:high, :wide].astype(np.int16) - self.coded[:high, :wide]).mean(axis=2)
            blocks = change.reshape(high // 8, 8, wide // 8, 8).mean(axis=(1, 3)) < self.hold
            still = np.repeat(np.repeat(blocks, 8, axis=0), 8, axis=1)
            now[:high, :wide][still] = self.coded[:high, :wide][still]
        self.coded = now
        return now


def film(scene: Scene, textures: Path | None, seed: int, most: float) -> Iterator[tuple[float, np.ndarray]]:
    """(seconds, uint8 RGB [3, height, width]) of a scene, filmed anew; the same seed gives the same frames.

    ``most``: frames/s above which frames need not be drawn. Raises DataError for a scene that cannot be drawn."""
    if np.random.default_rng([seed, scene.seed, 2]).random() < USUAL:
        for index, frame in enumerate(render_frames(scene, textures)):
            yield index / scene.fps, np.ascontiguousarray(frame.transpose(2, 0, 1))
        return
    rng = np.random.default_rng([seed, scene.seed])
    width, height = SHAPES[rng.choice(len(SHAPES), p=SHAPE_CHANCES)]
    camera = float(rng.choice(RATES, p=RATE_CHANCES))
    shake = scene.shake * float(rng.choice((0.0, 1.0, 2.0), p=(0.25, 0.55, 0.2)))  # some cameras stand on a tripod
    exposure, late = shutter(camera, rng)
    player = np.random.default_rng([seed, scene.seed, 1])
    manner = Manner(
        *(float(player.choice(values)) for values in (RESTS, LEAVES, WOBBLES, LIFTS, RAISES, BACKS)),
        arm=ARMS[int(player.integers(len(ARMS)))],
        alike=bool(player.random() < ALIKE),
        drags=float(player.choice(DRAGS)),
        bounces=float(player.choice(BOUNCES)),
        late=float(player.choice(LATES)),
    )
    shade, answers = float(player.choice(SHADES)), bool(player.random() < ANSWERS)
    filmed = replace(scene, width=width, height=height, fps=camera, shake=shake)
    picture = Picture(filmed, textures, manner, exposure, shade, answers)
    middle = tuple(float(np.mean([getattr(event, name) for event in scene.events])) for name in ("x", "y"))
    lens, strip = Lens(rng, middle), Film(rng)
    passer = Passer(rng) if rng.random() < 0.15 else None
    for time in shown_times(scene.seconds, camera, rng, most):
        frame = picture.frame(float(time) + late)
        if passer is not None:
            frame = passer(frame, float(time))
        yield float(time), np.ascontiguousarray(strip(lens(frame, float(time))).transpose(2, 0, 1))


class Passer:
    """Something soft that moves through the picture and makes no sound: not every movement does."""

    def __init__(self, rng: np.random.Generator):
        self.colour = tuple(float(value) for value in rng.uniform(20, 235, 3))
        self.size, self.speed = rng.uniform(0.04, 0.15), rng.uniform(0.2, 1.5)
        self.phase = rng.uniform(0, 2 * math.pi, 2)
        self.reach = rng.uniform(0.2, 0.8, 2)
        self.cover = float(rng.uniform(0.4, 1.0))

    def __call__(self, frame: np.ndarray, time: float) -> np.ndarray:
        high, wide = frame.shape[:2]
        place = 0.5 + self.reach * np.sin(np.array([1.0, 0.73]) * self.speed * time + self.phase)
        mask = np.zeros((high, wide), np.uint8)
        cv2.circle(mask, (int(place[0] * wide), int(place[1] * high)), max(int(self.size * wide), 2), 255, -1, cv2.LINE_AA)
        mask = cv2.GaussianBlur(mask, (0, 0), 1 + 0.1 * self.size * wide).astype(np.float32)[..., None] * (self.cover / 255)
        return (frame * (1 - mask) + np.float32(self.colour) * mask).astype(np.uint8)
