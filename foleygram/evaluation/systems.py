"""The systems of Table I: how their output files are named, what they were given, and what they had seen.

File patterns and facts were read from the systems' own code; patterns match the path relative to the folder of outputs,
with forward slashes. ``id`` names the true clip or video, ``chunk`` its chunk of the system's native length, ``sample``
counts takes of one clip, ``text`` and ``condition`` tell what it was prompted with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from foleygram.errors import UsageError

SOUND_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".m4a", ".mp4", ".mkv", ".mov", ".webm")
GREATEST_HITS_ID = r"\d{4}(?:-\d+){5,6}"


@dataclass(frozen=True)
class OutputName:
    """What a file name tells. ``chunk`` and ``sample``: -1 where it does not say."""

    id: str
    chunk: int = -1
    sample: int = -1
    prompt: str = ""


@dataclass(frozen=True)
class System:
    """``patterns``: regular expressions over relative paths; ``skip``: paths that are no outputs (conditions written beside
    them); ``rate`` Hz and ``seconds`` of native outputs, 0 for any; ``given``: what it knows of each clip; ``trained_on``;
    ``note``: what a reader of its scores must know."""

    name: str
    patterns: tuple[str, ...]
    rate: int
    seconds: float
    given: tuple[str, ...]
    trained_on: str
    skip: tuple[str, ...] = ()
    note: str = ""

    def parse(self, path: str) -> OutputName | None:
        """What the relative path of an output tells, or None where it is not one of this system's."""
        if PurePosixPath(path).suffix.lower() not in SOUND_SUFFIXES or any(re.search(skip, path) for skip in self.skip):
            return None
        stem = str(PurePosixPath(path).with_suffix(""))
        for pattern in self.patterns:
            found = re.search(rf"{pattern}$", stem)
            if found:
                parts = found.groupdict()
                prompt = parts.get("text") or parts.get("condition") or ""
                return OutputName(parts["id"], int(parts.get("chunk") or -1), int(parts.get("sample") or -1), prompt)
        return None


SPECVQGAN = System(
    "SpecVQGAN",
    (r"(?:^|/)cls_[^/]+/(?P<id>[^/]+)_sample_(?P<sample>\d+)",),
    22050, 9.8, ("silent video",), "VGGSound or VAS",
    note="outputs may be mels (.npy), which its own vocoder must turn into sound first",
)  # fmt: skip
DIFF_FOLEY = System(
    "Diff-Foley",
    (r"(?:^|/)(?P<id>[^/]+?)_CFG[\d.]+_CG[\d.]+_[^/]*/sample_(?P<sample>\d+)_diff",),
    16000, 8.192, ("silent video",), "VGGSound, AudioSet",
    note="its notebook inverts mels with the filters of 22.05 kHz: check that outputs are not 5.5 semitones low",
)  # fmt: skip
COND_FOLEY_GEN = System(
    "CondFoleyGen",
    (r"(?:^|/)2sec_full_generated_sound_(?P<sample>\d+)/(?P<id>[^/]+)_to_(?P<condition>[^/]+)",),
    22050, 2.0, ("silent video", "sound and picture of another clip"), "Greatest Hits (its own chunk lists)",
    note="its test videos are disjoint from its training ones, not from those of other splits",
)  # fmt: skip
SYNC_FUSION = System(
    "SyncFusion",
    (rf"(?:^|/)gh-gen[^/]*/(?P<id>{GREATEST_HITS_ID}|\d+)(?:_(?P<text>[^/]+))?",),
    22050, 2.0, ("true onsets, or onsets predicted from the video", "a hit of the clip's own sound, or a text"),
    "Greatest Hits, un-denoised sound", skip=(r"_cond\.[^.]+$",),
    note="only the first 2 s of a video; its audio prompt is cut from the very sound to be generated; onset times from people",
)  # fmt: skip
VIDEO_FOLEY = System(
    "Video-Foley",
    (
        r"(?:^|/)(?:audio|text)_prompt/audio/(?P<id>[^/]+)_(?P<chunk>\d+)(?:_generated_audio)?",
        r"(?P<id>[^/]+)_(?P<chunk>\d+)_generated_audio",
    ),
    16000, 10.24, ("silent video", "the clip's own sound, or a text"), "Greatest Hits, official training list",
    note="its audio prompt is the true chunk itself; 148 of SyncFusion's 196 test videos are in its training list",
)  # fmt: skip
FOLEYGRAM = System(
    "FoleyGRAM",
    (r"(?:^|/)(?P<id>[^/]+?)(?:_take(?P<sample>\d+))?",),
    44100, 0.0, ("envelope of the clip's own sound", "own sound, video and text, as far as the conditioning names them"),
    "what its model card says",
)  # fmt: skip

BY_CLIP = replace(
    FOLEYGRAM, name="named by clip", rate=0, given=("nobody said what",), trained_on="nobody said what"
)  # fmt: skip
"""Files that bear the ids of clips may be of any system, so nothing is said about it."""

SYSTEMS = (SPECVQGAN, DIFF_FOLEY, COND_FOLEY_GEN, SYNC_FUSION, VIDEO_FOLEY, FOLEYGRAM, BY_CLIP)
"""In the order of trial: the last takes any name, as ours does, which is to be asked for."""


def system_named(name: str) -> System:
    """The system of this name, in any case and with or without hyphens. Raises UsageError that lists them."""

    def plain(text: str) -> str:
        return text.lower().replace("-", "").replace("_", "")

    for system in SYSTEMS:
        if plain(system.name) == plain(name):
            return system
    raise UsageError(f"no system '{name}'; there are {', '.join(system.name for system in SYSTEMS)}")


def recognise(paths: list[str]) -> System:
    """The system whose patterns fit most of the relative paths; ``BY_CLIP`` where none of them fits anything."""
    fits = [(sum(system.parse(path) is not None for path in paths), system) for system in SYSTEMS[:-2]]
    most, best = max(fits, key=lambda fit: fit[0])
    return best if most else SYSTEMS[-1]
