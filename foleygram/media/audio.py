"""Sound files and the sound of videos, to and from Audio."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foleygram.errors import MediaError, OutputError, UsageError
from foleygram.media.container import find_picture, frames_of, open_media, sound_of
from foleygram.media.output import whole_file
from foleygram.media.timeline import shown_frames
from foleygram.types import SAMPLE_RATE, Audio

if TYPE_CHECKING:
    from av import AudioFrame

GAP_SECONDS = 0.05
"""Timestamps that differ more than this from the samples counted so far mean a gap or an overlap in the track; smaller
differences are rounding of the container and drift of the recorder's clock."""

SUBTYPES = {"PCM_16": 16, "PCM_24": 24, "FLOAT": 32}
"""Sample formats of written files and their bits."""


def first_shown(path: Path) -> float | None:
    """Time stamp (s, in the file's own count) of the first frame of the picture; None without a picture."""
    with open_media(path) as container:
        stream = find_picture(container)
        if stream is None or stream.codec_context is None:
            return None
        for tick, _ in shown_frames(container, stream):
            return float(tick * stream.time_base)
    return None


def stereo_mix(names: list[str]) -> np.ndarray:
    """Weights float32 [2, channel] that mix named channels to stereo: centre and surrounds at -3 dB (ITU-R BS.775), no
    low-frequency channel, scaled so that full-scale channels cannot clip. Unnamed channels go to both sides alike."""
    half = np.sqrt(0.5)
    sides = {"L": (1.0, 0.0), "R": (0.0, 1.0), "C": (half, half)}
    weights = np.zeros((2, len(names)))
    for column, name in enumerate(names):
        if name in ("FL", "FR", "FC"):
            weights[:, column] = sides[name[-1]]
        elif name in ("BL", "BR", "SL", "SR", "FLC", "FRC", "WL", "WR", "TFL", "TFR", "TBL", "TBR"):
            weights[:, column] = np.multiply(sides["L" if "L" in name else "R"], half)
        elif name in ("BC", "TC", "TFC", "TBC"):
            weights[:, column] = 0.5
    if not weights.any(axis=1).all():
        weights[:] = 1.0
    return (weights / weights.sum(axis=1).max()).astype(np.float32)


def chunk_of(frame: AudioFrame) -> np.ndarray:
    """The samples of a decoded frame, float32 [channel, sample] in +-1 with one or two channels."""
    samples = frame.to_ndarray()
    channels = len(frame.layout.channels)
    if not frame.format.is_planar:
        samples = samples.reshape(-1, channels).T
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype.kind == "i":
        samples = (samples / float(1 << (8 * samples.dtype.itemsize - 1))).astype(np.float32)
    if channels > 2:
        samples = stereo_mix([channel.name for channel in frame.layout.channels]) @ samples.astype(np.float32)
    return samples.astype(np.float32, copy=False)


def placed_chunks(path: Path, track: int, zero: float | None) -> tuple[list[np.ndarray], int]:
    """The chunks of a track in order, silence where it pauses, beginning at the time stamp ``zero`` (s; None: at its
    first sample), and its sample rate in Hz."""
    chunks: list[np.ndarray] = []
    position = 0  # samples laid so far
    rate = channels = 0
    with open_media(path) as container:
        stream = sound_of(container, path, track)
        for frame in frames_of(container, stream):
            chunk = chunk_of(frame)
            if not rate:
                rate, channels = frame.sample_rate, chunk.shape[0]
            if frame.sample_rate != rate:
                raise MediaError(f"{path}: its sound changes its sample rate midway; convert it to WAV first")
            if chunk.shape[0] != channels:
                chunk = np.broadcast_to(chunk.mean(axis=0), (channels, chunk.shape[1]))
            stamp = None if frame.pts is None else float(frame.pts * stream.time_base)
            if stamp is not None:
                if zero is None:
                    zero = stamp
                start = round((stamp - zero) * rate)
                if not chunks or abs(start - position) > GAP_SECONDS * rate:
                    if start > position:
                        chunks.append(np.zeros((channels, start - position), np.float32))
                        position = start
                    else:
                        chunk = chunk[:, position - start :]
            if chunk.shape[1]:
                chunks.append(chunk)
                position += chunk.shape[1]
    return chunks, rate


def read_audio(path: Path, rate: int | None = SAMPLE_RATE, stream: int = 0) -> Audio:
    """The sound of any sound or video file, beginning at the first frame of the picture where there is one: a track that
    starts late begins with silence, one that starts early is cut.

    ``rate``: Hz to resample to (soxr VHQ), None keeps the file's own; ``stream``: number of the sound track from 0.
    One and two channels are kept, more are mixed to stereo. Raises MediaError (no such file, no sound, nothing that can be
    decoded), UsageError (no such track, a rate that is not positive).
    """
    import soxr

    if rate is not None and rate <= 0:
        raise UsageError(f"a sample rate is positive, not {rate}")
    chunks, own_rate = placed_chunks(path, stream, first_shown(path))
    if not chunks:
        raise MediaError(f"{path}: its sound is empty or cannot be decoded; give a file with at least one sample")
    samples = np.concatenate(chunks, axis=1)
    if rate is not None and rate != own_rate:
        samples = soxr.resample(samples.T, own_rate, rate, quality="VHQ").T
    try:
        return Audio(samples, own_rate if rate is None else rate)
    except MediaError as error:
        raise MediaError(f"{path}: {error}") from None


def quantised(samples: np.ndarray, bits: int) -> np.ndarray:
    """``samples`` float32 [channel, sample] in +-1 as int32 [sample, channel] in the upper ``bits`` bits, clipped.

    At 16 bits with triangular dither of +-1 step, so that a quiet tail fades into noise instead of distortion; the dither
    is the same in every run. 24 bits hold a float32 signal as it is.
    """
    scale = float(1 << (bits - 1))
    steps = samples.T.astype(np.float64) * scale
    if bits == 16:
        random = np.random.default_rng(0)
        steps += random.random(steps.shape) - random.random(steps.shape)
    return np.clip(np.round(steps), -scale, scale - 1).astype(np.int32) << (32 - bits)


def write_audio(path: Path, audio: Audio, subtype: str = "PCM_24", force: bool = False) -> None:
    """Writes .wav or .flac, chosen by the name; whole or not at all.

    ``subtype``: PCM_16, PCM_24 or FLOAT (.wav only). ``force``: an existing file may be replaced.
    Raises UsageError for another subtype, MediaError for a sound without samples, OutputError where the file cannot lie.
    """
    import soundfile

    path = Path(path)
    kind = {".wav": "WAV", ".flac": "FLAC"}.get(path.suffix.lower())
    if kind is None:
        raise OutputError(f"{path}: a sound is written as .wav or .flac; end the name with one of them")
    if subtype not in SUBTYPES:
        raise UsageError(f"a sound is written as {', '.join(SUBTYPES)}, not '{subtype}'")
    if kind == "FLAC" and subtype == "FLOAT":
        raise UsageError("a .flac holds PCM_16 or PCM_24, not FLOAT; choose one of them or a .wav")
    if audio.samples.shape[1] == 0 or audio.channels == 0:
        raise MediaError(f"{path}: there is no sound to write, it has no samples")
    data = audio.samples.T if subtype == "FLOAT" else quantised(audio.samples, SUBTYPES[subtype])
    # Encoded in memory: libsndfile's own writing does not tell a full disk from other failures.
    encoded = io.BytesIO()
    soundfile.write(encoded, data, audio.rate, format=kind, subtype=subtype)
    with whole_file(path, force) as temporary:
        temporary.write_bytes(encoded.getbuffer())
