"""The recordings behind MiniHits: which serve which material and action, and in which split they may be heard.

The split is by ``family`` (the object or session that was recorded): a test sound was never heard in training.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from foleygram.data import modal
from foleygram.data.held_out import HELD_OUT
from foleygram.data.listing import LISTING, read_listing
from foleygram.data.manifest import SPLITS
from foleygram.data.takes import Take, cut
from foleygram.errors import DataError, MediaError
from foleygram.media.audio import read_audio
from foleygram.types import SAMPLE_RATE

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
    ("rock", "hit"): ("rock_hit", "rock_hit-metal-tool", "rock_fall"),
    ("rock", "scratch"): ("rock_dig", "rock_scratch", "hard-surface_scratch"),
    ("rock", "step"): ("rock_footstep",),
    ("leaf", "hit"): ("leaf_hit", "leaf_fall"),
    ("leaf", "scratch"): ("leaf_dig", "leaf_rustle"),
    ("leaf", "step"): ("leaf_footstep",),
    ("plastic", "hit"): ("plastic_hit", "plastic_click"),
    ("plastic", "scratch"): ("plastic_scratch",),
    ("cloth", "hit"): ("cloth_hit", "leather_hit"),
    ("cloth", "scratch"): ("cloth_scratch", "cloth_rub", "cloth_dig", "cloth_zip", "leather_handle"),
    ("paper", "hit"): ("paper_hit",),
    ("paper", "scratch"): ("paper_scratch", "paper_handle"),
    ("grass", "hit"): ("grass_hit", "grass_fall"),
    ("grass", "scratch"): ("grass_dig",),
    ("grass", "step"): ("grass_footstep",),
    ("water", "hit"): ("water_splash",),
    ("water", "step"): ("water_footstep",),
    ("gravel", "hit"): ("gravel_hit", "sand_hit", "gravel_fall", "sand_fall"),
    ("gravel", "scratch"): ("gravel_dig", "sand_dig"),
    ("gravel", "step"): ("gravel_footstep", "sand_footstep"),
    ("ceramic", "hit"): ("ceramic-chip_hit", "shell_hit", "shell_fall"),
    ("ceramic", "scratch"): ("tile_scratch", "shell_dig", "ceramic-chip_handle"),
    ("glass", "hit"): ("glass_hit", "glass_fall"),
    ("glass", "scratch"): ("glass_scratch", "glass_dig"),
}
"""Folders of the collection that serve each (material, action). Sand counts as gravel, tile and shell as ceramic."""

BORROWED = {
    "wood": ("wood_footstep", "wood_dig", "wood_door"),
    "metal": ("metal_footstep", "metal_dig", "metal_click", "metal_fall"),
    "dirt": ("dirt_dig", "dirt_footstep"),
    "rock": ("rock_dig", "rock_footstep"),
    "leaf": ("leaf_dig", "leaf_footstep"),
    "cloth": ("cloth_footstep", "cloth_dig"),
    "grass": ("grass_dig", "grass_footstep"),
    "gravel": ("gravel_dig", "gravel_footstep", "sand_footstep"),
    "glass": ("glass_footstep", "glass_dig"),
    "water": ("water_flow",),
}
"""Folders whose short contacts also pass as hits. Training only, and only of families that train anyway."""

UNFIT = re.compile(
    "Splash_L|Crash|Ride|Hi-Hat|Bell_Tree|Sleigh|Wind_Chime|shakhchi|Tambourine|cymbal|splash_soft|DivingLoop|glass_hum"
    "|Bowed_Glass|vinyl_(hiss|rewind|backspin)|SawmillRipcut|match_ignite|nono|woodpecker|bucket_fill|bucket_water|alloon"
    "|tree_creak|door_knock|Repair|Objects-Connect|Square_Click|Vibraphone|Kalimba|Tubular|perc_bell|tinker_bell"
    "|train_whistle|rain_|Rain|Waterfall|env_sounds|Boiling|_open|Open|gallop|pistol_reload|rifle_cock_01"
)
"""Music, ambience and mechanisms that are no contact with a surface."""

SWIMMING = ("Liquids-Swim", ("water", "scratch"))
TWINS = {  # one session under two names: their takes correlate by more than 0.8
    "github:MultiCraft/repixture/rp_sounds_dig_coal": "github:MultiCraft/repixture/rp_sounds_footstep_coal",
    "github:MultiCraft/repixture/rp_default_dug_alga": "github:MultiCraft/repixture/rp_default_footstep_alga",
}
NOTE = re.compile(r"_[A-G]_?_?\d*(_?[LR]_)?$|_[A-G]_?\d+.*$")
LEAST_RATE = 32000  # Hz; slower recordings lack the treble
ENOUGH = 6  # families that need no help of self-made sounds in training


@dataclass(frozen=True)
class Recording:
    """One file of the collection and what it serves. ``family`` decides its split; ``borrowed``: only for training."""

    path: str
    material: str
    action: str
    family: str
    licence: str
    author: str
    instrument: bool = False  # sampled for music: only for training
    borrowed: bool = False


def read_recordings(folder: Path) -> tuple[Recording, ...]:
    """The usable rows of ``folder/manifest.csv``. Raises DataError where the manifest is absent, lacks a column or gives a rate
    that is none."""
    table = folder / LISTING
    uses = {name: use for use, names in COLLECTION.items() for name in names}
    hits = {name: material for material, names in BORROWED.items() for name in names}
    found = []
    for row in read_listing(folder):
        try:
            path, rate = row["path"], row["sr"]
            family, instrument, licence, author = row["family"], row["tier"] == "B", row["license"], row["author"]
        except KeyError as error:
            raise DataError(f"{table}: a row lacks {error}; it needs path, license, author, tier, sr and family") from error
        try:
            slow = not float(rate) >= LEAST_RATE
        except ValueError:
            raise DataError(f"{table}: sr of {path} is a rate in Hz, not '{rate}'; correct the row") from None
        if slow or UNFIT.search(path):
            continue
        group = path.split("/")[0]
        family = TWINS.get(family, NOTE.sub("", family) if instrument else family)
        use = SWIMMING[1] if SWIMMING[0] in path else uses.get(group)
        if use:
            found.append(Recording(path, *use, family, licence, author, instrument))
        if group in hits and not instrument:
            found.append(Recording(path, hits[group], "hit", family, licence, author, borrowed=True))
    if not found:
        raise DataError(f"{table}: lists no sound that MiniHits uses; see foleygram.data.sounds.COLLECTION")
    return tuple(sorted(found, key=lambda recording: (recording.path, recording.action)))


def split_families(recordings: tuple[Recording, ...], takes: dict[str, int]) -> dict[str, str]:
    """Split of each family: as frozen in ``HELD_OUT``, else about 70/10/20 within each (material, action), one at least
    in each split from three families on, train and test with two, train with one. A family has one split everywhere.

    ``takes``: number of takes of each recording by path; one without takes does not count, and families of three
    takes and more go to the test first, so that a test scene can vary."""
    groups: dict[tuple[str, str], dict[str, bool]] = {}
    number: dict[str, int] = {}
    for recording in recordings:
        if not recording.borrowed and takes.get(recording.path):
            number[recording.family] = number.get(recording.family, 0) + takes[recording.path]
            groups.setdefault((recording.material, recording.action), {})[recording.family] = recording.instrument
    split = {family: HELD_OUT[family] for family in number if family in HELD_OUT}
    for use, families in sorted(groups.items()):
        names = [family for family, instrument in families.items() if not instrument]
        split.update({family: "train" for family, instrument in families.items() if instrument and family not in split})
        # another prefix than 0 would be another split
        names.sort(key=lambda name: (number[name] < 3, hashlib.sha256(f"0:{use}:{name}".encode()).digest()))
        count = len(names)
        wanted = {"test": max(1, round(0.2 * count)) if count >= 2 else 0}
        wanted["validation"] = max(1, round(0.1 * count)) if count >= 3 else 0
        if any(name in HELD_OUT for name in names):
            wanted = {}  # what trained before the collection grew goes on training
        taken = {part: sum(split.get(name) == part for name in names) for part in wanted}
        for name in names:
            if name not in split:
                split[name] = next((part for part in wanted if taken[part] < wanted[part]), "train")
                taken[split[name]] = taken.get(split[name], 0) + 1
    # what is only borrowed trains
    return {recording.family: "train" for recording in recordings} | split


class SoundBank:
    """All takes by split, material and action. Without a folder it holds only self-made (modal) sounds.

    Recordings are decoded and cut once, at the first use; a name such as ``wood_hit/a.ogg#0`` is the first take of a
    file, ``dirt_dig/b.ogg#hit0`` the first of one that passes as a hit."""

    def __init__(self, folder: Path | None = None):
        self.folder = folder
        self.recordings = read_recordings(folder) if folder else ()
        self._made: dict[tuple[str, str], Take] = {}

    @cached_property
    def _cuts(self) -> dict[Recording, tuple[Take, ...]]:
        found = {}
        path, samples = "", None
        for recording in self.recordings:
            if recording.path != path:
                path, samples = recording.path, self._read(recording.path)
            mark = f"{recording.path}#{'hit' if recording.borrowed else ''}"
            pieces = cut(samples, recording.action, swelling=recording.material == "water")
            found[recording] = tuple(Take(f"{mark}{number}", recording.family, *piece) for number, piece in enumerate(pieces))
        return found

    def _read(self, path: str) -> np.ndarray:
        """A recording, float32 [1 or 2, sample] at 44.1 kHz."""
        try:
            return read_audio(self.folder / path, SAMPLE_RATE).samples[:2]
        except MediaError as error:
            raise DataError(f"{error}; restore the recording or take its row out of manifest.csv") from error

    @cached_property
    def takes(self) -> dict[str, Take]:
        """Every take of the recordings by name."""
        return {take.name: take for takes in self._cuts.values() for take in takes}

    @cached_property
    def split(self) -> dict[str, str]:
        """Split of each family of recordings."""
        count = {recording.path: len(takes) for recording, takes in self._cuts.items() if not recording.borrowed}
        return split_families(self.recordings, count)

    @cached_property
    def shelves(self) -> dict[tuple[str, str, str], dict[str, tuple[str, ...]]]:
        """Names of takes by (split, material, action) and family. Borrowed families carry the prefix ``borrowed:``,
        self-made ones ``modal:``; both only train, unless there are no recordings at all."""
        shelves: dict[tuple[str, str, str], dict[str, tuple[str, ...]]] = {}
        for recording, takes in self._cuts.items():
            part = self.split[recording.family]
            if not takes or (recording.borrowed and part != "train"):
                continue
            shelf = shelves.setdefault((part, recording.material, recording.action), {})
            family = f"borrowed:{recording.family}" if recording.borrowed else recording.family
            shelf[family] = (*shelf.get(family, ()), *(take.name for take in takes))
        if self.folder is None:
            return {(part, *use): modal.families(*use, part) for use in modal.USES for part in SPLITS}
        for (part, material, action), shelf in shelves.items():
            if part == "train" and len(shelf) < ENOUGH:
                shelf.update(modal.families(material, action, part))
        return shelves

    def take(self, name: str, action: str) -> Take:
        """The take of an event. Raises DataError where no recording of this bank has it."""
        if name.startswith("modal:"):
            if (name, action) not in self._made:
                if len(self._made) > 4000:
                    self._made.clear()
                self._made[name, action] = Take(name, modal.family_of(name), *modal.synthesise(name, action))
            return self._made[name, action]
        if name not in self.takes:
            raise DataError(f"sound {name} is not in the sound folder {self.folder}; give --sounds the folder of the scenes")
        return self.takes[name]
