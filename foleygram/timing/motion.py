"""What moves between two frames of a picture, apart from the camera and the light.

Frames are shrunk to a small canvas of log luminance. Between two of them the movement of the whole picture (affine) and
the change of the light (a plane) are fitted robustly and taken away; what is left is what moves in the scene. One frame is
held at a time, so memory does not grow with the film.

Products are sparse or einsum and not ``@``: for matrices this small the threads of a BLAS wait for one another longer than
they work, ten times longer where the machine is busy. scipy takes a fifth of a second to be imported, so only those wait for it
who look at a picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from foleygram.config import Config, Count, Positive
from foleygram.errors import MediaError

DIFFERENCE_UNIT = 1 / 64
"""One step of the int8 difference, in octaves of luminance."""

APPEARANCE_UNIT = 1 / 32
"""One step of the int8 appearance, in local standard deviations."""


STILLNESS = 1e-3 * np.eye(9)
"""Added to the equations of a camera's movement, which a picture without texture leaves open: such a camera stands still."""


class MotionConfig(Config):
    """``long``, ``short``: pixels of the canvas along the longer and the shorter side of the picture; ``rate``: frames/s
    above which frames are passed over; ``local``: pixels of the window that normalises the appearance; ``cut``: share of
    the canvas that differs at a cut; ``jump``: octaves of luminance by which it then differs."""

    long: Count = 96
    short: Count = 72
    rate: Positive = 31.0
    local: Count = 17
    cut: Positive = 0.4
    jump: Positive = 0.35


@dataclass(frozen=True, eq=False)
class Motion:
    """One frame against the one before. ``time``: s; ``difference``: int8 [height, width], octaves of luminance x 64,
    aligned with this frame, 0 for the first frame and at a cut; ``appearance``: int8 [height, width], local contrast x 32;
    ``cut``: whether nothing of the frame before is left."""

    time: float
    difference: np.ndarray
    appearance: np.ndarray
    cut: bool


def shrinking(source: int, target: int) -> np.ndarray:
    """Weights float32 [target, source] that resample a row of pixels: means over the area of each new pixel, or linear
    interpolation where the row grows. Rows add up to 1."""
    if target >= source:
        places = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
        return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(source)[None])).astype(np.float32)
    edges = np.arange(target + 1) * source / target
    cover = np.minimum(edges[1:, None], np.arange(1, source + 1)[None]) - np.maximum(edges[:-1, None], np.arange(source)[None])
    return (np.maximum(cover, 0) * target / source).astype(np.float32)


class Shrinker:
    """Resamples pictures of one shape to ``height`` x ``width`` as ``shrinking`` weighs their pixels."""

    def __init__(self, shape: tuple[int, int], height: int, width: int):
        from scipy.sparse import csr_array  # nearly all weights are 0

        self.rows, self.columns = csr_array(shrinking(shape[0], height)), csr_array(shrinking(shape[1], width))

    def lower(self, plane: np.ndarray) -> np.ndarray:
        """Float32 [height, source width] of a plane [source height, source width]."""
        return self.rows @ plane.astype(np.float32)

    def narrow(self, plane: np.ndarray) -> np.ndarray:
        """Float32 [..., width] of [..., source width]."""
        return np.ascontiguousarray((self.columns @ np.ascontiguousarray(plane.T)).T)


class Canvas:
    """Shrinks frames uint8 [3, height, width] of one size to log luminance float32 on the small canvas, which stands
    upright where the picture does. ``log2(1 + Y / 16)``: a change of light adds a constant, noise in the dark stays small."""

    def __init__(self, config: MotionConfig):
        self.config = config
        self.shape: tuple[int, ...] | None = None

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        if frame.ndim != 3 or frame.shape[0] != 3 or frame.dtype != np.uint8 or 0 in frame.shape:
            raise MediaError(f"a frame is uint8 [3, height, width], not {frame.dtype} {list(frame.shape)}")
        if self.shape is None:
            self.shape = frame.shape
            high, wide = frame.shape[1:]
            sides = (self.config.short, self.config.long) if wide >= high else (self.config.long, self.config.short)
            self.shrinker = Shrinker((high, wide), *sides)
        if frame.shape != self.shape:
            raise MediaError(f"all frames have one size: {list(self.shape)} at first, then {list(frame.shape)}")
        # the mean over rows first: it shrinks the most memory-bound part
        red, green, blue = map(self.shrinker.lower, frame)
        luminance = self.shrinker.narrow(0.299 * red + 0.587 * green + 0.114 * blue)
        return np.log2(1 + luminance / 16)


def median(values: np.ndarray) -> np.floating:
    """As ``np.median`` of a row of finite numbers, in a third of its time where the row is short."""
    middle = len(values) // 2
    part = np.partition(values, middle)
    return part[middle] if len(values) % 2 else (part[:middle].max() + part[middle]) / 2


@dataclass(frozen=True, eq=False)
class Half:
    """A canvas at half its size. ``image``: float32 [height, width]; ``spectrum``: of it, without its mean, under a window."""

    image: np.ndarray
    spectrum: np.ndarray


def phase_shift(before: Half, now: Half) -> tuple[float, float]:
    """Whole pixels (down, right) by which ``now`` is moved against ``before``: the peak of the phase correlation."""
    high, wide = now.image.shape
    cross = now.spectrum * before.spectrum.conj()
    strength = np.abs(cross)
    # a little of the plain correlation steadies pictures without texture
    peak = np.fft.irfft2(cross / (strength + 1e-3 * strength.max() + 1e-12), s=now.image.shape)
    down, right = np.unravel_index(int(peak.argmax()), peak.shape)
    return float((down + high // 2) % high - high // 2), float((right + wide // 2) % wide - wide // 2)


class Camera:
    """Fits the movement of the whole picture and the change of light between two canvases of one shape.

    ``now(x) = before(x + motion(x)) + light(x)``: ``motion`` is affine, ``light`` a plane. Iteratively reweighted least
    squares at half the canvas's size (Tukey's biweight, so that a moving hand has no say), from the better of standing
    still and the shift that phase correlation finds."""

    def __init__(self, shape: tuple[int, int]):
        self.shape = shape
        high, wide = shape[0] // 2, shape[1] // 2
        self.half = (high, wide)
        down, right = np.mgrid[:high, :wide].astype(np.float32)
        self.down, self.right = down, right
        # coordinates in -1..1 keep the equations well conditioned
        x, y = (2 * right / wide - 1).ravel(), (2 * down / high - 1).ravel()
        self.basis = np.stack([np.ones_like(x), x, y])
        self.window = np.hanning(high)[:, None] * np.hanning(wide)[None]
        self.grid = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        self.latest: tuple[np.ndarray | None, Half | None] = None, None

    def shrink(self, canvas: np.ndarray) -> Half:
        """The canvas at half its size; the latest one is kept, for it is the one before soon."""
        if canvas is not self.latest[0]:
            high, wide = self.half
            image = canvas[: 2 * high, : 2 * wide].reshape(high, 2, wide, 2).mean(axis=(1, 3))
            self.latest = canvas, Half(image, np.fft.rfft2((image - image.mean()) * self.window))
        return self.latest[1]

    def moved(self, before: np.ndarray, motion: np.ndarray) -> np.ndarray:
        """``before`` seen through ``motion`` [2, 3] (pixels down and right per 1, x, y), nan outside the picture."""
        if not motion.any():
            return before.ravel()
        down, right = np.einsum("ij,jn->in", motion, self.basis)
        places = [self.down.ravel() + down, self.right.ravel() + right]
        return read_at(before, places)

    @staticmethod
    def misfit(difference: np.ndarray) -> float:
        """Median of |difference - median|, infinite where less than two thirds of the picture overlap."""
        valid = difference[np.isfinite(difference)]
        return float(median(np.abs(valid - median(valid)))) if 3 * len(valid) > 2 * len(difference) else math.inf

    def fit(self, before: np.ndarray, now: np.ndarray) -> np.ndarray:
        """``motion`` [2, 3] in pixels of the half canvas."""
        earlier, later = self.shrink(before), self.shrink(now)
        before, now = earlier.image, later.image
        still = np.zeros((2, 3), np.float32)
        motion, best = still, self.misfit(now.ravel() - before.ravel())
        down, right = phase_shift(earlier, later)
        if (down, right) != (0.0, 0.0):
            shifted = np.array([[-down, 0, 0], [-right, 0, 0]], np.float32)
            misfit = self.misfit(now.ravel() - self.moved(before, shifted))
            if misfit < 0.9 * best:
                motion, best = shifted, misfit
        start = motion
        slope_down, slope_right = np.gradient(now)
        slopes = np.stack([slope_down.ravel(), slope_right.ravel()])
        # unknowns: 2 x 3 of the motion, 3 of the light
        columns = np.concatenate([slopes[0] * self.basis, slopes[1] * self.basis, self.basis]).astype(np.float64)
        for _ in range(3):
            error = now.ravel() - self.moved(before, motion)
            valid = np.isfinite(error)
            if 2 * valid.sum() < len(error):
                return still
            scale = 4.685 * 1.483 * max(self.misfit(error), 0.01)
            error = np.where(valid, error, 0)
            weight = np.where(valid, np.maximum(1 - ((error - median(error[valid])) / scale) ** 2, 0) ** 2, 0)
            weighted = columns * weight
            normal = np.einsum("in,jn->ij", weighted, columns) + STILLNESS
            step = np.linalg.solve(normal, np.einsum("in,n->i", weighted, error))
            motion = motion + step[:6].reshape(2, 3).astype(np.float32)
        if np.abs(motion - start).max() > 4 or self.misfit(now.ravel() - self.moved(before, motion)) > best:
            return start
        return motion

    def difference(self, before: np.ndarray, now: np.ndarray) -> np.ndarray:
        """``now`` minus the moved and relit ``before``, float32, nan where that was outside the picture."""
        motion = self.fit(before, now)
        high, wide = self.shape
        y, x = 2 * self.grid[0] / high - 1, 2 * self.grid[1] / wide - 1
        down, right = (2 * (part[0] + part[1] * x + part[2] * y) for part in motion)
        difference = now - read_at(before, [self.grid[0] + down, self.grid[1] + right])
        valid = np.isfinite(difference)
        if not valid.any():
            return np.zeros(self.shape, np.float32)
        return (difference - self.light(difference, valid, x, y)).astype(np.float32)

    @staticmethod
    def light(difference: np.ndarray, valid: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The plane that most of the difference lies on."""
        level = median(difference[valid])
        spread = 4.685 * 1.483 * max(float(median(np.abs(difference[valid] - level))), 0.01)
        near = valid & (np.abs(np.where(valid, difference, 1e9) - level) < 0.6 * spread)
        sides = np.stack([np.ones(int(near.sum())), x[near], y[near]])
        if sides.shape[1] < 32:
            return np.full(difference.shape, level)
        normal = np.einsum("in,jn->ij", sides, sides) + 1e-3 * np.eye(3)
        plane = np.linalg.solve(normal, np.einsum("in,n->i", sides, difference[near]))
        return plane[0] + plane[1] * x + plane[2] * y


def read_at(canvas: np.ndarray, places: list[np.ndarray]) -> np.ndarray:
    """The canvas at ``places`` [down, right] (pixels), straight between pixels, nan outside."""
    from scipy.ndimage import map_coordinates

    return map_coordinates(canvas, places, order=1, mode="constant", cval=np.nan, prefilter=False)


def appearance(canvas: np.ndarray, window: int) -> np.ndarray:
    """The canvas in units of its local standard deviation around its local mean, float32; flat places stay near 0."""
    from scipy.ndimage import uniform_filter

    centred = canvas - uniform_filter(canvas, window, mode="reflect")
    spread = np.sqrt(np.maximum(uniform_filter(centred**2, window, mode="reflect"), 0))
    return centred / (spread + 0.1)


def whole(values: np.ndarray, unit: float) -> np.ndarray:
    """Rounded to int8 steps of ``unit``."""
    return np.clip(np.round(values / unit), -127, 127).astype(np.int8)


def motions(frames: Iterator[tuple[float, np.ndarray]], config: MotionConfig) -> Iterator[Motion]:
    """The motion of each frame (seconds, uint8 RGB [3, height, width]) against the one before, in constant memory.

    Times rise; a frame at the time of the one before is passed over, and so are frames closer than ``1 / rate``, for which
    the rate of the result is within a third of the even share. Raises MediaError for frames of another kind or size."""
    canvas_of = Canvas(config)
    camera: Camera | None = None
    before: np.ndarray | None = None
    last = -math.inf
    for time, frame in frames:
        if not math.isfinite(time):
            raise MediaError("a frame has a finite presentation time in seconds")
        if time <= last or time - last < 1 / config.rate:
            continue
        last = time
        now = canvas_of(frame)
        camera = camera or Camera(now.shape)
        difference = np.zeros_like(now) if before is None else camera.difference(before, now)
        inside = np.isfinite(difference)
        difference = np.where(inside, difference, 0)
        cut = before is not None and float((np.abs(difference) > config.jump).sum()) > config.cut * inside.sum()
        if cut:
            difference = np.zeros_like(now)
        before = now
        yield Motion(time, whole(difference, DIFFERENCE_UNIT), whole(appearance(now, config.local), APPEARANCE_UNIT), cut)
