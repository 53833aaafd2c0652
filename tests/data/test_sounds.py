"""The bank: families stay in one split, thin shelves are filled in training only, bad folders are refused."""

import csv

import numpy as np
import pytest
import soundfile

from foleygram.data import held_out, modal
from foleygram.data.manifest import SPLITS
from foleygram.data.sounds import Recording, SoundBank, read_recordings, split_families
from foleygram.errors import DataError
from foleygram.types import SAMPLE_RATE

FIELDS = ("path", "license", "author", "tier", "sr", "family")


def write_collection(folder, families=5, takes=1, groups=("wood_hit", "wood_scratch", "dirt_footstep")):
    """A sound folder of noise bursts with a manifest."""
    rows = []
    for group in groups:
        for family in range(families):
            for take in range(takes):
                path = f"{group}/f{family}-{take}.wav"
                seed = 100 * len(group) + 10 * family + take
                time = np.arange(int(0.2 * SAMPLE_RATE)) / SAMPLE_RATE
                shape = np.exp(-time / 0.05) if "scratch" not in group else np.minimum(1, (0.2 - time) / 0.05)
                burst = 0.3 * np.random.default_rng(seed).standard_normal(len(time)) * shape
                (folder / group).mkdir(parents=True, exist_ok=True)
                soundfile.write(folder / path, np.concatenate([np.zeros(3000), burst, np.zeros(3000)]), SAMPLE_RATE)
                rows.append((path, "CC0", "somebody", "A", SAMPLE_RATE, f"{group}-{family}"))
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([FIELDS, *rows])
    return folder


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    return write_collection(tmp_path_factory.mktemp("sounds"))


def test_every_split_has_its_own_families(collection):
    bank = SoundBank(collection)
    for use in (("wood", "hit"), ("wood", "scratch"), ("dirt", "step")):
        shelves = [set(bank.shelves[split, *use]) for split in SPLITS]
        real = [{family for family in shelf if not family.startswith(("modal:", "borrowed:"))} for shelf in shelves]
        assert [len(part) for part in real] == [3, 1, 1]
        assert not real[0] & real[1] and not real[0] & real[2] and not real[1] & real[2]


def test_borrowed_and_self_made_sounds_only_train(collection):
    bank = SoundBank(collection)
    assert any(family.startswith("modal:") for family in bank.shelves["train", "wood", "hit"])
    assert any(family.startswith("borrowed:") for family in bank.shelves["train", "dirt", "hit"])
    for (split, _, _), shelf in bank.shelves.items():
        if split != "train":
            assert not any(family.startswith(("modal:", "borrowed:")) for family in shelf)
    # what is borrowed for training is not heard in a test under its own name
    held = {
        name.split("#")[0]
        for (split, *_), shelf in bank.shelves.items()
        if split != "train"
        for names in shelf.values()
        for name in names
    }
    trained = {
        name.split("#")[0]
        for (split, *_), shelf in bank.shelves.items()
        if split == "train"
        for names in shelf.values()
        for name in names
    }
    assert not held & trained


def test_split_is_deterministic():
    recordings = tuple(Recording(f"wood_hit/{n}.wav", "wood", "hit", f"family{n}", "CC0", "x") for n in range(30))
    takes = {recording.path: 3 for recording in recordings}
    first = split_families(recordings, takes)
    assert first == split_families(recordings[::-1], takes)
    counts = [list(first.values()).count(split) for split in SPLITS]
    assert counts == [21, 3, 6]


@pytest.mark.parametrize(
    ("families", "expected"), [(1, {"train"}), (2, {"train", "test"}), (3, {"train", "validation", "test"})]
)
def test_thin_groups(families, expected):
    recordings = tuple(Recording(f"{n}.wav", "wood", "hit", f"family{n}", "CC0", "x") for n in range(families))
    assert set(split_families(recordings, {recording.path: 1 for recording in recordings}).values()) == expected


def test_frozen_families_stay_held_out():
    name = next(name for name, split in held_out.HELD_OUT.items() if split == "test")
    others = [Recording(f"{n}.wav", "wood", "hit", f"new{n}", "CC0", "x") for n in range(9)]
    recordings = (Recording("old.wav", "wood", "hit", name, "CC0", "x"), *others)
    split = split_families(recordings, {recording.path: 1 for recording in recordings})
    assert split.pop(name) == "test" and set(split.values()) == {"train"}
    assert (
        not set(held_out.TEST) - {"deb:openclonk-data"} - {key for key in held_out.TEST if key.startswith(("github:", "deb:"))}
    )


def test_take_by_name(collection):
    bank = SoundBank(collection)
    name = next(iter(bank.takes))
    assert bank.take(name, "hit") is bank.takes[name]
    assert bank.take("modal:glass:205", "hit").family == "modal:glass:2"
    with pytest.raises(DataError, match="not in the sound folder"):
        bank.take("wood_hit/none.wav#0", "hit")


def test_bank_without_a_folder_serves_every_split():
    bank = SoundBank()
    for split in SPLITS:
        assert {(material, action) for part, material, action in bank.shelves if part == split} == set(modal.USES)


def test_unusable_folders_are_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_recordings(tmp_path)
    columns = "path,license,author,tier,sr,family\n"
    for content, reason in (
        ("path,license\nwood_hit/a.wav,CC0\n", "lacks"),
        (f"{columns}thunder/a.wav,CC0,x,A,44100,f\n", "no sound that MiniHits uses"),
        (f"{columns}wood_hit/a.wav,CC0,x,A,44.1 kHz,f\n", "sr of wood_hit/a.wav is a rate in Hz, not '44.1 kHz'"),
        (f"{columns}wood_hit/a.wav,CC0,x,A\n", "a row lacks 'sr'"),
    ):
        (tmp_path / "manifest.csv").write_text(content)
        with pytest.raises(DataError, match=reason):
            read_recordings(tmp_path)
    (tmp_path / "manifest.csv").write_text(f"{columns}wood_hit/a.wav,CC0,x,A,44100,f\n")
    with pytest.raises(DataError, match="restore the recording"):
        _ = SoundBank(tmp_path).takes
