"""clips.jsonl: what is written is read again, what is wrong is named."""

import json

import pytest

from foleygram.data.manifest import ClipRecord, read_manifest, write_manifest
from foleygram.errors import DataError, OutputError, UsageError

GOOD = {
    "id": "a",
    "split": "train",
    "video": None,
    "audio": "audio/a.flac",
    "text": "A person hit once on wood with a wooden stick.",
    "material": "wood",
    "action": "hit",
    "seconds": 10.0,
    "onsets": [[0.5, 0.8], [1.25, 0.3]],
}


def record(folder, **changes):
    fields = dict(GOOD, audio=folder / "audio" / "a.flac", onsets=((0.5, 0.8), (1.25, 0.3))) | changes
    return ClipRecord(**fields)


def write(folder, *rows):
    path = folder / "clips.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_written_records_are_read_again(tmp_path):
    records = (
        record(
            tmp_path, video=tmp_path / "video" / "a.mp4", tool="stick", family=("x", "y"), captions=("Ein Schlag aus München.",)
        ),
        record(tmp_path, id="b", split="test"),
    )
    path = write_manifest(tmp_path / "clips.jsonl", records)
    assert read_manifest(path) == records
    assert read_manifest(path, "test") == records[1:]
    row = json.loads(path.read_text().splitlines()[0])
    assert row["audio"] == "audio/a.flac" and row["video"] == "video/a.mp4"
    assert [file.name for file in tmp_path.iterdir()] == ["clips.jsonl"]


def test_manifest_may_be_moved_with_its_clips(tmp_path):
    (tmp_path / "here").mkdir()
    write_manifest(tmp_path / "here" / "clips.jsonl", [record(tmp_path / "here")])
    (tmp_path / "here").rename(tmp_path / "there")
    assert read_manifest(tmp_path / "there" / "clips.jsonl")[0].audio == tmp_path / "there" / "audio" / "a.flac"


def test_relative_path_of_the_manifest(tmp_path, monkeypatch):
    write_manifest(tmp_path / "clips.jsonl", [record(tmp_path)])
    monkeypatch.chdir(tmp_path)
    assert read_manifest("clips.jsonl")[0].audio == tmp_path / "audio" / "a.flac"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"split": "dev"}, "split is one of"),
        ({"seconds": 0}, "longer than 0"),
        ({"seconds": "long"}, "could not convert"),
        ({"onsets": [[2.0, 1.0], [1.0, 1.0]]}, "onsets rise"),
        ({"onsets": [[11.0, 1.0]]}, "onsets rise within"),
        ({"onsets": [[1.0, 1.5]]}, "strengths"),
        ({"onsets": [1.0]}, "clips.jsonl:2: onsets is a list"),
        ({"onsets": None}, "onsets is a list"),
        ({"seconds": 10**400}, "clips.jsonl:2"),
        ({"video": 5}, "video is the name of a file"),
        ({"audio": "a\0b"}, "zero byte"),
        ({"audio": None}, "audio is text"),
        ({"captions": "a hit"}, "captions is a list of texts, not 'a hit'"),
        ({"captions": ["a hit", 3]}, "captions is a list of texts"),
        ({"family": "wood"}, "family is a list of texts"),
        ({"family": None}, "family is a list of texts"),
        ({"audioo": "x"}, "unknown field 'audioo'"),
        ({"id": "first"}, "stands there twice"),
    ],
)
def test_wrong_lines_are_named(tmp_path, change, complaint):
    path = write(tmp_path, GOOD | {"id": "first"}, GOOD | change)
    with pytest.raises(DataError, match=complaint) as caught:
        read_manifest(path)
    assert "clips.jsonl:2" in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_is_told_from_its_manifest(tmp_path):
    with pytest.raises(DataError, match=r"is a folder; name the manifest in it, as .*clips\.jsonl"):
        read_manifest(tmp_path)


def test_missing_field_and_other_files(tmp_path):
    with pytest.raises(DataError, match="no field 'text'"):
        read_manifest(write(tmp_path, {name: value for name, value in GOOD.items() if name != "text"}))
    with pytest.raises(DataError, match="not a JSON object"):
        read_manifest(write(tmp_path, [1]))
    (tmp_path / "clips.jsonl").write_text("{")
    with pytest.raises(DataError, match="clips.jsonl:1"):
        read_manifest(tmp_path / "clips.jsonl")
    with pytest.raises(DataError, match="prepare minihits"):
        read_manifest(tmp_path / "none.jsonl")


def test_splits(tmp_path):
    path = write(tmp_path, GOOD)
    with pytest.raises(UsageError, match="no split 'dev'"):
        read_manifest(path, "dev")
    with pytest.raises(DataError, match="no clip of the test split"):
        read_manifest(path, "test")


def test_unwritable_place(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_manifest(tmp_path / "file" / "clips.jsonl", [record(tmp_path)])


def test_a_caption_may_hold_any_end_of_a_line(tmp_path):
    text = "one\u2028two\x85three\u2029four"
    write_manifest(tmp_path / "clips.jsonl", [record(tmp_path, captions=(text,))])
    assert read_manifest(tmp_path / "clips.jsonl")[0].captions == (text,)
