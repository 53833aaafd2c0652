"""Files are written whole or not at all, in every layer alike."""

import errno
import os

import pytest

from foleygram.errors import OutputError
from foleygram.hub.folder import write_tensors
from foleygram.output import alone_in, check_output, make_folder, whole_bytes, whole_file


def test_whole_file_follows_links_and_respects_late_comers(tmp_path):
    (tmp_path / "real.txt").write_text("older")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    with whole_file(tmp_path / "link.txt", force=True) as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text() == "new"
    with pytest.raises(OutputError, match="exists already"), whole_file(tmp_path / "b.txt") as temporary:
        temporary.write_text("mine")
        (tmp_path / "b.txt").write_text("theirs")  # written by somebody else meanwhile
    assert (tmp_path / "b.txt").read_text() == "theirs"
    with whole_file(tmp_path / ("x" * 250 + ".txt")) as temporary:  # as long as a name may be
        temporary.write_text("new")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_weights_may_be_read_by_whoever_may_read_what_the_user_writes(tmp_path):
    """Whatever rights a writer's own temporary file had, as that of safetensors."""
    import torch

    for mask, mode in ((0o022, 0o644), (0o077, 0o600)):
        before = os.umask(mask)
        try:
            write_tensors(tmp_path / "part.safetensors", {"weight": torch.zeros(2)})
            with whole_file(tmp_path / "own.txt", force=True) as temporary:
                temporary.chmod(0o600)
        finally:
            os.umask(before)
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {mode}


def test_a_full_disk_keeps_the_earlier_file_and_leaves_no_other(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("older")

    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for write in (
        lambda: whole_bytes(tmp_path / "a.csv", b"newer", force=True),
        lambda: write_tensors(tmp_path / "weights.safetensors", {}),
    ):
        with pytest.raises(OutputError, match="disk is full") as caught:
            write()
        assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"] and (tmp_path / "a.csv").read_text() == "older"


def test_a_folder_is_made_with_those_above_it_and_not_in_the_place_of_a_file(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "sound.wav").write_text("mine")
    for place in (tmp_path / "sound.wav", tmp_path / "sound.wav" / "scores"):
        with pytest.raises(OutputError, match="cannot be made a folder"):
            make_folder(place)
    assert (tmp_path / "sound.wav").read_text() == "mine"


def test_one_run_is_alone_in_its_folder(tmp_path, monkeypatch):
    with alone_in(tmp_path / "gram"):
        with pytest.raises(OutputError, match="another run is at work there; wait"):
            with alone_in(tmp_path / "gram"):
                pass
        with alone_in(tmp_path / "control"):
            pass
        monkeypatch.setenv("RANK", "1")  # the second process of one run
        with alone_in(tmp_path / "gram"):
            pass
        monkeypatch.setenv("RANK", "0")
    assert not list(tmp_path.iterdir())  # nothing was done there
    with alone_in(tmp_path / "gram"):  # the place is free again
        (tmp_path / "gram" / "log.jsonl").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["gram", "log.jsonl"]


def test_folders_that_were_made_for_a_run_and_stay_empty_go_again(tmp_path):
    with alone_in(tmp_path / "runs" / "mini" / "gram"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_folder_in_which_no_run_can_be_held_is_told(tmp_path):
    (tmp_path / "lock").mkdir()
    with pytest.raises(OutputError, match="cannot be written"), alone_in(tmp_path):
        pass
    assert (tmp_path / "lock").is_dir()


def test_a_pipe_or_device_is_not_replaced(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no named pipes on this system")
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(OutputError, match="not a regular file"):
        check_output(tmp_path / "pipe.wav", force=True)
