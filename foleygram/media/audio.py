"""Sound files and the sound of videos, to and from Audio."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foleygram.errors import MediaError, OutputError, UsageError
from foleygram.media.container import find_picture, frames_of, open_media, sound_of
from foleygram.media.timeline import shown_frames
from foleygram.output import whole_file
from foleygram.types import SAMPLE_RATE, Audio, Sound, parts_of

if TYPE_CHECKING:
    from typing import BinaryIO

    from av import AudioFrame

GAP_SECONDS = 0.05
"""Timestamps that differ more than this from the samples counted so far mean a gap or an overlap in the track; smaller
differences are rounding of the container and drift of the recorder's clock."""

USUAL_ORDER = {
    6: ["FL", "FR", "FC", "LFE", "BL", "BR"],
    8: ["FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"],
}
"""Channels of files that do not name them, by their number, in the order of WAVE."""

LONGEST_GAP = 24 * 3600  # s; a damaged timestamp must not fill the memory with silence

SUBTYPES = {"PCM_16": 16, "PCM_24": 24, "FLOAT": 32}
"""Sample formats of written files and their bits."""

WAV_HEAD = 128
"""Bytes, at most, of a .wav beside its samples."""


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
    if not any(name.startswith(("F", "B", "S")) for name in names):
        names = USUAL_ORDER.get(len(names), names)
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


def track_samples(path: Path, track: int, zero: float | None) -> tuple[np.ndarray, int]:
    """A sound track from the time stamp ``zero`` on (s; None: from its first sample), silence where it pauses: float32
    [channel, sample], no samples where nothing can be decoded, and its sample rate in Hz (0 then)."""
    import soxr

    parts: list[tuple[int, np.ndarray]] = []  # with the place of their first sample; what lies before 0 is cut
    place = rate = channels = 0
    with open_media(path) as container:
        stream = sound_of(container, path, track)
        for frame in frames_of(container, stream):
            chunk = chunk_of(frame)
            if not parts:
                rate, channels = frame.sample_rate, chunk.shape[0]
            if frame.sample_rate != rate:  # broadcasts may change midway
                chunk = soxr.resample(chunk.T, frame.sample_rate, rate, quality="VHQ").T
            if chunk.shape[0] != channels:
                chunk = chunk.mean(axis=0, keepdims=True)
            if frame.pts is not None:
                stamp = float(frame.pts * stream.time_base)
                zero = stamp if zero is None else zero
                stated = round((stamp - zero) * rate)
                if abs(stated - place) > LONGEST_GAP * rate:
                    raise MediaError(f"{path}: its sound has impossible timestamps; convert it to WAV first")
                if not parts or abs(stated - place) > GAP_SECONDS * rate:
                    place = stated
            parts.append((place, chunk))
            place += chunk.shape[1]
        if parts and frame.duration and stream.time_base <= Fraction(1, rate):
            # Block codecs fill up their last block; the container says how much of it belongs to the sound.
            excess = frame.samples - round(frame.duration * stream.time_base * rate)
            if 0 < excess < frame.samples:
                parts[-1] = (parts[-1][0], parts[-1][1][:, :-excess])
    samples = np.zeros((channels, max([0, *(place + chunk.shape[1] for place, chunk in parts)])), np.float32)
    for place, chunk in parts:
        end = max(0, place + chunk.shape[1])
        samples[:, max(0, place) : end] = chunk[:, max(0, -place) :]
    return samples, rate


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
    samples, own_rate = track_samples(path, stream, first_shown(path))
    if not samples.shape[1]:
        raise MediaError(f"{path}: its sound is empty or cannot be decoded; give a file with at least one sample")
    if rate is not None and rate != own_rate:
        samples = soxr.resample(samples.T, own_rate, rate, quality="VHQ").T
    try:
        return Audio(samples, own_rate if rate is None else rate, own_rate)
    except MediaError as error:
        raise MediaError(f"{path}: {error}") from None


def quantised(samples: np.ndarray, bits: int, random: np.random.Generator) -> np.ndarray:
    """``samples`` float32 [channel, sample] in +-1 as int32 [sample, channel] in the upper ``bits`` bits, clipped.

    At 16 bits with triangular dither of +-1 step from ``random``, so that a quiet tail fades into noise instead of
    distortion. 24 bits hold a float32 signal as it is.
    """
    scale = float(1 << (bits - 1))
    steps = samples.T.astype(np.float64) * scale
    if bits == 16:
        steps += random.random(steps.shape) - random.random(steps.shape)
    return np.clip(np.round(steps), -scale, scale - 1).astype(np.int32) << (32 - bits)


class Witness:
    """A file that remembers the first failure of the disk: libsndfile, which calls it, does not tell a full disk from
    other failures, and an error that its calls let through would be printed. Seeking can fail as well, as it writes what
    Python holds back."""

    def __init__(self, file: BinaryIO):
        self.file, self.error = file, None
        self.tell, self.read = self.guarded(file.tell), self.guarded(file.read, b"")
        self.seek, self.write = self.guarded(file.seek), self.guarded(file.write)

    def guarded(self, call: Callable, nothing: int | bytes = 0) -> Callable:
        """``call`` that gives ``nothing`` once the disk has failed."""

        def guard(*arguments):
            if self.error is None:
                try:
                    return call(*arguments)
                except OSError as error:
                    self.error = error
            return nothing

        return guard


def write_pcm(file: BinaryIO, sound: Sound, kind: str, subtype: str) -> None:
    """WAV or FLAC of whole numbers, part by part. Raises OSError for a full disk."""
    import soundfile

    if kind == "WAV" and sound.channels * sound.count * SUBTYPES[subtype] // 8 > 0xFFFFFFFF - WAV_HEAD:
        raise OSError(errno.EFBIG, "a .wav holds 4 GB")
    witness, random = Witness(file), np.random.default_rng(0)  # the dither is the same in every run
    try:
        with soundfile.SoundFile(witness, "w", sound.rate, sound.channels, subtype, format=kind) as target:
            for part in parts_of(sound):
                target.write(quantised(part, SUBTYPES[subtype], random))
    except (AssertionError, soundfile.LibsndfileError) as error:
        if witness.error is None:
            if not isinstance(error, soundfile.LibsndfileError):
                raise
            raise MediaError(
                f"a {kind} does not hold {sound.channels} channels at {sound.rate} Hz ({error.error_string}); change it"
            ) from error
    if witness.error is not None:
        raise witness.error


def write_float(file: BinaryIO, sound: Sound) -> None:
    """WAV of float32, part by part. By hand: libsndfile would write the time of day into the file (PEAK chunk)."""
    frame, size = 4 * sound.channels, 4 * sound.channels * sound.count
    layout = struct.pack("<HHIIHHH", 3, sound.channels, sound.rate, frame * sound.rate, frame, 32, 0)
    head = b"WAVEfmt " + struct.pack("<I", len(layout)) + layout + b"fact" + struct.pack("<II", 4, sound.count)
    if len(head) + 8 + size > 0xFFFFFFFF:
        raise OSError(errno.EFBIG, "a .wav holds 4 GB")
    file.write(b"RIFF" + struct.pack("<I", len(head) + 8 + size) + head + b"data" + struct.pack("<I", size))
    for part in parts_of(sound):
        file.write(np.ascontiguousarray(part.T, dtype="<f4").tobytes())


def write_audio(path: Path, audio: Sound, subtype: str = "PCM_24", force: bool = False) -> None:
    """Writes .wav or .flac, chosen by the name; whole or not at all, part by part.

    ``subtype``: PCM_16, PCM_24 or FLOAT (.wav only). ``force``: an existing file may be replaced.
    Raises UsageError for another subtype, MediaError for a sound without samples and for channels or a rate that the format
    does not hold, OutputError where the file cannot lie.
    """
    path = Path(path)
    kind = {".wav": "WAV", ".flac": "FLAC"}.get(path.suffix.lower())
    if kind is None:
        raise OutputError(f"{path}: a sound is written as .wav or .flac; end the name with one of them")
    if subtype not in SUBTYPES:
        raise UsageError(f"a sound is written as {', '.join(SUBTYPES)}, not '{subtype}'")
    if kind == "FLAC" and subtype == "FLOAT":
        raise UsageError("a .flac holds PCM_16 or PCM_24, not FLOAT; choose one of them or a .wav")
    if audio.count == 0 or audio.channels == 0:
        raise MediaError(f"{path}: there is no sound to write, it has no samples")
    with whole_file(path, force) as temporary, temporary.open("r+b") as file:
        if subtype == "FLOAT":
            write_float(file, audio)
        else:
            write_pcm(file, audio, kind, subtype)


def flac_of(audio: Audio) -> bytes:
    """A sound as a FLAC of 16 bits in the memory, cut off at full scale, without dither."""
    import soundfile

    content = BytesIO()
    soundfile.write(content, audio.samples.T.clip(-1, 1), audio.rate, format="FLAC", subtype="PCM_16")
    return content.getvalue()
