"""``clips.jsonl``: the clips of a data set, one JSON object a line, read and checked in one place.

The same file describes MiniHits and any other set of clips, so every stage of training and evaluation reads this."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foleygram.errors import DataError, OutputError, UsageError
from foleygram.output import whole_file

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class ClipRecord:
    """One clip. ``video`` and ``audio``: absolute paths (in the file they are relative to it), ``video`` may be absent;
    ``seconds``: length; ``onsets``: (seconds of the attack, strength 0..1), rising; ``family``: recordings or sessions the
    sound was made of; ``captions``: further captions for training, without ``text``. What a data set does not know is empty.
    """

    id: str
    split: str
    video: Path | None
    audio: Path
    text: str
    material: str
    action: str
    seconds: float
    onsets: tuple[tuple[float, float], ...]
    tool: str = ""
    family: tuple[str, ...] = ()
    texture: str = ""
    captions: tuple[str, ...] = ()


def read_manifest(path: Path, split: str | None = None) -> tuple[ClipRecord, ...]:
    """The clips of a manifest in its order, or those of one split.

    Raises DataError that names the file, the line and the field where the manifest is absent or wrong, and where the
    split is empty, UsageError for a split that there is not."""
    if split is not None and split not in SPLITS:
        raise UsageError(f"there is no split '{split}'; take one of {', '.join(SPLITS)}")
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # a caption may hold other ends of lines
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a folder; name the manifest in it, as {path / 'clips.jsonl'}") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise DataError(f"{path}: cannot be read ({reason}); make one with: foleygram prepare minihits") from error
    root = path.absolute().parent
    records = []
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = parse(json.loads(line), root)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            reason = f"no field {error}" if isinstance(error, KeyError) else str(error)
            raise DataError(f"{path}:{number}: {reason}; correct the line or prepare the data again") from error
        if record.id in seen:
            raise DataError(f"{path}:{number}: the id '{record.id}' stands there twice; ids are unique")
        seen.add(record.id)
        if split in (None, record.split):
            records.append(record)
    if not records:
        raise DataError(f"{path}: holds no clip{f' of the {split} split' if split else ''}; prepare the data again")
    return tuple(records)


def parse(row: Any, root: Path) -> ClipRecord:
    """One line of a manifest with paths under ``root``. Raises ValueError, TypeError or KeyError that says what is wrong."""
    if not isinstance(row, dict):
        raise ValueError("the line is not a JSON object")
    unknown = sorted(set(row) - set(ClipRecord.__dataclass_fields__))
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}")
    for name in ("id", "split", "audio", "text", "material", "action"):
        if not isinstance(row[name], str):
            raise ValueError(f"{name} is text, not {row[name]!r}")
    for name in ("family", "captions"):
        texts = row.get(name, [])
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"{name} is a list of texts, not {texts!r}")
    if not isinstance(row.get("video"), str | None):
        raise ValueError(f"video is the name of a file, or null, not {row['video']!r}")
    if any("\0" in row[name] for name in ("audio", "video") if row.get(name)):
        raise ValueError("the name of a file holds a zero byte")
    if row["split"] not in SPLITS:
        raise ValueError(f"split is one of {', '.join(SPLITS)}, not {row['split']!r}")
    seconds = float(row["seconds"])
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"seconds is longer than 0, not {seconds}")
    if not isinstance(row["onsets"], list) or not all(isinstance(onset, list) and len(onset) == 2 for onset in row["onsets"]):
        raise ValueError("onsets is a list of [seconds, strength]")
    onsets = tuple((float(time), float(strength)) for time, strength in row["onsets"])
    times = [time for time, _ in onsets]
    if times != sorted(times) or not all(0 <= time <= seconds for time in times):
        raise ValueError(f"onsets rise within 0..{seconds} s")
    if not all(0 <= strength <= 1 for _, strength in onsets):
        raise ValueError("strengths of onsets lie within 0..1")
    return ClipRecord(
        id=row["id"],
        split=row["split"],
        video=root / row["video"] if row.get("video") else None,
        audio=root / row["audio"],
        text=row["text"],
        material=row["material"],
        action=row["action"],
        seconds=seconds,
        onsets=onsets,
        tool=str(row.get("tool", "")),
        family=tuple(row.get("family", ())),
        texture=str(row.get("texture", "")),
        captions=tuple(row.get("captions", ())),
    )


def write_manifest(path: Path, records: Iterable[ClipRecord]) -> Path:
    """Writes a manifest with paths relative to it, all or nothing. Raises OutputError where it cannot be written."""
    path = Path(path)
    root = path.absolute().parent
    rows = []
    for record in records:
        row = {name: getattr(record, name) for name in ClipRecord.__dataclass_fields__}
        row["video"] = Path(os.path.relpath(record.video, root)).as_posix() if record.video else None
        row["audio"] = Path(os.path.relpath(record.audio, root)).as_posix()
        rows.append(json.dumps(row, ensure_ascii=False))
    write_lines(path, rows)
    return path


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Writes lines, all or nothing, over what was there. Raises OutputError where the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
    with whole_file(path, force=True) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
