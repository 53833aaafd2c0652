"""The body that acts: where its solids lie at each moment, and the shadow, the reflection and the blurred picture of them.

The path of the tip decides everything: wrist and elbow follow it with less movement, as those of a person do.
"""

from __future__ import annotations

import math

import numpy as np

from foleygram.data import tools
from foleygram.data.camera import Camera
from foleygram.data.motion import TipPath
from foleygram.data.opencv import cv2
from foleygram.data.tools import Colour, Sprite

_SKINS = ((236, 190, 160), (222, 168, 134), (198, 140, 104), (160, 104, 74), (112, 72, 52), (84, 56, 44))
_SLEEVES = ((40, 44, 58), (120, 40, 44), (206, 204, 198), (70, 92, 70), (90, 96, 104), (176, 132, 70), (30, 30, 32))
_STICKS = ((206, 158, 92), (222, 184, 124), (178, 122, 66), (226, 200, 150), (150, 92, 52), (60, 48, 42))
_SHOES = ((46, 40, 38), (110, 68, 42), (220, 218, 212), (60, 70, 96), (150, 40, 40), (84, 92, 84))
_SOLES = ((235, 232, 226), (40, 38, 38), (150, 110, 70))
_LACES = ((230, 230, 226), (30, 30, 34))
_FOREARM = 0.75  # length in world units
_SIZE = 1.5  # pixels of a painted solid per pixel of the frame

Placed = tuple[Sprite, np.ndarray, np.ndarray, float, float]
"""A sprite, the pixels [2] of its axis' start and end, and its pixels per unit there."""


class Actor:
    """One arm or leg. ``away``: world [2] unit vector from the tip to the body; ``lamp``: unit vector [3] to the light;
    ``grade``: colour gains [3] of the picture; ``right``: which foot of a pair; ``follow``: how much of the tip's height the
    wrist shares, None for a usual one; ``late``: s by which it does."""

    def __init__(
        self,
        tool: str,
        camera: Camera,
        away: np.ndarray,
        lamp: np.ndarray,
        grade: np.ndarray,
        rng: np.random.Generator,
        right: bool = True,
        follow: float | None = None,
        late: float = 0.0,
    ):
        self._grade, self._late = grade, late
        self.tool, self._camera, self._away, self._lamp = tool, camera, away, lamp
        self._side = 1.0 if rng.random() < 0.5 else -1.0
        self._tilt = rng.uniform(0.30, 0.62)  # of the stick or hand over the surface at contact, radians
        usual = rng.uniform(0.22, 0.45)
        self._follow = usual if follow is None else follow
        self._flat = tool != "foot" or rng.random() < 0.5  # seen along the ground, not from the side
        # A solid is painted in the light of its usual direction on the screen.
        along = away if self._flat else np.array([0.0, 1.0])
        across = np.array([along[1], -along[0]])
        light = np.array([lamp[:2] @ along, lamp[:2] @ across, max(lamp[2], 0.35)])
        density = camera.width * _SIZE
        self._main, self._limb = self._foot(density, light, rng, right) if tool == "foot" else self._arm(density, light, rng)

    def _arm(self, density: float, light: np.ndarray, rng: np.random.Generator) -> tuple[Sprite, Sprite]:
        skin, sleeve = self._colour(rng, _SKINS), self._colour(rng, _SLEEVES)
        if self.tool == "stick":
            self._length, palm = rng.uniform(0.38, 0.72), rng.uniform(0.11, 0.15)
            solid = tools.stick(self._length, self._colour(rng, _STICKS), rng.uniform(0.011, 0.019), rng.random() < 0.75)
            solid += tools.fist(self._length, skin, palm, self._side)
        else:
            self._length = rng.uniform(0.26, 0.36)
            palm = self._length * 0.46
            if rng.random() < 0.6:
                solid = tools.open_hand(self._length, skin, self._side, rng.uniform(0.0, 0.5))
            else:
                solid = tools.pointing_hand(self._length, skin, self._side, int(rng.integers(1, 3)))
        arm = tools.forearm(_FOREARM, skin, sleeve, rng.uniform(0.05, 0.8), palm)
        return tools.paint(solid, self._length, density, light, rng), tools.paint(arm, _FOREARM, 0.7 * density, light, rng)

    def _foot(self, density: float, light: np.ndarray, rng: np.random.Generator, right: bool) -> tuple[Sprite, Sprite | None]:
        self._length = rng.uniform(0.30, 0.42)
        upper, trouser = self._colour(rng, _SHOES), self._colour(rng, _SLEEVES)
        sole, laces = self._colour(rng, _SOLES), self._colour(rng, _LACES)
        if not self._flat:
            solid = tools.shoe_from_the_side(self._length, upper, sole, trouser, self._side)
            return tools.paint(solid, self._length, density, light, rng), None
        solid = tools.shoe_from_above(self._length, upper, sole, laces, trouser, 1.0 if right else -1.0)
        leg = tools.forearm(_FOREARM, trouser, trouser, 0.2, 0.52 * self._length)
        return tools.paint(solid, self._length, density, light, rng), tools.paint(leg, _FOREARM, 0.6 * density, light, rng)

    def _colour(self, rng: np.random.Generator, choices: tuple[Colour, ...]) -> Colour:
        base = np.float64(choices[int(rng.integers(len(choices)))])
        return tuple(np.clip((base * rng.uniform(0.85, 1.12) + rng.normal(0, 5, 3)) * self._grade, 8, 250))

    def joints(self, path: TipPath, t: float) -> np.ndarray:
        """World [4, 3] at t: both ends of the main solid (tip and wrist, toe and heel) and of the limb behind it."""
        tip = path.at(t)
        along = np.array([*self._away, 0.0])
        up = np.array([0.0, 0.0, 1.0])
        if self.tool == "foot":
            if not self._flat:
                return np.array([tip, tip + self._length * up, tip + self._length * up, tip + up])
            # The ball of the foot is the tip; the heel rises more than the toe.
            toe = tip - along * 0.4 * self._length
            heel = tip + along * 0.6 * self._length + up * min(0.6 * tip[2], 0.25) * self._length
            ankle = heel - along * 0.04 * self._length + up * 0.03
            return np.array([toe, heel, ankle, ankle + along * _FOREARM])
        base = self._length * math.sin(self._tilt) if self.tool == "stick" else 0.04 + 0.12 * self._tilt * self._length
        rise = base + (self._follow - 1) * tip[2]
        if self._late:
            rise += self._follow * (path.height(t - self._late) - tip[2])
        rise = max(min(rise, 0.9 * self._length), -0.6 * self._length)
        wrist = tip + along * math.sqrt(self._length**2 - rise**2) + up * rise
        return np.array([tip, wrist, wrist, wrist + along * 0.95 * _FOREARM + up * (0.10 + 0.1 * tip[2])])

    def placed(self, path: TipPath, t: float, sway: np.ndarray, mirrored: bool = False) -> list[Placed]:
        """The solids at t from the back to the front, in the frame's pixels; ``mirrored`` in the surface."""
        joints = self.joints(path, t)
        if mirrored:
            joints[:, 2] *= -1
        pixels, scale = self._camera.project(joints)
        pixels = pixels @ sway[:2, :2].T + sway[:2, 2]
        if not self._flat:
            lean = 0.35 * self._side * abs(joints[0, 2]) + 0.04 * math.sin(1.3 * t)
            down = 1 if mirrored else -1
            leg = np.array([math.sin(lean), math.cos(lean) * down]) * scale[0] * self._length
            return [(self._main, pixels[0], pixels[0] + leg, -down * scale[0], -down * scale[0])]
        main = (self._main, pixels[0], pixels[1], scale[0], scale[1])
        if self.tool == "foot":
            # The leg rises towards the lens; drawn no wider than the shoe, or it would hide it.
            return [main, (self._limb, pixels[2], pixels[3], scale[2], 1.1 * scale[2])]
        return [(self._limb, pixels[2], pixels[3], scale[2], min(scale[3], 2.5 * scale[2])), main]

    def shade(self, mask: np.ndarray, path: TipPath, t: float, sway: np.ndarray) -> None:
        """Adds the shadow on the surface to ``mask``, uint8 cover at half the frame's size."""
        joints = self.joints(path, t)
        if not self._flat:
            self._shade_side(mask, joints[0], sway)
            return
        pixels, scale = self._fallen(joints, sway)
        for sprite, first in ((self._limb, 2), (self._main, 0)):
            matrix, _ = sprite.lay(pixels[first], pixels[first + 1], scale[first], scale[first + 1])
            drawn = cv2.warpPerspective(sprite.cover, _HALF @ matrix, mask.shape[::-1], flags=cv2.INTER_LINEAR)
            np.maximum(mask, drawn, out=mask)

    def _fallen(self, joints: np.ndarray, sway: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the light throws the joints on the surface: pixels and pixels per unit."""
        slant = self._lamp[:2] / max(self._lamp[2], 0.3)
        fallen = joints.copy()
        fallen[:, :2] -= slant * np.maximum(joints[:, 2:], 0.0)
        fallen[:, 2] = 0.0
        pixels, scale = self._camera.project(fallen)
        return pixels @ sway[:2, :2].T + sway[:2, 2], scale

    def _shade_side(self, mask: np.ndarray, tip: np.ndarray, sway: np.ndarray) -> None:
        """The shadow of a shoe that is painted upright: its sole and its leg as bands."""
        toe = np.array([0.36 * self._side * self._length, 0.0, 0.0])
        chain = np.array([tip + toe, tip - toe, tip - 0.5 * toe + np.array([0.0, 0.05, 0.9])])
        pixels, scale = self._fallen(chain, sway)
        for k, (r0, r1) in enumerate(((0.15, 0.16), (0.18, 0.25))):
            widths = (r0 * self._length * scale[k] / 2, r1 * self._length * scale[k + 1] / 2)
            _band(mask, pixels[k] / 2, pixels[k + 1] / 2, *widths)


_HALF = np.diag([0.5, 0.5, 1.0])


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


def composite(frame: np.ndarray, moments: list[list[Placed]], opacity: float = 1.0) -> None:
    """Lays the mean picture of the moments (one exposure) over ``frame`` in place."""
    high, wide = frame.shape[:2]
    laid = [(placed[0], *placed[0].lay(*placed[1:])) for moment in moments for placed in moment]
    corners = np.concatenate([entry[2] for entry in laid])
    left, top = (int(value) for value in np.maximum(np.floor(corners.min(axis=0)), 0))
    right, bottom = (int(value) for value in np.minimum(np.ceil(corners.max(axis=0)) + 1, (wide, high)))
    if right <= left or bottom <= top:
        return
    shift = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], dtype=np.float64)
    size = (right - left, bottom - top)
    total = np.zeros((size[1], size[0], 4), np.float32) if len(moments) > 1 else None
    count = len(moments[0])
    for first in range(0, len(laid), count):
        layer = None
        for sprite, matrix, _ in laid[first : first + count]:
            drawn = cv2.warpPerspective(sprite.image, shift @ matrix, size, flags=cv2.INTER_LINEAR)
            if layer is not None:
                behind = cv2.merge([255 - cv2.extractChannel(drawn, 3)] * 4)
                drawn = cv2.add(cv2.multiply(layer, behind, scale=1 / 255), drawn)
            layer = drawn
        if total is not None:
            cv2.accumulate(layer, total)
    if total is not None or opacity < 1:
        layer = cv2.convertScaleAbs(layer if total is None else total, alpha=opacity / len(moments))
    region = frame[top:bottom, left:right]
    through = cv2.merge([255 - cv2.extractChannel(layer, 3)] * 3)
    region[:] = cv2.add(cv2.multiply(region, through, scale=1 / 255), cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB))
