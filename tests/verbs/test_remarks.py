"""What the user is told of a request, its guide and its results; by the command line: test_cli_generate.py."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from foleygram.media.video import MediaInfo
from foleygram.types import Audio, Clip, Envelope
from foleygram.verbs.guide import Guide
from foleygram.verbs.remarks import doubts, remarks, remarks_of_model
from foleygram.verbs.request import Order

FILM = MediaInfo(Path("clip.mp4"), 2.0, True, True)
CURVE = Envelope(np.concatenate([np.zeros(345), np.linspace(0.3, 0, 345)]))
"""As long as the film."""

ORDER = Order(
    video=FILM.path, outs=((0, Path("a.wav")),), envelope=None, voice=False, text=None, audio=None, video_ref=None, use="V",
    model="mini", seed=0, steps=None, guidance=None, device="cpu", dtype="fp32", subtype="PCM_16", force=False,
)  # fmt: skip


def told(order: Order = ORDER, guide: Guide = Guide(CURVE, "given"), clip: Clip = Clip(seconds=2.0)) -> list[str]:  # noqa: B008
    return remarks(order, FILM, guide, clip)


def test_nothing_is_said_where_all_is_well():
    assert told() == []
    assert told(guide=Guide(Envelope(CURVE.values[:660]), "given")) == []  # ends 0.09 s before the film


def test_what_is_doubtful_or_soft_in_a_guide_is_told():
    soft = Guide(Envelope(CURVE.values * 1e-4), "table", Path("a.csv"), doubt="a.csv was read as hits")
    doubt, level = told(guide=soft)
    assert doubt == "a.csv was read as hits" and "hardly heard" in level
    (short,) = told(guide=Guide(Envelope(CURVE.values[:600]), "given"))
    assert short == "the envelope ends at 1.74 s of 2.00 s; the rest is silent"


@pytest.mark.parametrize(
    ("kind", "gate", "voice"), [("own", True, False), ("sound", True, True), ("voice", False, False), ("given", False, False)]
)
def test_a_noise_is_told_of_guides_that_are_sounds(kind, gate, voice):
    found = " ".join(told(guide=Guide(Envelope(CURVE.values + np.float32(0.05)), kind, Path("guide.wav"))))
    assert ("--gate-db" in found, "--voice" in found) == (gate, voice)


@pytest.mark.parametrize(
    ("given", "use", "words"),
    [
        ({"text": "wood", "audio": Path("a.wav"), "video_ref": Path("b.mp4")}, "V", "--use V leaves --text and --audio unused"),
        ({"audio": Path("a.wav"), "video_ref": Path("b.mp4")}, "A", "--use A leaves --video-ref unused"),
    ],
)
def test_a_reference_that_is_not_used_is_named(given, use, words):
    assert told(dataclasses.replace(ORDER, use=use, **given)) == [words]


def test_the_room_of_the_reference_is_told_where_none_is_laid_under():
    hiss = np.random.default_rng(0).normal(0, 10 ** (-50 / 20), (1, 88200)).astype(np.float32)
    hiss[0, [20000, 60000]] = 0.8
    clip = Clip(audio=Audio(hiss, 44100), seconds=2.0)
    (note,) = told(clip=clip)
    assert "--room reference" in note
    assert told(dataclasses.replace(ORDER, room=-40.0), clip=clip) == []


class Tokenizer:
    def unread(self, text):
        return ""

    def is_strange(self, text):
        return True


MODEL = SimpleNamespace(
    gram=SimpleNamespace(tokenizer=Tokenizer()),
    memory=SimpleNamespace(nearest=lambda *_: 0, config=SimpleNamespace(kinds=("wood",))),
)


def test_a_text_that_is_not_used_needs_no_remark():
    for use, count in (("VT", 1), ("V", 0)):
        order = dataclasses.replace(ORDER, text="шаги", use=use)
        found = remarks_of_model(order, Guide(CURVE, "given"), MODEL, SimpleNamespace(audio=None, strokes=None), "guide")
        assert len(found) == count


def test_sounds_of_the_memory_are_told_by_their_number():
    for outs, words in ((ORDER.outs, "a sound that"), (2 * ORDER.outs, "sounds that the model remembers, by turns")):
        order, nothing = dataclasses.replace(ORDER, outs=outs), SimpleNamespace(audio=None, strokes=None)
        (note,) = remarks_of_model(order, Guide(CURVE, "given"), MODEL, nothing, "memory")
        assert words in note and note.endswith("(wood)")
        silent = Guide(Envelope(np.zeros(690)), "given")
        assert remarks_of_model(order, silent, MODEL, nothing, "memory") == []


def test_a_reference_without_strokes_is_told_where_they_were_wanted():
    steady = SimpleNamespace(audio=np.zeros(4), strokes=None)
    for kind, strokes, count in (("predicted", None, 1), ("own", None, 0), ("own", "reference", 1), ("predicted", "guide", 0)):
        order = dataclasses.replace(ORDER, strokes=strokes)
        assert len(remarks_of_model(order, Guide(CURVE, kind), MODEL, steady, "guide")) == count


def test_only_what_is_over_full_scale_is_told():
    same = {"same": None, "made": None}
    assert doubts(ORDER, Path("a.wav"), peak=1.0, **same) == []
    assert doubts(dataclasses.replace(ORDER, subtype="FLOAT"), Path("a.wav"), peak=9.0, **same) == []
    (note,) = doubts(ORDER, Path("a.flac"), peak=1.01, **same)
    assert note == (
        "a.flac reaches +0.1 dB over full scale and was clipped there; lower the guide (foleygram envelope --scale-db -1) "
        "or take a .wav with --format float"
    )


def test_a_repetition_that_differs_says_what_has_changed():
    before, now = ({"torch": version, "numpy": "2.0"} for version in ("2.4", "2.5"))
    order = dataclasses.replace(ORDER, sidecar=SimpleNamespace(versions=before))
    for made, reason in ((now, "torch was 2.4 and is 2.5"), (before, "the versions are the same, so")):
        (note,) = doubts(order, Path("a.wav"), 0.5, False, SimpleNamespace(versions=made))
        assert f"differs from the result of the sidecar: {reason}" in note
        assert doubts(order, Path("a.wav"), 0.5, True, SimpleNamespace(versions=made)) == []
