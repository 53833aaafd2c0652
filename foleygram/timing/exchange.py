"""Onset tracks to and from the files of other programs: tables, Audacity labels, Reaper markers, MIDI notes.

The end of the name says which: ``.csv`` (ours, or Reaper's region manager), ``.json``, ``.txt`` (Audacity labels),
``.rpp`` (the markers of a Reaper project) and ``.mid``.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import asdict
from pathlib import Path

from foleygram.errors import EnvelopeError, OutputError
from foleygram.output import whole_bytes, whole_text
from foleygram.signal.envelope import DEFAULT_STRENGTH, TOO_STRONG
from foleygram.signal.table import read_text
from foleygram.timing.midi import midi_bytes, parse_midi
from foleygram.timing.track import KINDS, OnsetEvent, OnsetTrack

COLUMNS = ("seconds", "strength", "kind", "duration")
SUFFIXES = (".csv", ".json", ".txt", ".rpp", ".mid", ".midi")
NAMED = ", ".join(SUFFIXES)
STRENGTH = re.compile(r"\b(?:hit|scratch)\s+(\d*[.,]\d+(?:e[+-]?\d+)?|\d+e[+-]?\d+)(?=[,;]?(?:\s|$))")
"""The strength in a label, in lower case: right after the kind, and never a whole number, with which people count; a
comma may be the decimal point, as in times."""


def suffix_of(path: Path) -> str | None:
    """The lower-case end of the name where it is one of ours."""
    suffix = Path(path).suffix.lower()
    return suffix if suffix in SUFFIXES else None


def holds_events(path: Path) -> bool:
    """Whether a file is a list of events in a format of its own, by its name and, for .csv and .txt, by its first line: our
    named columns, Reaper's table, or Audacity's start, end and text between tabs. Plain tables of numbers are not."""
    suffix = suffix_of(path)
    if suffix not in (".csv", ".txt"):
        return suffix is not None
    with Path(path).open("rb") as file:
        head = file.read(4096).decode("utf-8-sig", errors="replace")
    first = next((line for line in head.splitlines() if line.strip()), "")
    if suffix == ".txt":
        return first.count("\t") >= 2
    names = [cell.strip(' \t"').lower() for cell in first.split(",")]
    return names[:3] == ["#", "name", "start"] or bool({"kind", "duration"} & set(names))


def write_track(path: Path, track: OnsetTrack, force: bool = False) -> None:
    """Writes a track in the format that the name ends with, whole or not at all; a ``.csv`` is ours, named columns.

    Raises OutputError for another name, an existing file without ``force``, or a place that cannot be written."""
    path = Path(path)
    match suffix_of(path):
        case ".csv":
            whole_text(path, as_csv(track), force)
        case ".json":
            whole_text(path, as_json(track), force)
        case ".txt":
            whole_text(path, as_audacity(track), force)
        case ".rpp":
            whole_text(path, as_reaper(track), force)
        case ".mid" | ".midi":
            whole_bytes(path, midi_bytes(track), force)
        case _:
            raise OutputError(f"{path}: events are written as {NAMED}; end the name with one of them")


def read_track(path: Path) -> OnsetTrack:
    """Reads a track from any format that ``write_track`` writes, and from the CSV of Reaper's region and marker manager.

    What a format does not hold (strength, kind) is filled in: strength 0.1, hit. Raises EnvelopeError that names the line."""
    path = Path(path)
    suffix = suffix_of(path)
    if suffix is None:
        raise EnvelopeError(f"{path}: events are read from {NAMED}; export them as one of these")
    if suffix in (".mid", ".midi"):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise EnvelopeError(f"{path}: cannot be read ({error.strerror}); check its name and permissions") from error
        return parse_midi(content, str(path))
    text = read_text(path)
    if suffix == ".json":
        return parse_json(text, str(path))
    if suffix == ".txt":
        return parse_audacity(text, str(path))
    if suffix == ".rpp":
        return parse_reaper(text, str(path))
    return parse_csv(text, str(path))


def as_csv(track: OnsetTrack) -> str:
    """Rows ``seconds,strength,kind,duration`` under a header."""
    rows = [f"{e.seconds:.6f},{e.strength:.6g},{e.kind},{e.duration:.6g}" for e in track.events]
    return "\n".join([",".join(COLUMNS), *rows]) + "\n"


def as_json(track: OnsetTrack) -> str:
    """``{"events": [{"seconds", "strength", "kind", "duration"}, ...]}``."""
    return json.dumps({"events": [asdict(event) for event in track.events]}, indent=2) + "\n"


def label(event: OnsetEvent) -> str:
    """``hit 0.3``: the text of a label or marker. The strength is never written as a whole number (``STRENGTH``)."""
    number = f"{event.strength:.4g}"
    return f"{event.kind} {number}" if set(".e") & set(number) else f"{event.kind} {number}.0"


def as_audacity(track: OnsetTrack) -> str:
    """Label track: start, end and text between tabs (Audacity: File > Import > Labels)."""
    return "".join(f"{e.seconds:.6f}\t{e.seconds + e.duration:.6f}\t{label(e)}\n" for e in track.events)


def as_reaper(track: OnsetTrack) -> str:
    """A Reaper project of markers only; a scratch is a region. Its lines may be pasted into another project."""
    lines = ["<REAPER_PROJECT 0.1"]
    for number, event in enumerate(track.events, 1):
        region = int(event.duration > 0)
        lines.append(f'  MARKER {number} {event.seconds:.6f} "{label(event)}" {region}')
        if region:
            lines.append(f'  MARKER {number} {event.seconds + event.duration:.6f} "" 1')
    return "\n".join([*lines, ">"]) + "\n"


def event_of(seconds: float, text: str, end: float | None = None) -> OnsetEvent:
    """The event of a label: its text may name the kind and the strength, ``scratch 0.2``; other words and numbers (``take 12``)
    say nothing."""
    kind = next((word for word in text.lower().split() if word in KINDS), "hit")
    duration = max(end - seconds, 0.0) if end is not None else 0.0
    return OnsetEvent(seconds, strength_in(text), kind, duration if kind == "scratch" else 0.0)


def strength_in(text: str) -> float:
    """The strength that a label tells, else the usual one. More than full scale counts only where nothing else is written, as
    we write what was made louder."""
    text = text.strip().lower()
    match = STRENGTH.search(text)
    if match is None:
        return DEFAULT_STRENGTH
    strength = clock_free(match[1])
    return strength if strength <= 1 or match[0] == text else DEFAULT_STRENGTH


def parse_csv(text: str, name: str) -> OnsetTrack:
    """Our columns in any order (``seconds`` must be among them), Reaper's, or rows of numbers without a header.

    Strengths above 1 are only read under all of our columns, as we write what was made louder."""
    try:
        rows = list(csv.reader(io.StringIO(text)))
    except csv.Error as error:
        raise EnvelopeError(f"{name}: is no table ({error}); write rows of {', '.join(COLUMNS)}") from None
    filled = [(number, row) for number, row in enumerate(rows, 1) if any(cell.strip() for cell in row)]
    if not filled:
        return OnsetTrack()
    header = [cell.strip().lower() for cell in filled[0][1]]
    if header[:3] == ["#", "name", "start"]:
        return reaper_rows(filled[1:], header, name)
    ours = set(header) == set(COLUMNS)
    if "seconds" in header:
        unknown = [column for column in header if column not in COLUMNS]
        if unknown:
            raise EnvelopeError(f"{name}: line 1 names an unknown column '{unknown[0]}'; known are {', '.join(COLUMNS)}")
        filled = filled[1:]
    else:
        header = list(COLUMNS)
    events = []
    for number, row in filled:
        cells = {column: cell.strip() for column, cell in zip(header, row, strict=False) if cell.strip()}
        try:
            event = OnsetEvent(
                float(cells["seconds"]), float(cells.get("strength", DEFAULT_STRENGTH)), cells.get("kind", "hit"),
                float(cells.get("duration", 0)),
            )  # fmt: skip
        except (KeyError, ValueError):
            raise EnvelopeError(f"{name}: line {number} is not seconds[,strength[,kind[,duration]]]; correct it") from None
        except EnvelopeError as error:
            raise EnvelopeError(f"{name}: line {number}: {error}") from None
        if event.strength > 1 and not ours:
            raise EnvelopeError(f"{name}: line {number} {TOO_STRONG}")
        events.append(event)
    return OnsetTrack(tuple(events))


def clock(text: str) -> float:
    """Seconds of ``12.5``, ``0:12.5`` or ``1:00:12.5``. Raises ValueError."""
    seconds = 0.0
    for part in text.strip().split(":"):
        seconds = 60 * seconds + float(part)
    return seconds


def reaper_rows(rows: list[tuple[int, list[str]]], header: list[str], name: str) -> OnsetTrack:
    """The table of Reaper's region and marker manager; its ruler must show time, not beats."""
    events = []
    for number, row in rows:
        cells = dict(zip(header, row, strict=False))
        try:
            end = clock(cells["end"]) if cells.get("end", "").strip() else None
            events.append(event_of(clock(cells["start"]), cells.get("name", ""), end))
        except (KeyError, ValueError):
            raise EnvelopeError(
                f"{name}: line {number} has no start in seconds; set Reaper's ruler to time and export again"
            ) from None
        except EnvelopeError as error:
            raise EnvelopeError(f"{name}: line {number}: {error}") from None
    return OnsetTrack(tuple(events))


def parse_json(text: str, name: str) -> OnsetTrack:
    """What ``as_json`` writes. Raises EnvelopeError that names the event."""
    try:
        rows = list(json.loads(text)["events"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise EnvelopeError(f'{name}: is not JSON of the form {{"events": [{{"seconds": 1.0}}]}}; write it so') from None
    events = []
    for number, row in enumerate(rows, 1):
        try:
            events.append(OnsetEvent(**{key: value if key == "kind" else float(value) for key, value in row.items()}))
        except (TypeError, ValueError, OverflowError, AttributeError):
            raise EnvelopeError(f"{name}: event {number} is not made of {', '.join(COLUMNS)}; correct it") from None
        except EnvelopeError as error:
            raise EnvelopeError(f"{name}: event {number}: {error}") from None
    return OnsetTrack(tuple(events))


def parse_audacity(text: str, name: str) -> OnsetTrack:
    """A label track; lines that begin with a backslash (the frequencies of spectral labels) are passed over."""
    events = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("\\"):
            continue
        cells = line.split("\t")
        try:
            start, end = clock_free(cells[0]), clock_free(cells[1]) if len(cells) > 1 else None
            events.append(event_of(start, cells[2] if len(cells) > 2 else "", end))
        except ValueError:
            raise EnvelopeError(f"{name}: line {number} is not start, end and text between tabs; export labels again") from None
        except EnvelopeError as error:
            raise EnvelopeError(f"{name}: line {number}: {error}") from None
    return OnsetTrack(tuple(events))


def clock_free(text: str) -> float:
    """A number; a comma may be the decimal point, as in labels of some locales. Raises ValueError."""
    return float(text.strip().replace(",", "."))


def parse_reaper(text: str, name: str) -> OnsetTrack:
    """The MARKER lines of a Reaper project; the two lines of a region are one event."""
    events: list[OnsetEvent] = []
    open_regions: dict[str, tuple[float, str]] = {}
    pattern = re.compile(r"""\s*MARKER\s+(\d+)\s+(\S+)\s+("[^"]*"|'[^']*'|`[^`]*`|\S+)(?:\s+(\d+))?""")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.lstrip().startswith("MARKER "):
            continue
        match = pattern.match(line)
        try:
            if match is None:
                raise ValueError
            seconds, words = float(match[2]), match[3].strip("\"'`")
        except ValueError:
            raise EnvelopeError(f"{name}: line {number} is not MARKER number seconds name; correct it") from None
        try:
            if not int(match[4][-1:] if match[4] else 0) & 1:
                events.append(event_of(seconds, words))
            elif match[1] in open_regions:
                start, title = open_regions.pop(match[1])
                events.append(event_of(start, title, seconds))
            else:
                open_regions[match[1]] = (seconds, words)
        except EnvelopeError as error:
            raise EnvelopeError(f"{name}: line {number}: {error}") from None
    return OnsetTrack(tuple(events + [event_of(start, title) for start, title in open_regions.values()]))
