"""What ``generate`` hands back; by the command line: generation/test_cli_sidecar.py."""

import json
from pathlib import Path

import pytest

from foleygram.verbs.ranking import Rank
from foleygram.verbs.report import Report, Result, Stages, Stopwatch


def report(*results: Result) -> Report:
    return Report(
        results, Stages(load=1.5, write=0.25), 0, 0, 1.0, 44100, "mini", "V", "own", 0, 4, 2.0, "cpu", "fp32"
    )  # fmt: skip


def test_the_best_take_is_the_one_that_fits_best():
    takes = [
        Result(Path(f"a_take{take}.wav"), Path(f"a_take{take}.wav.json"), take, 0.5, rank=Rank(take, volume, f1))
        for take, volume, f1 in ((1, 0.5, 0.9), (2, 0.1, 0.8), (3, 0.9, 1.0))
    ]
    found = report(*takes)
    assert found.best is takes[1] and json.loads(found.as_json())["best"] == "a_take2.wav"
    alone = report(Result(Path("a.wav"), Path("a.wav.json"), 1, 0.5))
    assert alone.best is None and json.loads(alone.as_json())["best"] is None
    assert found.stages.total == 1.75


def test_a_stage_that_comes_again_or_breaks_off_adds_its_seconds(monkeypatch):
    times, told = iter([0.0, 1.0, 5.0, 7.0, 10.0, 14.0]), []
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    watch = Stopwatch(lambda *progress: told.append(progress))
    for name in ("decode", "write"):
        with watch.stage(name):
            pass
    with pytest.raises(MemoryError), watch.stage("decode"):
        raise MemoryError
    assert watch.seconds == {"decode": 5.0, "write": 2.0}
    assert told == [("decode", 0, 0), ("write", 0, 0), ("decode", 0, 0)]
