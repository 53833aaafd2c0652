"""What acts in a MiniHits scene: a drumstick in a fist, a hand, or a shoe, each a shaded picture laid on two points.

A solid is modelled as overlapping capsules seen from above in its own frame: u runs along its axis, v across, both in
world units. Its picture is painted once; a frame only warps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from foleygram.data.opencv import cv2

Colour = tuple[float, float, float]
_UNDER = -1e3  # height where there is nothing


@dataclass(frozen=True)
class Capsule:
    """A thick line from (u0, v0) with radius r0 to (u1, v1) with radius r1, raised by ``lift`` above the axis plane."""

    u0: float
    v0: float
    r0: float
    u1: float
    v1: float
    r1: float
    colour: Colour
    lift: float = 0.0


@dataclass(frozen=True, eq=False)
class Sprite:
    """``image``: premultiplied RGBA uint8 [h, w, 4]; ``cover``: its alpha [h, w]; ``corners``: its pixels' corners
    float32 [4, 2]; ``axis``: the same corners as (u / length, v)."""

    image: np.ndarray
    cover: np.ndarray
    corners: np.ndarray
    axis: np.ndarray

    def lay(self, start: np.ndarray, end: np.ndarray, scale0: float, scale1: float) -> tuple[np.ndarray, np.ndarray]:
        """Lays the axis from ``start`` to ``end`` (pixels [2]), as wide as ``scale0`` and ``scale1`` pixels per unit there
        (negative: flipped across the axis):
        (homography [3, 3] from the sprite's pixels, its corners [4, 2] in the image)."""
        axis = end - start
        length = max(float(np.hypot(axis[0], axis[1])), 1e-3)
        normal = np.array([-axis[1], axis[0]]) / length
        u, v = self.axis[:, :1], self.axis[:, 1:]
        sign = 1.0 if scale0 > 0 else -1.0
        scale = sign * np.maximum(sign * (scale0 + (scale1 - scale0) * u), 1.0)
        corners = start + axis * u + normal * v * scale
        return cv2.getPerspectiveTransform(self.corners, corners.astype(np.float32)), corners


def paint(capsules: Sequence[Capsule], length: float, density: float, light: np.ndarray, rng: np.random.Generator) -> Sprite:
    """Shades the capsules. ``length``: of the axis in units; ``density``: pixels per unit; ``light``: vector [3] towards
    the lamp in (u, v, up)."""
    margin = 3.0 / density
    u_low = min(min(c.u0 - c.r0, c.u1 - c.r1) for c in capsules) - margin
    u_high = max(max(c.u0 + c.r0, c.u1 + c.r1) for c in capsules) + margin
    v_low = min(min(c.v0 - c.r0, c.v1 - c.r1) for c in capsules) - margin
    v_high = max(max(c.v0 + c.r0, c.v1 + c.r1) for c in capsules) + margin
    wide, high = int((u_high - u_low) * density) + 2, int((v_high - v_low) * density) + 2
    u = u_low + np.arange(wide, dtype=np.float32)[None] / np.float32(density)
    v = v_low + np.arange(high, dtype=np.float32)[:, None] / np.float32(density)
    top = np.full((high, wide), _UNDER, np.float32)
    cover = np.zeros((high, wide), np.float32)
    colour = np.zeros((high, wide, 3), np.float32)
    for c in capsules:
        du, dv = c.u1 - c.u0, c.v1 - c.v0
        share = np.clip(((u - c.u0) * du + (v - c.v0) * dv) / max(du * du + dv * dv, 1e-9), 0, 1)
        radius = c.r0 + (c.r1 - c.r0) * share
        distance = np.sqrt((u - c.u0 - share * du) ** 2 + (v - c.v0 - share * dv) ** 2)
        inside = np.clip((radius - distance) * density + 0.5, 0, 1)
        dome = np.where(inside > 0, np.sqrt(np.clip(radius**2 - distance**2, 0, None)) + c.lift, _UNDER)
        colour[dome > top] = c.colour
        # A smooth maximum: neighbours grow into each other instead of meeting in an edge.
        blend = 0.35 * min(c.r0, c.r1)
        near = np.clip(1 - np.abs(top - dome) / blend, 0, 1)
        top = np.maximum(top, dome) + near * near * (blend / 4)
        cover = np.maximum(cover, inside)
    height = np.where(top < _UNDER / 2, 0, top) * density
    height = cv2.GaussianBlur(height, (0, 0), max(density / 300, 0.7))
    du, dv = np.gradient(height, axis=1), np.gradient(height, axis=0)
    normal = np.stack([-du, -dv, np.ones_like(du)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lamp = np.asarray(light, dtype=np.float32) / np.linalg.norm(light)
    lambert = np.clip(normal @ lamp, 0, None)[..., None]
    grain = cv2.resize(rng.normal(1, 0.05, (max(high // 2, 2), max(wide // 8, 2))).astype(np.float32), (wide, high))
    shaded = cv2.GaussianBlur(colour, (3, 3), 0.7) * (0.42 + 0.62 * lambert) * grain[..., None] + 26 * lambert**12
    alpha = cover[..., None]
    rgba = np.round(np.concatenate([np.clip(shaded, 0, 255) * alpha, 255 * alpha], axis=-1)).astype(np.uint8)
    ends = [((wide - 1) * a, (high - 1) * b) for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]
    axis = [((u_low + x / density) / length, v_low + y / density) for x, y in ends]
    return Sprite(rgba, np.ascontiguousarray(rgba[..., 3]), np.float32(ends), np.array(axis))


def _sized(size: float, rows: Iterable[tuple]) -> list[Capsule]:
    """Capsules from rows (u0, v0, r0, u1, v1, r1, colour, lift) in parts of ``size``."""
    return [Capsule(*(size * value for value in row[:6]), row[6], size * row[7]) for row in rows]


def _shade(colour: Colour, factor: float) -> Colour:
    return tuple(min(factor * value, 255.0) for value in colour)


def stick(length: float, colour: Colour, thick: float, ball: bool) -> list[Capsule]:
    """A drumstick from the tip at u = 0 to its butt behind the fist, which holds it near u = length. ``thick``: its
    radius; ``ball``: with a bead at the tip."""
    shaft = Capsule(length * 0.28, 0, thick, length * 1.12, 0, thick, colour)
    if not ball:
        return [Capsule(0.7 * thick, 0, 0.7 * thick, length * 0.28, 0, thick, colour), shaft]
    tip = Capsule(0.6 * thick, 0, thick * 0.6, 2.2 * thick, 0, thick * 0.55, _shade(colour, 0.9))
    neck = Capsule(2 * thick, 0, thick * 0.4, length * 0.28, 0, thick, colour)
    return [tip, neck, shaft]


def fist(length: float, skin: Colour, size: float, side: float) -> list[Capsule]:
    """Fingers closed round the axis near u = length. ``size``: width of the palm; ``side``: +1 or -1, the thumb's side."""
    dark = _shade(skin, 0.9)
    rows = [(0.1, -0.22 * side, 0.42, 0.75, -0.1 * side, 0.36, skin, 0)]
    for k in range(4):
        u = 0.27 * k - 0.32
        rows.append((u, -0.42 * side, 0.14, u + 0.05, 0.24 * side, 0.125, dark, 0.2))
    rows.append((0.45, 0.30 * side, 0.15, -0.42, 0.13 * side, 0.11, skin, 0.24))
    moved = [(length / size + row[0], *row[1:3], length / size + row[3], *row[4:]) for row in rows]
    return _sized(size, moved)


def open_hand(length: float, skin: Colour, side: float, spread: float) -> list[Capsule]:
    """A flat hand, fingertips at u = 0 and wrist at u = length. ``side``: the thumb's side; ``spread``: of the fingers."""
    finger, nail = _shade(skin, 0.96), _shade(skin, 1.22)
    rows = [
        (0.50, 0.12, 0.12, 0.90, 0.07, 0.12, skin, -0.03),
        (0.50, -0.12, 0.12, 0.90, -0.07, 0.12, skin, -0.03),
        (0.52, 0.0, 0.14, 1.0, 0.0, 0.13, skin, -0.04),
        (0.78, 0.13 * side, 0.10, 0.86, 0.06 * side, 0.12, skin, -0.03),
    ]
    for k, tip in enumerate((0.10, 0.0, 0.04, 0.17)):
        across = (1.5 - k) * 0.112 * side
        fan = across * (1 + spread)
        rows.append((tip + 0.05, fan, 0.046, 0.50, across, 0.060, finger, 0.012))
        rows.append((tip + 0.025, fan, 0.022, tip + 0.055, fan, 0.026, nail, 0.045))
    rows.append((0.48, (0.30 + 0.1 * spread) * side, 0.050, 0.66, 0.24 * side, 0.062, finger, 0.0))
    rows.append((0.66, 0.24 * side, 0.062, 0.86, 0.09 * side, 0.10, skin, -0.01))
    return _sized(length, rows)


def pointing_hand(length: float, skin: Colour, side: float, fingers: int) -> list[Capsule]:
    """A half closed hand whose ``fingers`` (1 or 2) stretched fingers tap; fingertips at u = 0, wrist at u = length."""
    finger, nail = _shade(skin, 0.93), _shade(skin, 1.22)
    rows = [
        (0.58, 0.06, 0.16, 0.95, 0.02, 0.13, skin, -0.03),
        (0.58, -0.06, 0.16, 0.95, -0.02, 0.13, skin, -0.03),
    ]
    for k in range(4):
        across = (1.5 - k) * 0.105 * side
        if k < fingers:
            tip = 0.03 * k
            rows.append((tip + 0.048, across, 0.044, 0.52, across, 0.060, skin, 0.03))
            rows.append((tip + 0.025, across, 0.021, tip + 0.055, across, 0.025, nail, 0.06))
        else:
            rows.append((0.38 + 0.015 * k, across, 0.060, 0.58, across, 0.062, finger, 0.05))
    rows.append((0.46, 0.22 * side, 0.050, 0.62, 0.21 * side, 0.060, finger, 0.03))
    rows.append((0.62, 0.21 * side, 0.060, 0.84, 0.08 * side, 0.10, skin, 0.0))
    return _sized(length, rows)


def forearm(length: float, skin: Colour, sleeve: Colour, bare: float, size: float) -> list[Capsule]:
    """From the wrist at u = 0 to the elbow at u = length; the sleeve begins at the fraction ``bare``."""
    cuff = length * bare
    return [
        Capsule(-0.05, 0, 0.26 * size, max(cuff, 0.02) + 0.05, 0, 0.34 * size, skin),
        Capsule(cuff, 0, 0.40 * size, length, 0, 0.56 * size, sleeve, 0.1 * size),
        Capsule(cuff, -0.2 * size, 0.22 * size, cuff + 0.03, 0.2 * size, 0.22 * size, _shade(sleeve, 0.9), 0.22 * size),
    ]


def shoe_from_above(size: float, upper: Colour, sole: Colour, laces: Colour, trouser: Colour, side: float) -> list[Capsule]:
    """Toe at u = 0, heel at u = size. ``side``: +1 or -1 for the right or the left shoe."""
    bend = 0.04 * side
    rows = [
        (0.16, 0.5 * bend, 0.165, 0.45, bend, 0.17, sole, -0.10),
        (0.45, bend, 0.155, 0.87, 0.0, 0.145, sole, -0.10),
        (0.17, 0.5 * bend, 0.135, 0.45, bend, 0.14, upper, 0.0),
        (0.45, bend, 0.135, 0.86, 0.0, 0.12, upper, 0.03),
        (0.08, 0.4 * bend, 0.05, 0.15, 0.4 * bend, 0.09, _shade(sole, 0.95), 0.06),
    ]
    rows += [(0.36 + 0.07 * k, bend - 0.065, 0.013, 0.375 + 0.07 * k, bend + 0.065, 0.013, laces, 0.17) for k in range(4)]
    rows.append((0.78, 0.0, 0.125, 0.88, 0.0, 0.13, trouser, 0.12))
    return _sized(size, rows)


def shoe_from_the_side(size: float, upper: Colour, sole: Colour, trouser: Colour, side: float) -> list[Capsule]:
    """The sole's middle at u = 0, the leg along u; the toe points to +v or -v (``side``). ``size``: length of the shoe."""
    rows = [
        (0.10, 0.34 * side, 0.085, 0.12, -0.1 * side, 0.10, upper, 0.0),
        (0.15, -0.02 * side, 0.13, 0.17, -0.30 * side, 0.13, upper, 0.02),
        (0.20, 0.06 * side, 0.10, 0.36, -0.2 * side, 0.13, upper, 0.02),
        (0.025, 0.38 * side, 0.035, 0.03, -0.40 * side, 0.04, sole, 0.14),
        (0.40, -0.22 * side, 0.17, 1.1, -0.20 * side, 0.20, trouser, 0.05),
        (1.1, -0.20 * side, 0.20, 4.0, -0.1 * side, 0.27, trouser, 0.05),
    ]
    return _sized(size, rows)
