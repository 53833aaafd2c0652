"""The blunt baseline: peaks of what moves, after the camera and the light are taken away, are taken for onsets.

Kept beside the learned predictor, so that a table always shows what the learning is worth.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from foleygram.config import Config, NotNegative, Positive
from foleygram.timing.motion import DIFFERENCE_UNIT, MotionConfig, motions
from foleygram.timing.track import OnsetEvent, OnsetTrack


class DifferenceConfig(Config):
    """``share``: of the canvas that is looked at, where it changes most; ``stand_out``: height of a peak above the mean
    around it, in standard deviations of the film; ``around``: s of that mean, to both sides; ``apart``: s."""

    motion: MotionConfig = MotionConfig()
    share: Positive = 0.05
    stand_out: NotNegative = 0.6
    around: NotNegative = 0.5
    apart: NotNegative = 0.15
    peak: Positive = 0.2


def difference_onsets(
    frames: Iterable[tuple[float, np.ndarray]], seconds: float, config: DifferenceConfig | None = None
) -> OnsetTrack:
    """Hits at the peaks of the mean change of the most changing part of the picture; strength by height.

    ``frames`` as for the predictor; ``seconds``: events at or after it are left out."""
    config = config or DifferenceConfig()
    times, energy = [], []
    for motion in motions(iter(frames), config.motion):
        changes = np.abs(motion.difference.astype(np.int16)).ravel()
        count = max(int(config.share * len(changes)), 1)
        times.append(motion.time)
        energy.append(float(np.partition(changes, -count)[-count:].mean()) * DIFFERENCE_UNIT)
    if len(times) < 3 or max(energy) <= 0:
        return OnsetTrack()
    # by the time that passes between frames, so that the rate does not matter
    speed = np.array(energy) / np.maximum(np.diff(times, prepend=2 * times[0] - times[1]), 1e-3)
    height = (speed - speed.mean()) / max(float(speed.std()), 1e-9)
    peaks = np.flatnonzero((height[1:-1] >= height[:-2]) & (height[1:-1] > height[2:])) + 1
    events: list[OnsetEvent] = []
    for k in peaks[np.argsort(-height[peaks], kind="stable")]:
        time = times[k]
        near = np.abs(np.array(times) - time) <= config.around
        clear = height[k] - height[near].mean() >= config.stand_out
        if clear and time < seconds and all(abs(time - event.seconds) >= config.apart for event in events):
            events.append(OnsetEvent(time, config.peak * float(speed[k] / speed.max())))
    return OnsetTrack(tuple(events))
