"""The verb ``envelope`` by the real command line, and files for it."""

import json
from pathlib import Path

import pytest

from foleygram.cli import main
from foleygram.media.audio import write_audio
from foleygram.media.video import write_video
from foleygram.timing.exchange import write_track
from foleygram.timing.track import OnsetEvent, OnsetTrack

TRACK = OnsetTrack((OnsetEvent(0.25, 0.3), OnsetEvent(0.81, 0.1, "scratch", 0.4), OnsetEvent(1.5, 0.02)))


@pytest.fixture
def foleygram(capsys):
    """Runs ``foleygram envelope`` in this process: (exit code, report or None, err)."""

    def run(*arguments):
        code = main(["envelope", *[str(argument) for argument in arguments], "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    return run


@pytest.fixture
def desk(tmp_path, monkeypatch, clicks, moving_bar):
    """clip.mp4 (1.2 s at 10 fps, clicks at 0.27 and 0.77 s), silent.mp4, guide.wav, track.json."""
    monkeypatch.chdir(tmp_path)
    write_video(Path("clip.mp4"), moving_bar(12), 10, clicks(1.2, [0.27, 0.77]))
    write_video(Path("silent.mp4"), moving_bar(12), 10)
    write_audio(Path("guide.wav"), clicks(1.0, [0.2, 0.6]))
    write_track(Path("track.json"), TRACK)
    return tmp_path
