"""What lies beside a result of ``foleygram generate``, and what can be made from it."""

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from foleygram.errors import ModelError, OutputError
from foleygram.pipeline import FoleyGRAM
from foleygram.timing.track import OnsetEvent, OnsetTrack
from foleygram.types import sample_count
from foleygram.verbs.describe import GIB, expected_memory
from foleygram.verbs.guide import Guide, read_file
from tests.finish.test_memory import remembering


def digest(path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_json_report_and_sidecar(foleygram, desk, tiny_folder):
    code, out, _ = foleygram("generate", "clip.mp4", "-o", "a.wav", "--envelope", "own", "--seed", 7, "--json")
    report = json.loads(out)
    assert code == 0 and report["results"][0]["path"] == "a.wav" and report["use"] == "V" and report["seed"] == 7
    assert report["samples"] == sample_count(1.2) and report["memory"] > 1e7
    assert report["expected_memory"] == round(expected_memory(FoleyGRAM.outline(tiny_folder)) * GIB)
    assert all(seconds >= 0 for seconds in report["stages"].values()) and report["stages"]["sample"] > 0
    sidecar = json.loads(Path("a.wav.json").read_text())
    assert sidecar["result"] == {"path": "a.wav", "sha256": digest("a.wav")}
    assert sidecar["video"] == {"path": "clip.mp4", "sha256": digest("clip.mp4")}
    assert sidecar["envelope"]["kind"] == "own" and sidecar["steps"] == 3 and sidecar["take"] == 1
    assert sidecar["model"]["shipped"] is False and len(sidecar["model"]["sha256"]) == 64
    assert {"foleygram", "torch", "av", "numpy", "python", "cpu"} <= sidecar["versions"].keys()


@pytest.mark.parametrize("out", ["a.mp4", "a.mkv", "a.wav"])
def test_the_same_command_gives_the_same_bytes(foleygram, desk, out):
    arguments = ("generate", "clip.mp4", "--envelope", "own", "--seed", 3, "-o", out)
    assert foleygram(*arguments)[0] == 0
    first = digest(out), digest(f"{out}.json")
    assert foleygram(*arguments, "--force")[0] == 0
    assert (digest(out), digest(f"{out}.json")) == first
    assert foleygram(*arguments[:-3], 4, "-o", out, "--force")[0] == 0
    assert digest(out) != first[0]


def test_a_result_is_made_again_from_its_sidecar(foleygram, desk):
    arguments = (
        "generate", "clip.mp4", "-o", "a.mp4", "--envelope", "hits.csv", "--audio", "guide.wav", "--video-ref", "other.mp4",
        "--text", "a person scratches wood", "--seed", 9, "--steps", 4, "--guidance", 3,
    )  # fmt: skip
    assert foleygram(*arguments)[0] == 0
    code, out, _ = foleygram("generate", "--from", "a.mp4.json", "-o", "again.mp4")
    assert code == 0 and "the same bytes as before" in out and digest("again.mp4") == digest("a.mp4")
    # without -o it is the recorded name, which is kept unless --force
    code, _, err = foleygram("generate", "--from", "a.mp4.json")
    assert code == 1 and "exists already" in err
    assert foleygram("generate", "--from", "a.mp4.json", "--force")[0] == 0
    # other options change it
    code, out, _ = foleygram("generate", "--from", "a.mp4.json", "-o", "b.mp4", "--seed", 10, "--json")
    assert code == 0 and json.loads(out)["results"][0]["same"] is None and json.loads(out)["use"] == "AVT"
    assert digest("b.mp4") != digest("a.mp4")


@pytest.fixture
def quick_folder(tmp_path_factory) -> Path:
    """A model with a memory that samples in two steps at guidance 5 where colours are measured, else in three at 2."""
    model = remembering()
    few = model.config.sampler.replace(steps=2, guidance=5.0, eta=0.0)
    model.config = model.config.replace(few_step_sampler=few.model_dump())
    return model.save(tmp_path_factory.mktemp("models") / "quick")


FEW, MANY = (2, 5.0), (3, 2.0)


@pytest.fixture
def sampled(foleygram, desk, quick_folder):
    """A function: (steps, guidance) by which a command line makes a result, as report and sidecar have them."""

    def run(*arguments) -> tuple[int, float]:
        model = () if "--from" in arguments else ("--model", quick_folder)
        code, out, err = foleygram("generate", *arguments, *model, "--force", "--json")
        assert code == 0, err
        place = Path(json.loads(out)["results"][0]["path"])
        report, sidecar = json.loads(out), json.loads(place.with_name(f"{place.name}.json").read_text())
        assert [report[name] for name in ("steps", "guidance")] == [sidecar[name] for name in ("steps", "guidance")]
        return report["steps"], report["guidance"]

    return run


def test_a_repetition_leaves_to_the_model_what_nobody_asked_for(foleygram, sampled):
    line = ("clip.mp4", "--envelope", "own", "--audio", "guide.wav")
    assert sampled(*line, "-o", "a.wav") == FEW
    first = digest("a.wav"), digest("a.wav.json")
    code, out, _ = foleygram("generate", "--from", "a.wav.json", "--force")
    assert code == 0 and "the same bytes as before" in out and (digest("a.wav"), digest("a.wav.json")) == first
    again = ("--from", "a.wav.json", "-o", "b.wav")
    assert sampled(*again, "--seed", 1) == FEW
    assert sampled(*again, "--raw") == sampled(*again, "--use", "V") == MANY
    assert sampled(*again, "--steps", 2) == FEW
    assert sampled("--from", "b.wav.json", "-o", "c.wav", "--raw") == (2, 2.0)  # the same number, but it was asked for
    assert sampled(*line, "-o", "d.wav", "--guidance", 4) == (2, 4.0)
    assert sampled("--from", "d.wav.json", "-o", "e.wav", "--raw") == (3, 4.0)
    older = json.loads(Path("a.wav.json").read_text())
    del older["asked"]
    Path("a.wav.json").write_text(json.dumps(older))
    assert sampled(*again, "--raw") == FEW  # does not say, so what it has is kept


def test_a_remembered_sound_has_colours_too(sampled):
    line = ("silent.mp4", "--text", "a person hits metal", "--envelope", "hits.csv", "-o", "a.wav")
    assert sampled(*line) == FEW
    again = ("--from", "a.wav.json", "-o", "b.wav")
    assert sampled(*again, "--seed", 1) == FEW
    assert sampled(*again, "--strokes", "guide") == MANY


def test_a_sidecar_finds_its_files_after_a_move_and_notices_changes(foleygram, desk, tmp_path_factory):
    assert foleygram("generate", "clip.mp4", "-o", "a.wav", "--envelope", "hits.csv")[0] == 0
    moved = tmp_path_factory.mktemp("moved")
    for name in ("clip.mp4", "hits.csv", "a.wav.json"):
        (moved / name).write_bytes(Path(name).read_bytes())
    content = json.loads((moved / "a.wav.json").read_text())
    for source in (content["video"], content["envelope"]["source"]):
        source["path"] = "elsewhere/" + source["path"]
    content["model"]["source"] = str((desk / content["model"]["source"]).resolve())
    (moved / "a.wav.json").write_text(json.dumps(content))
    code, out, err = foleygram("generate", "--from", moved / "a.wav.json")
    assert code == 0, err
    assert (moved / "a.wav").read_bytes() == Path("a.wav").read_bytes()
    (moved / "hits.csv").write_text("0.5\n")
    code, _, err = foleygram("generate", "--from", moved / "a.wav.json", "--force")
    assert code == 1 and "has changed since" in err and "--envelope" in err
    (moved / "hits.csv").unlink()
    code, _, err = foleygram("generate", "--from", moved / "a.wav.json", "--force")
    assert code == 1 and "is gone" in err


def test_an_older_sidecar_says_tails(foleygram, desk, predicting):
    folder = predicting(True)
    assert foleygram("generate", "clip.mp4", "-o", "a.wav", "--model", folder, "--audio", "guide.wav")[0] == 0
    known = json.loads(Path("a.wav.json").read_text())
    known["tails"] = known.pop("strokes")
    Path("a.wav.json").write_text(json.dumps(known))
    code, out, err = foleygram("generate", "--from", "a.wav.json", "-o", "b.wav", "--force")
    assert code == 0 and "the same bytes as before" in out, err


def test_a_result_stands_as_long_as_there_is_no_room_for_its_sidecar(foleygram, desk, monkeypatch):
    line = ("generate", "clip.mp4", "-o", "a.wav", "--envelope", "hits.csv", "--use", "V")
    assert foleygram(*line)[0] == 0
    before = digest("a.wav"), digest("a.wav.json")

    def full(_):  # the first that is asked for room is the sidecar
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = foleygram(*line, "--seed", "2", "--force")
    assert code == 1 and "a.wav.json: cannot be written (the disk is full" in err
    assert (digest("a.wav"), digest("a.wav.json")) == before and len(list(desk.iterdir())) == 7


def test_a_sidecar_ends_where_its_json_does(foleygram, desk):
    assert foleygram("generate", "clip.mp4", "-o", "a.wav", "--envelope", "hits.csv")[0] == 0
    assert Path("a.wav.json").read_text().endswith("}\n")


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", -1), ("seed", 2**63), ("take", 0), ("steps", 0), ("guidance", -1.0), ("seconds", 0.0), ("samples", -1),
     ("threads", 0), ("threads", 10**6), ("video.path", "a\0b"), ("envelope.rate", 0.0), ("video", None), ("dtype", "fp8"),
     ("device", "pluto"), ("format", "mp3"), ("use", "XYZ"), ("room", 7.0)],
)  # fmt: skip
def test_a_sidecar_that_cannot_be_is_told(foleygram, desk, name, value):
    assert foleygram("generate", "clip.mp4", "-o", "a.wav", "--envelope", "hits.csv")[0] == 0
    content = json.loads(Path("a.wav.json").read_text())
    *path, last = name.split(".")
    place = content
    for part in path:
        place = place[part]
    place[last] = value
    Path("a.wav.json").write_text(json.dumps(content))
    before = digest("a.wav")
    code, _, err = foleygram("generate", "--from", "a.wav.json", "--force")
    assert code in (1, 2) and err.strip() and "Traceback" not in err
    assert digest("a.wav") == before


@pytest.mark.parametrize("values", [[], [-0.1, 0.1]])
def test_a_predicted_envelope_of_a_sidecar_that_cannot_be_is_told(foleygram, desk, predicting, values):
    assert foleygram("generate", "clip.mp4", "-o", "a.wav", "--model", predicting(True), "--audio", "guide.wav")[0] == 0
    content = json.loads(Path("a.wav.json").read_text())
    content["envelope"] |= {"values": values, "events": None}
    Path("a.wav.json").write_text(json.dumps(content))
    code, out, err = foleygram("generate", "--from", "a.wav.json", "--force")
    assert code == 1 and "envelope" in err


def test_events_that_were_given_in_python_are_repeated(foleygram, desk, tiny_folder):
    from foleygram.verbs.generation import Request, generate

    track = OnsetTrack((OnsetEvent(0.1, 0.5), OnsetEvent(0.6, 0.3)))
    guide = Guide(track.to_envelope(1.2), "given", track=track)
    generate(Request(Path("clip.mp4"), Path("a.wav"), envelope=guide, audio=Path("guide.wav"), model=tiny_folder))
    assert len(json.loads(Path("a.wav.json").read_text())["envelope"]["events"]) == 2
    code, out, _ = foleygram("generate", "--from", "a.wav.json", "-o", "again.wav")
    assert code == 0 and "the same bytes as before" in out and digest("again.wav") == digest("a.wav")


def test_the_file_of_a_guide_is_no_output(desk, tiny_folder):
    from foleygram.verbs.generation import Request, generate

    guide, before = read_file(Path("guide.wav")), Path("guide.wav").read_bytes()
    with pytest.raises(OutputError, match="the input itself"):
        generate(Request(Path("clip.mp4"), Path("guide.wav"), envelope=guide, model=tiny_folder, force=True))
    assert Path("guide.wav").read_bytes() == before


def test_one_loaded_model_serves_many_films(foleygram, desk, tiny_folder, monkeypatch):
    from foleygram.verbs.generation import Request, generate

    assert foleygram("generate", "clip.mp4", "-o", "alone.wav", "--envelope", "own", "--seed", 4)[0] == 0
    model = FoleyGRAM.load(tiny_folder)
    monkeypatch.setattr(FoleyGRAM, "fill", lambda *_: pytest.fail("loaded again"))
    for out in ("a.wav", "b.wav"):
        generate(Request(Path("clip.mp4"), Path(out), envelope="own", seed=4, model=tiny_folder), model=model)
        assert digest(out) == digest("alone.wav")
        assert json.loads(Path(f"{out}.json").read_text())["model"]["sha256"]
    with pytest.raises(ModelError, match="another one"):
        generate(Request(Path("clip.mp4"), Path("c.wav"), envelope="own"), model=model)
