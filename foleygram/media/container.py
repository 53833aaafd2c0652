"""Opening a media file and reading its packets and frames, with every failure said in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from foleygram.errors import MediaError, UsageError

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet, VideoFrame, VideoStream
    from av.container import InputContainer
    from av.stream import Stream

TEXT_FORMATS = {"tty", "ass", "srt", "webvtt", "lrc", "ffmetadata", "subviewer", "microdvd"}
"""Demuxers of FFmpeg for texts: a text is neither picture nor sound."""


def check_input(path: Path) -> None:
    """Raises MediaError where ``path`` is no readable, non-empty file."""
    path = Path(path)
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
        # An absolute name, so that FFmpeg never takes a colon in a file name for a protocol.
        container = av.open(os.path.abspath(path), metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(not_media(path)) from error
    with container:
        if container.format.name in TEXT_FORMATS or not (container.streams.video or container.streams.audio):
            raise MediaError(not_media(path))
        yield container


def find_picture(container: InputContainer) -> VideoStream | None:
    """The first moving picture, or None. The cover of a music file (attached picture) is not one."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails):
            return stream
    return None


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


def packets_of(container: InputContainer, stream: Stream) -> Iterator[Packet]:
    """The packets of a stream. A file that is cut off or damaged ends where it can no longer be read."""
    import av

    demuxed = container.demux(stream)
    while True:
        try:
            packet = next(demuxed)
        except (StopIteration, av.FFmpegError, OSError):
            return
        if packet.size:  # the empty packet at the end is PyAV's sign to flush the decoder
            yield packet


def frames_of(container: InputContainer, stream: Stream) -> Iterator[VideoFrame | AudioFrame]:
    """The decoded frames of a stream in order of presentation. Damaged packets are passed over, as players do."""
    import av

    def decode(packet: Packet | None) -> list[VideoFrame | AudioFrame]:
        try:
            return stream.decode(packet)
        except (av.FFmpegError, OSError, ValueError):
            return []

    for packet in packets_of(container, stream):
        yield from decode(packet)
    yield from decode(None)
