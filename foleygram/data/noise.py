"""The fields and the shading that procedural surfaces are made of.

A field is float32 [side, side] in 0..1, made with a generator of its own, so it never depends on global state.
"""

from __future__ import annotations

import numpy as np

from foleygram.data.opencv import cv2


def noise(rng: np.random.Generator, side: int, cells: int, octaves: int = 4, stretch: float = 1.0) -> np.ndarray:
    """Fractal noise in 0..1, float32 [side, side]. ``cells``: features along the side in the first octave;
    ``stretch``: how much longer than high the features are."""
    total = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        high = min(max(int(cells * 2**octave), 2), side)
        wide = min(max(int(cells * 2**octave / stretch), 2), side)
        grid = rng.random((high + 1, wide + 1), dtype=np.float32)
        total += cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC) * 0.55**octave
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)


def ramp(field: np.ndarray, *colours: tuple[float, float, float]) -> np.ndarray:
    """Maps 0..1 to a row of RGB colours, evenly spaced."""
    stops = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(field, stops, [c[k] for c in colours]) for k in range(3)], axis=-1).astype(np.float32)


def relief(height: np.ndarray, depth: float) -> np.ndarray:
    """Light on a height field from the upper left: a factor around 1, [side, side, 1]."""
    dx = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3)
    dy = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3)
    return np.clip(1 + depth * (dx + dy), 0.35, 1.7)[..., None]


def cells(rng: np.random.Generator, side: int, count: int, jitter: float = 0.45) -> tuple[np.ndarray, np.ndarray]:
    """Voronoi cells on a jittered grid of ``count`` x ``count``: (number of the cell [side, side], height 0..1 that
    falls to 0 at the borders)."""
    step = side / count
    middles = (np.stack(np.meshgrid(np.arange(count), np.arange(count)), -1) + 0.5) * step
    middles = middles + rng.uniform(-jitter, jitter, middles.shape) * step
    image = np.full((side, side), 255, np.uint8)
    points = np.clip(middles.reshape(-1, 2).astype(int), 0, side - 1)
    image[points[:, 1], points[:, 0]] = 0
    _, labels = cv2.distanceTransformWithLabels(image, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP)
    border = (cv2.Laplacian(labels.astype(np.float32), cv2.CV_32F) != 0).astype(np.uint8)
    inside = cv2.distanceTransform(1 - border, cv2.DIST_L2, 5)
    return labels, np.clip(inside / (0.45 * step), 0, 1).astype(np.float32)


def tinted(colour: tuple[float, float, float], field: np.ndarray, depth: float) -> np.ndarray:
    """A colour made lighter and darker by a field in 0..1."""
    return np.float32(colour) * (1 + depth * (field[..., None] - 0.5)).astype(np.float32)


def pick(rng: np.random.Generator, *colours: tuple[float, float, float]) -> tuple[float, float, float]:
    """One of the colours (R, G, B on a scale of 0..255), a little off."""
    return tuple(np.float32(colours[rng.integers(len(colours))]) + rng.normal(0, 7, 3))


def grid_axes(side: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y in 0..1 of the pixels of a square, each [side, side]."""
    x = np.linspace(0, 1, side, dtype=np.float32)
    return np.meshgrid(x, x)


def gloss(rng: np.random.Generator, side: int, amount: float) -> np.ndarray:
    """Reflections of windows and lamps: soft bright streaks, [side, side, 1]."""
    image = np.zeros((side, side), np.float32)
    for _ in range(int(rng.integers(2, 5))):
        middle, angle = rng.uniform(0, side, 2), rng.uniform(0, 180)
        box = cv2.boxPoints(((float(middle[0]), float(middle[1])), tuple(rng.uniform(0.1, 0.6, 2) * side), float(angle)))
        cv2.fillConvexPoly(image, box.astype(np.int32), float(rng.uniform(0.3, 1)))
    return amount * cv2.GaussianBlur(image, (0, 0), side * 0.03)[..., None]


def folds(rng: np.random.Generator, side: int, count: int, curl: float) -> np.ndarray:
    """Light on a crumpled sheet: flat facets with sharp creases, a factor around 1, [side, side, 1]. ``count``: folds;
    ``curl``: how much they bend."""
    x, y = grid_axes(side)
    bend = curl * noise(rng, side, 3, 2)
    light = np.zeros((side, side), np.float32)
    for k in range(count):
        angle, pitch = rng.uniform(0, 2 * np.pi), rng.uniform(1.0, 3.5)
        across = pitch * (np.cos(angle) * x + np.sin(angle) * y) + bend + rng.random()
        light += np.sign(np.sin(2 * np.pi * across)) * np.cos(angle - 0.8) * 0.9**k
        bend = bend + 0.10 * np.abs(2 * (across % 1) - 1)
    light = cv2.GaussianBlur(light.astype(np.float32), (0, 0), side / 400)
    return (1 + light / (2.2 * np.sqrt(count)))[..., None]
