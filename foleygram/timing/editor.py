"""A page on which the events of a guide are edited in a browser: one file, without a network, beside its film.

It shows the film, or stills of it, over a time line on which events are dragged in time and strength, plays a click at each,
and saves ``.json`` as ``exchange.write_track`` writes it. The page is ``editor.html``; here are the numbers that it is given.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from foleygram.timing.track import OnsetTrack, Shape
from foleygram.types import Envelope

PAGE = Path(__file__).with_name("editor.html")
PLACE = "/*SHEET*/"
CURVE_POINTS = 20_000
FLOOR_DB = -80.0
"""The lowest strength that the page draws, as in the page."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """What a page is made of. ``seconds``: length of the clip; ``curve``: drawn behind the events; ``title``: what is edited;
    ``name``: of the file that is saved; ``command``: what to do with it; ``film``: its address relative to the page;
    ``begins``: s of the file before its first frame; ``times``: when each of its frames is shown, s from the first;
    ``stills``: (s, JPEG) in the order of time; these are empty without a film."""

    track: OnsetTrack
    seconds: float
    curve: Envelope
    title: str
    name: str
    command: str
    film: str = ""
    begins: float = 0.0
    times: np.ndarray = field(default_factory=lambda: np.zeros(0))
    stills: Sequence[tuple[float, bytes]] = ()

    def as_json(self) -> str:
        """As the page reads it, safe within it."""
        shape, levels, step = Shape(), *levels_of(self.curve)
        content = {
            "title": self.title, "name": self.name, "command": self.command, "film": self.film, "seconds": self.seconds,
            "begins": round(self.begins, 6),
            "events": [asdict(event) for event in self.track.events],
            "curve": {"step": step, "levels": levels},
            "times": [round(float(time), 6) for time in self.times],
            "shapes": {"hit": (shape.attack, shape.decay), "scratch": (shape.scratch_attack, shape.scratch_decay)},
            "stills": [(round(time, 4), base64.b64encode(image).decode()) for time, image in self.stills],
        }  # fmt: skip
        return json.dumps(content).replace("<", "\\u003c")  # a name may hold what ends a script


def levels_of(curve: Envelope) -> tuple[list[int], float]:
    """Whole dB of a curve, the loudest of each piece where it has more than ``CURVE_POINTS``, and the s of a piece."""
    size = -(-len(curve.values) // CURVE_POINTS)
    padded = np.pad(curve.values, (0, -len(curve.values) % size))
    loudest = padded.reshape(-1, size).max(axis=1)
    levels = 20 * np.log10(np.maximum(loudest, 10 ** (FLOOR_DB / 20)))
    return np.round(levels).astype(int).tolist(), size / curve.rate


def editor_page(sheet: Sheet) -> str:
    """The page as HTML."""
    before, after = PAGE.read_text(encoding="utf-8").split(PLACE)
    return before + sheet.as_json() + after
