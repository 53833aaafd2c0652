"""When the frames of a picture are shown: presentation timestamps, never a frame count times a nominal rate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foleygram.errors import MediaError
from foleygram.media.container import DamagedError, check_input, frames_of, open_media, packets_of, picture_of

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from av.container import InputContainer

DEFAULT_FRAME_SECONDS = Fraction(1, 25)
"""Length of a frame of which the file tells nothing, as FFmpeg assumes for still pictures."""

RESTART = 1  # s by which time stamps fall where another film begins


@dataclass(frozen=True, eq=False)
class Timeline:
    """The presentation of a picture. ``ticks``: int64 [frame], rising, in units of ``unit`` s; ``length``: s from the first
    frame, which is time zero, to the end of the last; ``first_stamp``: what the packet of the first frame states as its
    presentation time, None where the packets do not tell when to show them; ``begins``: s from the start of the file, where
    players begin to count, to the first frame."""

    ticks: np.ndarray
    unit: Fraction
    length: Fraction
    first_stamp: int | None
    begins: float = 0.0

    @property
    def times(self) -> np.ndarray:
        """Presentation time of each frame, seconds from the first frame, float64 [frame]."""
        return (self.ticks - self.ticks[0]) * float(self.unit)

    @property
    def seconds(self) -> float:
        return float(self.length)

    def nearest(self, times: np.ndarray) -> np.ndarray:
        """Index of the frame presented nearest to each time (s from the first frame); of two equally near the earlier."""
        middles = (self.times[:-1] + self.times[1:]) / 2
        return np.searchsorted(middles, times, side="left")


def picture_length(ticks: np.ndarray, last_duration: int, unit: Fraction, step: Fraction, sure: bool = True) -> Fraction:
    """Seconds from the first frame to the end of the last.

    ``last_duration``: of the last frame in units, 0 where the file does not tell; ``step``: nominal seconds between frames;
    ``sure``: the file itself states the ticks.
    Where all timestamps are those of the nominal rate, rounded to the file's clock (1 ms in Matroska), the length is a whole
    number of exact steps; else it is what the timestamps say.
    """
    even = np.arange(len(ticks)) * float(step / unit)
    rounding = 0 if sure and unit * 4 > step else 1  # of a clock that counts frames, as AVI's, one tick is a missing frame
    if np.abs(ticks - ticks[0] - even).max() <= rounding and (last_duration <= 0 or abs(last_duration * unit - step) <= unit):
        return len(ticks) * step
    if last_duration <= 0:
        gaps = np.diff(ticks)
        last_duration = int(np.median(gaps[gaps > 0])) if (gaps > 0).any() else max(1, round(step / unit))
    return (int(ticks[-1] - ticks[0]) + last_duration) * unit


def frame_step(stream: VideoStream) -> Fraction:
    """Nominal seconds between frames."""
    rate = stream.average_rate or stream.guessed_rate
    return 1 / rate if rate else DEFAULT_FRAME_SECONDS


def counts_only(container: InputContainer, stream: VideoStream) -> bool:
    """Whether the container numbers its packets instead of saying when each is presented."""
    return container.format.name == "avi" and stream.codec_context.name in ("h264", "hevc")


def shown_frames(container: InputContainer, stream: VideoStream, beside: bool = False) -> Iterator[tuple[int, VideoFrame]]:
    """Each decoded frame with its presentation tick. Ticks never fall: a frame without a timestamp, or with one before
    its predecessor's, follows one nominal step after it. ``beside``: see ``frames_of``."""
    step = max(1, round(frame_step(stream) / stream.time_base))
    # AVI counts frames in the order of decoding, and FFmpeg guesses wrong from it with H.264 and later codecs. Their own
    # order is right once they are decoded; decoding delays the count by a few frames, the first is shown at 0.
    counted = counts_only(container, stream)
    delay = last = None
    for frame in frames_of(container, stream, beside and not counted):
        tick = frame.pts
        if counted and frame.dts is not None:
            delay = frame.dts if delay is None else delay
            tick = frame.dts - delay
        if last is not None and (tick is None or tick < last):
            tick = last + step
        last = 0 if tick is None else tick
        yield last, frame


def all_shown(path: Path) -> Iterator[tuple[int, VideoFrame]]:
    """``shown_frames`` of a whole file, decoded beside one another up to a damaged packet, then one by one. Frames that
    refer to the damaged one may have been shown before it, as FFmpeg conceals it."""
    last = None  # tick of the last frame that was shown
    try:
        with open_media(path) as container:
            for last, frame in shown_frames(container, picture_of(container, path), beside=True):
                yield last, frame
            return
    except DamagedError:
        pass
    yield from shown_after(path, last)


def shown_after(path: Path, last: int | None) -> Iterator[tuple[int, VideoFrame]]:
    """The frames after a tick, all for None, from the keyframe before it; from the front where the container's index leads
    astray."""
    import av

    for seek in (last is not None, False):
        with open_media(path) as container:
            stream = picture_of(container, path)
            with suppress(av.FFmpegError, OSError):  # some containers cannot, and begin at the front
                if seek:
                    container.seek(last, stream=stream)
            shown = shown_frames(container, stream)
            first = next(shown, None)
            if seek and (first is None or first[0] > last or first[1].pts is None):
                continue
            for tick, frame in () if first is None else chain([first], shown):
                if last is None or tick > last:
                    yield tick, frame
            return


def read_timeline(path: Path) -> Timeline:
    """The timeline of a video from its packets (nothing but the first frame is decoded), or from all its frames where
    packets carry no presentation time, as in some AVI and raw streams. Kept until the file is another: all of it is read.
    Raises MediaError where no frame can be shown, and where the time stamps start again."""
    check_input(path)
    state = Path(path).stat()
    return timeline_of(Path(path), (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=4)
def timeline_of(path: Path, state: tuple[int, ...]) -> Timeline:
    """``state``: of the file as it is now."""
    with open_media(path) as container:
        stream = picture_of(container, path)
        unit, step = stream.time_base, frame_step(stream)
        packets, last = [], None
        for packet in packets_of(container, stream):
            if packet.dts is not None:
                if last is not None and (last - packet.dts) * unit > RESTART:
                    raise MediaError(
                        f"{path}: its time stamps start again after {float((last - packet.dts) * unit):.1f} s, as where files "
                        "were put one after another; join them with a program that counts on, as ffmpeg's concat"
                    )
                last = packet.dts
            if not packet.is_discard:
                packets.append((packet.pts, packet.duration))
        unsure = counts_only(container, stream) or any(pts is None for pts, _ in packets)
    with open_media(path) as container:
        shown = shown_frames(container, picture_of(container, path))
        first, frame = next(shown, (None, None))
        start = container.start_time or 0  # microseconds
        if frame is None:
            raise MediaError(f"{path}: no frame of its picture can be decoded; copy or export it again")
        if unsure:
            frames = [(first, frame.pts), *((tick, frame.pts) for tick, frame in shown)]
            ticks = np.array([tick for tick, _ in frames], dtype=np.int64)
            stamps = [pts for _, pts in frames]
            sure = None not in stamps and stamps == sorted(stamps)
            return Timeline(ticks, unit, picture_length(ticks, 0, unit, step, sure), stamps[0] if sure else None)
    # Frames before the first that can be decoded (leading pictures of a cut stream) are never shown.
    spans = sorted((pts, duration or 0) for pts, duration in packets if pts >= first) or [(first, 0)]
    ticks = np.array([pts for pts, _ in spans], dtype=np.int64)
    begins = max(float(first * unit) - start / 1e6, 0.0)
    return Timeline(ticks, unit, picture_length(ticks, spans[-1][1], unit, step), first, begins)
