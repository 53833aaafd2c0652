"""``foleygram prepare minihits``: composes the open benchmark, sound and picture, from recordings or from nothing.

    out/clips.jsonl    the manifest (foleygram.data.manifest)      out/audio/<id>.flac   44.1 kHz stereo, 16 bits
    out/scenes.jsonl   every scene in full (foleygram.data.scenes) out/video/<id>.mp4    H.264 without sound
    out/prepared.json  what it was made of                     out/NOTICE            whom sounds and photographs are owed to

The same arguments give the same bytes. Files appear whole under their name, so an interrupted run goes on where it was.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from foleygram.data import captions
from foleygram.data.compose import compose_scene
from foleygram.data.credits import credits_of, notice, picture_lines
from foleygram.data.listing import LISTING, read_listing
from foleygram.data.manifest import ClipRecord, read_manifest, write_lines, write_manifest
from foleygram.data.scenes import Scene, draw_scene
from foleygram.data.sounds import SoundBank
from foleygram.data.textures import texture_split
from foleygram.errors import DataError, OutputError, UsageError
from foleygram.media.audio import write_audio
from foleygram.output import alone_in

VERSION = 2  # of the recipe; another one gives other bytes
CAPTIONS = 8  # paraphrases of a clip that is not for testing
SURFACES = {"brick": "rock", "concrete": "rock", "sand": "gravel", "carpet": "cloth", "tile": "ceramic"}
"""Photographs that stand for a material of the sounds."""


def prepare_minihits(
    out: Path,
    sounds: Path | None = None,
    textures: Path | None = None,
    train: int = 1200,
    validation: int = 100,
    test: int = 200,
    seconds: float = 10.0,
    seed: int = 0,
    pictures: bool = True,
    workers: int = 1,
    progress: bool | None = None,
) -> Path:
    """Composes MiniHits into ``out`` and returns its manifest, ``out/clips.jsonl``.

    ``sounds``, ``textures``: folders with a manifest.csv; without them self-made sounds and procedural surfaces are used.
    ``train``, ``validation``, ``test``: numbers of clips of ``seconds`` s. ``pictures``: render videos too. ``workers``:
    processes. ``progress``: a bar; None means on a terminal only.

    Clips that lie in ``out`` already are kept. Raises UsageError for impossible numbers, DataError where sounds or
    textures cannot be used, OutputError where ``out`` cannot be written, was made of something else, or another run
    is at work there."""
    counts = {"train": train, "validation": validation, "test": test}
    if min(counts.values()) < 0 or not sum(counts.values()):
        raise UsageError("MiniHits needs at least one clip, and no split has fewer than 0")
    if not 1 <= seconds <= 600:
        raise UsageError(f"a clip of MiniHits lasts 1 to 600 s, not {seconds}")
    if workers < 1:
        raise UsageError(f"workers are at least 1, not {workers}")
    if seed < 0:
        raise UsageError(f"a seed is a whole number of at least 0, not {seed}")
    out = Path(out)
    ingredients = {"version": VERSION, "seed": seed, "seconds": seconds, "sounds": digest(sounds), "textures": digest(textures)}
    _check_ingredients(out, ingredients)  # before anything is made there
    with alone_in(out):
        _check_ingredients(out, ingredients)
        bank = SoundBank(sounds)
        surfaces = texture_shelves(textures)
        scenes = [
            draw_scene(split, index, bank, surfaces, seconds, seed) for split, count in counts.items() for index in range(count)
        ]
        _check_manifest(out / "clips.jsonl", {scene.id for scene in scenes})
        _make_folders(out, ingredients)
        todo = [scene for scene in scenes if any(not path.exists() for path in files_of(scene, out, pictures))]
        for _ in _shown(_made(todo, out, bank, sounds, textures, pictures, workers), len(todo), progress):
            pass
        if sounds is not None or pictures and textures is not None:
            owed = () if sounds is None else credits_of(sounds)
            write_lines(out / "NOTICE", [notice(owed, picture_lines(textures) if pictures and textures is not None else ())])
        write_lines(out / "scenes.jsonl", (json.dumps(asdict(scene)) for scene in scenes))
        return write_manifest(out / "clips.jsonl", (record_of(scene, out, bank, pictures) for scene in scenes))


def texture_shelves(folder: Path | None) -> dict[str, dict[str, tuple[str, ...]]]:
    """Photographs of ``folder`` by split and material of the sounds. Raises DataError for an unusable manifest."""
    if folder is None:
        return {}
    shelves: dict[str, dict[str, tuple[str, ...]]] = {}
    for split, chosen in texture_split(read_listing(folder)).items():
        shelf = shelves.setdefault(split, {})
        for row in chosen:
            material = SURFACES.get(row["material"], row["material"])
            shelf[material] = (*shelf.get(material, ()), row["path"])
    return {split: {material: tuple(sorted(paths)) for material, paths in shelf.items()} for split, shelf in shelves.items()}


def record_of(scene: Scene, out: Path, bank: SoundBank, pictures: bool) -> ClipRecord:
    """What the manifest says of a scene."""
    actions = [event.action for event in scene.events]
    times, strengths = [event.seconds for event in scene.events], [event.strength for event in scene.events]
    rng = np.random.default_rng([scene.seed, 3])
    audio, *video = files_of(scene, out, pictures)
    return ClipRecord(
        id=scene.id,
        split=scene.split,
        video=video[0] if video else None,
        audio=audio,
        text=scene.caption,
        material=scene.material,
        action=scene.action,
        seconds=scene.seconds,
        onsets=tuple(zip(times, strengths, strict=True)),
        tool=scene.tool,
        family=tuple(sorted({bank.take(event.sound, event.action).family for event in scene.events})),
        texture=scene.texture,
        captions=()
        if scene.split == "test"
        else captions.paraphrases(scene.material, actions, scene.tool, times, strengths, CAPTIONS, rng),
    )


def files_of(scene: Scene, out: Path, pictures: bool) -> tuple[Path, ...]:
    """The sound of a scene and, with ``pictures``, its video."""
    audio, video = out / "audio" / f"{scene.id}.flac", out / "video" / f"{scene.id}.mp4"
    return (audio, video) if pictures else (audio,)


def make_clip(scene: Scene, out: Path, bank: SoundBank, textures: Path | None, pictures: bool) -> None:
    """Writes what is absent of a scene's files."""
    for path in files_of(scene, out, pictures):
        if path.exists():
            continue
        if path.suffix == ".flac":
            write_audio(path, compose_scene(scene, bank), "PCM_16", force=True)
        else:
            from foleygram.data.render import render_frames
            from foleygram.media.video import write_video

            write_video(path, render_frames(scene, textures), scene.fps, force=True)


def digest(folder: Path | None) -> str:
    """Short hash of a folder's manifest.csv; "self-made" without a folder."""
    if folder is None:
        return "self-made"
    try:
        return hashlib.sha256((folder / LISTING).read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise DataError(f"{folder / LISTING}: cannot be read ({error.strerror}); give a folder with a {LISTING}") from error


def _check_ingredients(out: Path, ingredients: dict[str, object]) -> None:
    """Clips of two recipes never mix, and what others made is kept. Raises OutputError."""
    note = out / "prepared.json"
    try:
        before = json.loads(note.read_text()) if note.exists() else None
        first = next(place for place in (out, *out.absolute().parents) if place.exists())
        if not first.is_dir():  # told now and not after all scenes are drawn
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        foreign = before is None and any((out / name).exists() for name in ("clips.jsonl", "scenes.jsonl"))
    except OSError as error:
        raise OutputError(f"{out}: cannot be used ({error.strerror}); choose another folder") from error
    except (ValueError, RecursionError):
        foreign = True
    if foreign or before is not None and not isinstance(before, dict):
        raise OutputError(f"{out}: holds a data set of another kind, or a broken {note.name}; choose another folder")
    if before is not None and before != ingredients:
        other = sorted(name for name in ingredients if before.get(name) != ingredients[name])
        raise OutputError(f"{out}: holds clips made with another {', '.join(other)}; choose another folder or empty it")


def _check_manifest(manifest: Path, wanted: set[str]) -> None:
    """A larger set does not shrink without a word. Raises OutputError."""
    if manifest.exists():
        lost = len({record.id for record in read_manifest(manifest)} - wanted)
        if lost:
            raise OutputError(
                f"{manifest}: names {lost} clips that this run would leave out; ask for at least as many, "
                "choose another folder, or delete it"
            )


def _make_folders(out: Path, ingredients: dict[str, object]) -> None:
    """Makes ``out`` and notes what it is made of. Raises OutputError."""
    try:
        for folder in ("audio", "video"):
            (out / folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be used ({error.strerror}); choose another folder") from error
    if not (out / "prepared.json").exists():
        write_lines(out / "prepared.json", [json.dumps(ingredients)])


_BENCH: dict[str, SoundBank] = {}  # the bank of a worker process


def _open_bench(sounds: Path | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's, which ends the others
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no half file stays
    _BENCH["bank"] = SoundBank(sounds)


def _make_at_bench(job: tuple[Scene, Path, Path | None, bool]) -> None:
    scene, out, textures, pictures = job
    make_clip(scene, out, _BENCH["bank"], textures, pictures)


def _made(
    scenes: list[Scene],
    out: Path,
    bank: SoundBank,
    sounds: Path | None,
    textures: Path | None,
    pictures: bool,
    workers: int,
) -> Iterator[None]:
    """Makes the clips, one after another or in ``workers`` processes; yields after each."""
    if workers == 1 or len(scenes) < 2:
        for scene in scenes:
            make_clip(scene, out, bank, textures, pictures)
            yield
        return
    import multiprocessing

    # spawned, because torch's threads do not survive a fork
    with multiprocessing.get_context("spawn").Pool(min(workers, len(scenes)), _open_bench, (sounds,)) as pool:
        yield from pool.imap_unordered(_make_at_bench, ((scene, out, textures, pictures) for scene in scenes), chunksize=4)


def _shown(steps: Iterable[None], count: int, progress: bool | None) -> Iterable[None]:
    """``steps`` under a progress bar on standard error."""
    if not count or not (sys.stderr is not None and sys.stderr.isatty() if progress is None else progress):
        return steps
    from rich.console import Console
    from rich.progress import track

    return track(steps, "MiniHits", total=count, console=Console(stderr=True))
