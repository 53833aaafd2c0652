"""What acts in a MiniHits scene: a drumstick in a fist, a hand, or a shoe, each a shaded picture laid on two points.

A solid is modelled as overlapping capsules seen from above in its own frame: u runs along its axis, v across, both in
world units. Its picture is painted once; a frame only warps it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foleygram.data.opencv import cv2

Colour = tuple[float, float, float]


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
    """``image``: premultiplied RGBA uint8 [h, w, 4]; ``to_axis``: 3x3 from its pixels to (u / length, v)."""

    image: np.ndarray
    to_axis: np.ndarray
    bounds: tuple[float, float, float, float]  # of (u / length, v)

    def homography(self, start: np.ndarray, end: np.ndarray, scale0: float, scale1: float) -> np.ndarray:
        """3x3 from sprite pixels to image pixels that lays the axis from ``start`` to ``end`` (pixels [2]), as wide as
        ``scale0`` and ``scale1`` pixels per unit there."""
        axis = end - start
        length = max(float(np.hypot(*axis)), 1e-3)
        normal = np.array([-axis[1], axis[0]]) / length
        u0, u1, v0, v1 = self.bounds
        corners = []
        source = []
        inverse = np.linalg.inv(self.to_axis)
        for u in (u0, u1):
            scale = max(scale0 + (scale1 - scale0) * u, 1.0)
            for v in (v0, v1):
                corners.append(start + axis * u + normal * v * scale)
                source.append((inverse @ [u, v, 1])[:2])
        return cv2.getPerspectiveTransform(np.float32(source), np.float32(corners)).astype(np.float64)


def paint(capsules: Sequence[Capsule], length: float, density: float, light: np.ndarray, rng: np.random.Generator) -> Sprite:
    """Shades the capsules. ``length``: of the axis in units; ``density``: pixels per unit; ``light``: vector [3] towards
    the lamp in (u, v, up)."""
    margin = 3.0 / density
    u_low = min(min(c.u0 - c.r0, c.u1 - c.r1) for c in capsules) - margin
    u_high = max(max(c.u0 + c.r0, c.u1 + c.r1) for c in capsules) + margin
    v_low = min(min(c.v0 - c.r0, c.v1 - c.r1) for c in capsules) - margin
    v_high = max(max(c.v0 + c.r0, c.v1 + c.r1) for c in capsules) + margin
    wide, high = int((u_high - u_low) * density) + 2, int((v_high - v_low) * density) + 2
    u = u_low + np.arange(wide, dtype=np.float32)[None] / density
    v = v_low + np.arange(high, dtype=np.float32)[:, None] / density
    top = np.full((high, wide), -1e3, np.float32)
    cover = np.zeros((high, wide), np.float32)
    colour = np.zeros((high, wide, 3), np.float32)
    for c in capsules:
        du, dv = c.u1 - c.u0, c.v1 - c.v0
        share = np.clip(((u - c.u0) * du + (v - c.v0) * dv) / max(du * du + dv * dv, 1e-9), 0, 1)
        radius = c.r0 + (c.r1 - c.r0) * share
        distance = np.sqrt((u - c.u0 - share * du) ** 2 + (v - c.v0 - share * dv) ** 2)
        inside = np.clip((radius - distance) * density + 0.5, 0, 1)
        dome = np.sqrt(np.clip(radius**2 - distance**2, 0, None)) + c.lift
        wins = (inside > 0) & (dome > top)
        top = np.where(wins, dome, top)
        colour[wins] = c.colour
        cover = np.maximum(cover, inside)
    height = np.where(top < -1e2, 0, top) * density
    height = cv2.GaussianBlur(height, (0, 0), 1.0)
    du, dv = np.gradient(height, axis=1), np.gradient(height, axis=0)
    normal = np.stack([-du, -dv, np.ones_like(du)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lamp = np.asarray(light, dtype=np.float32) / np.linalg.norm(light)
    lambert = np.clip(normal @ lamp, 0, None)[..., None]
    grain = cv2.resize(rng.normal(1, 0.05, (max(high // 2, 2), max(wide // 8, 2))).astype(np.float32), (wide, high))
    shaded = colour * (0.42 + 0.62 * lambert) * grain[..., None] + 26 * np.clip(lambert, 0, 1) ** 12
    alpha = cover[..., None]
    rgba = np.concatenate([np.clip(shaded, 0, 255) * alpha, 255 * alpha], axis=-1)
    to_axis = np.array([[1 / density / length, 0, u_low / length], [0, 1 / density, v_low], [0, 0, 1]])
    bounds = (u_low / length, (u_low + (wide - 1) / density) / length, v_low, v_low + (high - 1) / density)
    return Sprite(np.round(rgba).astype(np.uint8), to_axis, bounds)


def stick(length: float, colour: Colour, thick: float, ball: bool) -> list[Capsule]:
    """A drumstick from the tip at u = 0; the fist holds it near u = length, the butt sticks out behind."""
    tip = (
        [Capsule(0.012, 0, thick * 0.62, 0.030, 0, thick * 0.55, colour)]
        if ball
        else [Capsule(thick, 0, thick, length * 0.2, 0, thick, colour)]
    )
    neck = Capsule(0.035, 0, thick * 0.38, length * 0.28, 0, thick, colour)
    shaft = Capsule(length * 0.28, 0, thick, length * 1.12, 0, thick, colour)
    return [*tip, neck, shaft]


def fist(length: float, skin: Colour, size: float, side: float) -> list[Capsule]:
    """Fingers closed round the axis near u = length. ``size``: width of the palm; ``side``: +1 or -1, the thumb's side."""
    dark = tuple(0.88 * value for value in skin)
    parts = [
        Capsule(
            length + 0.1 * size, 0.25 * size * -side, 0.42 * size, length + 0.75 * size, -0.1 * side * size, 0.36 * size, skin
        )
    ]
    for k in range(4):
        u = length - 0.32 * size + 0.27 * size * k
        parts.append(
            Capsule(u, -0.42 * size * side, 0.14 * size, u + 0.05 * size, 0.24 * size * side, 0.125 * size, dark, 0.2 * size)
        )
    parts.append(
        Capsule(
            length + 0.45 * size,
            0.30 * size * side,
            0.15 * size,
            length - 0.42 * size,
            0.13 * size * side,
            0.11 * size,
            skin,
            0.24 * size,
        )
    )
    return parts


def open_hand(length: float, skin: Colour, side: float, spread: float) -> list[Capsule]:
    """A flat hand, fingertips at u = 0 and wrist at u = length. ``side``: the thumb's side; ``spread``: of the fingers."""
    size = length
    dark = tuple(0.93 * value for value in skin)
    parts = [
        Capsule(0.55 * size, 0.11 * size, 0.14 * size, 0.92 * size, 0.07 * size, 0.12 * size, skin, -0.04 * size),
        Capsule(0.55 * size, -0.11 * size, 0.14 * size, 0.92 * size, -0.07 * size, 0.12 * size, skin, -0.04 * size),
        Capsule(0.60 * size, 0.0, 0.16 * size, 1.0 * size, 0.0, 0.13 * size, skin, -0.05 * size),
    ]
    reach = (0.10, 0.0, 0.04, 0.17)
    for k in range(4):
        across = (1.5 - k) * 0.118 * size * side
        fan = across * spread
        parts.append(
            Capsule((reach[k] + 0.055) * size, across + fan, 0.05 * size, 0.52 * size, across, 0.062 * size, dark, 0.015 * size)
        )
    parts.append(
        Capsule(0.42 * size, 0.36 * size * side, 0.058 * size, 0.80 * size, 0.15 * size * side, 0.085 * size, dark, 0.0)
    )
    return parts


def pointing_hand(length: float, skin: Colour, side: float) -> list[Capsule]:
    """A hand with one or two stretched fingers that tap; fingertip at u = 0, wrist at u = length."""
    size = length
    dark = tuple(0.9 * value for value in skin)
    parts = [Capsule(0.62 * size, 0.0, 0.19 * size, 0.95 * size, 0.0, 0.14 * size, skin, -0.03 * size)]
    parts.append(
        Capsule(0.05 * size, 0.11 * size * side, 0.045 * size, 0.55 * size, 0.11 * size * side, 0.062 * size, skin, 0.03 * size)
    )
    for k in range(3):
        across = (0.0 - 0.105 * k) * size * side
        parts.append(
            Capsule((0.36 + 0.03 * k) * size, across, 0.066 * size, 0.6 * size, across, 0.066 * size, dark, 0.05 * size)
        )
    parts.append(
        Capsule(0.38 * size, 0.24 * size * side, 0.055 * size, 0.75 * size, 0.16 * size * side, 0.08 * size, dark, 0.02 * size)
    )
    return parts


def forearm(length: float, skin: Colour, sleeve: Colour, bare: float, size: float) -> list[Capsule]:
    """From the wrist at u = 0 to the elbow at u = length; the sleeve begins at the fraction ``bare``."""
    return [
        Capsule(-0.05, 0, 0.26 * size, length * max(bare, 0.1), 0, 0.36 * size, skin),
        Capsule(length * bare, 0, 0.42 * size, length, 0, 0.58 * size, sleeve, 0.1 * size),
    ]


def shoe_from_above(length: float, upper: Colour, sole: Colour, laces: Colour, trouser: Colour) -> list[Capsule]:
    """Toe at u = 0, heel at u = length, the trouser leg over the ankle."""
    size = length
    parts = [
        Capsule(0.17 * size, 0.0, 0.18 * size, 0.45 * size, 0.0, 0.17 * size, sole, -0.10 * size),
        Capsule(0.45 * size, 0.0, 0.16 * size, 0.87 * size, 0.0, 0.155 * size, sole, -0.10 * size),
        Capsule(0.19 * size, 0.0, 0.15 * size, 0.45 * size, 0.0, 0.145 * size, upper, 0.0),
        Capsule(0.45 * size, 0.0, 0.135 * size, 0.85 * size, 0.0, 0.13 * size, upper, 0.02 * size),
    ]
    for k in range(4):
        u = (0.36 + 0.075 * k) * size
        parts.append(Capsule(u, -0.06 * size, 0.014 * size, u + 0.02 * size, 0.06 * size, 0.014 * size, laces, 0.16 * size))
    parts.append(Capsule(0.72 * size, 0.0, 0.16 * size, 0.86 * size, 0.0, 0.17 * size, trouser, 0.12 * size))
    return parts


def shoe_from_the_side(size: float, upper: Colour, sole: Colour, trouser: Colour, side: float) -> list[Capsule]:
    """The sole's middle at u = 0, the leg along u; the toe points to +v or -v (``side``). ``size``: length of the shoe."""
    parts = [
        Capsule(0.10 * size, 0.34 * size * side, 0.085 * size, 0.12 * size, -0.1 * size * side, 0.10 * size, upper),
        Capsule(0.15 * size, -0.02 * size * side, 0.13 * size, 0.17 * size, -0.30 * size * side, 0.13 * size, upper, 0.01),
        Capsule(0.2 * size, 0.06 * size * side, 0.10 * size, 0.36 * size, -0.2 * size * side, 0.13 * size, upper, 0.01),
        Capsule(
            0.025 * size, 0.38 * size * side, 0.035 * size, 0.03 * size, -0.40 * size * side, 0.04 * size, sole, 0.14 * size
        ),
        Capsule(0.40 * size, -0.22 * size * side, 0.17 * size, 1.1 * size, -0.20 * size * side, 0.20 * size, trouser, 0.02),
        Capsule(1.1 * size, -0.20 * size * side, 0.20 * size, 4.0 * size, -0.1 * size * side, 0.27 * size, trouser, 0.02),
    ]
    return parts
