"""Pretraining data at the paper's size as WebDataset tar shards: video, sound and captions of a clip side by side (IV-C).

``<key>.mp4`` (or .mkv, .webm), ``<key>.wav`` (or .flac, .mp3) and ``<key>.json`` with ``captions``, or ``<key>.txt``. The
members of the local shards are indexed once, so any clip can be read at any time: a batch stays a pure function of seed
and step, which streaming through a shuffle buffer would not give.
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foleygram.data.epochs import in_epochs
from foleygram.data.manifest import ClipRecord
from foleygram.errors import DataError
from foleygram.media.audio import read_audio
from foleygram.media.video import FRAME_SIDE, read_frames
from foleygram.output import make_folder, whole_file
from foleygram.types import SAMPLE_RATE, Clip

VIDEO = ("mp4", "mkv", "webm", "mov")
AUDIO = ("wav", "flac", "mp3", "m4a", "ogg")
CAPTIONS = ("desc", "vast_cap", "caption", "captions", "text")  # keys under which corpora of this kind keep their sentences

SUBSTITUTES = 16
"""Clips that are tried in place of one that cannot be read."""


@dataclass(frozen=True)
class Member:
    """A file inside of a shard."""

    shard: Path
    offset: int  # bytes from the start of the shard
    size: int  # bytes


@dataclass(frozen=True)
class ShardClip:
    """One clip of the index; the sound is that of the video where it has no file of its own."""

    key: str
    video: Member
    video_suffix: str
    audio: Member | None
    audio_suffix: str
    captions: tuple[str, ...]


class ShardedClips:
    """All clips of some shards, by number. Only the clip that is asked for is read."""

    def __init__(self, clips: Sequence[ShardClip], seconds: float = 10.0):
        self.clips, self.seconds = tuple(clips), seconds

    def __len__(self) -> int:
        return len(self.clips)

    def clip(self, number: int, frames: int = 8, short_side: int = FRAME_SIDE, caption: int = 0) -> Clip:
        """Picture (``frames`` evenly spread), sound and one caption of a clip. Raises DataError, MediaError."""
        entry = self.clips[number]
        with tempfile.TemporaryDirectory(prefix="foleygram-") as folder:
            paths = {}
            parts = (("video", entry.video, entry.video_suffix), ("audio", entry.audio, entry.audio_suffix))
            for name, member, suffix in parts:
                if member is not None:
                    paths[name] = Path(folder) / f"{name}.{suffix}"
                    paths[name].write_bytes(content_of(member))
            video = read_frames(paths["video"], count=frames, short_side=short_side)
            audio = read_audio(paths.get("audio", paths["video"]), SAMPLE_RATE)
        return Clip(video, audio, entry.captions[caption % len(entry.captions)], self.seconds)

    def draw(self, seed: int, step: int, rows: range, size: int) -> list[tuple[int, int]]:
        """(clip, caption) of the rows of a global batch: every clip once in an epoch, in an order of its own each time."""
        picked = []
        for epoch, number in in_epochs(seed, step, rows, size, len(self)):
            draw = np.random.default_rng([seed, epoch, number])
            picked.append((number, int(draw.integers(len(self.clips[number].captions)))))
        return picked

    def substitutes(self, seed: int, step: int, row: int) -> Iterator[tuple[int, int]]:
        """(clip, caption) of ``SUBSTITUTES`` clips for a row whose own cannot be read; any row meets the same again."""
        draw = np.random.default_rng([seed, step, row])
        for _ in range(SUBSTITUTES):
            number = int(draw.integers(len(self)))
            yield number, int(draw.integers(len(self.clips[number].captions)))


def content_of(member: Member) -> bytes:
    """The bytes of a member. Raises DataError where the shard was changed or cut off."""
    try:
        with member.shard.open("rb") as file:
            file.seek(member.offset)
            content = file.read(member.size)
    except OSError as error:
        raise DataError(f"{member.shard}: cannot be read ({error.strerror}); fetch the shard again") from error
    if len(content) != member.size:
        raise DataError(f"{member.shard}: is cut off; fetch the shard again")
    return content


def open_shards(shards: Iterable[Path], seconds: float = 10.0) -> ShardedClips:
    """Indexes tar files; clips without caption or without picture are left out.

    Raises DataError for a file that is no whole tar, and where no clip is in them."""
    clips: list[ShardClip] = []
    for shard in shards:
        groups: dict[str, dict[str, Member]] = {}
        try:
            with tarfile.open(shard) as tar:
                for info in tar:
                    stem, _, suffix = info.name.rpartition("/")[2].partition(".")
                    if info.isfile() and suffix:
                        key = info.name.removesuffix(f".{suffix}")
                        groups.setdefault(key, {})[suffix.lower()] = Member(Path(shard), info.offset_data, info.size)
        except (tarfile.TarError, OSError, EOFError) as error:
            raise DataError(f"{shard}: not a whole tar file; fetch the shard again") from error
        clips += filter(None, (clip_of(key, members) for key, members in groups.items()))
    if not clips:
        raise DataError("the shards hold no clip with a caption and a picture; a clip is KEY.mp4, KEY.wav, KEY.json or KEY.txt")
    return ShardedClips(clips, seconds)


def clip_of(key: str, members: dict[str, Member]) -> ShardClip | None:
    """The clip of one key of a shard; None where picture or captions are missing. Raises DataError."""
    video = next((suffix for suffix in VIDEO if suffix in members), "")
    audio = next((suffix for suffix in AUDIO if suffix in members), "")
    captions: list[str] = []
    if "json" in members:
        try:
            content = json.loads(content_of(members["json"]))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{members['json'].shard}: {key}.json is not JSON; make the shard again") from error
        for name in CAPTIONS:
            value = content.get(name, []) if isinstance(content, dict) else []
            texts = [value] if isinstance(value, str) else value
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise DataError(
                    f"{members['json'].shard}: {name} of {key}.json is a text or a list of texts, "
                    f"not {json.dumps(value)[:40]}; make the shard again"
                )
            captions += texts
    if "txt" in members:
        captions += content_of(members["txt"]).decode("utf-8", "replace").split("\n")
    captions = list(dict.fromkeys(text.strip() for text in captions if text.strip()))
    if not captions or not video:
        return None
    return ShardClip(key, members[video], video, members.get(audio), audio, tuple(captions))


def write_shards(
    records: Sequence[ClipRecord],
    out: Path,
    clips: int = 1000,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Path, ...]:
    """Packs the clips of a manifest, ``clips`` to a shard: ``000000.tar`` and so on. The same clips give the same bytes.

    Raises DataError where a file of a clip cannot be read, OutputError where a shard cannot be written."""
    make_folder(Path(out))
    paths = []
    for number, start in enumerate(range(0, len(records), clips)):
        shard = Path(out) / f"{number:06d}.tar"
        with whole_file(shard, force=True) as packed, tarfile.open(packed, "w", format=tarfile.USTAR_FORMAT) as tar:
            for place, record in enumerate(records[start : start + clips], start):
                captions = {"captions": [record.text, *record.captions]}
                files = {"json": json.dumps(captions, ensure_ascii=False).encode()}
                for path in filter(None, (record.video, record.audio)):
                    try:
                        files[path.suffix.lstrip(".")] = path.read_bytes()
                    except OSError as error:
                        raise DataError(f"{path}: cannot be read ({error.strerror}); prepare the data again") from error
                for suffix, content in files.items():
                    info = tarfile.TarInfo(f"{record.id}.{suffix}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
                on_progress(place + 1, len(records))
        paths.append(shard)
    return tuple(paths)
