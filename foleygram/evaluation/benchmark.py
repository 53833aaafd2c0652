"""Tables as commands: a model sounds the clips of a split under several conditionings (variants.py), and each is scored.

A run that was broken off goes on where it stood; results of other settings are refused.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from foleygram.data.controls import control_of
from foleygram.data.features import clip_frames, read_scenes
from foleygram.data.manifest import ClipRecord, read_manifest
from foleygram.data.minihits import digest
from foleygram.errors import DataError, UsageError
from foleygram.evaluation.embedders import Embedder
from foleygram.evaluation.embedding_cache import check_cache
from foleygram.evaluation.evaluate import EvaluationReport, evaluate_folder
from foleygram.evaluation.probe import Progress, train_probe
from foleygram.evaluation.variants import TABLE_2_VARIANTS, Timing, Variant, information
from foleygram.finish.room import room_tone
from foleygram.media.audio import read_audio, write_audio
from foleygram.output import alone_in, make_folder, whole_text
from foleygram.signal.onsets import check_detector
from foleygram.types import SAMPLE_RATE, Audio, Clip, Embeddings, Envelope, modality_set
from foleygram.verbs.guide import predict_guide

if TYPE_CHECKING:
    from foleygram.data.scenes import Scene
    from foleygram.pipeline import FoleyGRAM
    from foleygram.timing.track import OnsetTrack

SETTINGS = "settings.json"
CACHE = "embeddings"  # folder beside those of the variants


@dataclass(frozen=True)
class BenchmarkRow:
    """A row of a table with its scores."""

    variant: Variant
    report: EvaluationReport


@dataclass(frozen=True)
class Pictures:
    """Where pictures come from that are no files: scenes by id, and the photographs they are rendered with."""

    scenes: Mapping[str, Scene]
    textures: Path | None


@dataclass(frozen=True)
class Settings:
    """What decides a result besides clip and weights; kept beside the sounds."""

    model: str
    weights: str
    use: str
    control: Timing
    truth: str
    steps: int | None
    guidance: float | None
    seed: int
    raw: bool = False
    strokes: bool = False
    room: bool = False
    pictures: str = ""  # fingerprints of photographs and scenes, where pictures are rendered
    as_sound: bool = False


def benchmark_minihits(
    model: FoleyGRAM,
    manifest: str | Path,
    out: str | Path,
    *,
    variants: Sequence[Variant] = TABLE_2_VARIANTS,
    split: str | None = "test",
    limit: int | None = None,
    others: Mapping[str, FoleyGRAM] | None = None,
    textures: Path | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    seed: int = 0,
    raw: bool = False,
    second: str | Path | None = None,
    cache: str | Path | None = None,
    embedder: Embedder | None = None,
    materials: bool = False,
    pictures: bool = False,
    command: str = "",
    on_progress: Progress = lambda stage, done, total: None,
) -> tuple[BenchmarkRow, ...]:
    """Generates the clips of a split, of MiniHits or any other manifest, under each of ``variants`` with one model, and scores
    them. Trains nothing.

    ``out``: folder for the sounds, one folder for each variant; ``others``: models by the names in ``Variant.model``;
    ``textures``: photographs, where pictures are rendered from scenes because the manifest names no videos; ``steps``,
    ``guidance``: the model's by default; ``seed``: of the whole run, each clip has its own from it; ``raw``: sounds as decoded;
    rows that neither know the envelope nor have strokes always are, since there is no level to be matched, and those of
    exchanged points; ``materials``: also whether the material is recognised, by a probe of the training split. For further
    arguments see ``evaluate_folder``. Raises UsageError where a model or the detector of onsets is missing, DataError where a
    clip lacks what a variant needs and where ``out`` holds sounds of other settings, OutputError where another run is at work
    there."""
    rows = []
    models = {"": model, **(others or {})}
    absent = sorted({variant.model for variant in variants} - set(models))
    if absent:
        raise UsageError(
            f"these rows need the models {', '.join(absent)}; "
            "train them as docs/minihits-benchmark.md says, or leave the rows out"
        )
    if limit is not None and limit < 1:
        raise UsageError(f"at least one clip is made, not {limit}")
    check_detector()
    if cache is not None:
        check_cache(Path(cache))
    records = read_manifest(Path(manifest), split)[:limit]
    scenes = read_scenes(Path(manifest).parent / "scenes.jsonl")
    drawn = any(record.video is None or not record.video.exists() for record in records)
    photographs = f"{digest(textures)}, scenes {content_of(Path(manifest).parent / 'scenes.jsonl')}" if drawn and scenes else ""
    cache = cache or Path(out) / CACHE
    probe = train_probe(manifest, cache=cache, embedder=embedder, on_progress=on_progress) if materials else None
    with alone_in(Path(out)):
        weights = {name: fingerprint_of(models[name]) for name in {variant.model for variant in variants}}
        for variant in variants:
            used = models[variant.model]
            folder = Path(out) / variant.name
            settings = Settings(
                used.config.name, weights[variant.model], modality_set(variant.use), variant.control, content_of(manifest),
                steps, guidance, seed, raw or variant.as_sound or not (variant.control == "envelope" or variant.strokes),
                variant.strokes, variant.room, photographs, variant.as_sound,
            )  # fmt: skip
            generate_set(used, records, Pictures(scenes, textures), folder, settings, on_progress)
            report = evaluate_folder(
                folder, manifest, split=split, system="FoleyGRAM", name=variant.name, second=second, limit=limit,
                cache=cache, embedder=embedder, probe=probe, pictures=pictures, seed=seed, command=command,
                on_progress=on_progress,
            )  # fmt: skip
            given = (*information(variant), *(("as decoded",) if settings.raw else ()))
            rows.append(BenchmarkRow(variant, replace(report, given=given)))
    return tuple(rows)


def fingerprint_of(model: FoleyGRAM) -> str:
    """Sha256 over the config and over names and values of all parameters and buffers, so that sounds of other weights or
    samplers are not taken for the model's own."""
    seen = hashlib.sha256(model.config.model_dump_json().encode())
    for name, tensor in sorted(model.state_dict().items()):
        seen.update(name.encode())
        seen.update(tensor.detach().cpu().float().numpy().tobytes())
    return seen.hexdigest()


def generate_set(
    model: FoleyGRAM,
    records: Sequence[ClipRecord],
    pictures: Pictures,
    folder: Path,
    settings: Settings,
    on_progress: Progress,
) -> None:
    """One sound for each clip, ``<id>.flac``; clips that have theirs are left alone."""
    keep_settings(folder, settings)
    for number, record in enumerate(records, 1):
        path = folder / f"{record.id}.flac"
        if not path.exists():
            clip = clip_of(record, settings.use, pictures, model.config.gram.vision.frames)
            sound = (read_as_sound if settings.as_sound else sound_of)(model, record, clip, settings)
            tone = room_tone(clip.audio) if settings.room else None
            write_audio(path, sound if tone is None else tone.under(sound, clip_seed(settings.seed, record.id)))
        on_progress(f"generating {folder.name}", number, len(records))


def sound_of(model: FoleyGRAM, record: ClipRecord, clip: Clip, settings: Settings) -> Audio:
    """The sound of a clip as ``generate`` makes it."""
    envelope, track = timing_of(model, record, settings.control, "T" in settings.use)
    (sound,) = model.generate(
        clip,
        envelope,
        use=settings.use,
        seed=clip_seed(settings.seed, record.id),
        steps=settings.steps,
        guidance=settings.guidance,
        raw=settings.raw,
        strokes=settings.strokes,
        track=track,
    )
    return sound


def read_as_sound(model: FoleyGRAM, record: ClipRecord, clip: Clip, settings: Settings) -> Audio:
    """The sound of a clip whose one point stands in the place of the sound's; no prior guesses that, no memory, no finish."""
    from foleygram.pipeline import take_seed

    envelope, _ = timing_of(model, record, settings.control)
    known = model.references(clip)
    point = known.video if settings.use == "V" else known.text
    sampler = model.sampler_for(known, raw=True).chosen(settings.steps, settings.guidance)
    seed = take_seed(clip_seed(settings.seed, record.id), 0)
    return model.synthesise(Embeddings(audio=point), envelope, clip.seconds, sampler, seed, raw=True)


def timing_of(model: FoleyGRAM, record: ClipRecord, timing: Timing, told: bool = False) -> tuple[Envelope, OnsetTrack | None]:
    """What a row knows of the timing of a clip, and the events of a prediction; ``told``: the text says what is done. Raises
    DataError where a picture is to be read that is no file, EnvelopeError where the model has no predictor."""
    if timing == "predicted":
        if record.video is None:
            raise DataError(f"{record.id}: has no video file to predict the timing from; prepare the data with pictures")
        guide = predict_guide(record.video, record.seconds, model.timing, model.kind_said(record.text) if told else None)
        return guide.envelope, guide.track
    return control_of(record, read_audio(record.audio, SAMPLE_RATE).trim(record.seconds), timing), None


def clip_seed(seed: int, id: str) -> int:
    """A seed that depends on run and clip alone, not on which other clips are made."""
    return zlib.crc32(f"{seed} {id}".encode())


def clip_of(record: ClipRecord, use: str, pictures: Pictures, frames: int) -> Clip:
    """What a model that sees ``frames`` frames is shown of a clip. Raises DataError where a modality is missing, MediaError
    for broken files."""
    if "T" in use and not record.text:
        raise DataError(f"{record.id}: the manifest has no text, which {use} needs")
    video = clip_frames(record, frames, pictures.scenes, pictures.textures) if "V" in use else None
    audio = read_audio(record.audio, SAMPLE_RATE).stereo().trim(record.seconds) if "A" in use else None
    return Clip(video, audio, record.text if "T" in use else None, record.seconds)


def content_of(manifest: str | Path) -> str:
    """A manifest by name and content: ids alone are those of other clips too."""
    return f"{Path(manifest).name} #{hashlib.sha256(Path(manifest).read_bytes()).hexdigest()[:16]}"


def keep_settings(folder: Path, settings: object) -> None:
    """Writes the settings, a dataclass, into a new folder, and leaves equal ones alone; what older ones do not name has its
    usual value. Raises DataError where the folder holds sounds of others or cannot be read, OutputError where it cannot be
    written."""
    path = folder / SETTINGS
    wanted = json.loads(json.dumps(asdict(settings)))
    try:
        kept = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
        strange = kept is None and folder.is_dir() and any(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}); choose another folder") from error
    if strange:
        raise DataError(f"{folder}: is not empty and not the folder of a benchmark; choose another folder")
    if kept is None:
        make_folder(folder)
        whole_text(path, json.dumps(wanted, indent=1) + "\n")
        return
    try:
        before = json.loads(kept)
    except ValueError:
        before = None
    if not isinstance(before, dict):
        raise DataError(f"{folder}: holds sounds of other settings ({SETTINGS} is broken); choose another folder or remove it")
    before = {each.name: each.default for each in fields(settings) if each.default is not MISSING} | before
    if other := [name for name in wanted if before.get(name) != wanted[name]]:
        raise DataError(f"{folder}: holds sounds of other settings ({', '.join(other)}); choose another folder or remove it")
