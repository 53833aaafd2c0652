"""``foleygram evaluate`` and ``foleygram benchmark`` as a user meets them."""

import json

import numpy as np
import pytest

from foleygram.cli import main
from foleygram.data.manifest import ClipRecord, write_manifest
from foleygram.evaluation import aisfx, evaluate
from foleygram.evaluation.logmel import LogMel
from foleygram.media.audio import write_audio
from foleygram.types import Audio
from tests.evaluation.conftest import burst_clips
from tests.tiny import tiny_model

CLIPS = 4


@pytest.fixture(autouse=True)
def no_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("FOLEYGRAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(evaluate, "Aisfx", LogMel)


@pytest.fixture
def foleygram(capsys):
    def run(*arguments):
        return main([str(argument) for argument in arguments]), *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A manifest, a folder of perfect results, one of late ones that lacks a clip."""
    folder = tmp_path_factory.mktemp("data")
    audios, onsets = burst_clips(CLIPS)
    records = []
    for number, (audio, times) in enumerate(zip(audios, onsets, strict=True)):
        late = Audio(np.roll(audio.samples, round(0.2 * 44100), axis=1), 44100)
        for name, sound in (("truth", audio), ("good", audio), ("late", late)):
            (folder / name).mkdir(exist_ok=True)
            if (name, number) != ("late", 3):
                write_audio(folder / name / f"c{number}.wav", sound)
        hits = tuple((time, 0.5) for time in times)
        path = folder / "truth" / f"c{number}.wav"
        records.append(ClipRecord(f"c{number}", "test", None, path, "a person hits wood .", "wood", "hit", 2.0, hits))
    return write_manifest(folder / "clips.jsonl", records)


def test_exit_codes_tell(foleygram, data):
    good, late = data.parent / "good", data.parent / "late"
    code, out, err = foleygram("evaluate", good, "--truth", data)
    assert (code, err) == (0, "") and "onset F1 at 50 ms ↑" in out
    assert "not computed:" in out and "FAD-C: " in out
    code, out, _ = foleygram("evaluate", late, "--truth", data)
    assert code == 1 and "files of late:\n  missing: c3" in out
    code, out, _ = foleygram("evaluate", late, "--truth", data, "--json")
    assert code == 1 and json.loads(out)["findings"][0]["kind"] == "missing"
    code, out, err = foleygram("evaluate", data.parent / "nothing", "--truth", data)
    assert code == 1 and not out and err.count("\n") == 1


def test_runs_side_by_side(foleygram, data, tmp_path):
    good, late = data.parent / "good", data.parent / "late"
    code, out, _ = foleygram("evaluate", good, late, "--truth", data, "--report", tmp_path / "both.md")
    assert code == 1
    assert "late against good, onset F1 at 50 ms" in out and "3 clips: late is worse" in out
    assert "## Differences from good" in (tmp_path / "both.md").read_text()
    for name in ("good", "late"):
        foleygram("evaluate", data.parent / name, "--truth", data, "--report", tmp_path / f"{name}.json")
    code, again, _ = foleygram("evaluate", tmp_path / "good.json", tmp_path / "late.json", "--report", tmp_path / "both.html")
    assert code == 1 and "late against good" in again
    page = (tmp_path / "both.html").read_text()
    assert page.count("<audio") == 3 + 3 + 2, "truth and both runs of three clips, one of which the second run lacks"
    (tmp_path / "other").mkdir()
    renamed = (tmp_path / "late.json").read_text().replace('"name": "late"', '"name": "good"')
    (tmp_path / "other" / "good.json").write_text(renamed)
    _, out, _ = foleygram("evaluate", tmp_path / "good.json", tmp_path / "other" / "good.json")
    assert "other/good.json) is worse" in out, "two runs of one name are told apart"
    code, out, _ = foleygram("evaluate", tmp_path / "good.json", tmp_path / "late.json", "--json")
    content = json.loads(out)
    assert [report["name"] for report in content["reports"]] == ["good", "late"] and content["differences"]


def test_refusals_before_any_work(foleygram, data, tmp_path):
    good = data.parent / "good"
    (tmp_path / "old.md").write_text("mine")
    for line, expected in (
        (("evaluate", good), 2),
        (("evaluate", good, good, "--truth", data, "--name", "x"), 2),
        (("evaluate", good, "--truth", data, "--report", tmp_path / "x.txt"), 2),
        (("evaluate", good, good, "--truth", data, "--report", tmp_path / "x.json"), 2),
        (("evaluate", good, "--truth", data, "--report", tmp_path / "old.md"), 1),
        (("evaluate", tmp_path / "no.json"), 1),
        (("evaluate", tmp_path / "no.json", "--truth", data, "--limit", "1"), 2),
        (("benchmark", "minihits", data, "-o", tmp_path / "out", "--limit", "-1"), 2),
        (("benchmark", "minihits", data, "-o", tmp_path / "out", "--row", "B"), 2),
        (("benchmark", "minihits", data, "-o", tmp_path / "out", "--table", "5"), 2),
        (("benchmark", "minihits", data, "-o", tmp_path / "out", "--report", tmp_path / "a.json"), 2),  # of seven rows
        (("benchmark", "minihits", data, "-o", tmp_path / "out", "--table", "1", "--variants", tmp_path / "none"), 1),
    ):
        code, out, err = foleygram(*line)
        assert code == expected and not out and err.count("\n") == 1, (line, code, err)
    assert (tmp_path / "old.md").read_text() == "mine" and not (tmp_path / "out").exists()


def test_without_the_judge_the_rest_is_scored(foleygram, data, monkeypatch):
    from foleygram.hub import aisfx as wheel

    monkeypatch.setattr(evaluate, "Aisfx", aisfx.Aisfx)
    monkeypatch.setattr(wheel, "find_aisfx_checkpoint", lambda: None)
    code, out, err = foleygram("evaluate", data.parent / "good", "--truth", data)
    assert (code, err) == (0, "")
    assert "FAD: the judge AISFX is not installed; pip install" in out
    assert "onset F1 at 50 ms ↑" in out and "E-L1 (gain-matched)" in out


def test_tables_from_the_command_line(foleygram, data, tmp_path):
    model = tiny_model().save(tmp_path / "model")
    tiny_model(1).save(tmp_path / "variants" / "onsets")
    line = ("benchmark", "minihits", data, "-o", tmp_path / "scores", "--model", model, "--steps", 2, "--limit", 3)
    code, out, err = foleygram(*line, "--row", "AT", "--row", "A")
    assert (code, err) == (0, "") and "## Table II" in out and "**AT against A: does the text add to the sound?**" in out
    content = json.loads((tmp_path / "scores" / "table2.json").read_text())
    assert [row["variant"]["name"] for row in content["rows"]] == ["AT", "A"] and not content["rows"][0]["report"]["clips"]
    assert {each["score"] for each in content["answers"][0]["differences"]} >= {"FAD", "onset F1 at 50 ms"}
    assert (tmp_path / "scores" / "AT" / "report.json").is_file()
    assert "AT" in (tmp_path / "scores" / "table2.html").read_text()
    code, _, err = foleygram(*line, "--row", "AT")
    assert code == 1 and "exists already" in err
    made = (tmp_path / "scores" / "A" / "c0.flac").stat().st_mtime_ns
    variants = ("--table", 1, "--variants", tmp_path / "variants", "--row", "A", "--row", "onsets, A", "--json")
    code, out, err = foleygram(*line, *variants)
    assert (code, err) == (0, "")
    assert [answer["claim"]["second"] for answer in json.loads(out)["answers"]] == ["onsets, A"]
    assert (tmp_path / "scores" / "A" / "c0.flac").stat().st_mtime_ns == made, "a row that both tables have is made once"
    table = (tmp_path / "scores" / "table1.md").read_text()
    assert "SyncFusion, audio†: 542 / 0.2793 / 0.6621 / 3.2825\\* (printed 0.6621)" in table
