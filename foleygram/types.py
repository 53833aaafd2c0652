"""The values that travel between the parts. All are frozen and validated; a dict never travels between layers.

Time is in seconds and starts with the first frame of the picture. Amplitudes are linear.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from foleygram.errors import EnvelopeError, MediaError, UsageError

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

ENVELOPE_WINDOW = 512  # samples, W of Eq. 5
ENVELOPE_HOP = 128  # samples, h of Eq. 5
SAMPLE_RATE = 44100  # Hz
ENVELOPE_RATE = SAMPLE_RATE / ENVELOPE_HOP  # 344.53 steps/s

MODALITIES = "AVT"
"""Letters of ``--use``: audio, video, text (Table II)."""


def sample_count(seconds: float, rate: float = SAMPLE_RATE) -> int:
    """The one rounding rule from seconds to samples: round half up."""
    return math.floor(seconds * rate + 0.5)


class Sound(Protocol):
    """What can be written or measured part by part: an Audio, or a sound that is too long to be held. ``count``: samples;
    ``rate``: Hz; ``peak``: largest absolute sample; ``part``: samples start .. stop, float32 [channel, sample]."""

    @property
    def channels(self) -> int: ...

    @property
    def count(self) -> int: ...

    @property
    def rate(self) -> int: ...

    @property
    def peak(self) -> float: ...

    def part(self, start: int, stop: int) -> np.ndarray: ...


SOUND_PART = 1 << 20
"""Samples that are written or measured at once, 24 s."""


def parts_of(sound: Sound) -> Iterator[np.ndarray]:
    """The sound from front to back, float32 [channel, sample], ``SOUND_PART`` samples at once."""
    for start in range(0, sound.count, SOUND_PART):
        yield sound.part(start, min(start + SOUND_PART, sound.count))


CANCELLED = 0.02
"""Power of the sum of two channels over the sum of their powers, below which one is taken to be upside down: 2 for equal
channels, about 1 for unrelated ones, 0 for opposite ones."""


KNOWN = 0.9
"""Of half the rate that a sound was recorded at: above it a resampler's filter begins to fall."""

MOST_CHANNELS = 64
"""Of a sound with fewer samples than channels; an array of more is taken to be turned."""


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound. ``samples``: float32 [channel, sample] in +-1; ``rate``: Hz; ``recorded``: the lowest rate that it had before, Hz:
    nothing is known of it above half of that. Raises MediaError for an array that is no sound."""

    samples: np.ndarray
    rate: int
    recorded: int | None = None

    def __post_init__(self):
        samples = np.asarray(self.samples)
        if samples.dtype.kind != "f":
            raise MediaError(f"audio is floating point in +-1, not {samples.dtype}; divide integers by their full scale")
        samples = np.ascontiguousarray(samples, dtype=np.float32)
        if samples.ndim != 2:
            raise MediaError(f"audio is [channel, sample], this array has {samples.ndim} dimensions; add the channel axis")
        if not samples.shape[0]:
            raise MediaError("audio has at least one channel, this array has none")
        if samples.shape[0] > max(samples.shape[1], MOST_CHANNELS):
            raise MediaError(f"audio is [channel, sample], this array is {list(samples.shape)}; transpose it")
        if self.rate <= 0:
            raise MediaError(f"audio has a positive sample rate, not {self.rate}")
        if not np.isfinite(samples).all():
            raise MediaError("audio holds NaN or infinite samples; repair or re-export the sound")
        object.__setattr__(self, "samples", samples)

    @property
    def lowest_rate(self) -> int:
        """Hz: of all rates that it has had."""
        return self.rate if self.recorded is None else min(self.rate, self.recorded)

    @property
    def known_hz(self) -> float:
        """Up to where it tells its colour: half its rate; of one that had a lower rate less than half of that."""
        return self.rate / 2 if self.lowest_rate == self.rate else KNOWN * self.lowest_rate / 2

    @property
    def channels(self) -> int:
        return self.samples.shape[0]

    @property
    def count(self) -> int:
        return self.samples.shape[1]

    @property
    def seconds(self) -> float:
        return self.count / self.rate

    @property
    def peak(self) -> float:
        return max((float(np.abs(part).max(initial=0.0)) for part in parts_of(self)), default=0.0)

    def part(self, start: int, stop: int) -> np.ndarray:
        """Samples ``start`` .. ``stop`` (not included)."""
        return self.samples[:, start:stop]

    def mono(self) -> np.ndarray:
        """The mean over channels, float32 [sample]."""
        return self.samples.mean(axis=0)

    def centred(self) -> Audio:
        """Without an offset; what is digitally silent stays so."""
        samples = self.samples.copy()
        for channel in samples:
            sounding = channel != 0
            channel[sounding] -= channel[sounding].mean(dtype=np.float64) if sounding.any() else 0
        return replace(self, samples=samples)

    def in_phase(self) -> Audio:
        """A stereo sound one channel of which is upside down, so that their mean is all but silent, with that channel turned;
        any other as it is."""
        if self.channels != 2:
            return self
        mixed = sum(float(np.square(part.sum(axis=0)).sum(dtype=np.float64)) for part in parts_of(self))
        apart = sum(float(np.square(part).sum(dtype=np.float64)) for part in parts_of(self))
        return self if mixed >= CANCELLED * apart else replace(self, samples=np.stack([self.samples[0], -self.samples[1]]))

    def stereo(self) -> Audio:
        """Two channels: mono is doubled, more than two are mixed to their mean on both sides."""
        if self.channels == 2:
            return self
        return replace(self, samples=np.repeat(self.mono()[None], 2, axis=0))

    def loudest(self, seconds: float) -> Audio:
        """The part of so many seconds with the most power, to a second; all of a shorter sound."""
        length = round(seconds * self.rate)
        if self.count <= length:
            return self
        power = np.concatenate([[0.0], np.cumsum(np.square(self.samples, dtype=np.float64).sum(axis=0))])
        starts = np.append(np.arange(0, self.count - length, self.rate), self.count - length)
        start = int(starts[np.argmax(power[starts + length] - power[starts])])
        return replace(self, samples=self.part(start, start + length))

    def trim(self, seconds: float) -> Audio:
        """Exactly ``sample_count(seconds, rate)`` samples: cut, or filled up with silence."""
        count = sample_count(seconds, self.rate)
        samples = self.samples[:, :count]
        return replace(self, samples=np.pad(samples, ((0, 0), (0, count - samples.shape[1]))))


@dataclass(frozen=True, eq=False)
class Video:
    """Picture. ``frames``: uint8 RGB [frame, 3, height, width]; ``times``: presentation times in s, rising;
    ``seconds``: length of the whole picture, also where only some of its frames are held here."""

    frames: np.ndarray
    times: np.ndarray
    seconds: float

    def __post_init__(self):
        times = np.asarray(self.times, dtype=np.float64)
        if self.frames.ndim != 4 or self.frames.shape[1] != 3 or self.frames.dtype != np.uint8:
            raise MediaError("video frames are uint8 [frame, 3, height, width]")
        if 0 in self.frames.shape[2:]:
            height, width = self.frames.shape[2:]
            raise MediaError(f"video frames have at least one pixel each way, not {width} x {height}")
        if len(times) != len(self.frames) or len(times) == 0:
            raise MediaError("a video has at least one frame and one presentation time for each")
        if (np.diff(times) < 0).any():
            raise MediaError("presentation times must not fall")
        object.__setattr__(self, "times", times)


@dataclass(frozen=True, eq=False)
class Envelope:
    """The temporal control (Eq. 5). ``values``: float32 [step], linear RMS amplitude >= 0; ``rate``: steps/s.
    Step k belongs to the time k / rate (window centred there)."""

    values: np.ndarray
    rate: float = ENVELOPE_RATE

    def __post_init__(self):
        values = np.ascontiguousarray(self.values, dtype=np.float32)
        if values.ndim != 1 or len(values) == 0:
            raise EnvelopeError("an envelope is one row of at least one amplitude")
        if not np.isfinite(values).all():
            raise EnvelopeError("an envelope holds NaN or infinite amplitudes; remove them")
        if (values < 0).any():
            raise EnvelopeError("an envelope holds negative amplitudes; linear RMS amplitude is at least 0")
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise EnvelopeError("an envelope has a positive rate in steps per second")
        object.__setattr__(self, "values", values)

    @property
    def seconds(self) -> float:
        return (len(self.values) - 1) / self.rate

    @property
    def times(self) -> np.ndarray:
        """Seconds of each step, float64 [step]."""
        return np.arange(len(self.values)) / self.rate

    def at(self, times: np.ndarray) -> np.ndarray:
        """Linear interpolation at ``times`` (s), float32; beyond the ends it is silent."""
        return np.interp(times, self.times, self.values, left=0.0, right=0.0).astype(np.float32)

    def held(self, times: np.ndarray, seconds: float) -> np.ndarray:
        """As ``at``, but what still sounds at the end of a clip of ``seconds`` goes on beyond it, so that no edge is heard in
        the clip's last moments."""
        last = self.seconds if seconds - 1 / self.rate < self.seconds else seconds
        return self.at(np.minimum(times, min(last, seconds)))

    def as_audio(self, seconds: float | None = None, rate: int = SAMPLE_RATE) -> Audio:
        """The control signal of section IV-C: interpolated to the sample rate, the same on both channels.

        ``seconds``: length of the signal, by default that of the envelope."""
        count = sample_count(self.seconds if seconds is None else seconds, rate)
        curve = self.at(np.arange(count) / rate)
        return Audio(np.stack([curve, curve]), rate)


@dataclass(frozen=True, eq=False)
class Clip:
    """What is to be sonified or embedded; any modality may be absent. ``seconds``: length of the sound to make."""

    video: Video | None = None
    audio: Audio | None = None
    text: str | None = None
    seconds: float = 10.0

    def __post_init__(self):
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise UsageError(f"a clip lasts longer than 0 s, not {self.seconds}")
        if not sample_count(self.seconds):
            raise UsageError(f"a clip lasts a sample at least, 0.02 ms, not {self.seconds:g} s")
        if not isinstance(self.text, str | None):
            raise UsageError(f"the text of a clip is a string, not {type(self.text).__name__}")
        if self.text is not None and not self.text.strip():
            raise UsageError("the text of a clip is empty; write what is to be heard, or leave it out (None)")
        if self.text is not None and any(0xD800 <= ord(sign) < 0xE000 for sign in self.text):
            raise UsageError("the text holds bytes that are no letters; write it in UTF-8 (--text)")

    @property
    def modalities(self) -> str:
        """Which of A, V, T the clip has, in this order."""
        return present(self)


def present(parts: Clip | Embeddings) -> str:
    """Which of A, V, T are there, in this order."""
    found = {"A": parts.audio, "V": parts.video, "T": parts.text}
    return "".join(letter for letter in MODALITIES if found[letter] is not None)


def modality_set(use: str) -> str:
    """Checks and orders a ``--use`` value: a non-empty subset of A, V and T."""
    letters = use.upper() if isinstance(use, str) else ""
    if not letters or len(set(letters)) != len(letters) or not set(letters) <= set(MODALITIES):
        raise UsageError(f"--use takes some of the letters A, V and T once each (AVT, AV, AT, VT, A, V, T), not '{use}'")
    return "".join(letter for letter in MODALITIES if letter in letters)


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Points of the GRAM space (III-A): each [batch, dim] with unit norm, or absent. ``palette``, ``partials``, ``detail``,
    ``tint``, ``strokes``: what was measured of the sound beside its point, its colour at each moment after an attack and its
    lines between attacks (finish/palette.py), the strength of its finer structure (diffusion/spectral.py), its mean
    latent in each shade (finish/tint.py) and how its events rise and die away, dB under the peak (timing/strokes.py); not
    in the paper: the finish uses the first three, the sampler the fourth, the guide the last.
    ``classes``: how likely the picture shows each class that its tower can tell (gram/vision.py), for the memory alone; not in
    the paper either."""

    video: Float[Tensor, "batch dim"] | None = None
    text: Float[Tensor, "batch dim"] | None = None
    audio: Float[Tensor, "batch dim"] | None = None
    palette: Float[Tensor, "batch shade band"] | None = None
    partials: Float[Tensor, "batch late_shade line"] | None = None
    detail: Float[Tensor, "batch 4"] | None = None
    tint: Float[Tensor, "batch broad_shade latent_dim"] | None = None
    strokes: Float[Tensor, "batch stroke step"] | None = None
    classes: Float[Tensor, "batch class"] | None = None

    @property
    def modalities(self) -> str:
        """Which of A, V, T there are points of, in this order."""
        return present(self)

    def only(self, use: str) -> Embeddings:
        """The ablation of Table II: keeps the named modalities. Raises UsageError where one of them is absent."""
        use = modality_set(use)
        missing = [letter for letter in use if letter not in self.modalities]
        if missing:
            names = {"A": "a sound (--audio)", "V": "a picture (--video-ref)", "T": "a text (--text)"}
            raise UsageError(f"--use {use} needs {' and '.join(names[letter] for letter in missing)}")
        return Embeddings(
            video=self.video if "V" in use else None,
            text=self.text if "T" in use else None,
            audio=self.audio if "A" in use else None,
            palette=self.palette if "A" in use else None,
            partials=self.partials if "A" in use else None,
            detail=self.detail if "A" in use else None,
            tint=self.tint if "A" in use else None,
            strokes=self.strokes if "A" in use else None,
            classes=self.classes if "V" in use else None,
        )


@dataclass(frozen=True, eq=False)
class Condition:
    """What steers the transformer besides the envelope (III-B1): ``tokens`` [batch, token, dim] for cross-attention
    and ``global_vector`` [batch, dim] (timing)."""

    tokens: Float[Tensor, "batch token dim"]
    global_vector: Float[Tensor, "batch global_dim"]

    def null(self) -> Condition:
        """The unconditional branch of guidance: the whole cross-attention sequence is zero, the timing stays."""
        return Condition(self.tokens.new_zeros(self.tokens.shape), self.global_vector)

    def drop(self, rows: Bool[Tensor, "batch"]) -> Condition:
        """Training dropout: the cross-attention sequence of the marked rows is zero."""
        return Condition(self.tokens * (~rows)[:, None, None], self.global_vector)
