"""The sound track of an output file, encoded step by step beside its picture."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foleygram.errors import MediaError, OutputError
from foleygram.types import SAMPLE_RATE, Audio, Sound, parts_of

if TYPE_CHECKING:
    from av.container import OutputContainer

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""Container by the suffix of an output's name."""

CODECS = {"mp4": "aac", "mov": "aac", "matroska": "flac", "webm": "libopus"}
"""Sound codec by container: AAC plays everywhere, FLAC is lossless, WebM allows only Opus and Vorbis."""

LOSSY = tuple(suffix for suffix, container in CONTAINERS.items() if CODECS[container] != "flac")
"""Suffixes of videos whose sound may go beyond full scale, where each player does as it likes."""

CLOCKS = {"mp4": {"movie_timescale": str(SAMPLE_RATE)}, "mov": {"movie_timescale": str(SAMPLE_RATE)}}
"""Options by container: the edit list of mp4 counts whole samples, not milliseconds, so no sample at the end is lost."""

RATES = {"aac": SAMPLE_RATE, "flac": SAMPLE_RATE, "libopus": 48000}  # Hz
BIT_RATES = {"aac": 256_000, "libopus": 192_000}  # bit/s


def container_of(path: Path) -> str:
    """FFmpeg's name of the container that a video's file name asks for. Raises OutputError for other names."""
    container = CONTAINERS.get(Path(path).suffix.lower())
    if container is None:
        raise OutputError(f"{path}: a video is written as {', '.join(CONTAINERS)}; end the name with one of them")
    return container


def is_failure_of_disk(error: Exception) -> bool:
    """Whether an error of PyAV came from the file system; EINVAL is FFmpeg's word for streams that do not fit."""
    return isinstance(error, OSError) and error.errno != errno.EINVAL


def encoding_failed(path: Path, error: Exception) -> Exception:
    """What to raise for an error of PyAV while ``path`` is written: the OSError, which ``whole_file`` puts into words, or
    OutputError."""
    if is_failure_of_disk(error):
        return OSError(error.errno, error.strerror)
    return OutputError(f"{path}: cannot be encoded ({error.strerror}); convert the video to H.264 first")


def stereo_parts(sound: Sound, rate: int) -> Iterator[np.ndarray]:
    """The sound at ``rate`` Hz from front to back, float32 [2, sample]."""
    import soxr

    stream = None if sound.rate == rate else soxr.ResampleStream(sound.rate, rate, 2, quality="VHQ")
    done = 0
    for part in parts_of(sound):
        done += part.shape[1]
        part = Audio(part, sound.rate).stereo().samples
        yield part if stream is None else stream.resample_chunk(np.ascontiguousarray(part.T), last=done == sound.count).T


class Soundtrack:
    """Encodes a whole sound into ``container``, read part by part: stereo, AAC 256 kbit/s, FLAC 24 bit or Opus by the
    container's kind.

    The track begins at time 0 and holds exactly the samples given (at 48 kHz for Opus); the delay of the encoder is
    declared in the container, so that players skip it. Raises MediaError for a sound without samples.
    """

    def __init__(self, container: OutputContainer, audio: Sound):
        if audio.count == 0 or audio.channels == 0:
            raise MediaError("there is no sound to lay under the picture, it has no samples")
        self.codec = CODECS[container.format.name]
        self.rate = RATES[self.codec]
        self.parts = stereo_parts(audio, self.rate)
        self.held = np.zeros((2, 0), np.float32)  # read and not yet encoded
        self.position = 0  # samples encoded so far
        self.container = container
        self.stream = container.add_stream(self.codec, rate=self.rate)
        self.stream.layout = "stereo"
        self.stream.format = {"aac": "fltp", "flac": "s32", "libopus": "flt"}[self.codec]
        if self.codec in BIT_RATES:
            self.stream.bit_rate = BIT_RATES[self.codec]

    def take(self, count: int) -> np.ndarray:
        """The next ``count`` samples, fewer at the end, float32 [2, sample]."""
        while self.held.shape[1] < count and (part := next(self.parts, None)) is not None:
            self.held = np.concatenate([self.held, part], axis=1)
        part, self.held = self.held[:, :count], self.held[:, count:]
        return part

    def encode(self, part: np.ndarray) -> None:
        """The samples that follow, float32 [2, sample]."""
        from av import AudioFrame

        if self.codec == "aac":
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(part), format="fltp", layout="stereo")
        elif self.codec == "libopus":
            frame = AudioFrame.from_ndarray(part.T.reshape(1, -1), format="flt", layout="stereo")
        else:
            steps = np.clip(np.round(part.T.astype(np.float64) * (1 << 23)), -(1 << 23), (1 << 23) - 1).astype(np.int32)
            frame = AudioFrame.from_ndarray((steps << 8).reshape(1, -1), format="s32", layout="stereo")
        frame.sample_rate = self.rate
        frame.pts = self.position
        self.position += part.shape[1]
        self.container.mux(self.stream.encode(frame))

    def reach(self, seconds: float) -> None:
        """Encodes up to ``seconds``, so that sound and picture lie close together in the file."""
        size = self.stream.codec_context.frame_size or 1024
        while self.position < seconds * self.rate and (part := self.take(size)).size:
            self.encode(part)

    def finish(self) -> None:
        """Encodes the rest and what the encoder still holds back."""
        self.reach(float("inf"))
        self.container.mux(self.stream.encode(None))
