"""Pages and pictures of guides; what else the verb that makes them does is in test_shaping.py."""

import dataclasses
import json
import shlex
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from foleygram.errors import OutputError
from foleygram.media.audio import write_audio
from foleygram.media.video import MediaInfo, probe, read_frames, write_video
from foleygram.timing.exchange import write_track
from foleygram.timing.track import OnsetTrack
from foleygram.types import Envelope
from foleygram.verbs import drawing
from foleygram.verbs.drawing import address_of, command, write_page
from foleygram.verbs.guide import Guide
from tests.verbs.conftest import TRACK


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


def sheet(path: Path) -> dict:
    return json.loads(path.read_text().split('id="sheet">')[1].split("</script>")[0])


def test_a_page_of_a_long_film_has_no_more_stills_than_can_be_mailed(tmp_path, moving_bar, monkeypatch):
    shot, track, curve = film(tmp_path / "film.mp4", moving_bar), OnsetTrack(()), Envelope(np.zeros(137))
    asked = []

    def frames(path, count, short_side):
        asked.append(count)
        return read_frames(path, count=count, short_side=short_side)

    monkeypatch.setattr(drawing, "read_frames", frames)
    for seconds, wanted in ((0.4, drawing.FILM_FRAMES), (10, 10 * drawing.STILLS_A_SECOND), (3600, drawing.MOST_STILLS)):
        page = tmp_path / f"{seconds}.html"
        write_page(page, Path("a/guide.csv"), dataclasses.replace(shot, seconds=seconds), curve, track, False)
        assert asked.pop() == wanted
        found = sheet(page)
        assert len(found["stills"]) == 4  # each frame of the film once
        assert (found["title"], found["name"]) == ("guide.csv", f"{page.stem}.json")
        assert shlex.split(found["command"])[-1] == str(page.with_suffix(".json"))
    with pytest.raises(OutputError, match="exists already"):
        write_page(page, Path("guide.csv"), shot, curve, track, False)


@pytest.mark.parametrize(("kind", "shown"), [("sound", True), ("voice", True), ("table", False), ("own", False)])
def test_a_picture_shows_the_sound_that_was_measured(tmp_path, monkeypatch, clicks, kind, shown):
    sound, drawn = tmp_path / "guide.wav", []
    write_audio(sound, clicks(0.4, [0.1]))
    monkeypatch.setattr("foleygram.signal.plot.draw_envelope", lambda *_, **given: drawn.append(given))
    curve = Envelope(np.zeros(137))
    drawing.draw(tmp_path / "a.png", sound, None, Guide(curve, kind, sound), curve, (0.1,), True)
    (given,) = drawn
    assert (given["audio"] is not None) == shown and given["frames"] is None
    assert given["onsets"] == (0.1,) and given["force"]


def test_events_become_a_page_to_edit_them(foleygram, desk):
    code, report, err = foleygram("clip.mp4", "-o", "guide.html", "--scale-db", 6)
    assert code == 0, err
    found = sheet(Path("guide.html"))
    assert [event["seconds"] for event in found["events"]] == pytest.approx([seconds for seconds, _ in report["onsets"]])
    assert found["film"] == "clip.mp4" and len(found["times"]) == 12 == len(found["stills"])
    assert found["name"] == "guide.json" and found["command"].endswith("-o clip_foley.mp4 --envelope guide.json")
    assert not report["notes"]
    code, _, err = foleygram("clip.mp4", "-o", "guide.html")
    assert code == 1 and "--force" in err
    Path("pages").mkdir()
    write_track(Path("short.json"), OnsetTrack(TRACK.events[:2]))
    assert foleygram("short.json", "--film", "silent.mp4", "-o", "pages/other.html")[0] == 0
    found = sheet(Path("pages/other.html"))
    assert found["film"] == "../silent.mp4" and found["events"][1]["kind"] == "scratch"


def test_a_page_without_a_film_has_the_curve_alone(foleygram, desk):
    assert foleygram("guide.wav", "-o", "guide.html")[0] == 0
    found = sheet(Path("guide.html"))
    assert not found["film"] and not found["stills"] and not found["times"]
    assert max(found["curve"]["levels"]) > -20 and len(found["events"]) == 2


def test_a_page_is_no_guide_itself(foleygram, desk):
    """It would be taken for what was edited in it, which is saved elsewhere."""
    assert foleygram("clip.mp4", "-o", "guide.html")[0] == 0
    code, _, err = foleygram("guide.html")
    assert code == 1 and "open it in a browser" in err and err.count("\n") == 1
