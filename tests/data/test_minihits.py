"""Preparing MiniHits from nothing: complete, resumable, the same bytes each time, refusals."""

import hashlib
import json

import pytest

from foleygram.data.credits import picture_lines
from foleygram.data.features import read_scenes
from foleygram.data.manifest import read_manifest
from foleygram.data.minihits import _shown, prepare_minihits, texture_shelves
from foleygram.errors import DataError, OutputError, UsageError
from foleygram.media.audio import read_audio
from foleygram.output import alone_in
from tests.data.test_sounds import write_collection

SMALL = {"train": 3, "validation": 1, "test": 2, "seconds": 1.5, "pictures": False}


def bytes_of(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("minihits")
    return prepare_minihits(folder, **SMALL)


def test_all_is_there(prepared):
    records = read_manifest(prepared)
    assert [record.split for record in records] == ["train"] * 3 + ["validation"] + ["test"] * 2
    scenes = read_scenes(prepared.parent / "scenes.jsonl")
    for record in records:
        sound = read_audio(record.audio)
        assert (sound.rate, sound.channels, sound.samples.shape[1]) == (44100, 2, 66150)
        assert record.video is None and record.seconds == 1.5
        assert record.onsets == tuple((event.seconds, event.strength) for event in scenes[record.id].events)
        scene = scenes[record.id]
        assert record.text == scene.caption
        told = (record.material, record.action, record.tool, record.texture)
        assert told == (scene.material, scene.action, scene.tool, scene.texture)
        assert (len(record.captions) > 0) == (record.split != "test")
    assert len({record.family for record in records}) > 1


def test_same_seed_same_bytes_and_an_interrupted_run_goes_on(prepared, tmp_path):
    before = bytes_of(prepared.parent)
    prepare_minihits(tmp_path, **SMALL | {"train": 1})
    kept = tmp_path / "audio" / "train_00000.flac"
    stamp = kept.stat().st_mtime_ns
    (tmp_path / "audio" / "test_00001.flac").unlink()
    prepare_minihits(tmp_path, **SMALL)
    assert bytes_of(tmp_path) == before
    assert kept.stat().st_mtime_ns == stamp


def test_a_smaller_run_does_not_shrink_the_manifest(prepared):
    before = bytes_of(prepared.parent)
    with pytest.raises(OutputError, match="names 2 clips that this run would leave out"):
        prepare_minihits(prepared.parent, **SMALL | {"train": 1})
    assert bytes_of(prepared.parent) == before


def test_recipes_do_not_mix(prepared):
    with pytest.raises(OutputError, match="another seed"):
        prepare_minihits(prepared.parent, **SMALL, seed=1)


def test_pictures_are_made(tmp_path):
    pytest.importorskip("cv2")
    from foleygram.media.video import probe

    manifest = prepare_minihits(tmp_path, train=1, validation=0, test=0, seconds=1.0)
    [record] = read_manifest(manifest)
    assert record.video.name == "train_00000.mp4"
    assert probe(record.video).seconds == pytest.approx(1.0, abs=0.07)
    before = bytes_of(tmp_path)
    record.video.unlink()  # an interrupted run had come to the sound of the clip
    prepare_minihits(tmp_path, train=1, validation=0, test=0, seconds=1.0)
    assert bytes_of(tmp_path) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"train": -1},
        {"train": 0, "validation": 0, "test": 0},
        {"seconds": 0},
        {"seconds": float("nan")},
        {"seconds": 600.5},
        {"workers": 0},
        {"seed": -1},
    ],
)
def test_impossible_numbers_are_refused(tmp_path, wrong):
    with pytest.raises(UsageError):
        prepare_minihits(tmp_path / "out", **SMALL | wrong)
    assert not (tmp_path / "out").exists()


def test_folders_without_manifest_are_refused(tmp_path):
    with pytest.raises(DataError, match="manifest.csv"):
        prepare_minihits(tmp_path / "out", tmp_path, **SMALL)
    with pytest.raises(DataError, match="manifest.csv"):
        texture_shelves(tmp_path)


@pytest.mark.parametrize("content", [b"\xff\xfe\0", b"path,sr\nx,1\n", b""])
def test_manifests_that_are_none_are_refused(tmp_path, content):
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(DataError):
        prepare_minihits(tmp_path / "out", tmp_path, **SMALL)
    if content:
        with pytest.raises(DataError):
            prepare_minihits(tmp_path / "out", None, tmp_path, **SMALL)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("note", ["[1]", "{", '"x"'])
def test_a_folder_of_something_else_is_refused(tmp_path, note):
    (tmp_path / "prepared.json").write_text(note)
    with pytest.raises(OutputError, match="choose another folder"):
        prepare_minihits(tmp_path, **SMALL)
    for name, other in (("prepared.json", "scenes.jsonl"), ("scenes.jsonl", "clips.jsonl")):
        (tmp_path / name).rename(tmp_path / other)  # of somebody else
        with pytest.raises(OutputError, match="choose another folder"):
            prepare_minihits(tmp_path, **SMALL)
    with pytest.raises(OutputError, match="cannot be used .Not a directory"):
        prepare_minihits(tmp_path / "clips.jsonl", **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["clips.jsonl"] and (tmp_path / "clips.jsonl").read_text() == note


def test_photographs_stand_for_materials(tmp_path):
    rows = [f"brick/{number}.jpg,brick,g{number}" for number in range(5)] + ["wood/a.jpg,wood,w"]
    (tmp_path / "manifest.csv").write_text("path,material,asset_group\n" + "\n".join(rows) + "\n")
    shelves = texture_shelves(tmp_path)
    assert sum(len(shelf.get("rock", ())) for shelf in shelves.values()) == 5
    assert shelves["train"]["wood"] == ("wood/a.jpg",)


def test_photographs_are_noted_and_owed_to_somebody_where_pictures_are_made(tmp_path):
    (tmp_path / "photos").mkdir()
    listing = tmp_path / "photos" / "manifest.csv"
    listing.write_text("path,material,asset_group,licence,author\nmoon.jpg,cheese,m,CC0-1.0,Dee\n")
    for pictures in (True, False):
        out = tmp_path / f"clips {pictures}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("foleygram.data.minihits.make_clip", lambda *_: None)
            prepare_minihits(out, None, listing.parent, train=1, validation=0, test=0, pictures=pictures)
        note = json.loads((out / "prepared.json").read_text())
        assert note["sounds"] == "self-made" and len(note["textures"]) == 16
        assert (out / "NOTICE").exists() == pictures
    assert "Dee" in (tmp_path / "clips True" / "NOTICE").read_text()


def test_a_bar_is_shown_on_a_terminal_or_on_demand(capsys):
    for progress, told in ((None, False), (False, False), (True, True)):
        assert list(_shown([None, None], 2, progress)) == [None, None]
        assert ("MiniHits" in capsys.readouterr().err) == told


def test_prepared_note_is_json(prepared):
    assert json.loads((prepared.parent / "prepared.json").read_text())["sounds"] == "self-made"


def test_whom_recordings_are_owed_to_lies_beside_the_clips(prepared, tmp_path):
    assert not (prepared.parent / "NOTICE").exists()  # self-made sounds are owed to nobody
    sounds = write_collection(tmp_path / "sounds")
    prepare_minihits(tmp_path / "clips", sounds=sounds, train=1, validation=0, test=0, seconds=1.5, pictures=False)
    assert "somebody" in (tmp_path / "clips" / "NOTICE").read_text()


def test_pictures_of_unknown_authors_are_named_as_such(tmp_path):
    (tmp_path / "manifest.csv").write_text("path,material,licence,author\na.jpg,wood,CC0-1.0,Dee\nb.jpg,wood,CC0-1.0,\n")
    assert picture_lines(tmp_path) == ("CC0-1.0: Dee; author unknown",)


def test_two_runs_do_not_share_a_folder(tmp_path):
    with alone_in(tmp_path / "data"), pytest.raises(OutputError, match="another run is at work there"):
        prepare_minihits(tmp_path / "data", **SMALL)
    assert not (tmp_path / "data").exists()
