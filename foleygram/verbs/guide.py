"""The guide track: where an envelope comes from (section III-B2).

The paper takes the envelope from the true sound. Here it may come from any sound or video, from a hummed or tapped
recording, from a table of amplitudes, from events of any kind (hits, labels, markers, notes), from the clip's own sound, from
Python, or be predicted from the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from foleygram.errors import EnvelopeError, MediaError, UsageError
from foleygram.limits import SCALE_DB
from foleygram.media.ahead import ahead
from foleygram.media.audio import read_audio
from foleygram.media.container import check_input
from foleygram.media.timeline import read_timeline
from foleygram.media.video import probe, stream_frames
from foleygram.signal.envelope import LONGEST, curve, extract_envelope, hits_of, is_curve, is_dense, load_envelope_file
from foleygram.signal.table import Table, read_table
from foleygram.timing.exchange import holds_events, read_track
from foleygram.timing.track import Kind as EventKind
from foleygram.timing.track import OnsetEvent, OnsetTrack
from foleygram.timing.voice import envelope_from_voice
from foleygram.types import ENVELOPE_WINDOW, SAMPLE_RATE, Audio, Envelope

if TYPE_CHECKING:
    from foleygram.timing.predictor import EnvelopePredictor

OWN = "own"
"""The value of ``--envelope`` and ``--audio`` that stands for the clip's own sound."""

CHOICES = (
    "give --envelope own (the clip's own sound) or --envelope FILE (a sound or video to follow, a CSV of seconds,amplitude, "
    "a list of hits, labels, markers or MIDI notes)"
)
TAIL = 1.5  # s that the envelope of a list of hits goes on after the last one, where no clip says how long it is
OFFSET_BLOCK = 0.05  # s over which the level that a recording rests at is measured
OFFSET_BLOCKS = 10  # blocks that sound, of which fewer tell no level
OFFSET_LEAST = 1e-3  # share of the peak (-60 dB) up to which a level is none to speak of, and a recording stays as it is
OVERHANG = 0.1  # s by which a sound may outlast its picture in any film: codecs fill up their last block
REST_SILENT = 1e-3  # share of the loudest amplitude (-60 dB) up to which what is cut off is no loss
SOFT_DB = -60.0  # dBFS of the loudest moment below which a guide is hardly heard
USUAL_DB = -20.0  # dBFS to which such a guide may be raised
NOISE_DB = 45.0  # a guide whose quietest tenth is nearer than this to its peak has noise between its sounds

Kind = Literal["own", "sound", "voice", "table", "predicted", "given"]
FROM_FILES = ("sound", "voice", "table")
"""Kinds of guides that a file of their own gives back."""


@dataclass(frozen=True, eq=False)
class Guide:
    """An envelope and its origin. ``path``: the file it was taken from, None where there is none; ``story``: what a
    predictor has to say; ``track``: its events, None where nobody named them; ``doubt``: how the file was read, where that
    could have been meant otherwise; ``whole``: the curve of a table before it was cut to the clip, None where it was not."""

    envelope: Envelope
    kind: Kind
    path: Path | None = None
    story: str = ""
    track: OnsetTrack | None = None
    doubt: str = ""
    whole: Envelope | None = None

    def __post_init__(self):
        if self.kind in FROM_FILES and self.path is None:
            raise UsageError(f"a guide of kind {self.kind} names the file that it was taken from: path; of none it is 'given'")

    @property
    def made_up(self) -> bool:
        """Whether its moments are known, and the shapes of its events are not: of a prediction or a list."""
        return self.kind == "predicted" or self.track is not None

    @property
    def label(self) -> str:
        """The origin in words."""
        return {
            "own": "the clip's own sound",
            "sound": f"the sound of {self.path}",
            "voice": f"{self.path}, hummed or tapped",
            "table": f"{self.path}",
            "predicted": f"predicted from the picture{self.story and ': ' + self.story}",
            "given": "given by the caller",
        }[self.kind]


def is_table(path: Path) -> bool:
    """Whether a file is a text, to be read as amplitudes or hits, rather than a sound or video."""
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return True
    with path.open("rb") as file:
        head = file.read(4096)
    try:
        return b"\0" not in head and bool(head.decode("utf-8-sig").strip())
    except UnicodeDecodeError:
        return False


def read_guide(
    source: Guide | Envelope | str | Path | None,
    video: Path | None,
    seconds: float,
    predictor: EnvelopePredictor | None = None,
    voice: bool = False,
    kind: EventKind | None = None,
) -> Guide:
    """The guide of a clip of ``seconds``. ``predictor``: of the model that is in use; ``kind``: of all events that it sees.

    ``source``: an Envelope, a Guide as it is, ``own`` for the sound of ``video``, the name of a file (``read_file``), or None
    for a prediction from the picture; ``voice``: the file is a hummed or tapped recording. Raises EnvelopeError,
    MediaError, and UsageError for a voice that is no sound file."""
    if isinstance(source, Guide):
        return source
    if isinstance(source, Envelope):
        return Guide(source, "given")
    if source is None:
        return predict_guide(video, seconds, predictor, kind)
    if str(source) == OWN:
        if video is None or not probe(video).has_audio:
            raise EnvelopeError(f"{video}: has no sound of its own to take the envelope from; give --envelope FILE")
        return Guide(extract_envelope(as_heard(read_audio(video))), "own", video)
    return read_file(Path(source), seconds, voice)


def read_file(path: Path, seconds: float | None = None, voice: bool = False) -> Guide:
    """The guide in a sound, a video with sound, a table of amplitudes or hits, or events that another program wrote.

    ``seconds``: length of the clip that events belong to, by default until they have faded; ``voice``: it is a recording
    that somebody hummed or tapped. Raises EnvelopeError, also for an event at the end or later, MediaError, UsageError."""
    check_input(path)
    if Path(path).suffix.lower() in (".html", ".htm"):
        raise EnvelopeError(f"{path}: is a page; open it in a browser, save its events there, and give the .json that it saves")
    events = holds_events(path)
    if events or is_table(path):
        if voice:
            raise UsageError(f"{path}: is a list and no recording; --voice is for a hummed or tapped sound, leave it out")
        return read_events(path, seconds) if events else read_rows(path, seconds)
    sound = as_heard(read_audio(path))
    if voice:
        try:
            return Guide(envelope_from_voice(sound), "voice", path)
        except EnvelopeError as error:
            raise EnvelopeError(f"{path}: {error}") from None
    return Guide(extract_envelope(sound), "sound", path)


def as_heard(sound: Audio) -> Audio:
    """A recording as its envelope is to be taken: without an offset, which is no sound, and with no channel upside down.

    Neither what is digitally silent nor a recording whose offset is not the same throughout is changed."""
    offsets = [offset_of(channel, sound.rate) for channel in sound.samples]
    if any(offsets):
        samples = sound.samples.copy()
        for channel, offset in zip(samples, offsets, strict=True):
            channel[channel != 0] -= np.float32(offset)
        sound = replace(sound, samples=samples)
    return sound.in_phase()


def offset_of(channel: np.ndarray, rate: int) -> float:
    """The level at which a channel [sample] rests, 0 where that is nothing.

    Short blocks rest there by their medians, half of them at least, and none rests elsewhere: where a recording is silent in
    between, its offset is left, since to take it away would make the silence sound. Less than ten blocks tell nothing."""
    size = max(round(OFFSET_BLOCK * rate), 1)
    blocks = channel[: len(channel) // size * size].reshape(-1, size)
    blocks = blocks[blocks.any(axis=1)]
    if len(blocks) < OFFSET_BLOCKS:
        return 0.0
    levels, spreads = np.median(blocks, axis=1), blocks.std(axis=1)
    offset = float(np.median(levels))
    resting = np.abs(levels - offset) <= 0.1 * abs(offset)
    elsewhere = ~resting & (spreads < abs(offset) / 8)
    rests = abs(offset) > OFFSET_LEAST * np.abs(channel).max() and 2 * resting.sum() >= len(blocks) and not elsewhere.any()
    return offset if rests else 0.0


def read_events(path: Path, seconds: float | None) -> Guide:
    """The guide of Audacity labels, Reaper markers, MIDI notes, JSON, or a CSV with kinds and durations."""
    track = read_track(path)
    if seconds is None:
        seconds = max((event.seconds + event.duration for event in track.events), default=0.0) + TAIL
        refuse_endless(path, seconds)
    loud = track.strengths[track.strengths > 1 + 1e-6]  # full scale may be rounded
    doubt = f"{path.name} holds {len(loud)} strength(s) above 1, which is full scale" if len(loud) else ""
    try:
        return Guide(track.to_envelope(seconds), "table", path, track=track, doubt=doubt)
    except EnvelopeError as error:
        raise EnvelopeError(f"{path}: {error}") from None


def read_rows(path: Path, seconds: float | None) -> Guide:
    """The guide of a table of seconds and amplitudes, or of hits."""
    table = read_table(path)
    drawn = is_curve(table)
    if seconds is None:
        last = max(float(table.rows[:, 0].max()), 0.0)
        seconds = last if drawn and last > 0 else last + TAIL
        refuse_endless(path, seconds)
    track = None if drawn else OnsetTrack(tuple(OnsetEvent(*hit) for hit in hits_of(table)))
    doubt = ""
    if table.width == 2 and not table.header and (drawn or is_doubtful(table)):
        kind, other = ("an amplitude curve", "seconds,strength") if drawn else ("a list of hits", "seconds,amplitude")
        doubt = f"{path.name} was read as {kind}; a first line {other} would make it the other"
    whole = curve(table) if drawn else None
    return Guide(load_envelope_file(path, seconds), "table", path, track=track, doubt=doubt, whole=whole)


def is_doubtful(table: Table) -> bool:
    """Whether rows without a header that were taken for hits look like a curve: close together, or silent in places."""
    return is_dense(table) or not table.rows[:, 1].all()


def refuse_endless(path: Path, seconds: float) -> None:
    """Raises EnvelopeError for a list that lasts longer than any clip."""
    if seconds > LONGEST:
        raise EnvelopeError(f"{path}: lasts {seconds:g} s, more than a day; its times are in seconds, correct them")


def too_soft(envelope: Envelope) -> str:
    """A note on a guide that sounds, but so softly that its result is hardly heard, else nothing."""
    loudest = float(envelope.values.max())
    if loudest <= 0 or loudest >= 10 ** (SOFT_DB / 20):
        return ""
    level = 20 * math.log10(loudest)
    return (
        f"the guide is at most {level:.0f} dBFS loud, and the result is hardly heard; "
        f"raise it: foleygram envelope --scale-db {min(USUAL_DB - level, SCALE_DB[1]):.0f}"
    )


def unheard(guide: Guide, seconds: float) -> str:
    """A note on a guide that goes on after a film of ``seconds`` has ended and is not silent there, else nothing."""
    if guide.kind == "own":  # many a film's sound goes on a little after its picture
        return ""
    if guide.kind == "table" and guide.track is not None:  # the end of its curve is ours
        late = sum(event.seconds >= seconds for event in guide.track.events)
        return f"{late} of its events come after the film has ended, at {seconds:.2f} s, and are not heard" if late else ""
    envelope = guide.envelope if guide.whole is None else guide.whole
    end = seconds + ENVELOPE_WINDOW / 2 / SAMPLE_RATE  # up to here a window of Eq. 5 reaches into the film
    beyond = float(envelope.values[envelope.times > end].max(initial=0.0))
    if envelope.seconds <= seconds + OVERHANG or beyond <= REST_SILENT * float(envelope.values.max()):
        return ""
    return f"the guide lasts {envelope.seconds:.2f} s, the film {seconds:.2f} s; the rest of it is not heard"


def is_noisy(envelope: Envelope) -> bool:
    """Whether something sounds throughout, as the room does in a recording by microphone."""
    return float(np.percentile(envelope.values, 10)) > float(envelope.values.max()) * 10 ** (-NOISE_DB / 20) > 0


def predict_guide(
    video: Path | None, seconds: float, predictor: EnvelopePredictor | None, kind: EventKind | None = None
) -> Guide:
    """The guide that the picture suggests; ``kind``: of all its events, where somebody has said it. Raises EnvelopeError that
    names the choices where the model has no predictor."""
    if video is None or predictor is None:
        raise EnvelopeError(f"{video}: nothing says when it should sound, and this model predicts no envelope; {CHOICES}")
    side = 2 * predictor.config.motion.short  # pixels, as in training
    seen = 0

    def frames() -> Iterator[tuple[float, np.ndarray]]:
        nonlocal seen
        for frame in ahead(stream_frames(video, short_side=side)):
            seen += frame[0] < seconds
            yield frame

    try:
        prediction = predictor.read(frames(), seconds, kind=kind)
    except MediaError as error:
        raise MediaError(f"{video}: {error}") from None
    every = int((read_timeline(video).times < seconds).sum())
    doubt = "" if seen >= every else f"{every - seen} of {every} frames cannot be decoded, so the prediction may be wrong there"
    return Guide(prediction.envelope, "predicted", None, prediction.describe(), prediction.track, doubt)
