"""Greatest Hits (Owens et al., CVPR 2016) as the paper prepares it: 10-s chunks, 44.1 kHz stereo, template prompts (IV-A).

The prompt rule is ours, for the paper gives the template only. Of a chunk's annotations those count that name both an
action (hit or scratch) and a material. Material and action are each the most frequent one, of equals the earliest; the
frequency is "once" if exactly one annotation has both, else "multiple times". Splits are by video, never by chunk.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from foleygram.data.manifest import SPLITS, ClipRecord, write_lines, write_manifest
from foleygram.errors import DataError, FoleyGRAMError, OutputError
from foleygram.media.audio import read_audio, write_audio
from foleygram.media.video import probe, stream_frames, write_video
from foleygram.output import make_folder
from foleygram.types import SAMPLE_RATE, Audio, sample_count

CHUNK_SECONDS = 10
FPS = 30
TEMPLATE = "A person {action} {frequency} on {material} with a wooden stick."
ACTIONS = ("hit", "scratch")
ABSENT = "None"  # how an annotation says that it does not know
PAPER_SHARES = (0.75, 0.80)  # of the videos: the end of train, the end of validation; 732, 49 and 196 of 977
OFFICIAL_VALIDATION = 0.05  # of the official training videos, for the data set has no validation list
SUFFIXES = ("_denoised", "_denoised_thumb", "_mic")  # of the video files, the first that is there is taken


@dataclass(frozen=True)
class Hit:
    """One annotation: ``seconds`` from the start of the video."""

    seconds: float
    material: str
    action: str

    @property
    def usable(self) -> bool:
        return self.action in ACTIONS and self.material != ABSENT


@dataclass(frozen=True)
class Prompt:
    """A caption of a chunk and what it was made of."""

    text: str
    material: str
    action: str


@dataclass(frozen=True)
class Chunk:
    """The ``number``-th 10 s of a video; ``hits`` with seconds from the chunk's start; no ``prompt`` without a usable hit."""

    number: int
    hits: tuple[Hit, ...]
    prompt: Prompt | None


@dataclass(frozen=True)
class Dropped:
    """What did not become a clip: ``where`` is the id of a video or of a chunk."""

    where: str
    reason: str


@dataclass(frozen=True)
class GreatestHitsReport:
    """What ``prepare_greatest_hits`` made: ``videos`` read, ``clips`` by split, what was ``dropped`` and why."""

    manifest: Path
    videos: int
    clips: Mapping[str, int]  # by split
    dropped: tuple[Dropped, ...]


def plan_chunks(hits: Sequence[Hit], seconds: float) -> tuple[Chunk, ...]:
    """The whole 10-s chunks of a video of so many seconds; the rest at its end is not used."""
    chunks = []
    for number in range(math.floor(seconds / CHUNK_SECONDS + 1e-9)):
        start = number * CHUNK_SECONDS
        inside = tuple(
            replace(hit, seconds=hit.seconds - start) for hit in hits if start <= hit.seconds < start + CHUNK_SECONDS
        )
        chunks.append(Chunk(number, inside, prompt_of(inside)))
    return tuple(chunks)


def prompt_of(hits: Iterable[Hit]) -> Prompt | None:
    """The template filled by the rule of this module; None without a usable annotation."""
    usable = [hit for hit in hits if hit.usable]
    if not usable:
        return None
    material = Counter(hit.material for hit in usable).most_common(1)[0][0]  # of equals the first that was counted
    action = Counter(hit.action for hit in usable).most_common(1)[0][0]
    count = sum((hit.material, hit.action) == (material, action) for hit in usable)
    frequency = "once" if count == 1 else "multiple times"
    return Prompt(TEMPLATE.format(action=action, frequency=frequency, material=material), material, action)


def read_hits(path: Path) -> tuple[Hit, ...]:
    """``<id>_times.txt``: time, material, action, reaction, separated by spaces. Raises DataError with the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise DataError(f"{path}: cannot be read ({reason}); unpack the data set again") from error
    hits = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        try:
            seconds = float(words[0])
            if not math.isfinite(seconds) or seconds < 0 or len(words) < 3:
                raise ValueError
        except ValueError:
            raise DataError(f"{path}:{number}: not 'seconds material action reaction'; unpack the data set again") from None
        hits.append(Hit(seconds, *words[1:3]))
    return tuple(sorted(hits, key=lambda hit: hit.seconds))


def find_videos(folder: Path) -> dict[str, Path]:
    """Video file by id, in the order of ids; the zip of the data set may hold its folder in another of the same name.

    Raises DataError where there is none."""
    for root in (folder, *sorted(path for pattern in ("vis-data*", "vis-data*/vis-data*") for path in folder.glob(pattern))):
        ids = sorted(path.name.removesuffix("_times.txt") for path in root.glob("*_times.txt"))
        if ids:
            found = {}
            for name in ids:
                files = (root / f"{name}{suffix}.mp4" for suffix in SUFFIXES)
                found[name] = next((file for file in files if file.is_file()), root / f"{name}{SUFFIXES[0]}.mp4")
            return found
    raise DataError(f"{folder}: holds no *_times.txt; give the folder of the unpacked vis-data.zip or vis-data-256.zip")


def by_hash(ids: Iterable[str]) -> list[str]:
    """An order that depends on nothing but the ids: by the sha256 of ``greatest-hits/<id>``."""
    return sorted(ids, key=lambda name: hashlib.sha256(f"greatest-hits/{name}".encode()).digest())


def split_videos(ids: Sequence[str], split: str | Path, folder: Path) -> dict[str, str]:
    """Split by id.

    ``paper``: the paper's shares of the ids in the order of their hashes; ``official``: train.txt and test.txt of the data
    set, of train.txt the first twentieth by hash is for validation; else a folder with train.txt, validation.txt and
    test.txt, one id a line. Ids on no list are left out. Raises DataError."""
    if split == "paper":
        order = by_hash(ids)
        ends = [0, *(int(len(order) * share) for share in PAPER_SHARES), len(order)]
        return {name: part for part, begin, end in zip(SPLITS, ends, ends[1:], strict=False) for name in order[begin:end]}
    if split == "official":
        train, test = (read_ids(folder / f"{name}.txt") for name in ("train", "test"))
        held_out = by_hash(train)[: round(len(train) * OFFICIAL_VALIDATION)]
        lists = {"train": [name for name in train if name not in set(held_out)], "validation": held_out, "test": test}
    else:
        lists = {name: read_ids(Path(split) / f"{name}.txt") for name in SPLITS if (Path(split) / f"{name}.txt").is_file()}
        if not lists:
            raise DataError(f"{split}: neither official nor paper nor a folder with train.txt, validation.txt or test.txt")
    place: dict[str, str] = {}
    for part, names in lists.items():
        for name in names:
            if place.setdefault(name, part) != part:
                raise DataError(f"{name} is on the lists {place[name]} and {part}; a video belongs to one split")
    return place


def read_ids(path: Path) -> list[str]:
    """The lines of a list of ids, empty ones left out. Raises DataError."""
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: this list of ids cannot be read; unpack the data set again, or choose another split"
        ) from error


def prepare_greatest_hits(
    folder: Path,
    out: Path,
    split: str | Path = "paper",
    short_side: int = 256,
    on_video: Callable[[int, int], None] | None = None,
) -> GreatestHitsReport:
    """Writes ``clips.jsonl``, ``audio/`` (16-bit wav, 44.1 kHz stereo), ``video/`` (H.264, 30 fps) and ``report.json``.

    ``folder``: the unpacked data set; ``split``: see :func:`split_videos`; ``short_side``: pixels of the video's shorter
    side. A video that cannot be read is dropped and reported, with the reason; clips that are there already are kept, so an
    interrupted run goes on. ``on_video(done, videos)`` is called after each. Raises DataError, OutputError, also where ``out``
    holds clips of another folder or size."""
    folder, out = Path(folder), Path(out)
    if (out / "clips.jsonl").exists() and not (out / "report.json").exists():
        raise OutputError(f"{out}: holds the clips of another data set, which would be lost; choose another --out")
    videos = find_videos(folder)
    root = next(iter(videos.values())).parent
    origin = {"source": root.resolve().name, "short_side": short_side}
    check_origin(out, origin)
    place = split_videos(list(videos), split, root)
    dropped = [Dropped(name, "on a list, but not in the folder") for name in place if name not in videos]
    for part in ("audio", "video"):
        make_folder(out / part)
    if not (out / "report.json").exists():  # before the first clip, so that a run that stops leaves none of unknown origin
        write_lines(out / "report.json", [json.dumps(origin)])
    records: list[ClipRecord] = []
    for done, (name, video) in enumerate(videos.items(), 1):
        if name not in place:
            dropped.append(Dropped(name, "on no list of the split"))
        else:
            try:
                records += clips_of(name, video, out, place[name], short_side, dropped)
            except OutputError:
                raise
            except FoleyGRAMError as error:
                dropped.append(Dropped(name, str(error)))
        if on_video is not None:
            on_video(done, len(videos))
    if not records:
        first = dropped[0]
        raise DataError(f"{folder}: not one clip came of it ({first.where}: {first.reason}); see the split and the folder")
    counts = {part: sum(record.split == part for record in records) for part in SPLITS}
    content = origin | {
        "videos": len(videos), "split": str(split), "clips": counts,
        "dropped": [[entry.where, entry.reason] for entry in dropped],
    }  # fmt: skip
    write_lines(out / "report.json", [json.dumps(content, indent=2)])
    manifest = write_manifest(out / "clips.jsonl", records)
    return GreatestHitsReport(manifest, len(videos), counts, tuple(dropped))


def check_origin(out: Path, origin: Mapping[str, object]) -> None:
    """Clips of two folders or sizes never mix. Raises OutputError where those in ``out`` are of another, by its report."""
    report = out / "report.json"
    try:
        before = json.loads(report.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError, RecursionError):
        before = None
    other = [name for name in origin if not isinstance(before, dict) or before.get(name) != origin[name]]
    if other:
        raise OutputError(f"{out}: its clips, by {report.name}, are not of this {' and '.join(other)}; choose another --out")


def clips_of(name: str, video: Path, out: Path, split: str, short_side: int, dropped: list[Dropped]) -> Iterator[ClipRecord]:
    """The clips of one video; what it does not give is added to ``dropped``."""
    hits = read_hits(video.parent / f"{name}_times.txt")
    if not video.is_file():
        dropped.append(Dropped(name, "its video is not in the folder"))
        return
    separate = video.with_name(video.name.removesuffix("_thumb.mp4").removesuffix(".mp4") + ".wav")
    sound = read_audio(separate if separate.is_file() else video, SAMPLE_RATE).stereo()
    seconds = min(probe(video).seconds, sound.seconds)
    chunks = plan_chunks(hits, seconds)
    if not chunks:
        dropped.append(Dropped(name, f"shorter than {CHUNK_SECONDS} s ({seconds:.1f} s)"))
    for chunk in chunks:
        if chunk.prompt is None:
            dropped.append(Dropped(f"{name}_{chunk.number}", "no annotation with both an action and a material"))
    kept = [chunk for chunk in chunks if chunk.prompt is not None]
    write_pictures(video, {chunk.number: clip_path(out, "video", name, chunk.number) for chunk in kept}, short_side)
    for chunk in kept:
        path = clip_path(out, "audio", name, chunk.number)
        if not path.exists():
            write_audio(path, cut(sound, chunk.number), "PCM_16")
        yield ClipRecord(
            id=f"{name}_{chunk.number}", split=split, video=clip_path(out, "video", name, chunk.number), audio=path,
            text=chunk.prompt.text, material=chunk.prompt.material, action=chunk.prompt.action, seconds=float(CHUNK_SECONDS),
            onsets=tuple((hit.seconds, 1.0) for hit in chunk.hits), tool="stick", family=(name,),
        )  # fmt: skip


def clip_path(out: Path, part: str, name: str, number: int) -> Path:
    """Where chunk ``number`` of a video lies, its ``part`` audio or video."""
    return out / part / f"{name}_{number}{'.wav' if part == 'audio' else '.mp4'}"


def cut(sound: Audio, number: int) -> Audio:
    """The samples of a chunk."""
    start, count = (sample_count(seconds, sound.rate) for seconds in (number * CHUNK_SECONDS, CHUNK_SECONDS))
    return Audio(sound.samples[:, start : start + count], sound.rate)


def write_pictures(video: Path, wanted: Mapping[int, Path], short_side: int) -> None:
    """The chunks' pictures, 30 fps, from one pass over the video."""
    wanted = {number: path for number, path in wanted.items() if not path.exists()}
    if not wanted:
        return
    frames = (image for _, image in stream_frames(video, short_side, FPS))
    for number in range(max(wanted) + 1):
        part: Iterator[np.ndarray] = islice(frames, FPS * CHUNK_SECONDS)
        if number in wanted:
            write_video(wanted[number], (image.transpose(1, 2, 0) for image in part), FPS)
        else:
            for _ in part:
                pass
