"""Where a film cuts from one picture to another, found from its frames alone and in constant memory.

Two signs must agree, the shares of brightness and colour (histograms) and where edges lie, unless the first leaves no doubt,
and the picture must stay another: after a flash it is what it was before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from foleygram.config import Config, Count, NotNegative, Positive, Share
from foleygram.errors import MediaError
from foleygram.timing.motion import Shrinker


class CutConfig(Config):
    """``width``, ``height``: pixels to which a frame is shrunk; ``bins``: of a histogram; ``histogram``: distance 0..1 of the
    histograms of two frames at a cut; ``edges``: distance 0..1 of their edges; ``sure``: distance of the histograms that needs
    no edges; ``stand_out``: how many times the usual distance around it; ``apart``: s between two cuts."""

    width: Count = 64
    height: Count = 48
    bins: Count = 12
    histogram: Positive = 0.18
    edges: Positive = 0.45
    sure: Share = 0.6
    stand_out: NotNegative = 3.0
    apart: NotNegative = 0.2


@dataclass(frozen=True, eq=False)
class Look:
    """One frame as it is compared. ``shares``: [histogram, bin], one histogram for each colour in each quarter; ``edges``: unit
    vector."""

    time: float
    shares: np.ndarray
    edges: np.ndarray
    flat: bool


shrinker_of = lru_cache(4)(Shrinker)
"""The same one for all frames of a film."""


def look(time: float, frame: np.ndarray, config: CutConfig) -> Look:
    """Shrinks and describes a frame uint8 [3, height, width]."""
    if frame.ndim != 3 or frame.shape[0] != 3 or frame.dtype != np.uint8 or 0 in frame.shape:
        raise MediaError(f"a frame is uint8 [3, height, width], not {frame.dtype} {list(frame.shape)}")
    shrinker = shrinker_of(frame.shape[1:], config.height, config.width)
    small = np.stack([shrinker.narrow(shrinker.lower(plane)) for plane in frame])
    # light changes the mean, a cut the rest
    even = small / max(float(small.mean()), 4.0) * 64
    shares = []
    half = (config.height // 2, config.width // 2)
    for part in (
        even[:, : half[0], : half[1]],
        even[:, : half[0], half[1] :],
        even[:, half[0] :, : half[1]],
        even[:, half[0] :, half[1] :],
    ):
        for plane in part:
            counts, _ = np.histogram(plane, config.bins, (0, 192))
            shares.append(counts / plane.size)
    grey = np.log2(1 + small.mean(axis=0) / 16)
    down, right = np.gradient(grey)
    edges = np.hypot(down, right)
    flat = float(edges.mean()) < 0.004
    edges = edges - edges.mean()
    return Look(time, np.stack(shares), edges.ravel() / max(float(np.linalg.norm(edges)), 1e-6), flat)


def distance(before: Look, now: Look) -> tuple[float, float]:
    """Of the histograms and of the edges, each 0 (equal) .. 1."""
    shares = 0.5 * float(np.abs(before.shares - now.shares).sum()) / len(now.shares)
    if before.flat or now.flat:  # a picture without edges: black, or a plain card
        return shares, 0.0 if before.flat and now.flat and shares < 0.1 else 1.0
    return shares, float(np.clip(1 - np.einsum("n,n", before.edges, now.edges), 0, 1))


def find_cuts(frames: Iterable[tuple[float, np.ndarray]], config: CutConfig | None = None) -> Iterator[float]:
    """Times (s) of the first frame after each cut, rising. ``frames``: (s, uint8 [3, height, width]).

    Dissolves and fades are no cuts. Raises MediaError for frames that are none."""
    config = config or CutConfig()
    before: Look | None = None  # the frame that the newest ones are compared with
    doubtful: Look | None = None  # a frame unlike ``before``: a cut, unless the next one is like ``before`` again
    usual: deque[float] = deque(maxlen=24)
    last = -1e9
    for time, frame in frames:
        now = look(time, frame, config)
        if before is not None:
            shares, edges = distance(before, now)
            normal = float(np.median(usual)) if len(usual) > 3 else 0.0
            other = shares > config.sure or (shares > max(config.histogram, config.stand_out * normal) and edges > config.edges)
            if not other:
                doubtful = None  # it was a flash
                usual.append(shares)
            elif doubtful is None:
                doubtful = now
                continue
            else:
                if doubtful.time - last >= config.apart:
                    yield doubtful.time
                    last = doubtful.time
                doubtful = None
        before = now
