import io
import json
import tarfile

import numpy as np
import pytest

from foleygram.cli import main
from foleygram.data.manifest import ClipRecord, write_manifest
from foleygram.data.shards import open_shards, write_shards
from foleygram.errors import DataError


def add(tar, name, content):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


@pytest.fixture(scope="module")
def records(tiny_video, tiny_sound):
    return [
        ClipRecord(
            f"clip{number}", "train", tiny_video, tiny_sound, f"text {number}", "wood", "hit", 1.0, (), captions=("more",)
        )
        for number in range(5)
    ]


@pytest.fixture(scope="module")
def shards(records, tmp_path_factory):
    return write_shards(records, tmp_path_factory.mktemp("shards"), clips=2)


def test_written_shards_are_read_clip_by_clip(shards):
    assert [path.name for path in shards] == ["000000.tar", "000001.tar", "000002.tar"]
    clips = open_shards(shards, seconds=1.0)
    assert len(clips) == 5 and [entry.key for entry in clips.clips][:2] == ["clip0", "clip1"]
    clip = clips.clip(3, frames=2, short_side=16)
    assert clip.text == "text 3" and clips.clip(3, 2, 16, caption=1).text == "more"
    assert clip.video.frames.shape == (2, 3, 16, 28) and clip.audio.samples.shape == (2, 44100)
    assert clip.seconds == 1.0


def test_the_same_clips_give_the_same_bytes(records, shards, tmp_path):
    again = write_shards(records, tmp_path, clips=2)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in shards]


def test_layouts_of_published_corpora(tmp_path, tiny_video):
    path = tmp_path / "vast.tar"
    with tarfile.open(path, "w") as tar:
        add(tar, "part/a.mp4", tiny_video.read_bytes())
        add(tar, "part/a.json", json.dumps({"clip_id": "a", "vast_cap": ["one", "two"], "desc": "zero"}).encode())
        add(tar, "b.mp4", tiny_video.read_bytes())
        add(tar, "b.txt", b"only\n\n only \n")
        add(tar, "uncaptioned.mp4", tiny_video.read_bytes())
        add(tar, "imageless.txt", b"a text alone")
        add(tar, "heard.flac", b"a sound without a picture")
        add(tar, "heard.txt", b"its caption")
    clips = open_shards([path])
    assert [(entry.key, entry.captions) for entry in clips.clips] == [("part/a", ("zero", "one", "two")), ("b", ("only",))]
    assert clips.clip(1, 2, 16).audio.rate == 44100  # the sound of the video itself


def test_an_epoch_has_every_clip_once_and_a_draw_is_a_function_of_its_place(shards):
    clips = open_shards(shards)
    epoch = [clips.draw(3, step, range(1), 1)[0] for step in range(5)]
    assert sorted(number for number, _ in epoch) == list(range(5))
    assert clips.draw(3, 0, range(5), 5) == epoch
    assert [pair for rows in (range(2), range(2, 5)) for pair in clips.draw(3, 0, rows, 5)] == epoch
    later = [clips.draw(3, 1, range(5), 5), clips.draw(4, 0, range(5), 5)]
    assert all(other != epoch for other in later)


def test_substitutes_of_a_row_are_always_the_same(shards):
    clips = open_shards(shards)
    places = [tuple(clips.substitutes(0, step, row)) for step in range(2) for row in range(2)]
    assert places[0] == tuple(clips.substitutes(0, 0, 0)) and len(set(places)) == 4
    assert {number for number, _ in places[0]} <= set(range(5)) and {caption for _, caption in places[0]} == {0, 1}


def test_damaged_shards_are_one_line(shards, tmp_path):
    cut = tmp_path / "cut.tar"
    cut.write_bytes(shards[0].read_bytes()[:3000])
    with pytest.raises(DataError, match="not a whole tar|cut off") as caught:
        open_shards([cut]).clip(0)
    assert "\n" not in str(caught.value)
    (tmp_path / "none.tar").write_bytes(b"no tar at all")
    with pytest.raises(DataError, match="not a whole tar"):
        open_shards([tmp_path / "none.tar"])
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    with pytest.raises(DataError, match="no clip with a caption"):
        open_shards([tmp_path / "empty.tar"])


@pytest.mark.parametrize("value", [None, 3, {"a": "b"}, ["a", None], "null"])
def test_captions_that_are_none_are_named(tmp_path, tiny_video, value):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        add(tar, "k.mp4", tiny_video.read_bytes())
        add(tar, "k.json", json.dumps({"caption": value}).encode())
    if value == "null":
        assert open_shards([path]).clips[0].captions == ("null",)
        return
    with pytest.raises(DataError, match="a.tar: caption of k.json is a text or a list of texts, not") as caught:
        open_shards([path])
    assert "\n" not in str(caught.value)


def test_a_shard_that_changed_after_it_was_indexed(records, tmp_path):
    (path,) = write_shards(records[:1], tmp_path)
    clips = open_shards([path])
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match="cut off"):
        clips.clip(0)
    assert np.array_equal(len(clips), 1)


def test_a_data_set_is_packed_by_one_command(records, shards, tmp_path, capsys):
    write_manifest(tmp_path / "clips.jsonl", records)
    assert main(["prepare", "shards", str(tmp_path / "clips.jsonl"), "-o", str(tmp_path / "packed"), "--clips", "2"]) == 0
    assert "5 clips in 3 shards" in capsys.readouterr().out
    assert [path.read_bytes() for path in sorted((tmp_path / "packed").iterdir())] == [path.read_bytes() for path in shards]
