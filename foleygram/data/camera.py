"""The hand-held camera of a MiniHits scene: a pinhole over a plane, and how it sways.

World: X to the right, Y away from the camera, Z up from the surface (Z = 0); the unit is the width of the frame at the
point where the optical axis meets the surface. Image: pixels, y downwards.
"""

from __future__ import annotations

import math

import numpy as np

_NEAREST = 0.2  # a point behind or too near to the lens is drawn as if it were this far away


class Camera:
    """``pitch``: angle below the horizon in radians (pi/2 looks straight down); ``focal``: in frame widths."""

    def __init__(self, width: int, height: int, pitch: float, focal: float):
        self.width, self.height, self.focal = width, height, focal
        sine, cosine = math.sin(pitch), math.cos(pitch)
        self._axes = np.array([[1, 0, 0], [0, sine, cosine], [0, cosine, -sine]])  # right, up, forward
        self._centre = np.array([0.0, -focal * cosine, focal * sine])

    def project(self, points) -> tuple[np.ndarray, np.ndarray]:
        """World [..., 3] to (pixels [..., 2], pixels per world unit [...] at that depth)."""
        seen = (np.asarray(points, dtype=np.float64) - self._centre) @ self._axes.T
        scale = self.focal * self.width / np.maximum(seen[..., 2], _NEAREST)
        pixels = np.empty((*scale.shape, 2))
        pixels[..., 0] = self.width / 2 + scale * seen[..., 0]
        pixels[..., 1] = self.height / 2 - scale * seen[..., 1]
        return pixels, scale

    def ground(self, x: float, y: float) -> np.ndarray:
        """The point [2] (X, Y) of the surface seen at frame fractions x, y."""
        right = (x - 0.5) / self.focal
        up = (0.5 - y) * self.height / self.width / self.focal
        ray = np.array([right, up, 1.0]) @ self._axes
        # At or above the horizon the ray never meets the surface: take a far point instead.
        length = self._centre[2] / max(-ray[2], 0.15)
        return (self._centre + length * ray)[:2]

    def plane(self, z: float = 0.0) -> np.ndarray:
        """Homography [3, 3] from (X, Y, 1) on the plane at height z to pixels."""
        shift = np.array([0.0, 0.0, z]) - self._centre
        seen = np.stack([self._axes[:, 0], self._axes[:, 1], self._axes @ shift], axis=1)
        lens = np.array(
            [
                [self.focal * self.width, 0, self.width / 2],
                [0, -self.focal * self.width, self.height / 2],
                [0, 0, 1],
            ]
        )
        return lens @ seen


class Sway:
    """Hand-held shake: slow drift and a little tremor. ``amount``: pixels of a 256-wide frame."""

    def __init__(self, amount: float, width: int, height: int, rng: np.random.Generator):
        slow = rng.uniform(0.2, 1.6, (3, 3))
        fast = rng.uniform(4.0, 9.0, (3, 2))
        self._omega = 2 * math.pi * np.concatenate([slow, fast], axis=1)
        self._phase = rng.uniform(0, 2 * math.pi, self._omega.shape)
        weight = np.concatenate([0.9 / slow**0.5, 0.25 / fast**0.5], axis=1)
        pixels = amount * width / 256
        self._weight = weight * np.array([[pixels], [pixels], [pixels / width]]) * 0.6
        self._middle = (width / 2, height / 2)

    def at(self, t: float, push: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
        """Matrix [3, 3] from the pixels of the still camera to those at t (s), with a further ``push`` in pixels."""
        dx, dy, turn = (self._weight * np.sin(self._omega * t + self._phase)).sum(axis=1)
        cosine, sine = math.cos(turn), math.sin(turn)
        cx, cy = self._middle
        return np.array(
            [
                [cosine, -sine, cx - cosine * cx + sine * cy + dx + push[0]],
                [sine, cosine, cy - sine * cx - cosine * cy + dy + push[1]],
                [0, 0, 1],
            ]
        )
