"""Room tone: what a room sounds like while nothing happens in it, laid under a finished sound.

Recordings of a set hiss and hum between the hits; a Foley track that falls silent there stands out from them. The tone is
measured where a recording is quietest, or it is that of a soft, still room. Not in the paper, and never laid unasked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Complex, Float, Int

from foleygram.errors import UsageError
from foleygram.limits import ROOM_DB, SEEDS, check_range, check_whole
from foleygram.signal.resample import resample
from foleygram.types import SAMPLE_RATE, Audio, Sound, parts_of

WINDOW = 2048  # samples at 44.1 kHz, 46 ms
STEP = WINDOW // 2
QUIET = 0.1
"""Share of a recording that counts as its room, the quietest."""

FEWEST = 4  # windows that a tone is measured of
FAINTEST = -100.0  # dBFS; what is softer is no tone
HEARD = (-75.0, -35.0)
"""dBFS of a tone that is heard and yet not the thing itself that sounds."""

STEADY = 6.0
"""dB by which a room's level rises at most from the quietest moments to those of the next two tenths: a tail's falls faster."""

LOWEST = 30.0  # Hz, below which a still room is no louder


@dataclass(frozen=True, eq=False)
class RoomTone:
    """``factor``: lower-triangular [bin, 2, 2], whose product with its conjugate transpose is the power density of the two
    channels and what they have in common: white noise of unit power through it is the tone. Bins are those of ``WINDOW``."""

    factor: Complex[np.ndarray, "bin 2 2"]

    @property
    def level_db(self) -> float:
        """dBFS (RMS, mean of the channels' powers)."""
        power = np.abs(self.factor) ** 2
        whole = 2 * power[1:-1].sum() + power[0].sum() + power[-1].sum()
        return float(10 * np.log10(max(whole / WINDOW / 2, 1e-30)))

    def block(self, seed: int, number: int) -> Float[np.ndarray, "2 window"]:
        """Block ``number`` of the tone, from sample ``(number - 1) * STEP`` on, faded so that neighbours add up."""
        draw = np.random.default_rng([seed, number]).standard_normal((2, len(self.factor), 2)) / np.sqrt(2)
        white = draw[0] + 1j * draw[1]
        spectrum = np.einsum("bij,bj->ib", self.factor, white) * np.sqrt(WINDOW)
        return np.fft.irfft(spectrum, WINDOW, axis=1) * np.sin((np.arange(WINDOW) + 0.5) * np.pi / WINDOW)

    def part(self, seed: int, start: int, stop: int) -> Float[np.ndarray, "2 sample"]:
        """Samples ``start`` .. ``stop`` (not included) of the tone, a pure function of seed and place."""
        first, last = start // STEP, -(-stop // STEP)  # blocks that reach into it: first .. last
        sound = np.zeros((2, (last - first + 2) * STEP))
        for number in range(first, last + 1):
            where = (number - first) * STEP
            sound[:, where : where + WINDOW] += self.block(seed, number)
        skip = start - (first - 1) * STEP
        return sound[:, skip : skip + stop - start].astype(np.float32)

    def under(self, sound: Sound, seed: int) -> Sounding:
        """The stereo sound at 44.1 kHz with this tone under it; the same ``seed`` gives the same tone. Raises UsageError for
        another rate or number of channels."""
        if (sound.rate, sound.channels) != (SAMPLE_RATE, 2):
            raise UsageError(
                f"a room tone lies under two channels at {SAMPLE_RATE} Hz, not {sound.channels} at {sound.rate} Hz; "
                "resample the sound first, and take its stereo()"
            )
        return Sounding(sound, self, check_whole("a seed", seed, *SEEDS))


@dataclass(frozen=True, eq=False)
class Sounding:
    """A stereo sound at 44.1 kHz with a room tone under it, mixed as it is read: it may be of any length (``types.Sound``)."""

    sound: Sound
    tone: RoomTone
    seed: int
    rate: int = field(default=SAMPLE_RATE, init=False)
    channels: int = field(default=2, init=False)

    @property
    def count(self) -> int:
        return self.sound.count

    @cached_property
    def peak(self) -> float:
        return max((float(np.abs(part).max(initial=0.0)) for part in parts_of(self)), default=0.0)

    def part(self, start: int, stop: int) -> np.ndarray:
        """Samples ``start`` .. ``stop`` (not included), float32 [2, sample]."""
        dry = self.sound.part(start, stop)
        return dry + self.tone.part(self.seed, start, start + dry.shape[1])


def still_room(level_db: float) -> RoomTone:
    """A soft, still room at ``level_db`` dBFS: noise whose power falls by 6 dB an octave, of its own on each channel.
    Raises UsageError for a level outside -100 .. -20."""
    check_range("a room's level in dBFS", level_db, *ROOM_DB)
    power = np.maximum(np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE), LOWEST) ** -2.0
    power[0] = 0.0  # no offset
    factor = np.sqrt(power)[:, None, None] * np.eye(2, dtype=complex)
    return RoomTone(factor * 10 ** ((level_db - RoomTone(factor).level_db) / 20))


def room_tone(recording: Audio) -> RoomTone | None:
    """The tone of the room that a recording was made in, where it is quietest; None where that is silent, or the
    recording is shorter than 0.12 s."""
    sound = resample(recording.stereo(), SAMPLE_RATE).samples
    return measured(sound, by_power(sound)[0])


def heard_room(recording: Audio) -> RoomTone | None:
    """The room tone of a recording in which a room is plainly heard: neither very soft, nor a tail that dies away, nor the
    thing itself that sounds; else None."""
    sound = resample(recording.stereo(), SAMPLE_RATE).samples
    starts, power = by_power(sound)
    tone = measured(sound, starts)
    if tone is None or not HEARD[0] < tone.level_db < HEARD[1]:
        return None
    first, third = (10 * np.log10(power[round(share * len(power))]) for share in (QUIET / 2, 3 * QUIET))
    return tone if third - first < STEADY else None


def by_power(sound: Float[np.ndarray, "2 sample"]) -> tuple[np.ndarray, np.ndarray]:
    """First samples of the windows that sound at all, the quietest first, and the power of each, a sum of both channels' means.
    Digital silence is a gap in a recording and no room."""
    starts = np.arange(0, sound.shape[1] - WINDOW + 1, STEP)
    sums = np.concatenate([[0.0], np.cumsum(np.square(sound, dtype=np.float64).sum(axis=0))])
    power = (sums[starts + WINDOW] - sums[starts]) / WINDOW
    order = np.argsort(power, kind="stable")
    order = order[power[order] > 2 * 10 ** (FAINTEST / 10)]
    return starts[order], power[order]


def measured(sound: Float[np.ndarray, "2 sample"], starts: Int[np.ndarray, "window"]) -> RoomTone | None:
    """The tone of the quietest windows of a sound at 44.1 kHz, which begin at ``starts``, the quietest first; None where
    they are fewer than ``FEWEST``."""
    if len(starts) < FEWEST:
        return None
    quiet = starts[: max(round(QUIET * len(starts)), FEWEST)]
    window = np.hanning(WINDOW + 1)[:-1]
    spectra = np.stack([np.fft.rfft(sound[:, start : start + WINDOW] * window, axis=1) for start in quiet])
    spectra[:, :, :2] = 0  # an offset is no sound
    scale = len(quiet) * np.square(window).sum()
    left, right = ((np.abs(spectra[:, channel]) ** 2).sum(0) / scale for channel in (0, 1))
    both = (spectra[:, 0].conj() * spectra[:, 1]).sum(0) / scale
    factor = np.zeros((len(left), 2, 2), complex)
    factor[:, 0, 0] = np.sqrt(left)
    factor[:, 1, 0] = both / np.maximum(factor[:, 0, 0].real, 1e-12)
    factor[:, 1, 1] = np.sqrt(np.maximum(right - np.abs(factor[:, 1, 0]) ** 2, 0))
    return RoomTone(factor)
