"""A guide to look at, and one to edit in a browser: what ``envelope`` makes beside numbers."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from urllib.parse import quote

import numpy as np

from foleygram.media.audio import read_audio
from foleygram.media.soundtrack import CONTAINERS
from foleygram.media.stills import jpeg
from foleygram.media.timeline import read_timeline
from foleygram.media.video import MediaInfo, read_frames
from foleygram.output import whole_text
from foleygram.timing.editor import Sheet, editor_page
from foleygram.timing.track import OnsetTrack
from foleygram.types import Audio, Envelope
from foleygram.verbs.guide import Guide

FILM_FRAMES = 12
PAGE = ".html"
STILLS_A_SECOND = 4
MOST_STILLS = 160
STILL_SIDE = 96
"""Pixels of the shorter side of a still on a page."""


def draw(path: Path, file: Path, film: MediaInfo | None, guide: Guide, curve: Envelope, onsets: tuple, force: bool) -> None:
    """The envelope over film strip and spectrogram, as far as there are a film and a sound."""
    from foleygram.signal.plot import draw_envelope

    frames = None if film is None else read_frames(film.path, count=FILM_FRAMES, short_side=120)
    sound: Audio | None = None
    if guide.kind in ("sound", "voice"):
        sound = read_audio(file)
    draw_envelope(path, curve, frames=frames, onsets=onsets, audio=sound, force=force)


def write_page(path: Path, file: Path, film: MediaInfo | None, curve: Envelope, track: OnsetTrack, force: bool) -> None:
    """The page on which the events of ``file`` are edited; it names the film by its place relative to ``path``."""
    saved = path.with_suffix(".json")
    times, stills, address, begins = np.zeros(0), [], "", 0.0
    if film is not None:
        count = min(max(round(STILLS_A_SECOND * film.seconds), FILM_FRAMES), MOST_STILLS)
        strip = read_frames(film.path, count=count, short_side=STILL_SIDE)
        shown = np.unique(strip.times, return_index=True)[1]  # a film of few frames repeats them
        stills = [(float(strip.times[place]), jpeg(strip.frames[place])) for place in shown]
        timeline = read_timeline(film.path)
        times, begins, address = timeline.times, timeline.begins, address_of(film.path, path.parent)
    page = Sheet(track, curve.seconds, curve, file.name, saved.name, command(film, saved), address, begins, times, stills)
    whole_text(path, editor_page(page), force)


def address_of(film: Path, folder: Path) -> str:
    """Where a page in ``folder`` finds the film, as a URL; a whole one where they share no root (drives of Windows)."""
    try:
        return quote(Path(os.path.relpath(film.resolve(), folder.resolve())).as_posix())
    except ValueError:
        return film.resolve().as_uri()


def command(film: MediaInfo | None, saved: Path) -> str:
    """What lays the saved events under the film."""
    video = Path("FILM.mp4") if film is None else film.path
    suffix = video.suffix if video.suffix.lower() in CONTAINERS else ".mkv"
    out = video.with_name(f"{video.stem}_foley{suffix}")
    return shlex.join(["foleygram", "generate", str(video), "-o", str(out), "--envelope", str(saved)])
