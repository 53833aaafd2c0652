"""What the training stages read of a clip's picture: a few frames, from its video file or rendered from its scene."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np

from foleygram.data.manifest import ClipRecord
from foleygram.data.scenes import Event, Scene
from foleygram.errors import DataError
from foleygram.types import Video


def read_scenes(path: Path) -> dict[str, Scene]:
    """The scenes of ``scenes.jsonl`` by id; empty where the file is absent (a data set that was filmed). Raises DataError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise DataError(f"{path}: cannot be read ({reason}); make the data set again") from error
    scenes = {}
    known = {field.name for field in fields(Scene)}
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            events = tuple(Event(**event) for event in entry.pop("events"))
            scenes[entry["id"]] = Scene(**{name: value for name, value in entry.items() if name in known}, events=events)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: not a scene ({error}); make the data set again") from error
    return scenes


def clip_frames(record: ClipRecord, count: int, scenes: Mapping[str, Scene], textures: Path | None) -> Video:
    """``count`` frames spread over the clip. Raises DataError where it has neither a video file nor a scene."""
    if record.video is not None and record.video.exists():
        from foleygram.media.video import FRAME_SIDE, read_frames

        return read_frames(record.video, count=count, short_side=FRAME_SIDE)
    if record.id not in scenes:
        raise DataError(f"{record.id}: no video file and no scene to render it from; make the data set with pictures")
    from foleygram.data.render import render_at

    scene = scenes[record.id]
    grid = np.floor((np.arange(count) + 0.5) / count * scene.seconds * scene.fps) / scene.fps
    return Video(render_at(scene, grid, textures), grid, scene.seconds)
