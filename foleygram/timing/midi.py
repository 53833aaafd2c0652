"""Onset tracks as notes of a standard MIDI file, for samplers and drum tracks.

A hit is note 60 (middle C) and a scratch note 62; velocity is the strength: amplitude 0.5 at 127, and falling with the
square of the velocity, as General MIDI suggests (40 log10(v / 127) dB). Ticks are 0.5 ms: 1000 a quarter at 120 a minute.
"""

from __future__ import annotations

import math
import struct

from foleygram.errors import EnvelopeError
from foleygram.timing.track import OnsetEvent, OnsetTrack

NOTES = {"hit": 60, "scratch": 62}
LOUDEST = 0.5  # linear RMS amplitude at velocity 127
DIVISION = 1000  # ticks of a quarter note
TEMPO = 500_000  # microseconds of a quarter note
SHORTEST = 0.05  # s that a hit's note is held


def velocity_of(strength: float) -> int:
    """1..127."""
    return min(max(round(127 * math.sqrt(strength / LOUDEST)), 1), 127)


def louder_than_notes(track: OnsetTrack) -> int:
    """How many events are too loud for velocity 127, so that their notes read back softer."""
    return sum(round(127 * math.sqrt(strength / LOUDEST)) > 127 for strength in track.strengths.tolist())


def strength_of(velocity: int) -> float:
    """Linear RMS amplitude."""
    return LOUDEST * (velocity / 127) ** 2


def variable_length(value: int) -> bytes:
    """MIDI's variable-length number: 7 bits a byte, the highest first."""
    result = bytes([value & 0x7F])
    while value := value >> 7:
        result = bytes([value & 0x7F | 0x80]) + result
    return result


def midi_bytes(track: OnsetTrack) -> bytes:
    """A file of type 0 with one track."""
    ticks = DIVISION * 1_000_000 / TEMPO
    changes: list[tuple[int, int, int, int]] = []  # tick, off before on, note, velocity
    following: dict[str, int] = {}  # tick at which the next note of a kind begins
    for event in reversed(track.events):
        first = round(event.seconds * ticks)
        last = round((event.seconds + max(event.duration, SHORTEST)) * ticks)
        # a note that begins again before its end is ended first: its own end would be taken for that of the next
        last = min(last, following.get(event.kind, last))
        following[event.kind] = first
        changes += [(first, 1, NOTES[event.kind], velocity_of(event.strength)), (last, 0, NOTES[event.kind], 0)]
    content = b"\x00\xff\x51\x03" + TEMPO.to_bytes(3, "big")
    before = 0
    for tick, on, note, velocity in sorted(changes):
        content += variable_length(tick - before) + bytes([0x90 if on else 0x80, note, velocity])
        before = tick
    content += b"\x00\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, DIVISION) + b"MTrk" + struct.pack(">I", len(content)) + content


class Reader:
    """Reads numbers from bytes, front to back. Raises IndexError past the end."""

    def __init__(self, content: bytes):
        self.content, self.place = content, 0

    def byte(self) -> int:
        self.place += 1
        return self.content[self.place - 1]

    def skip(self, count: int) -> bytes:
        if self.place + count > len(self.content):
            raise IndexError
        self.place += count
        return self.content[self.place - count : self.place]

    def length(self) -> int:
        value = 0
        while True:
            byte = self.byte()
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                return value


def parse_midi(content: bytes, name: str) -> OnsetTrack:
    """All notes of all tracks and channels of a file of type 0 or 1, with its changes of tempo. A note that is neither hit
    nor scratch of ours is a hit. Raises EnvelopeError where the file is none or is cut off."""
    try:
        return read_tracks(content)
    except (IndexError, struct.error, ValueError, ZeroDivisionError):
        raise EnvelopeError(f"{name}: is not a whole standard MIDI file of type 0 or 1; export it again") from None


def read_tracks(content: bytes) -> OnsetTrack:
    """The notes of a Standard MIDI File of format 0 or 1. Raises ValueError, IndexError or struct.error where it is none."""
    if content[:4] != b"MThd":
        raise ValueError
    size, kind, tracks, division = struct.unpack(">IHHH", content[4:14])
    if kind > 1:
        raise ValueError
    place = 8 + size
    tempos: list[tuple[int, int]] = []
    notes: list[tuple[int, int, int, int]] = []  # first tick, last tick, note, velocity
    for _ in range(tracks):
        if content[place : place + 4] != b"MTrk":
            raise ValueError
        (length,) = struct.unpack(">I", content[place + 4 : place + 8])
        if place + 8 + length > len(content):
            raise ValueError
        read_track(Reader(content[place + 8 : place + 8 + length]), tempos, notes)
        place += 8 + length
    if division & 0x8000:  # SMPTE: frames a second (negative) and ticks of a frame
        rate = (256 - (division >> 8)) * (division & 0xFF)
        return track_of(notes, lambda tick: tick / rate)
    tempos.sort()

    def seconds(tick: int) -> float:
        total, last, tempo = 0.0, 0, TEMPO
        for start, following in tempos:
            if start >= tick:
                break
            total, last, tempo = total + (start - last) * tempo / division / 1e6, start, following
        return total + (tick - last) * tempo / division / 1e6

    return track_of(notes, seconds)


def track_of(notes: list[tuple[int, int, int, int]], seconds) -> OnsetTrack:
    """Events of notes (first tick, last tick, key, velocity); ``seconds``: of a tick."""
    events = []
    for first, last, note, velocity in notes:
        kind = "scratch" if note == NOTES["scratch"] else "hit"
        begin = seconds(first)
        events.append(OnsetEvent(begin, strength_of(velocity), kind, seconds(last) - begin if kind == "scratch" else 0.0))
    return OnsetTrack(tuple(events))


def read_track(reader: Reader, tempos: list[tuple[int, int]], notes: list[tuple[int, int, int, int]]) -> None:
    """One chunk: collects changes of tempo (tick, microseconds) and notes."""
    tick, status = 0, 0
    sounding: dict[tuple[int, int], tuple[int, int]] = {}
    while reader.place < len(reader.content):
        tick += reader.length()
        byte = reader.byte()
        if byte == 0xFF:
            kind, data = reader.byte(), reader.skip(reader.length())
            if kind == 0x51:
                tempos.append((tick, int.from_bytes(data, "big")))
            continue
        if byte in (0xF0, 0xF7):
            reader.skip(reader.length())
            continue
        if byte & 0x80:  # else the status before goes on
            status, byte = byte, reader.byte()
        if not status:
            raise ValueError
        second = 0 if status & 0xF0 in (0xC0, 0xD0) else reader.byte()
        if status & 0xE0 != 0x80:
            continue
        key = (status & 0x0F, byte)
        if key in sounding:  # ended, or struck again
            first, velocity = sounding.pop(key)
            notes.append((first, tick, byte, velocity))
        if status & 0x10 and second:
            sounding[key] = (tick, second)
    notes += [(first, tick, note, velocity) for (_, note), (first, velocity) in sounding.items()]
