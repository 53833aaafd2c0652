"""The envelope, the temporal control of the paper (III-B2, Eq. 5): made from a sound, from hits, or from a text file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from foleygram.errors import EnvelopeError, UsageError
from foleygram.output import whole_text
from foleygram.signal.resample import resample
from foleygram.signal.table import Table, read_table
from foleygram.types import (
    ENVELOPE_HOP,
    ENVELOPE_RATE,
    ENVELOPE_WINDOW,
    SAMPLE_RATE,
    Audio,
    Envelope,
    Sound,
    parts_of,
    sample_count,
)

DENSE_SECONDS, FEWEST_ROWS = 0.05, 8
"""Two columns without a header are an amplitude curve where the median step between rows is at most this many s and there are
at least so many of them, else hits: a flam or a short roll is no curve."""

LONGEST = 24 * 3600.0
"""s of the longest clip; a wrong column of a table must not fill the memory."""

LOUDEST = 1e6
"""Linear amplitude beyond which a number is no amplitude; 1 is full scale."""

DEFAULT_STRENGTH = 0.1
"""Linear RMS amplitude of a hit whose strength the list does not tell: what struck things have in the training clips. Peaks lie
up to 19 dB above it, so that hardly any sound clips."""

TOO_STRONG = "has a strength above 1, which is full scale; write 0 to 1, decimals with a point"
"""What is said of a strength that a person wrote: 0,5 is read as two numbers and 127 is a velocity; both would sound far over
full scale. Curves, and events that we wrote ourselves, may be louder."""


def step_count(seconds: float) -> int:
    """Steps of the envelope of a sound of ``seconds``: 1 + floor(samples / h)."""
    return 1 + sample_count(seconds) // ENVELOPE_HOP


def begins_within(time: float, seconds: float) -> bool:
    """Whether what begins at ``time`` (s) has a sample of a clip of ``seconds``; at its very end nothing is heard."""
    return 0 <= time <= seconds and math.ceil(time * SAMPLE_RATE) < sample_count(seconds)


def rms_of_blocks(blocks: np.ndarray) -> np.ndarray:
    """Eq. 5 from the sums of power over h samples each, float64 [step - 1 + W/h], half a window of them before the first: the
    root of the mean over W samples centred on every h-th, zeros beyond the ends.

    W is a multiple of h and its half too, so a window is exactly W/h blocks of h samples: each sample is summed once, and
    silence gives exactly 0 (a running sum over the whole would leave the rounding of all that was loud before)."""
    per_window = ENVELOPE_WINDOW // ENVELOPE_HOP
    windows = np.lib.stride_tricks.sliding_window_view(blocks, per_window)
    return np.sqrt(windows.sum(axis=1) / ENVELOPE_WINDOW)


def extract_envelope(audio: Sound | None) -> Envelope:
    """Eq. 5 with W 512 and h 128 on the mean of the channels at 44.1 kHz; equal to librosa.feature.rms(frame_length=512,
    hop_length=128, center=True). Raises EnvelopeError for a sound without samples, and for none (a silent video's)."""
    if audio is None:
        raise EnvelopeError("the clip has no sound to follow; predict the envelope from the picture, or give hits or a table")
    if not hasattr(audio, "part"):
        raise EnvelopeError(f"an envelope is taken of an Audio, not of {type(audio).__name__}; read one with read_audio")
    if audio.count == 0:
        raise EnvelopeError("the sound has no samples, so there is no envelope; give a longer sound")
    if audio.rate != SAMPLE_RATE:
        audio = resample(Audio(audio.part(0, audio.count).mean(axis=0)[None], audio.rate), SAMPLE_RATE)
    steps, half = 1 + audio.count // ENVELOPE_HOP, ENVELOPE_WINDOW // ENVELOPE_HOP // 2
    blocks = np.zeros(steps - 1 + 2 * half)
    place = half
    for part in parts_of(audio):  # whole hops but for the last, and never a float64 of the whole
        power = part.mean(axis=0).astype(np.float64) ** 2
        own = np.pad(power, (0, -len(power) % ENVELOPE_HOP)).reshape(-1, ENVELOPE_HOP).sum(axis=1)
        blocks[place : place + len(own)] = own[: len(blocks) - place]
        place += len(own)
    return Envelope(rms_of_blocks(blocks))


def envelope_from_hits(
    hits: Sequence[tuple[float, float]], seconds: float, attack: float = 0.004, decay: float = 0.12
) -> Envelope:
    """The envelope of ``seconds`` of hits, each (seconds, strength), as Eq. 5 would measure it on a sound of that shape.

    A hit begins at its time, rises in a straight line for ``attack`` s to an amplitude of ``strength`` (linear, the RMS of
    the sound at its loudest; real hits reach 0.05 to 0.5) and falls to 1/e within every further ``decay`` s. Hits that
    overlap add in power, as independent sounds do. No hits give silence. Any order.
    Raises EnvelopeError for a hit that is no pair of numbers, is NaN, has a strength below 0 or above ``LOUDEST`` or begins
    before 0 or at ``seconds`` or later,
    UsageError for a length, attack or decay that is not above 0.
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise UsageError(f"an envelope of hits lasts longer than 0 s, not {seconds}")
    if not (attack > 0 and decay > 0):
        raise UsageError(f"attack and decay are longer than 0 s, not {attack} and {decay}")
    count = sample_count(seconds)
    half = ENVELOPE_WINDOW // ENVELOPE_HOP // 2
    blocks = np.zeros(count // ENVELOPE_HOP + 2 * half)  # sums over h samples, so that no array has the clip's samples
    for hit in hits:
        try:
            time, strength = map(float, hit)
        except (TypeError, ValueError):
            raise EnvelopeError(f"a hit is (seconds, strength), not {hit!r}") from None
        if not (math.isfinite(time) and 0 <= strength <= LOUDEST):
            raise EnvelopeError(
                f"a hit is a finite time and a strength of at least 0, of which 1 is full scale, not ({time:g}, {strength:g})"
            )
        if not begins_within(time, seconds):
            raise EnvelopeError(f"the hit at {time:g} s lies outside the clip of {seconds:g} s; move or remove it")
        start = math.ceil(time * SAMPLE_RATE)
        # Below -100 dB of its own peak a hit no longer counts.
        length = min(count - start, math.ceil((attack + 11.5 * decay) * SAMPLE_RATE))
        since = (start + np.arange(length)) / SAMPLE_RATE - time
        shape = np.minimum(since / attack, np.exp(-np.maximum(since - attack, 0) / decay))
        first, lead = divmod(start, ENVELOPE_HOP)
        power = np.pad((strength * shape) ** 2, (lead, -(lead + length) % ENVELOPE_HOP)).reshape(-1, ENVELOPE_HOP)
        blocks[half + first : half + first + len(power)] += power.sum(axis=1)
    return Envelope(rms_of_blocks(blocks))


def curve(table: Table) -> Envelope:
    """The amplitude curve of a table of seconds and amplitudes, resampled linearly to 344.53 steps/s."""
    if table.width != 2:
        raise EnvelopeError(f"{table.path}: an amplitude curve has two columns, seconds and amplitude; add the second")
    if len(table.rows) < 2:
        raise EnvelopeError(f"{table.path}: an amplitude curve needs at least two rows; add more, or write it as a hit")
    times, amplitudes = table.rows.T
    table.check_rows(times >= 0, "has a negative time; time starts at 0")
    table.check_rows(amplitudes >= 0, "has a negative amplitude; amplitudes are linear and at least 0")
    table.check_rows(amplitudes <= LOUDEST, f"has an amplitude above {LOUDEST:g}; amplitudes are linear, full scale is 1")
    table.check_rows(times <= LONGEST, "lies more than a day after the start; times are in seconds")
    table.check_rows(np.diff(times, prepend=-np.inf) > 0, "does not lie after the row before; sort the rows by time")
    count = 1 + math.floor(times[-1] * ENVELOPE_RATE + 1e-3)  # written times are rounded
    return Envelope(np.interp(np.arange(count) / ENVELOPE_RATE, times, amplitudes, left=0.0))


def hits_of(table: Table) -> list[tuple[float, float]]:
    """The hits of a table of seconds and, if given, strengths of 0 to 1."""
    times = table.rows[:, 0]
    strengths = table.rows[:, 1] if table.width == 2 else np.full(len(times), DEFAULT_STRENGTH)
    table.check_rows(times >= 0, "has a negative time; time starts at 0")
    table.check_rows(strengths >= 0, "has a negative strength; strengths are linear amplitudes of at least 0")
    table.check_rows(strengths <= 1, TOO_STRONG)
    return sorted(zip(times.tolist(), strengths.tolist(), strict=True))


def is_dense(table: Table) -> bool:
    """Whether the rows of a table lie as close together as those of a curve."""
    return len(table.rows) > 1 and float(np.median(np.abs(np.diff(table.rows[:, 0])))) <= DENSE_SECONDS


def is_curve(table: Table) -> bool:
    """Whether a table is an amplitude curve rather than hits: its header tells, without one two dense columns are."""
    if table.header:
        return "amplitude" in table.header
    return table.width == 2 and len(table.rows) >= FEWEST_ROWS and is_dense(table)


def read_envelope(path: Path) -> Envelope:
    """An amplitude curve from a text file of rows ``seconds,amplitude`` (the header is optional), as a person edits it.

    Times rise strictly, amplitudes are linear and at least 0; between rows it is interpolated, before the first and after
    the last it is silent. Raises EnvelopeError that names the line.
    """
    return curve(read_table(path))


def read_hits(path: Path) -> list[tuple[float, float]]:
    """Hits (seconds, strength), by time, from a text file of rows ``seconds``, or ``seconds,strength`` in each; a header may
    come first.

    Strengths are linear amplitudes of 0 to 1; one that is not given is 0.1. Raises EnvelopeError that names the line.
    """
    return hits_of(read_table(path))


def load_envelope_file(path: Path, seconds: float) -> Envelope:
    """The envelope of a clip of ``seconds`` from a text file: an amplitude curve or a list of hits.

    The header tells which (``seconds,amplitude`` or ``seconds,strength`` or ``seconds``). Without a header, eight rows or more
    of two columns with a median step of at most 50 ms are an amplitude curve, all else is hits. A curve that ends early is
    silent from there on, one that is too long is cut. Raises EnvelopeError that names the line, also for a hit after the end.
    """
    table = read_table(path)
    if is_curve(table):
        envelope = curve(table)
        return Envelope(envelope.at(np.arange(step_count(seconds)) / ENVELOPE_RATE))
    try:
        return envelope_from_hits(hits_of(table), seconds)
    except EnvelopeError as error:
        raise EnvelopeError(f"{path}: {error}") from None


def write_envelope(path: Path, envelope: Envelope, force: bool = False) -> None:
    """Writes ``seconds,amplitude`` with a header, whole or not at all; ``read_envelope`` gives it back to 1e-6.

    ``force``: an existing file may be replaced. Raises OutputError where the file cannot lie.
    """
    rows = zip(envelope.times.tolist(), envelope.values.tolist(), strict=True)
    lines = ["seconds,amplitude", *(f"{time:.7f},{amplitude:.8g}" for time, amplitude in rows)]
    whole_text(path, "\n".join(lines) + "\n", force)
