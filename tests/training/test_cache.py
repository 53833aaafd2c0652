"""Arrays on disk: made once, found by what they were made from, whole or not at all."""

import os

import numpy as np
import pytest
import torch

from foleygram.data.manifest import ClipRecord
from foleygram.data.scenes import draw_scene
from foleygram.data.sounds import SoundBank
from foleygram.errors import OutputError
from foleygram.training.cache import cached_array, file_mark, key_of, picture_mark


def rows(index: int) -> np.ndarray:
    return np.full(3, index, np.int16)


def test_a_row_is_made_once(tmp_path):
    asked = []

    def row(index: int) -> np.ndarray:
        asked.append(index)
        return rows(index)

    for _ in range(2):
        array = cached_array(tmp_path / "cache", "numbers", "0123456789ab", 4, row)
        assert array.tolist() == [[0] * 3, [1] * 3, [2] * 3, [3] * 3] and array.dtype == np.int16
        assert isinstance(array, np.memmap) and not array.flags.writeable
    assert asked == [0, 1, 2, 3]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["numbers-0123456789ab.npy"]
    assert cached_array(tmp_path / "cache", "numbers", "ba9876543210", 1, row).shape == (1, 3)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError(28, "No space left on device")])
def test_half_an_array_is_none(tmp_path, error):
    def row(index: int) -> np.ndarray:
        if index == 2:
            raise error
        return rows(index)

    with pytest.raises(OutputError if isinstance(error, OSError) else error):
        cached_array(tmp_path, "numbers", "0123456789ab", 4, row)
    assert not list(tmp_path.iterdir())
    assert len(cached_array(tmp_path, "numbers", "0123456789ab", 4, rows)) == 4


def test_places_and_numbers_of_rows_that_will_not_do(tmp_path):
    with pytest.raises(OutputError, match="nothing to cache"):
        cached_array(tmp_path, "numbers", "0123456789ab", 0, rows)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made a folder"):
        cached_array(tmp_path / "file", "numbers", "0123456789ab", 1, rows)


def test_keys_tell_contents_apart():
    parts = [
        (np.zeros(6),), (np.zeros((2, 3)),), (np.zeros(6, np.float32),), (np.ones(6),), (torch.ones(6),),
        (b"ab", b"c"), (b"a", b"bc"), (b"abc",), ("ab", "c"), ("abc",), ([1, 2],), ((1, 2),), (1, 2), (),
    ]  # fmt: skip
    keys = [key_of(*part) for part in parts]
    assert len(set(keys)) == len(keys) and all(len(key) == 12 and int(key, 16) >= 0 for key in keys)
    assert keys == [key_of(*part) for part in parts]
    # a tensor is its content, whatever holds it
    assert key_of(torch.zeros(6)) == key_of(np.zeros(6, np.float32)) == key_of(torch.zeros(6, dtype=torch.float16))


def test_a_cached_array_is_known_by_its_name_and_a_part_of_it_by_its_content(tmp_path):
    first, second = (cached_array(tmp_path, "numbers", key, 4, rows) for key in ("0" * 12, "1" * 12))
    assert key_of(first) != key_of(second)
    assert key_of(first) == key_of(cached_array(tmp_path, "numbers", "0" * 12, 4, rows))
    assert key_of(first[:2]) == key_of(second[:2]) == key_of(np.array(first[:2])) != key_of(first)
    assert key_of(first[::-1]) != key_of(first) != key_of(np.array(first))
    np.save(tmp_path / "own.npy", np.zeros(3))
    assert key_of(np.load(tmp_path / "own.npy", mmap_mode="r")) == key_of(np.zeros(3))


def test_a_file_is_known_by_place_size_and_time(tmp_path):
    path, other = tmp_path / "a.wav", tmp_path / "b.wav"
    assert file_mark(path) is None and file_mark(path / "a" / "b") is None
    for file in (path, other):
        file.write_bytes(b"1234")
        os.utime(file, ns=(5, 5))
    before = file_mark(path)
    assert before == file_mark(path) != file_mark(other)
    path.write_bytes(b"4321")  # the same size
    assert file_mark(path) != before


def test_a_picture_is_its_video_or_its_scene(tmp_path):
    scene, other = (draw_scene("train", index, SoundBank(), {}, 1.0) for index in range(2))
    video = tmp_path / "a.mp4"
    record = ClipRecord("a", "train", video, tmp_path / "a.wav", "", "wood", "hit", 1.0, ())
    assert picture_mark(record, scene) == scene != picture_mark(record, other)  # there is no video yet
    assert picture_mark(record, None) is None
    video.write_bytes(b"film")
    assert picture_mark(record, scene) == picture_mark(record, None) == file_mark(video)
