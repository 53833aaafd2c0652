"""The still part of a MiniHits picture: the surface in perspective, what lies around it, and the light on both."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from foleygram.data.camera import Camera
from foleygram.data.noise import gloss
from foleygram.data.opencv import cv2
from foleygram.data.scenes import Scene
from foleygram.data.surfaces import canonical, surface
from foleygram.data.textures import load_texture

MARGIN = 0.10  # of the frame on each side, room for the camera's sway
_GROUNDS = {"grass", "gravel", "dirt", "sand", "snow", "leaf", "water", "carpet", "ice", "concrete"}
_FLOORS = ("wood", "concrete", "carpet", "tile", "cloth", "dirt", "leather", "drywall")
_THIN = {"paper", "cloth", "plastic-bag", "cardboard", "leather", "soft", "leaf"}
_LIMP = {"plastic-bag", "cloth", "soft", "leather"}  # without straight edges
_CLEAR = {"glass"}
_SHINY = {"metal": 60, "glass": 80, "tile": 40, "ceramic": 50, "plastic": 45, "ice": 50, "water": 45, "plastic-bag": 30}
_MARGINS = {"stick": 0.07, "hand": 0.13, "foot": 0.2}  # world units between a contact and the object's edge
_ROUND = {"drumskin": 0.8, "ceramic": 0.5, "glass": 0.25, "metal": 0.25, "plastic": 0.2}


class Stage:
    """``image``: uint8 RGB, larger than the frame by MARGIN; ``offset``: pixels of its origin left of and above the
    frame's; ``grade``: colour gains [3] of the whole picture; ``fills``: whether nothing but the surface is seen."""

    def __init__(self, scene: Scene, camera: Camera, textures: Path | None, rng: np.random.Generator):
        self.camera = camera
        self.offset = (int(camera.width * MARGIN), int(camera.height * MARGIN) + 4)
        self._size = (camera.width + 2 * self.offset[0], camera.height + 2 * self.offset[1])
        self.grade = np.clip(rng.normal(1.0, (0.04, 0.02, 0.05)), 0.85, 1.15) * rng.uniform(0.82, 1.12)
        texture = _jittered(load_texture(scene.texture, textures, 512), rng)
        self.image = self._compose(scene, texture, rng)

    def _warp(self, texture: np.ndarray, z: float, span: float, angle: float, middle: np.ndarray) -> np.ndarray:
        """The plane at height z covered with the texture, one copy ``span`` units wide."""
        side = texture.shape[0]
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        scale = span / side
        lay = np.eye(3)
        lay[:2, :2] = turn * scale
        lay[:2, 2] = middle - turn @ np.array([side / 2, side / 2]) * scale
        shift = np.array([[2, 0, 2.0 * self.offset[0]], [0, 2, 2.0 * self.offset[1]], [0, 0, 1]])
        full = shift @ self.camera.plane(z) @ lay
        size = (2 * self._size[0], 2 * self._size[1])
        # Twice the size and then averaged, against shimmering far texture; mirrored copies hide the seams.
        big = cv2.warpPerspective(texture, full, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        return cv2.resize(big, self._size, interpolation=cv2.INTER_AREA)

    def _pixels(self, points: np.ndarray) -> np.ndarray:
        """World [point, 3] to pixels of the stage, int32 with 4 fractional bits."""
        image, _ = self.camera.project(points)
        image = np.clip(image + self.offset, -4000, 4000)
        return np.round(image * 16).astype(np.int32)

    def _compose(self, scene: Scene, texture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        material = canonical(scene.material)
        span, angle = rng.uniform(0.7, 1.4), rng.uniform(0, 2 * np.pi)
        face = self._warp(texture, 0.0, span, angle, rng.uniform(-0.5, 0.5, 2)).astype(np.float32)
        if material in _SHINY:
            streaks = gloss(rng, 128, rng.uniform(0.1, 1.0) * _SHINY[material])
            face += cv2.resize(streaks, self._size, interpolation=cv2.INTER_LINEAR)[..., None]
        chance = rng.random()
        image = face
        self.fills = chance <= 0.4 or material in _GROUNDS
        if not self.fills:
            outline = self._outline(scene, material, chance > 0.68, rng)
            depth = rng.uniform(0.004, 0.015) if material in _THIN else rng.uniform(0.02, 0.16)
            image = self._object(face, outline, depth, 0.6 if material in _CLEAR else 1.0, rng)
        image = image * self.light(rng) * self.grade
        return np.clip(image, 0, 255).astype(np.uint8)

    def _outline(self, scene: Scene, material: str, slab: bool, rng: np.random.Generator) -> np.ndarray:
        """The border [point, 2] on the plane of a table or an object that holds all the events."""
        places = [self.camera.ground(e.x, e.y) for e in scene.events]
        places += [self.camera.ground(e.x_end, e.y_end) for e in scene.events if e.action == "scratch"]
        places = np.array(places or [[0.0, 0.0]])
        low, high = places.min(axis=0), places.max(axis=0)
        middle, half = (low + high) / 2, np.maximum((high - low) / 2, 0.02)
        margin = _MARGINS[scene.tool]
        if not slab or scene.tool == "foot":
            slope = rng.uniform(-0.15, 0.15)
            far = half[1] + abs(slope) * half[0] + margin + rng.uniform(0.0, 0.2)
            return middle + np.array([[-9, far - 9 * slope], [9, far + 9 * slope], [9, -9], [-9, -9]])
        angle = rng.uniform(-0.5, 0.5)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        if material in _LIMP:
            around = np.linspace(0, 2 * np.pi, 40, endpoint=False)[:, None]
            bulge = np.sin(around * np.array([2, 3, 5, 8]) + rng.uniform(0, 6.3, 4)) @ rng.uniform(0, (0.12, 0.1, 0.05, 0.03))
            reach = (half + margin + rng.uniform(0.05, 0.2, 2)) * (1.25 + bulge[:, None])
            return middle + reach * np.concatenate([np.cos(around), np.sin(around)], axis=1) @ turn.T
        if rng.random() < _ROUND.get(material, 0.08):
            radius = np.hypot(*half) + margin + rng.uniform(0.03, 0.15)
            around = np.linspace(0, 2 * np.pi, 48, endpoint=False)
            return middle + radius * np.stack([np.cos(around), np.sin(around)], axis=1)
        spread = np.abs(turn.T) @ half + margin + rng.uniform(0.0, 0.18, 2)
        return middle + np.array([[-1, 1], [1, 1], [1, -1], [-1, -1]]) * spread @ turn.T

    def _object(
        self, face: np.ndarray, outline: np.ndarray, depth: float, opacity: float, rng: np.random.Generator
    ) -> np.ndarray:
        """The surface as the top of a body ``depth`` units high that stands on a floor, which shows through where the
        ``opacity`` is less than 1."""
        floor = surface(_FLOORS[rng.integers(len(_FLOORS))], int(rng.integers(1 << 30)), 256)
        tint = rng.uniform(0.5, 0.95) * np.clip(rng.normal(1, 0.06, 3), 0.8, 1.2)
        ground = self._warp(floor, -depth, rng.uniform(0.8, 2.0), rng.uniform(0, 6.3), np.zeros(2)).astype(np.float32) * tint
        ground = cv2.GaussianBlur(ground, (0, 0), self.camera.width * rng.uniform(0.001, 0.006))
        top = np.column_stack([outline, np.zeros(len(outline))])
        foot = np.column_stack([outline, np.full(len(outline), -depth)])
        # The body's own shadow on the floor.
        shade = np.zeros(face.shape[:2], np.float32)
        fallen = self._pixels(foot + np.array([*(rng.normal(0, 0.5, 2) * depth), 0.0]))
        cv2.fillPoly(shade, [fallen], 1.0, cv2.LINE_8, 4)
        shade = cv2.GaussianBlur(shade, (0, 0), self.camera.width * 0.02)
        ground *= 1 - 0.55 * shade[..., None]
        side_colour = face.reshape(-1, 3).mean(axis=0) * rng.uniform(0.35, 0.7)
        picture = np.clip(ground, 0, 255).astype(np.uint8)
        for k in range(len(outline)):
            quad = np.array([top[k - 1], top[k], foot[k], foot[k - 1]])
            colour = tuple(float(value) for value in side_colour * (0.85 + 0.3 * (k % 4) / 3 if len(outline) < 9 else 1.0))
            cv2.fillConvexPoly(picture, self._pixels(quad), colour, cv2.LINE_AA, 4)
        mask = np.zeros(face.shape[:2], np.uint8)
        cv2.fillPoly(mask, [self._pixels(top)], 255, cv2.LINE_AA, 4)
        share = mask[..., None].astype(np.float32) * (opacity / 255)
        picture = picture * (1 - share) + face * share
        if opacity < 1:  # the edges of glass are bright
            cv2.polylines(picture, [self._pixels(top)], True, (225.0, 240.0, 235.0), 1, cv2.LINE_AA, 4)
        return picture

    def light(self, rng: np.random.Generator) -> np.ndarray:
        """Uneven light, a few soft cast shadows and the lens's vignette, [h, w, 1]."""
        wide, high = self._size
        x, y = np.meshgrid(np.linspace(-1, 1, wide, dtype=np.float32), np.linspace(-1, 1, high, dtype=np.float32))
        angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.22)
        field = 1 + slope * (np.cos(angle) * x + np.sin(angle) * y)
        spot = rng.uniform(-0.6, 0.6, 2)
        field += rng.uniform(0, 0.18) * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / 0.5)
        for _ in range(int(rng.integers(0, 3))):
            middle, size, turn = rng.uniform(-0.1, 1.1, 2), rng.uniform(0.3, 0.9, 2), rng.uniform(0, 180)
            cast = np.zeros((high, wide), np.float32)
            box = cv2.boxPoints(((middle[0] * wide, middle[1] * high), (size[0] * wide, size[1] * high), turn))
            cv2.fillConvexPoly(cast, box.astype(np.int32), 1.0)
            field *= 1 - rng.uniform(0.08, 0.28) * cv2.GaussianBlur(cast, (0, 0), wide * rng.uniform(0.012, 0.06))
        field *= 1 - rng.uniform(0.05, 0.28) * (x**2 + y**2) / 2
        return np.clip(field, 0.3, 1.5)[..., None]


def _jittered(texture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A changed exposure, contrast, hue and saturation, small enough that the material stays itself."""
    values = np.arange(256, dtype=np.float64)
    hue = (np.minimum(values, 179) + rng.normal(0, 3)) % 180
    table = np.stack([hue, np.minimum(values * rng.uniform(0.7, 1.15), 255), values], axis=-1).astype(np.uint8)
    hsv = cv2.cvtColor(_detailed(texture), cv2.COLOR_RGB2HSV)
    image = cv2.cvtColor(cv2.LUT(hsv, table[None]), cv2.COLOR_HSV2RGB)
    middle, contrast = float(image.mean()), rng.uniform(0.9, 1.25)
    level = np.clip(middle, 60, 205) * rng.uniform(0.85, 1.12) - middle * contrast
    grain = cv2.GaussianBlur(rng.standard_normal(image.shape[:2], dtype=np.float32), (0, 0), 0.8)
    grain = grain * np.float32(rng.uniform(2, 8)) + np.float32(level)
    image = cv2.scaleAdd(image.astype(np.float32), contrast, cv2.merge([grain] * 3))
    turned = np.rot90(np.clip(image, 0, 255).astype(np.uint8), int(rng.integers(4)))
    return np.ascontiguousarray(turned[:, ::-1] if rng.random() < 0.5 else turned)


def _detailed(texture: np.ndarray) -> np.ndarray:
    """Enlarged previews lack fine detail: they get that of a smaller copy of themselves."""
    side = texture.shape[0]
    grey = cv2.cvtColor(texture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    smooth = cv2.GaussianBlur(grey, (0, 0), side / 256)
    coarse = cv2.subtract(smooth, cv2.GaussianBlur(smooth, (0, 0), side / 64))
    lack = float(np.clip(1 - 1.6 * (grey - smooth).std() / max(coarse.std(), 1e-3), 0, 1))
    if lack == 0.0:
        return texture
    small = cv2.resize(texture, (side // 3, side // 3), interpolation=cv2.INTER_AREA).astype(np.float32)
    small = cv2.subtract(small, cv2.GaussianBlur(small, (0, 0), side / 90))
    tiled = cv2.copyMakeBorder(small, 0, side - side // 3, 0, side - side // 3, cv2.BORDER_REFLECT_101)
    sharp = cv2.addWeighted(texture, 1 + 1.2 * lack, cv2.GaussianBlur(texture, (0, 0), side / 256), -1.2 * lack, 0)
    return cv2.add(sharp, tiled * np.float32(0.9 * lack), dtype=cv2.CV_8U)
