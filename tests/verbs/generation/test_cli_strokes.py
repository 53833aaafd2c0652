"""Whose strokes a made-up guide takes: the story of ``--strokes`` by the command line."""

import json
from pathlib import Path

import numpy as np

from foleygram.media.audio import write_audio
from foleygram.media.video import write_video
from foleygram.types import Audio


def with_strokes(foleygram, folder: Path, options: tuple, strokes: str) -> str:
    """What ``generate`` prints; the sidecar says these ``strokes``, and gives the same bytes again."""
    code, said, err = foleygram("generate", "clip.mp4", "-o", "a.wav", "--model", folder, "--force", *options)
    assert code == 0, err
    assert json.loads(Path("a.wav.json").read_text())["strokes"] == strokes
    code, out, err = foleygram("generate", "--from", "a.wav.json", "-o", "b.wav", "--force")
    assert code == 0 and "the same bytes as before" in out, err
    return said


def test_a_guide_that_is_made_up_takes_the_strokes_of_the_reference(foleygram, desk, predicting):
    folder, seconds = predicting(True), np.arange(44100) / 44100
    noise = np.random.default_rng(0).normal(0, 0.2, (2, 44100)) * np.exp(-seconds / 0.2)
    write_audio(Path("ring.wav"), Audio(noise.astype(np.float32), 44100))
    steady = np.random.default_rng(0).normal(0, 0.1, (2, 44100)).astype(np.float32)
    write_audio(Path("steady.wav"), Audio(steady, 44100))
    ring = ("--audio", "ring.wav")
    for options, strokes in (
        (ring, "reference"),
        ((*ring, "--strokes", "guide"), "guide"),
        ((*ring, "--envelope", "hits.csv"), "reference"),
        ((*ring, "--envelope", "guide.wav"), "guide"),
        ((*ring, "--envelope", "guide.wav", "--strokes", "reference"), "reference"),
        ((*ring, "--use", "V"), "guide"),
        (("--audio", "steady.wav"), "guide"),
    ):
        said = with_strokes(foleygram, folder, options, strokes)
        assert ("in the strokes of the reference" in said) == (strokes == "reference")
    code, out, err = foleygram("generate", "clip.mp4", "-o", "a.wav", "--model", folder, "--force", *ring)
    assert foleygram("generate", "--from", "a.wav.json", "-o", "b.wav", "--force", "--use", "V")[0] == 0
    assert json.loads(Path("b.wav.json").read_text())["strokes"] == "guide"
    line = ("generate", "clip.mp4", "-o", "c.wav", "--model", folder, "--audio", "steady.wav", "--strokes", "reference")
    assert "nothing in the reference dies away" in foleygram(*line)[1]
    for options, message in (
        (("--strokes", "reference"), "give --audio FILE"),
        (("--strokes", "both"), "--strokes takes guide, reference or memory"),
    ):
        code, _, err = foleygram("generate", "clip.mp4", "-o", "d.wav", *options)
        assert code == 2 and message in err and err.count("\n") == 1


def test_without_a_sound_a_made_up_guide_takes_one_from_memory(foleygram, desk, tmp_path_factory):
    from tests.finish.test_memory import remembering

    folder = remembering().save(tmp_path_factory.mktemp("models") / "remembering")
    made_up, words = ("--envelope", "hits.csv"), ("--text", "a person hits metal")
    for options, strokes in (
        (made_up, "memory"),
        ((*made_up, *words), "memory"),
        ((*made_up, "--strokes", "guide"), "guide"),
        ((*made_up, "--raw"), "guide"),
        ((*made_up, "--audio", "guide.wav"), "reference"),
        (("--envelope", "guide.wav"), "guide"),
        (("--envelope", "guide.wav", "--strokes", "memory"), "memory"),
    ):
        said = with_strokes(foleygram, folder, options, strokes)
        assert ("that the model remembers (kind " in said) == (strokes == "memory")
    # what was decided for one guide, model and reference says nothing of others
    for change, strokes in (
        (("--audio", "guide.wav"), "guide"),  # under the measured guide of the last call
        (("--raw",), "guide"),
        (("--envelope", "hits.csv"), "memory"),
        (("--envelope", "guide.wav"), "guide"),
        (("--seed", 3), "memory"),
    ):
        assert foleygram("generate", "--from", "a.wav.json", "-o", "b.wav", "--force", *change)[0] == 0
        assert json.loads(Path("b.wav.json").read_text())["strokes"] == strokes, change
    for options, message in (
        (("--audio", "guide.wav", "--strokes", "memory"), "goes with neither a reference sound"),
        (("--strokes", "memory", "--raw"), "goes with neither a reference sound"),
    ):
        code, _, err = foleygram("generate", "clip.mp4", "-o", "d.wav", *made_up, "--model", folder, *options)
        assert code == 2 and message in err and err.count("\n") == 1
    code, _, err = foleygram("generate", "clip.mp4", "-o", "d.wav", *made_up, "--strokes", "memory")
    assert code == 2 and "remembers no sounds" in err and not Path("d.wav").exists()


def test_a_long_film_remembers_too(foleygram, desk, moving_bar, tmp_path_factory):
    from tests.finish.test_memory import remembering

    folder = remembering().save(tmp_path_factory.mktemp("models") / "remembering")
    write_video(Path("long.mp4"), moving_bar(30), 10)
    code, out, err = foleygram("generate", "long.mp4", "-o", "a.wav", "--model", folder, "--envelope", "hits.csv")
    assert code == 0 and "remembers (kind" in out, err


def test_a_text_says_what_is_done_whatever_it_looks_like(foleygram, desk, predicting, monkeypatch):
    import torch

    from foleygram.pipeline import FoleyGRAM
    from foleygram.timing.network import LEVELS

    model = FoleyGRAM.load(predicting(True), "cpu", "fp32")
    with torch.no_grad():
        model.timing.network.heads.bias[LEVELS + 3] = 20.0
    folder = model.save(desk / "scraping")
    monkeypatch.setattr(FoleyGRAM, "kind_said", lambda _, text: {"a knock": "hit"}.get(text))
    for options, kind in (((), "scratch"), (("--text", "a knock"), "hit"), (("--text", "a knock", "--use", "V"), "scratch")):
        code, out, err = foleygram("generate", "silent.mp4", "-o", "a.wav", "--model", folder, "--force", *options)
        assert code == 0, err
        assert f"{kind} predicted from" in out or f"{'hits' if kind == 'hit' else 'scratches'} predicted from" in out, out
