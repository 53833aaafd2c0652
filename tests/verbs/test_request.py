"""What is decided of a request before a model is loaded."""

from pathlib import Path

import pytest

from foleygram.errors import MediaError, OutputError
from foleygram.verbs.request import Request, settle
from foleygram.verbs.sidecar import EnvelopeSource, ModelSource, Sidecar, Source, source_of


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A function that writes a.wav.json, the sidecar of a result of clip.mp4; names are relative."""
    monkeypatch.chdir(tmp_path)
    Path("clip.mp4").write_bytes(b"film")
    Path("other.mp4").write_bytes(b"another film")

    def write(**fields) -> Path:
        usual = {
            "result": Source(path="a.wav", sha256=""), "video": source_of(Path("clip.mp4"), tmp_path), "seconds": 1.0,
            "samples": 44100, "use": "V", "envelope": EnvelopeSource(kind="predicted", values=(0.0, 0.1)),
            "model": ModelSource(source="mini", shipped=True, sha256=""), "seed": 3, "take": 1, "steps": 4, "guidance": 2.0,
            "device": "cpu", "dtype": "fp32", "threads": 1, "format": "pcm16", "versions": {},
        }  # fmt: skip
        Path("a.wav.json").write_text(Sidecar(**usual | fields).model_dump_json())
        return Path("a.wav.json")

    return write


def test_a_format_is_kept_where_the_file_can_have_it(recorded):
    for recorded_format, expected in (("pcm16", ("PCM_16", "PCM_16", None)), ("float", ("FLOAT", "PCM_24", None))):
        again = recorded(format=recorded_format)
        outs = (Path("b.wav"), Path("b.flac"), Path("b.mp4"))
        assert tuple(settle(Request(out=out, again=again)).subtype for out in outs) == expected


def test_a_prediction_is_kept_for_its_own_film_alone(recorded):
    again = recorded()
    assert settle(Request(out=Path("b.wav"), again=again)).envelope.kind == "predicted"
    assert settle(Request(out=Path("b.wav"), again=again, video=Path("other.mp4"))).envelope is None


def test_a_repetition_may_replace_its_own_sidecar_alone(recorded):
    again = recorded()
    assert settle(Request(again=again)).outs == ((0, Path("a.wav")),)
    Path("b.wav.json").write_text("mine")
    with pytest.raises(OutputError, match="b.wav.json: exists already"):
        settle(Request(out=Path("b.wav"), again=again))
    with pytest.raises(OutputError, match="a.wav.json: exists already"):  # another seed makes another result
        settle(Request(again=again, seed=4))


def test_a_repetition_of_one_take_is_that_take(recorded):
    again = recorded(take=3)
    assert settle(Request(out=Path("b.wav"), again=again)).outs == ((2, Path("b.wav")),)
    assert [number for number, _ in settle(Request(out=Path("b.wav"), again=again, takes=2)).outs] == [0, 1]


def test_strokes_that_were_decided_for_other_references_are_decided_anew(recorded):
    again = recorded(strokes="memory")
    assert settle(Request(out=Path("b.wav"), again=again, seed=9)).strokes == "memory"
    assert settle(Request(out=Path("b.wav"), again=again, raw=True)).strokes is None
    assert settle(Request(out=Path("b.wav"), again=again, video=Path("other.mp4"))).strokes is None


def test_what_use_leaves_out_need_not_be_there_any_more(recorded):
    gone = Source(path="gone.wav", sha256="0")
    again = recorded(use="AV", audio=gone, video_ref=gone, room="reference")
    with pytest.raises(MediaError, match="gone.wav: is gone"):
        settle(Request(out=Path("b.wav"), again=again))
    for use in ("T", "t"):
        order = settle(Request(out=Path("b.wav"), again=again, use=use, text="a hit"))
        assert order.audio is order.video_ref is order.room is None
