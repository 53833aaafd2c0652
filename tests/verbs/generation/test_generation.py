"""What the story of ``generate`` is made of, each part by itself; by the command line: test_cli_generate.py."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from foleygram.errors import ModelError, OutputError
from foleygram.pipeline import FoleyGRAM
from foleygram.types import Envelope
from foleygram.verbs import generation
from foleygram.verbs.generation import (
    Request,
    described,
    filmed,
    generate,
    read_references,
    rehearse,
    rendered,
    repeats,
    torch_threads,
    whose_room,
)
from foleygram.verbs.guide import Guide
from foleygram.verbs.report import Stopwatch
from foleygram.verbs.sidecar import read_sidecar
from tests.finish.test_memory import remembering
from tests.tiny import CONFIG
from tests.verbs.test_remarks import CURVE, FILM, ORDER

SHAPE = SimpleNamespace(seconds=2.0, autoencoder=SimpleNamespace(channels=2, rate=44100))


@pytest.fixture
def card(desk, tiny_folder):
    """A function: the sidecar, as yet without its result, of a call with this ``guide`` and these ``fields``."""
    model = FoleyGRAM.load(tiny_folder, "cpu", "fp32")

    def made(guide=Guide(CURVE, "given"), **fields):  # noqa: B008
        return described(replace(ORDER, model=tiny_folder, **fields), FILM, guide, model)

    return made


def test_a_sidecar_says_what_was_used(card):
    assert (card(device="auto", dtype="auto").device, card(device="auto", dtype="auto").dtype) == ("cpu", "fp32")
    assert [card(subtype=subtype).format for subtype in ("PCM_16", "FLOAT", None)] == ["pcm16", "float", None]
    assert (card().seconds, card().samples) == (2.0, 88200)


def test_a_sidecar_keeps_a_curve_that_no_file_tells_with_its_rate(card):
    kept = card(Guide(Envelope(CURVE.values, 50.0), "given")).envelope
    assert (kept.rate, len(kept.values), kept.source) == (50.0, 690, None)
    told = card(Guide(CURVE, "sound", Path("guide.wav"))).envelope
    assert (told.source.path, told.values) == ("guide.wav", None)


def test_a_sidecar_names_no_reference_that_was_not_used(card):
    given = {"text": "wood", "audio": Path("guide.wav"), "video_ref": Path("other.mp4")}
    for letter, name in (("T", "text"), ("A", "audio"), ("V", "video_ref")):
        made = card(use=letter, **given)
        assert [field for field in given if getattr(made, field) is not None] == [name]


def test_a_repetition_takes_the_recorded_threads_and_only_the_recorded_weights(card):
    before = card().replace(threads=torch.get_num_threads() + 1)
    assert card(exact=True, sidecar=before).threads == before.threads
    assert card(exact=False, sidecar=before).threads == torch.get_num_threads()
    others = before.replace(model=before.model.replace(sha256="0" * 64).model_dump())
    with pytest.raises(ModelError, match="are not the sidecar's; give --model"):
        card(exact=True, sidecar=others)
    assert card(exact=False, sidecar=others).model == before.model


def test_only_what_is_used_is_read(desk):
    given = {"text": "wood", "audio": Path("absent.wav"), "video_ref": Path("absent.mp4")}
    clip = read_references(replace(ORDER, use="T", **given), FILM, CONFIG)
    assert (clip.video, clip.audio, clip.text) == (None, None, "wood")
    clip = read_references(replace(ORDER, use="V", **given | {"video_ref": Path("other.mp4")}), FILM, CONFIG)
    assert clip.video is not None and clip.audio is clip.text is None


def test_the_caller_s_threads_come_back():
    before = torch.get_num_threads()
    with pytest.raises(KeyError), torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise KeyError
    assert torch.get_num_threads() == before


def test_a_file_of_another_kind_is_no_repetition():
    exact = replace(ORDER, exact=True, sidecar=SimpleNamespace(result=SimpleNamespace(path="a.WAV")))
    assert repeats(exact, Path("b.wav")) and not repeats(exact, Path("b.mp4")) and not repeats(ORDER, Path("b.wav"))


def test_a_trial_leaves_nothing_and_a_refusal_names_the_output(desk):
    before = set(desk.iterdir())
    rehearse(Path("clip.mp4"), Path("a.mp4"))
    with pytest.raises(OutputError, match=r"^a\.webm: .webm cannot hold"):
        rehearse(Path("clip.mp4"), Path("a.webm"))
    assert set(desk.iterdir()) == before


@pytest.mark.parametrize(
    ("room", "words"),
    [
        ("own", "of the video's own sound, -50 dBFS"),
        ("reference", "of the reference, -50 dBFS"),
        (Path("halls/room.wav"), "of room.wav, -50 dBFS"),
        (-50.2, "-50 dBFS"),
    ],
)
def test_it_is_told_whose_room_lies_under(room, words):
    assert whose_room(replace(ORDER, room=room), SimpleNamespace(level_db=-50.2)) == words
    assert whose_room(ORDER, None) == ""


def test_a_picture_of_reference_does_not_move_with_a_long_film(monkeypatch):
    monkeypatch.setattr(generation, "read_film", lambda *_, moving, cuts: SimpleNamespace(moving=moving, cuts=cuts))
    model, long = SimpleNamespace(config=SHAPE), replace(FILM, seconds=9.0)
    first = filmed(ORDER, long, model, None, None)
    assert (first.moving, first.cuts) == (True, None)
    second = filmed(replace(ORDER, video_ref=Path("b.mp4")), long, model, None, SimpleNamespace(cuts=(4.0,)))
    assert (second.moving, second.cuts) == (False, (4.0,))
    assert filmed(ORDER, FILM, model, None, None) is None


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (MemoryError(), ModelError, r"^2.0 s of sound do not fit into the memory"),
        (RuntimeError("CUDA out of memory"), ModelError, "do not fit into the memory"),
        (RuntimeError("shapes differ"), RuntimeError, "^shapes differ$"),
    ],
)
def test_only_a_lack_of_memory_is_told_as_one(error, kind, words):
    def synthesise(*_, **__):
        raise error

    model, watch = SimpleNamespace(synthesise=synthesise), Stopwatch(lambda *_: None)
    with pytest.raises(kind, match=words), rendered(model, None, None, 2.0, None, 0, None, False, watch, "sample"):
        pass


@pytest.mark.parametrize("film", [None, "a long film"])
@pytest.mark.parametrize("raw", [False, True])
def test_a_take_is_raw_if_it_is_to_be_and_its_last_step_leads_to_decoding(monkeypatch, film, raw):
    asked, told = [], []

    def synthesise(embeddings, envelope, seconds, sampler, seed, step, raw=False):
        asked.append(raw)
        step(1, 2)
        step(2, 2)
        return np.zeros((2, 100), np.float32)

    def long_pieces(model, film, envelope, seconds, sampler, seeds, step, raw=False):
        return iter([[synthesise(None, envelope, seconds, sampler, seeds[0], step, raw)]])

    monkeypatch.setattr(generation, "long_pieces", long_pieces)
    model, watch = SimpleNamespace(synthesise=synthesise, config=SHAPE), Stopwatch(lambda *step: told.append(step))
    with rendered(model, None, None, 2.0, None, 0, film, raw, watch, "sample take 2"):
        pass
    assert asked == [raw] and told == [("sample take 2", 1, 2), ("decode", 2, 2)]


def test_each_take_asks_for_a_remembered_sound_and_for_strokes_of_its_own(desk, monkeypatch):
    asked = {"recalled": [], "struck": []}
    recalled, struck = FoleyGRAM.recalled, FoleyGRAM.struck

    def watched_recalled(self, embeddings, take=0, track=None):
        asked["recalled"].append(take)
        return recalled(self, embeddings, take, track)

    def watched_struck(envelope, embeddings, track=None, take=0):
        asked["struck"].append(take)
        return struck(envelope, embeddings, track, take)

    monkeypatch.setattr(FoleyGRAM, "recalled", watched_recalled)
    monkeypatch.setattr(FoleyGRAM, "struck", staticmethod(watched_struck))
    model, told = remembering(), []
    model.save(desk / "model")
    request = Request(Path("silent.mp4"), Path("a.wav"), envelope="hits.csv", model="./model", steps=2, takes=2)
    generate(request, on_progress=lambda *step: told.append(step), model=model)
    assert asked == {"recalled": [0, 1], "struck": [0, 1]}
    assert [name for name, done, _ in told if done] == ["sample take 1", "decode", "sample take 2", "decode"]


def test_nothing_takes_strokes_where_the_guide_is_silent(desk, tiny_folder):
    request = Request(
        Path("silent.mp4"), Path("a.wav"), Envelope(np.zeros(200)), audio="guide.wav", use="A", model=tiny_folder, steps=1,
        strokes="reference",
    )  # fmt: skip
    assert generate(request).envelope == "given by the caller"
    assert read_sidecar(Path("a.wav.json")).strokes == "reference"
