"""The body that acts: where its solids lie at each moment, its shadow, and its blurred picture.

The path of the tip decides everything: wrist and elbow follow it with less movement, as those of a person do.
"""

from __future__ import annotations

import math

import numpy as np

from foleygram.data import tools
from foleygram.data.camera import Camera
from foleygram.data.motion import TipPath
from foleygram.data.opencv import cv2
from foleygram.data.tools import Sprite

_SKINS = ((236, 190, 160), (222, 168, 134), (198, 140, 104), (160, 104, 74), (112, 72, 52), (84, 56, 44))
_SLEEVES = ((40, 44, 58), (120, 40, 44), (206, 204, 198), (70, 92, 70), (90, 96, 104), (176, 132, 70), (30, 30, 32))
_STICKS = ((206, 158, 92), (222, 184, 124), (178, 122, 66), (226, 200, 150), (150, 92, 52), (60, 48, 42))
_SHOES = ((46, 40, 38), (110, 68, 42), (220, 218, 212), (60, 70, 96), (150, 40, 40), (84, 92, 84))

Placed = tuple[Sprite, np.ndarray, np.ndarray, float, float]
"""A sprite, the pixels [2] of its axis' start and end, and its pixels per unit there."""


class Actor:
    """``away``: world [2] unit vector from the tip to the body."""

    def __init__(self, tool: str, camera: Camera, away: np.ndarray, lamp: np.ndarray, rng: np.random.Generator):
        self.tool, self._camera, self._away = tool, camera, away
        self._side = 1.0 if rng.random() < 0.5 else -1.0
        self._lamp = lamp
        skin = _colour(rng, _SKINS)
        sleeve = _colour(rng, _SLEEVES)
        self._tilt = rng.uniform(0.30, 0.62)  # of the stick or hand over the surface at contact, radians
        self._follow = rng.uniform(0.22, 0.45)  # how much of the tip's height the wrist shares
        density = camera.width * 1.5
        light = self._light(away, lamp)
        self._arm = None
        if tool == "stick":
            self._length = rng.uniform(0.38, 0.72)
            thick = rng.uniform(0.011, 0.019)
            size = rng.uniform(0.11, 0.15)
            solid = tools.stick(self._length, _colour(rng, _STICKS), thick, rng.random() < 0.75)
            solid += tools.fist(self._length, skin, size, self._side)
        elif tool == "hand":
            self._length = rng.uniform(0.26, 0.36)
            size = self._length * 0.46
            solid = (
                tools.open_hand(self._length, skin, self._side, rng.uniform(0.0, 0.5))
                if rng.random() < 0.6
                else tools.pointing_hand(self._length, skin, self._side)
            )
        else:
            self._above = rng.random() < 0.55
            self._length = rng.uniform(0.30, 0.42)
            upper, trouser = _colour(rng, _SHOES), _colour(rng, _SLEEVES)
            sole = _colour(rng, ((235, 232, 226), (40, 38, 38), (150, 110, 70)))
            size = self._length * 0.5
            if self._above:
                solid = tools.shoe_from_above(self._length, upper, sole, _colour(rng, ((230, 230, 226), (30, 30, 34))), trouser)
                self._arm = tools.paint(tools.forearm(0.7, trouser, trouser, 0.3, 0.26), 0.7, density * 0.6, light, rng)
            else:
                light = self._light(np.array([0.0, 1.0]), lamp)
                solid = tools.shoe_from_the_side(self._length, upper, sole, trouser, self._side)
            self._main = tools.paint(solid, self._length, density, light, rng)
            return
        self._main = tools.paint(solid, self._length, density, light, rng)
        reach = 0.75
        self._arm = tools.paint(
            tools.forearm(reach, skin, sleeve, rng.uniform(0.05, 0.8), size), reach, density * 0.7, light, rng
        )
        self._reach = reach

    @staticmethod
    def _light(along: np.ndarray, lamp: np.ndarray) -> np.ndarray:
        """The lamp in the frame of a solid whose axis runs along ``along``; v is to the right of u on the screen."""
        across = np.array([along[1], -along[0]])
        return np.array([lamp[:2] @ along, lamp[:2] @ across, max(lamp[2], 0.35)])

    def joints(self, path: TipPath, t: float) -> list[np.ndarray]:
        """World points of the chain at t: tip, wrist, elbow (or toe, heel, knee)."""
        tip = path.at(t)
        if self.tool == "foot":
            along = np.array([*self._away, 0.0])
            pitch = min(tip[2] * 1.2, 0.5)
            if not self._above:
                return [tip, tip + np.array([0.0, 0.0, self._length])]
            # The ball of the foot is the tip; the heel rises more than the toe.
            toe = tip - along * 0.35 * self._length
            heel = tip + along * 0.65 * self._length + np.array([0, 0, pitch * self._length * 0.5])
            ankle = heel - along * 0.2 * self._length + np.array([0, 0, 0.08])
            return [toe, heel, ankle, ankle + along * 0.5 + np.array([0, 0, 0.2])]
        base = self._length * math.sin(self._tilt) if self.tool == "stick" else 0.05 + 0.12 * self._tilt * self._length
        rise = base + self._follow * tip[2] - tip[2]
        rise = max(min(rise, 0.9 * self._length), -0.6 * self._length)
        flat = math.sqrt(self._length**2 - rise**2)
        wrist = tip + np.array([*(self._away * flat), rise])
        elbow = wrist + np.array([*(self._away * 0.95 * 0.75), 0.10 + 0.1 * tip[2]])
        return [tip, wrist, elbow]

    def placed(self, path: TipPath, t: float, sway: np.ndarray) -> list[Placed]:
        """The solids at t from the back to the front, in the frame's pixels."""
        joints = self.joints(path, t)
        pixels, scale = self._camera.project(np.array(joints))
        pixels = pixels @ sway[:2, :2].T + sway[:2, 2]
        if self.tool == "foot" and not self._above:
            lean = 0.35 * self._side * joints[0][2] + 0.04 * math.sin(1.3 * t)
            up = np.array([math.sin(lean), -math.cos(lean)]) * scale[0] * self._length
            return [(self._main, pixels[0], pixels[0] + up, scale[0], scale[0])]
        if self.tool == "foot":
            # The leg rises towards the lens; drawn flat, or it would hide the shoe.
            back = pixels[1] - pixels[0]
            knee = pixels[2] + back / max(np.hypot(*back), 1.0) * 0.7 * scale[2]
            return [
                (self._main, pixels[0], pixels[1], scale[0], scale[1]),
                (self._arm, pixels[2], knee, scale[2], 1.1 * scale[2]),
            ]
        return [
            (self._arm, pixels[1], pixels[2], scale[1], min(scale[2], 2.5 * scale[1])),
            (self._main, pixels[0], pixels[1], scale[0], scale[1]),
        ]

    def shadow(self, path: TipPath, t: float, sway: np.ndarray) -> tuple[np.ndarray, float]:
        """Cover of the shadow on the surface, uint8 at half the frame's size, and the height of the tip."""
        joints = self.joints(path, t)
        if self.tool == "foot" and not self._above:
            toe = np.array([0.36 * self._side * self._length, 0.0, 0.0])
            joints = [joints[0] + toe, joints[0] - toe, joints[0] - 0.5 * toe + np.array([0, 0.05, 0.9])]
        slant = -self._lamp[:2] / max(self._lamp[2], 0.3)
        fallen = np.array([[*(j[:2] + slant * max(j[2], 0.0)), 0.0] for j in joints])
        pixels, scale = self._camera.project(fallen)
        pixels = pixels @ sway[:2, :2].T + sway[:2, 2]
        high, wide = (self._camera.height + 1) // 2, (self._camera.width + 1) // 2
        mask = np.zeros((high, wide), np.uint8)
        if self.tool == "stick":
            widths = (0.012, 0.018, 0.055, 0.09)
            between = pixels[0] * 0.12 + pixels[1] * 0.88
            pixels = np.array([pixels[0], between, pixels[1], pixels[2]])
            scale = np.array([scale[0], scale[1], scale[1], scale[2]])
        elif self.tool == "hand":
            widths = (0.2 * self._length, 0.19 * self._length, 0.24 * self._length)
        else:
            widths = (0.16 * self._length,) * 2 + (0.2 * self._length,) * 2
        for k in range(len(pixels) - 1):
            _band(mask, pixels[k] / 2, pixels[k + 1] / 2, widths[k] * scale[k] / 2, widths[k + 1] * scale[k + 1] / 2)
        tip = joints[0][2] if self.tool != "foot" else path.height(t)
        sigma = 0.5 + (1.0 + 22.0 * tip) * self._camera.width / 512
        return cv2.GaussianBlur(mask, (0, 0), sigma), tip


def _band(mask: np.ndarray, start: np.ndarray, end: np.ndarray, r0: float, r1: float) -> None:
    """A tapered line with round ends."""
    axis = end - start
    length = max(float(np.hypot(*axis)), 1e-3)
    normal = np.array([-axis[1], axis[0]]) / length
    corners = np.array([start + normal * r0, end + normal * r1, end - normal * r1, start - normal * r0])
    points = np.round(np.clip(corners, -3000, 3000) * 16).astype(np.int32)
    cv2.fillConvexPoly(mask, points, 255, cv2.LINE_AA, 4)
    for place, radius in ((start, r0), (end, r1)):
        if np.abs(place).max() < 3000:
            middle = tuple(int(v) for v in np.round(place * 16))
            cv2.circle(mask, middle, int(max(radius, 0.5) * 16), 255, -1, cv2.LINE_AA, 4)


def _colour(rng: np.random.Generator, choices) -> tuple[float, float, float]:
    base = np.float64(choices[int(rng.integers(len(choices)))])
    return tuple(np.clip(base * rng.uniform(0.85, 1.12) + rng.normal(0, 5, 3), 8, 250))


def composite(frame: np.ndarray, moments: list[list[Placed]], gain: np.ndarray) -> None:
    """Lays the mean picture of the moments (one exposure) over ``frame`` in place. ``gain``: colour gains [3]."""
    high, wide = frame.shape[:2]
    warps, boxes = [], []
    for placed in moments:
        for sprite, start, end, scale0, scale1 in placed:
            matrix = sprite.homography(start, end, scale0, scale1)
            side = sprite.image.shape
            corners = np.array([[0, 0, 1], [side[1], 0, 1], [side[1], side[0], 1], [0, side[0], 1]]) @ matrix.T
            corners = corners[:, :2] / corners[:, 2:]
            warps.append((sprite, matrix))
            boxes.append((*corners.min(axis=0), *corners.max(axis=0)))
    boxes = np.array(boxes)
    left, top = (int(max(np.floor(boxes[:, k].min()), 0)) for k in (0, 1))
    right, bottom = int(min(np.ceil(boxes[:, 2].max()) + 1, wide)), int(min(np.ceil(boxes[:, 3].max()) + 1, high))
    if right <= left or bottom <= top:
        return
    shift = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], dtype=np.float64)
    size = (right - left, bottom - top)
    total = np.zeros((size[1], size[0], 4), np.float32)
    count = len(moments[0])
    for first in range(0, len(warps), count):
        layer = None
        for sprite, matrix in warps[first : first + count]:
            drawn = cv2.warpPerspective(sprite.image, shift @ matrix, size, flags=cv2.INTER_LINEAR)
            if layer is None:
                layer = drawn
            else:
                behind = cv2.cvtColor(255 - drawn[..., 3], cv2.COLOR_GRAY2RGBA)
                behind[..., 3] = 255 - drawn[..., 3]
                layer = cv2.add(cv2.multiply(layer, behind, scale=1 / 255), drawn)
        cv2.accumulate(layer, total)
    total /= len(moments)
    region = frame[top:bottom, left:right]
    mixed = region * (1 - total[..., 3:] / 255) + total[..., :3] * np.float32(gain)
    region[:] = np.clip(mixed + 0.5, 0, 255)
