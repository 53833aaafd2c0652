"""The verb ``envelope``: a guide is read or predicted, edited, written in the form that the next program reads, and drawn.

A guide is a curve and, where somebody or something named them, events; both are edited alike, so that notes that came from
a sampler leave as notes at exactly shifted times, and the curve beside them is the one that ``generate`` will follow.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from foleygram.errors import EnvelopeError, MediaError, OutputError, UsageError
from foleygram.limits import SCALE_DB, check_range
from foleygram.media.audio import read_audio
from foleygram.media.container import check_input
from foleygram.media.timeline import read_timeline
from foleygram.media.video import MediaInfo, probe
from foleygram.output import check_output
from foleygram.signal.envelope import LONGEST, step_count, write_envelope
from foleygram.signal.onsets import envelope_onsets
from foleygram.timing.editing import EnvelopeEdits, delay, edit, edit_track
from foleygram.timing.exchange import NAMED, SUFFIXES, clock, holds_events, write_track
from foleygram.timing.midi import LOUDEST, louder_than_notes
from foleygram.timing.strokes import Strokes, sound_strokes
from foleygram.timing.track import KINDS, Kind, OnsetEvent, OnsetTrack
from foleygram.types import ENVELOPE_RATE, Envelope
from foleygram.verbs.drawing import PAGE, draw, write_page
from foleygram.verbs.guide import Guide, is_noisy, is_table, predict_guide, read_file, too_soft, unheard

EVENTS_FIRST = ("snap", "shift_ms", "shift_frames", "gate")
"""Edits that events take exactly, before a curve is drawn from them."""


SHAPING = ("strokes", "attack_ms", "decay_ms", "smooth_ms")
"""Edits of the curve alone: events have no shape."""


@dataclass(frozen=True)
class EnvelopeRequest:
    """One call of ``envelope``. ``file``: a sound, video, table or list of events; ``out``: file to write, a curve as
    ``.csv``, else events by its end, ``.html`` a page to edit them; ``events``: a ``.csv`` of events instead; ``picture``: PNG;
    ``model``: what predicts; ``predict``: from the picture although the video has a sound; ``kind``: of all predicted events;
    ``voice``: the file is hummed or tapped; ``film``: video that it belongs to, for length, frames and film strip; ``seconds``:
    length instead.

    Edits in the order in which they are done: ``snap`` to frames of the film or of ``snap_fps``; ``shift_ms``,
    ``shift_frames`` later; silent below ``gate_db`` (0 is full scale); ``strokes``: a sound or video, whose strokes the events
    become; ``attack_ms``, ``decay_ms``, ``smooth_ms``; ``scale_db`` louder; ``mute``: ranges ``A-B`` in s or ``m:s``; ``mix``:
    another file, its amplitudes times ``weight``, joined as ``mix_as``."""

    file: Path
    out: Path | None = None
    events: bool = False
    picture: Path | None = None
    force: bool = False
    model: str | Path = "mini"
    predict: bool = False
    voice: bool = False
    film: Path | None = None
    seconds: float | None = None
    snap: bool = False
    snap_fps: float | None = None
    shift_ms: float = 0.0
    shift_frames: float = 0.0
    gate_db: float | None = None
    attack_ms: float = 0.0
    decay_ms: float = 0.0
    smooth_ms: float = 0.0
    scale_db: float = 0.0
    mute: tuple[str, ...] = ()
    mix: Path | None = None
    weight: float | None = None
    mix_as: str | None = None
    strokes: Path | None = None
    kind: str | None = None


@dataclass(frozen=True)
class EnvelopeReport:
    """What ``envelope`` found and made. ``onsets``: (s, linear amplitude); ``events``: the same with kind and duration;
    ``edits``: what was done, in order, in words; ``out``, ``picture``: the files it wrote; ``notes``: what the user should
    know, one sentence each."""

    file: Path
    origin: str
    kind: str
    seconds: float
    steps: int
    rate: float
    peak: float
    onsets: tuple[tuple[float, float], ...]
    events: tuple[OnsetEvent, ...]
    edits: tuple[str, ...]
    out: Path | None
    picture: Path | None
    notes: tuple[str, ...] = ()

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2, default=str)


def envelope(request: EnvelopeRequest) -> EnvelopeReport:
    """Reads or predicts an envelope (Eq. 5), edits it, writes and draws it.

    Raises UsageError, MediaError, EnvelopeError, ModelError, and OutputError before any work for a file that could not be
    written."""
    edits = settled(request)
    for path in (request.file, request.film, request.mix, request.strokes):
        if path is not None:
            check_input(path)
    film = filmed(request)
    grid = None
    if request.snap_fps is not None:
        grid = np.arange(2) / request.snap_fps
    elif film is not None and (edits.snap or edits.shift_frames):
        grid = read_timeline(film.path).times
    later = delay(edits, grid)
    seconds = length_of(request, film)
    guide = guide_of(request.file, request.model, seconds, request.predict, request.voice, request.kind)
    other = None if request.mix is None else guide_of(request.mix, request.model, None, kind=request.kind)
    if request.kind is not None and "predicted" not in (guide.kind, other and other.kind):
        raise UsageError("--kind is of predicted events, and none are; give a silent video or --predict, or leave it out")
    if seconds is None:  # nothing says how long the clip is: what is moved later is not cut off
        seconds = guide.envelope.seconds + max(later, 0.0)
    rest = unheard(guide, seconds) if request.seconds is None else ""  # who names a length means to cut
    lost = "" if other is None or request.seconds is not None else unheard(other, seconds)
    rest = "; ".join(words for words in (rest, lost and f"of {request.mix.name}, mixed in, {lost}") if words)
    guide = replace(guide, envelope=fitted(guide.envelope, seconds))
    if request.snap_fps is not None:
        # no frame begins at the very end, where a hit would be lost
        grid = np.arange(max(math.ceil(seconds * request.snap_fps - 1e-6), 1)) / request.snap_fps
    strokes = None if request.strokes is None else read_strokes(request.strokes)
    curve, track = edited(guide, other, edits, grid, seconds, strokes)
    done = in_words(request, edits)
    if request.out is not None:
        if is_curve(request):
            write_envelope(request.out, curve, request.force)
        elif request.out.suffix.lower() == PAGE:
            write_page(request.out, request.file, film, curve, track, request.force)
        else:
            write_track(request.out, track, request.force)
    onsets = tuple(track.hits)
    gone = 0
    if guide.track is not None and later:
        moved = guide.track.snapped(grid) if edits.snap else guide.track
        gone = sum(not 0 <= event.seconds + later < seconds for event in moved.events)
    if request.picture is not None:
        draw(request.picture, request.file, film, guide, curve, onsets, request.force)
    return EnvelopeReport(
        request.file, guide.label, guide.kind, curve.seconds, len(curve.values), curve.rate, float(curve.values.max()), onsets,
        track.events, done, request.out, request.picture,
        tuple(remarks(request, film, guide, track, curve, gone, rest)),
    )  # fmt: skip


def settled(request: EnvelopeRequest) -> EnvelopeEdits:
    """The edits in numbers, after all that can be refused without reading is refused. Raises UsageError, OutputError."""
    inputs = [path for path in (request.file, request.film, request.mix, request.strokes) if path is not None]
    if request.out is not None and request.out.suffix.lower() not in (*SUFFIXES, PAGE):
        raise OutputError(
            f"{request.out}: an envelope is written as .csv, its events as {NAMED} or, to edit them in a browser, {PAGE}; "
            "end the name with one of them"
        )
    if request.picture is not None and request.picture.suffix.lower() != ".png":
        raise OutputError(f"{request.picture}: is written as PNG; end the name with .png")
    for path in (request.out, request.picture):
        if path is not None:
            check_output(path, request.force, sources=inputs)
    if request.events and request.out is None:
        raise UsageError("--events says what -o FILE.csv holds; give -o, or leave it out")
    if request.predict and request.voice:
        raise UsageError("--predict looks at a picture, --voice listens to a recording; give one of them")
    if request.kind not in (None, *KINDS):
        raise UsageError(f"--kind takes {' or '.join(KINDS)}, not '{request.kind}'")
    for option, value in (("--weight", request.weight), ("--mix-as", request.mix_as)):
        if value is not None and request.mix is None:
            raise UsageError(f"{option} says how --mix FILE is laid over it; give --mix, or leave it out")
    if request.seconds is not None and not 0 < request.seconds <= LONGEST:
        raise UsageError(f"--seconds takes a number above 0 and up to {LONGEST:g}, not {request.seconds:g}")
    if request.snap_fps is not None:
        check_range("--snap-fps", request.snap_fps, 1, 1000)
    if request.weight is not None and request.mix_as == "product":
        raise UsageError("--weight has no part in --mix-as product, in which the second is full at its peak; leave it out")
    how = request.mix_as or "power"
    if how not in ("power", "loudest", "product"):
        raise UsageError(f"--mix-as takes power, loudest or product, not '{how}'")
    return EnvelopeEdits(
        snap=request.snap or request.snap_fps is not None,
        shift_ms=check_range("--shift-ms", request.shift_ms, -1000 * LONGEST, 1000 * LONGEST),
        shift_frames=check_range("--shift-frames", request.shift_frames, -1e6, 1e6),
        gate=0.0 if request.gate_db is None else decibels(check_range("--gate-db", request.gate_db, -120, 0)),
        attack_ms=check_range("--attack-ms", request.attack_ms, 0, 10_000),
        decay_ms=check_range("--decay-ms", request.decay_ms, 0, 10_000),
        smooth_ms=check_range("--smooth-ms", request.smooth_ms, 0, 10_000),
        scale=decibels(check_range("--scale-db", request.scale_db, *SCALE_DB)),
        mute=tuple(range_of(text) for text in request.mute),
        mix=how,
        mix_gain=check_range("--weight", 1.0 if request.weight is None else request.weight, 0, 100),
    )


def decibels(value: float) -> float:
    """The linear factor."""
    return 1.0 if value == 0 else 10 ** (value / 20)


def range_of(text: str) -> tuple[float, float]:
    """Seconds of ``1.5-2.25`` or ``1:02.5-1:04``. Raises UsageError."""
    match = re.fullmatch(r"\s*([\d.:]+)\s*-\s*([\d.:]+)\s*", text)
    try:
        start, end = clock(match[1]), clock(match[2])
    except (TypeError, ValueError):
        raise UsageError(f"--mute takes a range in seconds such as 1.5-2.25 or 1:02-1:04.5, not '{text}'") from None
    if not start < end <= LONGEST:
        raise UsageError(f"--mute takes a range from an earlier to a later time, not '{text}'")
    return start, end


def filmed(request: EnvelopeRequest) -> MediaInfo | None:
    """The video whose frames and length count: ``film``, else the file itself. Raises MediaError where ``film`` is none."""
    if request.film is not None:
        if is_table(request.film) or not (film := probe(request.film)).has_video:
            raise MediaError(f"{request.film}: holds no picture; --film takes the video that the envelope belongs to")
        return film
    if holds_events(request.file) or is_table(request.file):
        return None
    film = probe(request.file)
    return film if film.has_video else None


def length_of(request: EnvelopeRequest, film: MediaInfo | None) -> float | None:
    """s of the clip where something says it: ``seconds``, or a film."""
    if request.seconds is not None:
        return request.seconds
    return None if film is None else film.seconds


def guide_of(
    file: Path, model: str | Path, seconds: float | None, predict: bool = False, voice: bool = False, kind: Kind | None = None
) -> Guide:
    """The guide of a file; a video without sound is predicted from, its events all of ``kind`` where that is given.

    Raises EnvelopeError, MediaError, ModelError."""
    if holds_events(file) or is_table(file):
        if predict:
            raise UsageError(f"{file}: is a list and has no picture to predict from; leave --predict out")
        return read_file(file, seconds, voice)
    info = probe(file)
    if predict and not info.has_video:
        raise MediaError(f"{file}: holds no picture to predict from; give a video, or leave --predict out")
    if info.has_audio and not predict:
        return read_file(file, seconds, voice)
    if voice:
        raise MediaError(f"{file}: holds no sound; --voice takes a hummed or tapped recording")
    from foleygram.pipeline import load_predictor

    return predict_guide(file, info.seconds, load_predictor(model), kind)


def read_strokes(file: Path) -> Strokes:
    """The strokes in a sound or video. Raises MediaError, EnvelopeError where none dies away."""
    strokes = sound_strokes(read_audio(file).in_phase())
    if strokes is None:
        raise EnvelopeError(f"{file}: nothing in it dies away, so it has no strokes to take; give a recording of single hits")
    return strokes


def fitted(envelope: Envelope, seconds: float) -> Envelope:
    """Cut, or silent at the end, so that it is that of a clip of ``seconds``."""
    steps = step_count(seconds)
    if len(envelope.values) == steps and envelope.rate == ENVELOPE_RATE:
        return envelope
    return Envelope(envelope.at(np.arange(steps) / ENVELOPE_RATE))


def edited(
    guide: Guide,
    other: Guide | None,
    edits: EnvelopeEdits,
    grid: np.ndarray | None,
    seconds: float,
    strokes: Strokes | None = None,
) -> tuple[Envelope, OnsetTrack]:
    """The curve and the events after ``edits``; ``strokes``: whose shapes its events take."""
    second = None if other is None else other.envelope
    curve, track = guide.envelope, guide.track
    exact = EnvelopeEdits(**{name: getattr(edits, name) for name in EVENTS_FIRST})
    struck = None if track is None else edit_track(track, exact, grid).within(seconds)
    if track is not None and guide.kind == "table":
        # a list is moved event by event and drawn then: a curve could only be stretched
        track = struck
        if exact != EnvelopeEdits():
            curve = track.to_envelope(seconds)
        usual = EnvelopeEdits()
        edits = edits.replace(**{name: getattr(usual, name) for name in EVENTS_FIRST})
    curve = edit(curve, edits, grid, second, strokes, struck)
    if track is None or edits.mix == "product" and other is not None:
        return curve, read_off(curve)
    more = None if other is None else (other.track if other.track is not None else read_off(other.envelope))
    return curve, edit_track(track, edits, grid, more).within(seconds)


def read_off(curve: Envelope) -> OnsetTrack:
    """The events of a curve at the times that the detector of onsets says."""
    found = dict(envelope_onsets(curve))
    return OnsetTrack(
        tuple(replace(e, strength=found.get(e.seconds, e.strength)) for e in OnsetTrack.from_envelope(curve).events)
    )


def in_words(request: EnvelopeRequest, edits: EnvelopeEdits) -> tuple[str, ...]:
    """Each edit that is done, in order."""
    grid = "" if not edits.snap else f"snapped to {f'{request.snap_fps:g} frames/s' if request.snap_fps else 'frames'}"
    rows = [
        grid,
        edits.shift_ms and f"shifted by {edits.shift_ms:+g} ms",
        edits.shift_frames and f"shifted by {edits.shift_frames:+g} frames",
        edits.gate and f"gated at {request.gate_db:g} dB",
        request.strokes and f"strokes of {request.strokes}",
        edits.attack_ms and f"attack {edits.attack_ms:g} ms",
        edits.decay_ms and f"decay {edits.decay_ms:g} ms",
        edits.smooth_ms and f"smoothed over {edits.smooth_ms:g} ms",
        request.scale_db and f"{request.scale_db:+g} dB",
        *(f"muted {start:g}-{end:g} s" for start, end in edits.mute),
        request.mix and f"mixed with {request.mix} x {edits.mix_gain:g} ({edits.mix})",
    ]
    return tuple(row for row in rows if row)


def remarks(
    request: EnvelopeRequest,
    film: MediaInfo | None,
    guide: Guide,
    track: OnsetTrack,
    curve: Envelope,
    gone: int,
    rest: str,
) -> list[str]:
    """What the user should know before using the result. ``gone``: events that were moved out of the clip; ``rest``: what was
    cut off the guide, in words."""
    shortfall = "" if film is None else film.shortfall
    notes = [note for note in (shortfall, guide.doubt, rest) if note]
    shaped = [f"--{name.replace('_', '-')}" for name in SHAPING if getattr(request, name)]
    if shaped and request.out is not None and not is_curve(request):
        notes.append(f"{', '.join(shaped)} shape the curve, but {request.out.name} holds events; write a .csv without --events")
    if request.out is not None and request.out.suffix.lower() in (".mid", ".midi") and (loud := louder_than_notes(track)):
        notes.append(
            f"{loud} event(s) are louder than {LOUDEST:g}, which is velocity 127, and are cut to it; lower them "
            "(--scale-db), or write .json"
        )
    if guide.kind == "sound" and is_noisy(curve):
        notes.append(
            "something sounds throughout, as a room does; --gate-db takes it away, or --voice if it was hummed or tapped"
        )
    if gone:
        notes.append(f"{gone} event(s) were moved out of the clip and are gone")
    if curve.values.max() <= 0:
        notes.append("the envelope is silent throughout")
    elif guide.kind == "predicted" and request.out is not None and is_curve(request):
        notes.append(
            "a curve counts as measured, so generate follows it as it is; with --events, or as .json, events can become strokes"
        )
    if soft := too_soft(curve):
        notes.append(soft)
    return notes


def is_curve(request: EnvelopeRequest) -> bool:
    """Whether a curve is written and not events."""
    return request.out.suffix.lower() == ".csv" and not request.events
