"""What is decided of a request before a model is loaded."""

import os
from pathlib import Path

import pytest

from foleygram.errors import MediaError, OutputError, UsageError
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
        assert settle(Request(out=Path("B.WAV"), again=again)).subtype == expected[0]
    assert settle(Request(out=Path("B.MP4"), again=again)).is_video


def test_what_is_not_said_comes_from_the_sidecar(recorded):
    order = settle(Request(out=Path("b.wav"), again=recorded(use="TV", text="wood", raw=True)))
    assert (order.model, order.seed, order.steps, order.guidance) == ("mini", 3, 4, 2.0)
    assert (order.text, order.device, order.dtype, order.raw) == ("wood", "cpu", "fp32", True)
    hummed = EnvelopeSource(kind="voice", source=source_of(Path("other.mp4"), Path()))
    assert settle(Request(out=Path("b.wav"), again=recorded(envelope=hummed))).voice
    own = ModelSource(source="models/mine", shipped=False, sha256="")
    assert settle(Request(out=Path("b.wav"), again=recorded(model=own))).model == Path("models/mine").resolve()


def test_only_a_repetition_as_it_was_should_be_the_same(recorded):
    again = recorded()
    assert settle(Request(out=Path("b.wav"), again=again, force=True)).exact
    for change in ({"format": "pcm24"}, {"seed": 3}, {"video": Path("clip.mp4")}):
        assert not settle(Request(out=Path("b.wav"), again=again, **change)).exact, change


def test_a_prediction_is_kept_for_its_own_film_alone(recorded):
    again = recorded()
    assert settle(Request(out=Path("b.wav"), again=again)).envelope.kind == "predicted"
    assert settle(Request(out=Path("b.wav"), again=again, video=Path("other.mp4"))).envelope is None


def test_an_envelope_of_a_sidecar_has_its_own_rate_and_has_to_be_told(recorded):
    again = recorded(envelope=EnvelopeSource(kind="given", values=(0.0, 0.1), rate=50.0))
    assert settle(Request(out=Path("b.wav"), again=again)).envelope.envelope.rate == 50.0
    again = recorded(envelope=EnvelopeSource(kind="given"))
    with pytest.raises(UsageError, match="neither values nor file.*give --envelope"):
        settle(Request(out=Path("b.wav"), again=again))
    assert settle(Request(out=Path("b.wav"), again=again, envelope="own")).envelope == "own"


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
    assert settle(Request(out=Path("b.wav"), again=again, takes=1)).outs == ((0, Path("b.wav")),)  # alone it needs no number


def test_strokes_that_were_decided_for_other_references_are_decided_anew(recorded):
    again = recorded(strokes="memory")
    assert settle(Request(out=Path("b.wav"), again=again, seed=9)).strokes == "memory"
    assert settle(Request(out=Path("b.wav"), again=again, raw=True)).strokes is None
    assert settle(Request(out=Path("b.wav"), again=again, video=Path("other.mp4"))).strokes is None
    assert settle(Request(out=Path("b.wav"), again=again, model="other")).strokes is None


def test_what_use_leaves_out_need_not_be_there_any_more(recorded):
    gone = Source(path="gone.wav", sha256="0")
    again = recorded(use="AV", audio=gone, video_ref=gone, room="reference")
    with pytest.raises(MediaError, match="gone.wav: is gone"):
        settle(Request(out=Path("b.wav"), again=again))
    for use in ("T", "t"):
        order = settle(Request(out=Path("b.wav"), again=again, use=use, text="a hit"))
        assert order.audio is order.video_ref is order.room is None


def test_a_text_that_use_leaves_out_is_nobody_s(recorded):
    again = recorded(use="TV", text="wood")
    assert settle(Request(out=Path("b.wav"), again=again, use="vt")).text == "wood"
    assert settle(Request(out=Path("b.wav"), again=again, use="V")).text is None  # else a note says that it is unused
    with pytest.raises(UsageError, match="use"):
        settle(Request(out=Path("b.wav"), again=again, use=""))


def test_what_is_given_anew_conditions_beside_what_did(recorded):
    other = Path("other.mp4")
    again = recorded(use="A", audio=source_of(other, Path()))
    for given, use in (({"text": "wood"}, "AT"), ({"video_ref": other}, "AV"), ({"audio": other}, "A")):
        assert settle(Request(out=Path("b.wav"), again=again, **given)).use == use
    order = settle(Request(out=Path("b.wav"), again=again, use="av"))
    assert (order.use, order.audio) == ("AV", other.resolve())  # not the clip's own, as without a sidecar


@pytest.mark.parametrize("name", ["envelope", "audio", "video_ref", "room"])
def test_nothing_that_is_read_is_written_over(recorded, name):
    recorded()
    Path("b.wav").write_bytes(b"mine")
    with pytest.raises(OutputError, match="b.wav: is the input itself"):
        settle(Request(Path("clip.mp4"), Path("b.wav"), force=True, **{name: Path("b.wav")}))


@pytest.mark.parametrize("name", ["out", "audio", "room"])
def test_a_name_that_no_sidecar_can_hold_is_refused(recorded, name):
    recorded()
    with pytest.raises(UsageError, match="b\ufffd.wav: its name holds bytes that are no text"):
        settle(Request(**{"video": Path("clip.mp4"), "out": Path("b.wav"), name: Path(os.fsdecode(b"b\xff.wav"))}))


def test_every_option_but_the_output_may_be_left_out(recorded):
    recorded()
    for option, name in (("-o", "out"), ("--envelope", "envelope"), ("--audio", "audio"), ("--room", "room")):
        with pytest.raises(UsageError, match=f"{option} is empty") as told:
            settle(Request(**{"video": Path("clip.mp4"), "out": Path("b.wav"), name: Path("")}))
        assert ("leave the option out" in str(told.value)) == (option != "-o")
