"""Motion maps as another camera would have seen the same film: turned, nearer or farther, from the side, under a longer
exposure, with fewer frames, with noise.

A film is drawn once and its motion kept; what a flat picture can show of another place of the camera costs nothing here. In
rendered films tools come down onto surfaces that lie flat; real ones strike walls, rails and lids from every side. Ours.
"""

from __future__ import annotations

import math

import numpy as np

from foleygram.data.opencv import cv2

WARPED, ANY_TURN, TILT = 0.5, 0.5, 20.0
"""Share of crops that are warped, share of those that are turned by any angle, and the others' standard deviation (degrees)."""

ZOOMS, STRETCH, SHEAR = (0.55, 2.2), 0.45, 0.15
"""Sizes, even in the logarithm; logarithm by which one direction is longer than the other; standard deviation of the shear."""

PLACES = (0.25, 0.75)
"""Shares of the picture between which the place lies where something moved."""

EXPOSED, EXPOSURES = 0.15, (0.2, 0.5)
"""Share of crops that are exposed longer, and shares of the frame before in what each frame shows."""

NOISY, NOISES = 0.2, (0.5, 3.0)
"""Share of crops with noise, and its standard deviations in steps of the difference."""

THINNED, FASTEST = 0.3, 22.0
"""Share of crops that lack every second frame, and frames/s that a film has to have for it: what is left shows as much."""


def fast(times: np.ndarray) -> bool:
    """Whether a film whose frames lie at ``times`` (s) has enough of them to lose some."""
    return len(times) > 1 and float(np.diff(times).mean()) < 1 / FASTEST


def thinned(motion: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``motion`` [frame, 2, high, wide] and ``times`` [frame] (s) without every second frame. What moved from one frame that is
    left to the next is what moved to the frame between and from it on."""
    difference = motion[::2, 0].astype(np.int16)
    difference[1:] += motion[1 : 2 * len(difference) - 1 : 2, 0]
    return with_difference(motion[::2], difference), times[::2]


def seen_anew(draw: np.random.Generator, motion: np.ndarray) -> np.ndarray:
    """``motion``: int8 [frame, 2, high, wide] of difference and appearance, which is not changed. The result has its shape."""
    if draw.random() < WARPED:
        motion = warped(motion, warp(draw, motion))
    if draw.random() < EXPOSED:
        motion = exposed(motion, float(draw.uniform(*EXPOSURES)))
    if draw.random() < NOISY:
        spread = draw.uniform(*NOISES)
        motion = with_difference(motion, motion[:, 0] + draw.normal(0, spread, motion[:, 0].shape))
    return motion


def warp(draw: np.random.Generator, motion: np.ndarray) -> np.ndarray:
    """An affine map float32 [2, 3] of pixels (right, down) that brings a place where something moves into the middle part."""
    high, wide = motion.shape[-2:]
    moved = np.abs(motion[:, 0].astype(np.float32)).mean(axis=0)
    moved = np.maximum(moved - np.median(moved), 0) + 1e-6
    down, right = divmod(int(draw.choice(moved.size, p=(moved / moved.sum()).ravel())), wide)
    angle = math.radians(draw.uniform(-180, 180) if draw.random() < ANY_TURN else draw.normal(0, TILT))
    zoom, axis = math.exp(draw.uniform(*np.log(ZOOMS))), draw.uniform(0, math.pi)
    longer, shear = math.exp(draw.uniform(-STRETCH, STRETCH) / 2), draw.normal(0, SHEAR)
    matrix = turn(angle + axis) @ np.diag([zoom * longer, zoom / longer]) @ np.array([[1, shear], [0, 1]]) @ turn(-axis)
    goal = draw.uniform(*PLACES, 2) * (wide, high)
    return np.concatenate([matrix, (goal - matrix @ (right, down))[:, None]], axis=1).astype(np.float32)


def turn(angle: float) -> np.ndarray:
    """A rotation [2, 2] by ``angle`` (radians)."""
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def warped(motion: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Each map of ``motion`` [frame, 2, high, wide] through ``matrix`` [2, 3]. What was outside the picture does
    not move, and looks as what lies inside."""
    size = motion.shape[:-3:-1]
    result = np.empty_like(motion)
    for frame, seen in zip(motion, result, strict=True):
        for index, border in enumerate((cv2.BORDER_CONSTANT, cv2.BORDER_REFLECT_101)):
            plane = frame[index].astype(np.float32)
            seen[index] = np.round(cv2.warpAffine(plane, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border))
    return result


def exposed(motion: np.ndarray, share: float) -> np.ndarray:
    """``motion`` [frame, 2, high, wide] as if each frame but the first had gathered ``share`` (0..1) of its light while the one
    before was taken."""
    difference = motion[:, 0].astype(np.float32)
    difference[1:] = (1 - share) * difference[1:] + share * difference[:-1]
    return with_difference(motion, difference)


def with_difference(motion: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """``motion`` [frame, 2, high, wide] with another ``difference`` [frame, high, wide], rounded to its int8 steps."""
    result = motion.copy()
    result[:, 0] = np.clip(np.round(difference), -127, 127)
    return result
