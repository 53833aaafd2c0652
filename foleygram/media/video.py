"""The picture of videos, to and from frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foleygram.errors import MediaError, OutputError, UsageError
from foleygram.media.audio import track_samples
from foleygram.media.container import DamagedError, find_picture, frames_of, open_media, picture_of, stated_seconds
from foleygram.media.soundtrack import CLOCKS, Soundtrack, container_of, encoding_failed
from foleygram.media.timeline import Timeline, all_shown, read_timeline, shown_frames
from foleygram.output import whole_file
from foleygram.spread import split_indices
from foleygram.types import Audio, Video

if TYPE_CHECKING:
    from av import VideoFrame

CUT_SECONDS = 0.25  # less at the end of a file that is cut off is not worth a word

FRAME_SIDE = 256
"""Pixels of the shorter side of frames for the towers, as they were when these learned; a tower makes them its own size."""

SEEK_SECONDS = 5.0
"""A wanted frame farther ahead than this is sought instead of decoding all frames up to it."""


@dataclass(frozen=True)
class MediaInfo:
    """What a file holds. ``seconds``: length of the picture, without one of the sound; ``width``, ``height``: pixels as
    presented, rotation applied; ``fps``: mean frame rate; ``rotation``: degrees clockwise by which players turn the stored
    picture (0, 90, 180, 270); ``frames``: number of frames; ``stated``: seconds that a file which is
    cut off says its picture has, 0 for a whole one. Numbers of an absent picture are 0."""

    path: Path
    seconds: float
    has_video: bool
    has_audio: bool
    width: int = 0
    height: int = 0
    fps: float = 0.0
    rotation: int = 0
    frames: int = 0
    stated: float = 0.0

    @property
    def shortfall(self) -> str:
        """What is missing of a file that is cut off, for a note; empty for a whole one."""
        if not self.stated:
            return ""
        return f"the file says {self.stated:.1f} s, only {self.seconds:.1f} s of its picture can be read; copy it again"


def quarter_turns(frame: VideoFrame) -> int:
    """Counter-clockwise quarter turns by which a frame is to be presented (display matrix), 0 to 3."""
    return round(frame.rotation / 90) % 4


def probe(path: Path) -> MediaInfo:
    """What a media file holds. Raises MediaError where it is none."""
    path = Path(path)
    with open_media(path) as container:
        has_video = find_picture(container) is not None
        has_audio = bool(container.streams.audio)
    if not has_video:
        samples, own_rate = track_samples(path, 0, None)
        if not samples.shape[1]:
            raise MediaError(f"{path}: its sound is empty or cannot be decoded; give a file with at least one sample")
        return MediaInfo(path, samples.shape[1] / own_rate, False, True)
    timeline = read_timeline(path)
    with open_media(path) as container:
        stream = picture_of(container, path)
        frame = next(frames_of(container, stream))
        nominal = float(stream.average_rate or 0)
    stated = stated_seconds(path)
    measured = len(timeline.ticks) / timeline.seconds
    turns = quarter_turns(frame)
    width, height = (frame.height, frame.width) if turns % 2 else (frame.width, frame.height)
    return MediaInfo(
        path=path,
        seconds=timeline.seconds,
        has_video=True,
        has_audio=has_audio,
        width=width,
        height=height,
        # The header's rate is the exact one where the time stamps agree, they are rounded; else they decide.
        fps=nominal if abs(nominal - measured) < 0.01 * measured else measured,
        rotation=-90 * turns % 360,
        frames=len(timeline.ticks),
        stated=stated if stated - timeline.seconds > CUT_SECONDS else 0.0,
    )


class Converter:
    """Turns decoded frames into RGB arrays of one size: uint8 [3, height, width], upright.

    ``short_side``: pixels of the shorter side (bilinear with low-pass, the longer side rounded down); None keeps the size.
    """

    def __init__(self, short_side: int | None):
        from av.video.reformatter import VideoReformatter

        if short_side is not None and short_side < 1:
            raise UsageError(f"a picture has at least 1 pixel on its short side, not {short_side}")
        self.short_side = short_side
        self.size: tuple[int, int] | None = None
        self.reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        if self.size is None:  # the first frame decides, so that all have one size
            short = min(frame.width, frame.height)
            side = self.short_side or short
            self.size = (frame.width * side // short, frame.height * side // short)
        rgb = self.reformatter.reformat(frame, *self.size, format="rgb24", interpolation="BILINEAR", dst_color_range="JPEG")
        upright = np.rot90(rgb.to_ndarray(), quarter_turns(frame))
        return np.ascontiguousarray(upright.transpose(2, 0, 1))


def frames_near(
    path: Path, timeline: Timeline, targets: np.ndarray, convert: Converter, seek: bool = True, beside: bool = True
) -> list[np.ndarray]:
    """The image nearest to each tick of ``targets`` (rising), decoded once from front to back, seeking over long gaps;
    ``beside``: see ``frames_of``. What goes wrong by either is done again without it."""
    try:
        images = sought_frames(path, timeline, targets, convert, seek, beside)
    except DamagedError:
        return frames_near(path, timeline, targets, convert, seek, beside=False)
    return frames_near(path, timeline, targets, convert, False, beside) if images is None else images


def sought_frames(
    path: Path, timeline: Timeline, targets: np.ndarray, convert: Converter, seek: bool, beside: bool
) -> list[np.ndarray] | None:
    """As ``frames_near``; None where the container's index leads astray."""
    images: list[np.ndarray] = []
    with open_media(path) as container:
        stream = picture_of(container, path)
        shown = shown_frames(container, stream, beside)
        before = after = next(shown, None)  # the frames around the current target
        for target in targets.tolist():
            if seek and after is not None and (target - after[0]) * timeline.unit > SEEK_SECONDS:
                container.seek(target, stream=stream)
                shown = shown_frames(container, stream, beside)
                before = after = next(shown, None)
                if after is None or after[0] > target:
                    return None
            while after is not None and after[0] < target:
                before, after = after, next(shown, None)
            if before is None:
                raise MediaError(f"{path}: no frame of its picture can be decoded; copy or export it again")
            near = before if after is None or target - before[0] <= after[0] - target else after
            images.append(convert(near[1]))
    return images


def read_frames(
    path: Path, times: Sequence[float] | None = None, count: int | None = None, short_side: int | None = None
) -> Video:
    """Some frames of a video, or all: those presented nearest to ``times`` (s from the first frame), or ``count`` frames
    at the centres of equal parts (``spread.split_indices``); frames may repeat.

    ``short_side``: pixels of the shorter side. The rotation flag is applied. Memory is that of the frames returned.
    ``Video.times`` are the true presentation times, ``Video.seconds`` the length of the whole picture.
    Raises MediaError where the file holds no picture, UsageError for a count below 1, for times that are NaN or fall, and
    for both times and count.
    """
    if times is not None and count is not None:
        raise UsageError("frames are chosen by times or by count, not by both")
    if count is not None and count < 1:
        raise UsageError(f"at least 1 frame is read, not {count}")
    timeline = read_timeline(path)
    if times is not None:
        wanted = np.asarray(times, dtype=np.float64)
        if wanted.ndim != 1 or len(wanted) == 0 or not np.isfinite(wanted).all() or (np.diff(wanted) < 0).any():
            raise UsageError("times of frames are one row of at least one number of seconds, none NaN, none falling")
        indices = timeline.nearest(wanted)
    else:
        total = len(timeline.ticks)
        indices = np.arange(total) if count is None else split_indices(total, count)
    unique, inverse = np.unique(indices, return_inverse=True)
    images = frames_near(path, timeline, timeline.ticks[unique], Converter(short_side))
    return Video(np.stack(images)[inverse], timeline.times[indices], timeline.seconds)


def stream_frames(
    path: Path, short_side: int | None = None, fps: float | Fraction | None = None
) -> Iterator[tuple[float, np.ndarray]]:
    """All frames one after another in constant memory: (seconds from the first frame, uint8 [3, height, width]).

    ``fps``: instead, the frame on show at 0, 1/fps, 2/fps, ... until the end of the picture (sample and hold by
    presentation time; a time stamp is known to half a unit of the file's clock). A frame held on is the same array.
    Raises MediaError and UsageError as ``read_frames``.
    """
    if fps is not None and not 0 < fps < 100_000:
        raise UsageError(f"a frame rate is a positive number of frames per second, not {fps}")
    convert = Converter(short_side)
    timeline = read_timeline(path)
    zero, unit = int(timeline.ticks[0]), timeline.unit
    shown = all_shown(path)
    if fps is None:
        for tick, frame in shown:
            yield float((tick - zero) * unit), convert(frame)
        return
    step = 1 / Fraction(fps)
    end = timeline.length
    count = 0  # frames given out so far
    held: VideoFrame | None = None
    for tick, frame in shown:
        start = (tick - zero - Fraction(1, 2)) * unit
        if held is not None and count * step < start:
            image = convert(held)
            while count * step < start:
                yield float(count * step), image
                count += 1
        held = frame
    if held is not None:
        image = convert(held)
        while count * step < end - unit / 2:
            yield float(count * step), image
            count += 1


def write_video(
    path: Path, frames: Iterable[np.ndarray], fps: float | Fraction, audio: Audio | None = None, force: bool = False
) -> None:
    """Writes frames (uint8 RGB [height, width, 3], all of one size) as H.264, yuv420p, BT.709, whole or not at all; the
    sound from time 0 on as ``Soundtrack`` encodes it.

    ``path``: .mp4, .m4v, .mov or .mkv. Odd sizes are padded to even by repeating the last row and column, as yuv420p asks.
    The same frames give the same bytes. Raises MediaError for wrong frames, OutputError where the file cannot
    lie, UsageError for a rate that is not above 0.
    """
    import av
    from av.video.reformatter import VideoReformatter

    path = Path(path)
    kind = container_of(path)
    if kind == "webm":
        raise OutputError(f"{path}: .webm does not hold H.264; end the name with .mp4 or .mkv")
    if not 0 < fps < 100_000:
        raise UsageError(f"a frame rate is a positive number of frames per second, not {fps}")
    rate = Fraction(fps).limit_denominator(1001)
    if not rate:
        raise UsageError(f"a frame lasts at most 1001 s, not {1 / fps:g}")
    reformatter = VideoReformatter()
    picture = sound = shape = None
    with whole_file(path, force) as temporary:
        try:
            options = {"fflags": "+bitexact", **CLOCKS.get(kind, {})}
            with av.open(str(temporary), "w", format=kind, container_options=options) as container:
                for index, image in enumerate(frames):
                    if (
                        image.dtype != np.uint8
                        or image.ndim != 3
                        or image.shape[2] != 3
                        or image.shape != (shape or image.shape)
                    ):
                        raise MediaError("frames to write are uint8 RGB [height, width, 3], all of one size")
                    if picture is None:
                        shape = image.shape
                        height, width = (side + side % 2 for side in shape[:2])
                        # x264's lookahead reads memory that it has not written: slower presets vary from run to run
                        picture = container.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "superfast"})
                        picture.width, picture.height, picture.pix_fmt = width, height, "yuv420p"
                        picture.codec_context.thread_count = 1  # x264's bytes depend on the number of threads
                        picture.codec_context.colorspace = 1  # BT.709, also the next two
                        picture.codec_context.color_primaries = 1
                        picture.codec_context.color_trc = 1
                        picture.codec_context.color_range = 1  # 16 to 235
                        sound = Soundtrack(container, audio) if audio is not None else None
                    padded = np.pad(image, ((0, height - shape[0]), (0, width - shape[1]), (0, 0)), mode="edge")
                    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format="rgb24")
                    frame = reformatter.reformat(rgb, format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
                    frame.pts, frame.time_base = index, 1 / rate
                    container.mux(picture.encode(frame))
                    if sound is not None:
                        sound.reach(float((index + 1) / rate))
                if picture is None:
                    raise MediaError(f"{path}: there are no frames to write")
                container.mux(picture.encode(None))
                if sound is not None:
                    sound.finish()
        except av.FFmpegError as error:
            raise encoding_failed(path, error) from error
