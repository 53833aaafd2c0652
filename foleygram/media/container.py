"""Opening a media file and reading its packets and frames, with every failure said in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from foleygram.errors import MediaError, UsageError

if TYPE_CHECKING:
    from typing import BinaryIO

    from av import AudioFrame, AudioStream, Packet, VideoFrame, VideoStream
    from av.container import InputContainer
    from av.stream import Stream

TEXT_FORMATS = {"tty", "ass", "srt", "webvtt", "lrc", "ffmetadata", "subviewer", "microdvd"}
"""Demuxers of FFmpeg for texts: a text is neither picture nor sound."""


def check_input(path: Path) -> None:
    """Raises MediaError where ``path`` is no readable, non-empty file."""
    path = Path(path)
    if path == Path():
        raise MediaError("the name of a file is empty, or a dot; name a video or sound file")
    try:
        if path.is_dir():
            raise MediaError(f"{path}: is a folder; name a video or sound file in it")
        if path.exists() and not path.is_file():
            raise MediaError(f"{path}: is not a regular file; name a video or sound file")
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise MediaError(f"{path}: there is no such file; check the name") from None
    except OSError as error:
        raise MediaError(f"{path}: cannot be opened ({error.strerror}); check its name and permissions") from error
    if empty:
        raise MediaError(f"{path}: the file is empty; copy or export it again")


def not_media(path: Path) -> str:
    """Why FFmpeg does not know the file, as one line."""
    with Path(path).open("rb") as file:
        head = file.read(12)
    if head[4:8] in (b"ftyp", b"mdat", b"wide", b"free", b"skip"):
        return f"{path}: the video is cut off (its index, the moov atom, is missing); copy or record it again"
    return f"{path}: is not a video or sound file that can be read; give another file or export it again"


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """An open PyAV container of any format. Raises MediaError where it cannot be understood."""
    import av

    check_input(path)
    try:
        # PyAV 19 reads what is no UTF-8 in what a film says of itself; until then it has to be told
        lenient = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
        # An absolute name, so that FFmpeg never takes a colon in a file name for a protocol.
        container = av.open(os.path.abspath(path), **lenient)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(not_media(path)) from error
    with container:
        if container.format.name in TEXT_FORMATS or not (container.streams.video or container.streams.audio):
            raise MediaError(not_media(path))
        yield container


def find_picture(container: InputContainer) -> VideoStream | None:
    """The moving picture that players show: of several the first that is marked as default, else the first; or None."""
    from av.stream import Disposition

    pictures = moving_pictures(container)
    marked = [stream for stream in pictures if stream.disposition & Disposition.default]
    return next(iter(marked or pictures), None)


def moving_pictures(container: InputContainer) -> list[VideoStream]:
    """Its pictures. The cover of a music file (attached picture) is none."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return [stream for stream in container.streams.video if not stream.disposition & still]


def picture_of(container: InputContainer, path: Path) -> VideoStream:
    """The moving picture. Raises MediaError where there is none, or no decoder for it."""
    stream = find_picture(container)
    if stream is None:
        raise MediaError(f"{path}: holds a sound but no picture; give a video here")
    if stream.codec_context is None:
        raise MediaError(f"{path}: its picture has a codec that is not supported here; convert it to H.264 first")
    return stream


def sound_of(container: InputContainer, path: Path, track: int = 0) -> AudioStream:
    """Sound track number ``track`` from 0. Raises MediaError without any sound or decoder, UsageError beyond the last."""
    tracks = container.streams.audio
    if not tracks:
        raise MediaError(f"{path}: holds no sound; give a file with a sound track")
    if not 0 <= track < len(tracks):
        raise UsageError(f"{path}: has {len(tracks)} sound track(s), numbered from 0; there is no track {track}")
    if tracks[track].codec_context is None:
        raise MediaError(f"{path}: its sound has a codec that is not supported here; convert it to WAV first")
    return tracks[track]


def check_disk(path: Path) -> None:
    """Raises MediaError where a byte of the file cannot be read. FFmpeg itself calls the end of a file that is cut off a
    failure of the disk, too."""
    try:
        with path.open("rb") as file:
            while file.read(1 << 22):
                pass
    except OSError as error:
        raise MediaError(f"{path}: cannot be read to its end ({error.strerror}); copy it to another disk first") from error


def packets_of(container: InputContainer, stream: Stream) -> Iterator[Packet]:
    """The packets of a stream. A file that is cut off or damaged ends where it can no longer be read. Raises MediaError where
    it is the disk that fails."""
    import av

    demuxed = container.demux(stream)
    while True:
        try:
            packet = next(demuxed)
        except StopIteration:
            return
        except (av.FFmpegError, OSError) as error:
            if isinstance(error, OSError):
                check_disk(Path(container.name))
            return
        if packet.size:  # the empty packet at the end is PyAV's sign to flush the decoder
            yield packet


class DamagedError(Exception):
    """A packet could not be decoded while others were beside it; what became of those nobody can tell."""


FRAME_BY_PACKET = ("h264", "hevc")
"""Codecs whose every packet is a frame, so that it can be told whether one was lost."""


def frames_of(container: InputContainer, stream: Stream, beside: bool = False) -> Iterator[VideoFrame | AudioFrame]:
    """The decoded frames of a stream in order of presentation. Damaged packets are passed over, as players do.

    ``beside``: where the codec allows it, frames are decoded beside one another on all cores, and DamagedError is raised
    where one is damaged."""
    import av

    beside = beside and stream.codec_context.name in FRAME_BY_PACKET
    if beside and not stream.codec_context.is_open:
        stream.thread_type = "AUTO"  # by default only the slices of one frame, and most films have one slice
    owed = 0  # packets without their frame as yet

    def decode(packet: Packet | None) -> list[VideoFrame | AudioFrame]:
        nonlocal owed
        try:
            frames = stream.decode(packet)
        except (av.FFmpegError, OSError, ValueError) as error:
            if beside:
                raise DamagedError from error
            return []
        owed += (packet is not None and not packet.is_discard) - len(frames)
        if beside and (any(frame.is_corrupt for frame in frames) or (packet is None and owed > 0)):
            raise DamagedError
        return frames

    for packet in packets_of(container, stream):
        yield from decode(packet)
    yield from decode(None)


def breaks_off(path: Path) -> bool:
    """Whether a Matroska or AVI file says of itself that it goes on after its last byte."""
    with Path(path).open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(0)
        head, position = file.read(4), 0
        while head == b"RIFF":  # an AVI of more than 1 GB has several
            size = int.from_bytes(file.read(4), "little")
            if size in (0, 0xFFFFFFFF):  # written without going back: nobody knew how long it becomes
                return False
            position += 8 + size
            file.seek(position)
            head = file.read(4)
        if head != b"\x1aE\xdf\xa3":  # the head of Matroska, which the segment follows
            return position > end
        file.seek(length_of_element(file) or 0, os.SEEK_CUR)
        if file.read(4) != b"\x18S\x80g":
            return False
        size = length_of_element(file)
        return size is not None and file.tell() + size > end


def length_of_element(file: BinaryIO) -> int | None:
    """The length of a Matroska element, of which the next byte is the first; None where it is left open."""
    first = (file.read(1) or b"\0")[0]
    count = 8 - first.bit_length()  # further bytes: as many as there are zeros before the first one
    length = int.from_bytes(bytes([first - (1 << 7 - count)]) + file.read(count), "big") if first else None
    return None if length == (1 << 7 * (count + 1)) - 1 else length


def stated_seconds(path: Path) -> float:
    """How long a file that is cut off says that its picture is; 0.0 for a whole one and where nothing says that it is cut.

    .mp4 and .mov list all their frames with their places in the file, Matroska and AVI say how many bytes follow: a picture
    that is merely shorter than its sound, or whose last frame stays long, is not taken for half of one.
    """
    with open_media(path) as container:
        stream = picture_of(container, path)
        kind = container.format.name.split(",")
        if "avi" in kind:  # its duration is FFmpeg's own guess from the size where the index at the end is lost
            return float(stream.frames / stream.average_rate) if stream.average_rate and breaks_off(path) else 0.0
        if "matroska" in kind:
            return container.duration / 1_000_000 if container.duration and breaks_off(path) else 0.0
        if "mp4" not in kind:
            return 0.0
        size = os.stat(path).st_size
        shown = [entry for entry in stream.index_entries if not entry.is_discard]
        if len(shown) < 2 or all(entry.pos + entry.size <= size for entry in shown):
            return 0.0
        stamps = [entry.timestamp for entry in shown]
        return float((max(stamps) - min(stamps)) * stream.time_base) * len(shown) / (len(shown) - 1)
