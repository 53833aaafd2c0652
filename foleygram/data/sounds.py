"""The recordings behind MiniHits: which are used for what, cut to single contacts with a known attack, and split.

A recording is cut into *takes*. A take starts ``LEAD`` samples before its attack, is normalised in loudness, and ends in
a fade above the noise floor of its recording, so mixing takes brings neither hiss nor a second unlabelled contact.
The split is by ``family`` (the object or session that was recorded): a test sound was never heard in training.
"""

from __future__ import annotations

import csv
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, find_peaks, sosfilt

from foleygram.data import modal
from foleygram.errors import DataError
from foleygram.types import SAMPLE_RATE, Audio

SPLITS = ("train", "validation", "test")
LEAD = 88  # samples kept before the attack (2 ms), faded in
LOUDNESS = 0.1  # highest 10-ms RMS of every take
LONGEST = {"hit": 2.2, "step": 0.9, "scratch": 1.1}  # s
SHORTEST = {"hit": 0.03, "step": 0.06, "scratch": 0.09}  # s

COLLECTION = {
    ("wood", "hit"): ("wood_hit",),
    ("wood", "scratch"): ("wood_scratch", "wood_dig"),
    ("wood", "step"): ("wood_footstep",),
    ("metal", "hit"): ("metal_hit",),
    ("metal", "scratch"): ("metal_scratch", "metal_dig"),
    ("metal", "step"): ("metal_footstep",),
    ("dirt", "hit"): ("dirt_hit",),
    ("dirt", "scratch"): ("dirt_dig",),
    ("dirt", "step"): ("dirt_footstep",),
    ("rock", "hit"): ("rock_hit", "rock_hit-metal-tool"),
    ("rock", "scratch"): ("rock_dig", "rock_scratch", "hard-surface_scratch"),
    ("rock", "step"): ("rock_footstep",),
    ("leaf", "hit"): ("leaf_hit",),
    ("leaf", "scratch"): ("leaf_dig", "leaf_rustle"),
    ("leaf", "step"): ("leaf_footstep",),
    ("plastic", "hit"): ("plastic_hit", "plastic_click"),
    ("plastic", "scratch"): ("plastic_scratch",),
    ("cloth", "hit"): ("cloth_hit", "leather_hit"),
    ("cloth", "scratch"): ("cloth_scratch", "cloth_rub", "cloth_dig", "cloth_zip"),
    ("paper", "hit"): ("paper_hit",),
    ("paper", "scratch"): ("paper_scratch",),
    ("grass", "hit"): ("grass_hit", "grass_fall"),
    ("grass", "scratch"): ("grass_dig",),
    ("grass", "step"): ("grass_footstep",),
    ("water", "hit"): ("water_splash",),
    ("water", "step"): ("water_footstep",),
    ("gravel", "hit"): ("gravel_hit", "sand_hit", "gravel_fall"),
    ("gravel", "scratch"): ("gravel_dig", "sand_dig"),
    ("gravel", "step"): ("gravel_footstep", "sand_footstep"),
    ("ceramic", "hit"): ("ceramic-chip_hit", "shell_hit"),
    ("ceramic", "scratch"): ("tile_scratch", "shell_dig"),
    ("glass", "hit"): ("glass_hit",),
    ("glass", "scratch"): ("glass_scratch", "glass_dig"),
}
"""Folders of the collection that serve each (material, action). Sand counts as gravel, tile as ceramic."""

UNFIT = re.compile(
    "Splash_L|Crash|Ride|Hi-Hat|Bell_Tree|Sleigh|Wind_Chime|shakhchi|Tambourine|cymbal|splash_soft|DivingLoop|glass_hum|Bowed_Glass"
    "|vinyl_(hiss|rewind|backspin)|SawmillRipcut|match_ignite|nono|woodpecker|bucket_fill|_water\\.|Balloon|balloon|tree_creak"
    "|door_knock|Repair|Objects-Connect|Square_Click|Vibraphone|Kalimba|Tubular|perc_bell|tinker_bell"
)
"""Music, ambience and mechanisms that are no contact with a surface."""

NOTE = re.compile(r"_[A-G]_?_?\d*(_?[LR]_)?$|_[A-G]_?\d+.*$")


@dataclass(frozen=True)
class Recording:
    """One file of the collection and what the project knows of it. ``family`` decides its split."""

    path: str
    material: str
    action: str
    family: str
    tier: str
    licence: str
    author: str


@dataclass(frozen=True, eq=False)
class Take:
    """One contact. ``samples``: float32 [channel, sample] at 44.1 kHz; ``attack``: sample of the attack;
    ``duration``: s of contact (0 for a hit or step); ``family`` and ``name`` (``path#k`` or ``modal:material:seed``)."""

    name: str
    family: str
    samples: np.ndarray
    attack: int
    duration: float


def read_recordings(folder: Path) -> tuple[Recording, ...]:
    """The usable rows of ``folder/manifest.csv``. Raises DataError where the manifest is absent or lacks a column."""
    table = folder / "manifest.csv"
    try:
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise DataError(f"{table}: cannot be read ({error.strerror}); a sound folder holds a manifest.csv") from error
    uses = {name: use for use, names in COLLECTION.items() for name in names}
    found = []
    for row in rows:
        try:
            path, sr, tier = row["path"], int(row["sr"]), row["tier"]
            licence, author, family = row["license"], row["author"], row["family"]
        except (KeyError, ValueError) as error:
            raise DataError(f"{table}: no usable column {error}; it needs path, license, author, tier, sr, family") from error
        use = uses.get(path.split("/")[0])
        if use is None or UNFIT.search(path) or sr < 32000:
            continue
        if "Swim" in path:
            use = ("water", "scratch")
        # the notes of one instrument are one family
        family = NOTE.sub("", family) if tier == "B" else family
        found.append(Recording(path, *use, family, tier, licence, author))
    if not found:
        raise DataError(f"{table}: lists no sound that MiniHits uses; see foleygram.data.sounds.COLLECTION")
    return tuple(sorted(found, key=lambda recording: recording.path))


def split_families(recordings: tuple[Recording, ...], takes: dict[str, int], seed: int = 0) -> dict[str, str]:
    """Split of each family: about 70/10/20 within each (material, action), one at least in each split from three
    families on, train and test with two, train with one. Deterministic; a family has one split everywhere.

    ``takes``: number of takes of each recording by path; one without takes does not count, and families of three
    takes and more go to the test first, so that a test scene can vary."""
    groups: dict[tuple[str, str], dict[str, str]] = {}
    number: dict[str, int] = {}
    for recording in recordings:
        if not takes.get(recording.path):
            continue
        number[recording.family] = number.get(recording.family, 0) + takes[recording.path]
        groups.setdefault((recording.material, recording.action), {})[recording.family] = recording.tier
    split: dict[str, str] = {}
    for use, families in sorted(groups.items()):
        # sampled instruments (tier B) are only good for training
        split.update({family: "train" for family, tier in families.items() if tier == "B" and family not in split})
        names = [family for family, tier in families.items() if tier != "B"]
        names.sort(key=lambda name: (number[name] < 3, hashlib.sha256(f"{seed}:{use}:{name}".encode()).digest()))
        count = len(names)
        wanted = {"test": max(1, round(0.2 * count)) if count >= 2 else 0, "validation": max(1, round(0.1 * count)) if count >= 3 else 0}
        taken = {part: sum(split.get(name) == part for name in names) for part in wanted}
        for name in names:
            if name in split:
                continue
            part = next((part for part in wanted if taken[part] < wanted[part]), "train")
            split[name] = part
            taken[part] = taken.get(part, 0) + 1
    return split


def level(samples: np.ndarray, width: int) -> np.ndarray:
    """RMS over channels in a centred window of ``width`` samples, float64 [sample]."""
    power = np.square(samples, dtype=np.float64).mean(axis=0)
    return np.sqrt(np.maximum(uniform_filter1d(power, width, mode="constant"), 0))


def find_attacks(samples: np.ndarray, action: str) -> list[int]:
    """Samples at which single contacts begin, float32 [channel, sample] at 44.1 kHz.

    A contact is a peak of the 10-ms level that stands out of what came before; its attack is the first crossing of a
    fifth (a tenth for scratches) of its 1-ms peak."""
    coarse = level(samples, 441)[::44]
    top = coarse.max()
    if top <= 1e-5:
        return []
    decibel = 20 * np.log10(np.maximum(coarse, top * 1e-4))
    decibel = np.concatenate([[decibel.min()], decibel, [decibel.min()]])
    apart = {"hit": 0.07, "step": 0.28, "scratch": 0.12}[action]
    prominence = {"hit": 8, "step": 12, "scratch": 20}[action]
    peaks, found = find_peaks(decibel, height=decibel.max() - 18, prominence=prominence, distance=int(apart * 1000))
    fine = level(samples, 44)
    attacks: list[int] = []
    for peak, left in zip(peaks, found["left_bases"], strict=True):
        first = max((left - 1) * 44, attacks[-1] + 1323 if attacks else 0, (peak - 1) * 44 - int(LONGEST[action] * 44100), 0)
        last = min(peak * 44 + 220, len(fine))
        if last - first < 44:
            continue
        stretch = fine[first:last]
        # the last quiet moment before the peak: what rustles ahead of it is no part of the contact
        threshold = stretch.max() * (0.1 if action == "scratch" else 0.2)
        above = stretch >= threshold
        if action == "scratch":
            start = int(np.argmax(above))
        else:
            top_at = int(np.argmax(stretch))
            pause = 882 if action == "step" else 441
            start = top_at
            while start > 0:
                window = above[max(0, start - pause) : start]
                if not window.any():
                    break
                start = max(0, start - pause) + int(np.argmax(window))
        attacks.append(first + start + 11)
    return attacks


def cut(samples: np.ndarray, action: str) -> list[tuple[np.ndarray, int, float]]:
    """Single contacts of a recording, float32 [channel, sample] at 44.1 kHz: (samples, attack sample, seconds of contact).

    What stands out of the level just before it by less than 12 dB is left out, since its attack would be heard late."""
    samples = sosfilt(butter(2, 30, "highpass", fs=SAMPLE_RATE, output="sos"), samples, axis=-1).astype(np.float32)
    floor = np.percentile(level(samples, 441), 5)
    samples = np.pad(samples, ((0, 0), (2205, 0)))  # some recordings begin with their attack
    smooth = level(samples, 441)
    attacks = find_attacks(samples, action)
    takes = []
    for attack, following in zip(attacks, [*attacks[1:], None], strict=True):
        end = samples.shape[1] if following is None else following - 132
        end = min(end, attack + int(LONGEST[action] * SAMPLE_RATE))
        if end <= attack + 300:
            continue
        peak = smooth[attack:end].max()
        before = smooth[max(0, attack - 1764) : max(1, attack - 330)].max()
        if before > peak * 10 ** (-12 / 20):
            continue
        audible = np.flatnonzero(smooth[attack:end] > max(peak * 10 ** (-52 / 20), 1.6 * min(floor, peak * 0.03)))
        end = min(end, attack + int(audible[-1]) + 441) if len(audible) else end
        length = end - attack
        if length < SHORTEST[action] * SAMPLE_RATE:
            continue
        first = max(0, attack - LEAD)
        piece = np.pad(samples[:, first:end], ((0, 0), (LEAD - (attack - first), 0)))
        piece = shape_edges(piece, min(int(0.35 * length), int(0.25 * SAMPLE_RATE)))
        loud = np.flatnonzero(smooth[attack:end] > peak * 0.1)
        duration = float(loud[-1] / SAMPLE_RATE) if action == "scratch" else 0.0
        takes.append((piece * np.float32(LOUDNESS / peak), LEAD, duration))
    return takes


def shape_edges(samples: np.ndarray, fade: int) -> np.ndarray:
    """A copy with ``LEAD`` samples of raised-cosine fade in and ``fade`` samples of fade out."""
    shaped = samples.copy()
    shaped[:, :LEAD] *= (0.5 - 0.5 * np.cos(np.pi * np.arange(LEAD) / LEAD)).astype(np.float32)
    shaped[:, shaped.shape[1] - fade :] *= (0.5 + 0.5 * np.cos(np.pi * np.arange(1, fade + 1) / fade)).astype(np.float32)
    return shaped


class SoundBank:
    """All takes, by split, material and action. Without a folder it holds only self-made (modal) sounds."""

    def __init__(self, folder: Path | None = None, seed: int = 0):
        self.folder = folder
        self.recordings = read_recordings(folder) if folder else ()
        self.seed = seed
        self.made: dict[tuple[str, str], Take] = {}

    @cached_property
    def takes(self) -> dict[str, Take]:
        """Every take of the recordings by name; decoded once."""
        found = {}
        for recording in self.recordings:
            audio = read(self.folder / recording.path)
            for number, (samples, attack, duration) in enumerate(cut(audio.samples, recording.action)):
                name = f"{recording.path}#{number}"
                found[name] = Take(name, recording.family, samples, attack, duration)
        return found

    @cached_property
    def split(self) -> dict[str, str]:
        """Split of each family of recordings."""
        count: dict[str, int] = {}
        for name in self.takes:
            count[name.split("#")[0]] = count.get(name.split("#")[0], 0) + 1
        return split_families(self.recordings, count, self.seed)

    @cached_property
    def shelves(self) -> dict[tuple[str, str, str], dict[str, tuple[str, ...]]]:
        """Names of takes by (split, material, action) and family."""
        use = {recording.path: recording for recording in self.recordings}
        shelves: dict[tuple[str, str, str], dict[str, tuple[str, ...]]] = {}
        for name, take in self.takes.items():
            recording = use[name.split("#")[0]]
            shelf = shelves.setdefault((self.split[take.family], recording.material, recording.action), {})
            shelf[take.family] = (*shelf.get(take.family, ()), name)
        for material, action in COLLECTION if self.folder else modal.USES:
            for part in SPLITS:
                shelf = shelves.get((part, material, action), {})
                made = modal.families(material, action, part)
                if self.folder is None:
                    shelves[part, material, action] = made
                elif part == "train" and 0 < len(shelf) < 5:
                    # thin materials are enriched in training only
                    shelf.update(dict(list(made.items())[: 5 - len(shelf)]))
        return shelves

    def take(self, name: str, action: str) -> Take:
        """The take of an event. Raises DataError where no recording of this bank has it."""
        if name.startswith("modal:"):
            if (name, action) not in self.made:
                if len(self.made) > 4000:
                    self.made.clear()
                samples, attack, duration = modal.synthesise(name, action)
                peak = level(samples, 441).max()
                self.made[name, action] = Take(name, modal.family_of(name), samples * np.float32(LOUDNESS / peak), attack, duration)
            return self.made[name, action]
        if name not in self.takes:
            raise DataError(f"sound {name} is not in the sound folder {self.folder}; prepare with the folder of the scenes")
        return self.takes[name]


def read(path: Path) -> Audio:
    """A recording at 44.1 kHz with at most two channels."""
    import soundfile
    import soxr

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path}: cannot be read as sound; restore the file or take its row out of manifest.csv") from error
    if rate != SAMPLE_RATE:
        samples = soxr.resample(samples, rate, SAMPLE_RATE)
    return Audio(samples.T[:2], SAMPLE_RATE)
