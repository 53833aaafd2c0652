"""Pages and pictures of guides; the verb that makes them is in test_shaping.py."""

import dataclasses
import shlex
from pathlib import Path
from urllib.parse import unquote

from foleygram.media.video import MediaInfo, probe, write_video
from foleygram.verbs.drawing import address_of, command


def film(path: Path, moving_bar) -> MediaInfo:
    path.parent.mkdir(exist_ok=True)
    write_video(path, moving_bar(4), 10)
    return probe(path)


def test_a_page_finds_its_film_from_where_it_lies(tmp_path):
    shot = tmp_path / "shots" / "a #1 50%?.mp4"
    address = address_of(shot, tmp_path / "guides")
    assert unquote(address) == "../shots/a #1 50%?.mp4" and not set("#?% ") & set(address.replace("%25", "").replace("%", ""))
    assert address_of(tmp_path / "film.mp4", tmp_path) == "film.mp4"


def test_the_command_can_be_pasted(tmp_path, moving_bar):
    shot = film(tmp_path / "my film.mp4", moving_bar)
    words = shlex.split(command(shot, Path("guide 2.json")))
    assert words[:2] == ["foleygram", "generate"] and words[2] == str(shot.path) and words[-1] == "guide 2.json"
    assert words[4] == str(tmp_path / "my film_foley.mp4")
    old = dataclasses.replace(shot, path=tmp_path / "old.avi")  # into which nothing is written
    assert shlex.split(command(old, Path("guide.json")))[4] == str(tmp_path / "old_foley.mkv")
    assert shlex.split(command(None, Path("guide.json")))[2] == "FILM.mp4"
