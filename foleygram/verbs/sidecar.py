"""The sidecar: a JSON beside every result that says how it was made, so that the same bytes can be made again.

It holds no time of day and no host, so it too is the same when the result is made again.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, ValidationError

from foleygram.config import Config, Count, NotNegative, Positive, Seed, first_complaint
from foleygram.errors import MediaError, UsageError
from foleygram.hub.fingerprint import is_there, sha256_of
from foleygram.output import whole_file
from foleygram.types import ENVELOPE_RATE

LIBRARIES = ("foleygram", "torch", "numpy", "scipy", "av", "soxr", "soundfile", "tokenizers")
"""What the bytes of a result depend on."""


def sidecar_of(result: Path) -> Path:
    """``clip_foley.mp4`` -> ``clip_foley.mp4.json``."""
    return result.with_name(result.name + ".json")


class Source(Config):
    """A file that the result was made from. ``path``: relative to the folder of the sidecar."""

    path: str = Field(pattern=r"^[^\x00]*$")
    sha256: str


class EnvelopeSource(Config):
    """``values`` [step] are kept where no file gives the envelope back, and the ``events`` (s, linear amplitude, kind, s) of a
    prediction beside them."""

    kind: Literal["own", "sound", "voice", "table", "predicted", "given"]
    source: Source | None = None
    values: tuple[float, ...] | None = None
    events: tuple[tuple[float, float, Literal["hit", "scratch"], float], ...] | None = None
    rate: Positive = ENVELOPE_RATE


class ModelSource(Config):
    """``source``: name of a shipped model, or the folder, relative to that of the sidecar; ``sha256``: of all its files."""

    source: str
    shipped: bool
    sha256: str


class Sidecar(Config):
    """Everything that decides the bytes of one result."""

    kind: Literal["foleygram result"] = "foleygram result"
    result: Source
    video: Source
    seconds: Positive
    samples: Count  # at 44.1 kHz
    use: str
    text: str | None = None
    audio: Source | Literal["own"] | None = None
    video_ref: Source | None = None
    envelope: EnvelopeSource
    model: ModelSource
    seed: Seed
    take: Count
    steps: Count
    guidance: NotNegative
    # which of the two were asked for; a repetition leaves the other to the model
    asked: tuple[Literal["steps", "guidance"], ...] = ("steps", "guidance")
    device: str
    dtype: str
    threads: int = Field(ge=1, le=1024)
    format: str | None = None  # of a .wav or .flac
    raw: bool = False  # without the model's finish
    # whose the events are; sidecars of before strokes name the field tails
    strokes: Literal["guide", "reference", "memory"] = Field("guide", validation_alias=AliasChoices("strokes", "tails"))
    room: Source | Literal["own", "reference"] | float | None = None  # whose tone lies under it, or a level in dBFS
    versions: dict[str, str]


def versions() -> dict[str, str]:
    """Of Python, the machine's instruction set and ``LIBRARIES``."""
    import torch

    found = {"python": platform.python_version(), "cpu": torch.backends.cpu.get_cpu_capability()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def relative(path: Path, folder: Path) -> str:
    """``path`` as seen from ``folder``; whole where the two lie on different drives."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return path.resolve().as_posix()


def source_of(path: Path, folder: Path) -> Source:
    """A file with its hash, named from ``folder``."""
    return Source(path=relative(path, folder), sha256=sha256_of(path))


def read_sidecar(path: Path) -> Sidecar:
    """Raises UsageError that names the first wrong field."""
    try:
        return Sidecar.model_validate(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"--from {path}: cannot be read ({error.strerror}); name the .json beside a result") from error
    except ValidationError as error:
        raise UsageError(f"--from {path}: is not a sidecar of foleygram ({first_complaint(error)})") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--from {path}: is not JSON; name the .json beside a result") from error


RESERVED = 4096
"""Bytes that the result's name and hash may add to a sidecar."""


@contextmanager
def reserved_sidecar(path: Path, draft: Sidecar, force: bool) -> Iterator[Callable[[Sidecar], None]]:
    """Yields what writes the sidecar, which gets its name when the block ends well. Room for it is taken before, so that a full
    disk is met while the former result still stands. ``draft``: the sidecar as yet without its result. Raises OutputError."""

    def content(sidecar: Sidecar) -> bytes:
        return (json.dumps(sidecar.model_dump(mode="json"), indent=2) + "\n").encode()

    with whole_file(path, force) as temporary, temporary.open("rb+") as file:
        file.write(content(draft) + b" " * RESERVED)
        file.flush()
        os.fsync(file.fileno())

        def write(sidecar: Sidecar) -> None:
            file.seek(0)
            file.write(content(sidecar))
            file.truncate()
            file.flush()

        yield write


def find_source(source: Source, sidecar: Path, option: str) -> Path:
    """The file of a sidecar: where it was, or under its name beside the sidecar. ``option``: how to name another one.

    Raises MediaError where it is gone, has changed or cannot be read."""
    folder = Path(sidecar).resolve().parent
    first = (folder / source.path).resolve()
    for path in (first, folder / first.name):
        try:
            if not is_there(path):
                continue
            found = sha256_of(path)
        except OSError as error:
            why = error.strerror or error
            raise MediaError(f"{path}: cannot be read ({why}); check its permissions, or name another with {option}") from error
        if found != source.sha256:
            raise MediaError(f"{path}: has changed since {sidecar} was written; restore it, or name it with {option}")
        return path
    raise MediaError(f"{first}: is gone, {sidecar} was made from it; put it beside the sidecar, or name it with {option}")
