"""When the frames of a picture are shown: presentation timestamps, never a frame count times a nominal rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foleygram.errors import MediaError
from foleygram.media.container import frames_of, open_media, packets_of, picture_of

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from av.container import InputContainer

DEFAULT_FRAME_SECONDS = Fraction(1, 25)
"""Length of a frame of which the file tells nothing, as FFmpeg assumes for still pictures."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """The presentation of a picture. ``ticks``: int64 [frame], rising, in units of ``unit`` s; ``end``: the tick at which
    the last frame has been shown. Time zero is the first frame."""

    ticks: np.ndarray
    end: int
    unit: Fraction

    @property
    def times(self) -> np.ndarray:
        """Presentation time of each frame, seconds from the first frame, float64 [frame]."""
        return (self.ticks - self.ticks[0]) * float(self.unit)

    @property
    def seconds(self) -> float:
        """Length of the picture: from the first frame to the end of the last."""
        return float((self.end - int(self.ticks[0])) * self.unit)

    def nearest(self, times: np.ndarray) -> np.ndarray:
        """Index of the frame shown nearest to each time (s from the first frame); of two equally near the earlier."""
        own = self.times
        right = np.searchsorted(own, times).clip(1, len(own) - 1) if len(own) > 1 else np.zeros(len(times), int)
        left = np.maximum(right - 1, 0)
        return np.where(np.abs(own[left] - times) <= np.abs(own[right] - times), left, right)


def frame_step(stream: VideoStream) -> Fraction:
    """Nominal seconds between frames."""
    rate = stream.average_rate or stream.guessed_rate
    return 1 / rate if rate else DEFAULT_FRAME_SECONDS


def shown_frames(container: InputContainer, stream: VideoStream) -> Iterator[tuple[int, VideoFrame]]:
    """Each decoded frame with its presentation tick. Ticks never fall: a frame without a timestamp, or with one before
    its predecessor's, follows one nominal step after it."""
    step = max(1, round(frame_step(stream) / stream.time_base))
    last = None
    for frame in frames_of(container, stream):
        tick = frame.pts if frame.pts is not None else frame.dts
        if last is not None and (tick is None or tick < last):
            tick = last + step
        last = 0 if tick is None else tick
        yield last, frame


def read_timeline(path: Path) -> Timeline:
    """The timeline of a video from its packets (nothing but the first frame is decoded), or from its frames where the
    packets carry no presentation time, as in AVI. Raises MediaError where no frame can be shown."""
    with open_media(path) as container:
        stream = picture_of(container, path)
        unit, step = stream.time_base, frame_step(stream)
        spans = [(packet.pts, packet.duration) for packet in packets_of(container, stream) if not packet.is_discard]
    with open_media(path) as container:
        stream = picture_of(container, path)
        shown = shown_frames(container, stream)
        first = next(shown, None)
        if first is None:
            raise MediaError(f"{path}: no frame of its picture can be decoded; copy or export it again")
        if any(pts is None for pts, _ in spans):
            rest = [(tick, frame.duration) for tick, frame in shown]
            spans = [(first[0], first[1].duration), *rest]
    # Frames before the first that can be decoded (leading pictures of a cut stream) are never shown.
    spans = sorted((pts, duration or 0) for pts, duration in spans if pts >= first[0])
    ticks = np.array([pts for pts, _ in spans] or [first[0]], dtype=np.int64)
    last_duration = spans[-1][1] if spans else 0
    if last_duration <= 0:
        gaps = np.diff(ticks)
        last_duration = int(np.median(gaps[gaps > 0])) if (gaps > 0).any() else max(1, round(step / unit))
    return Timeline(ticks, int(ticks[-1]) + last_duration, unit)
