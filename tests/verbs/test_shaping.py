"""The verb ``envelope``: every form in, every edit, every form out, by the real command line; pages are in
test_drawing.py."""

from pathlib import Path

import numpy as np
import pytest

from foleygram.media.audio import read_audio, write_audio
from foleygram.media.video import write_video
from foleygram.timing.editing import louder
from foleygram.timing.exchange import read_track, write_track
from foleygram.timing.track import OnsetEvent, OnsetTrack
from foleygram.types import Audio
from foleygram.verbs import guide
from foleygram.verbs.guide import read_file
from tests.verbs.conftest import TRACK


def times(report) -> list[float]:
    return [seconds for seconds, _ in report["onsets"]]


@pytest.mark.parametrize("suffix", [".csv", ".json", ".txt", ".rpp", ".mid"])
def test_events_in_every_form_lead_to_every_other(foleygram, desk, suffix):
    code, report, err = foleygram("track.json", "-o", f"a{suffix}", "--events", "--shift-ms", 12.5)
    assert code == 0, err
    code, report, err = foleygram(f"a{suffix}", "-o", "b.json", "--shift-ms", -12.5, "--scale-db", 0)
    assert code == 0, err
    back = read_track(Path("b.json"))
    np.testing.assert_allclose(back.times, TRACK.times, atol=6e-4)
    np.testing.assert_allclose(back.strengths, TRACK.strengths, rtol=0.1)
    assert [event.kind for event in back.events] == ["hit", "scratch", "hit"] and report["kind"] == "table"
    assert back.events[1].duration == pytest.approx(0.4, abs=1e-3)


def test_markers_of_reaper_s_manager_and_plain_hits_are_read(foleygram, desk):
    rows = ("#,Name,Start,End,Length", "M1,hit 0.3,0.25,,", "R2,scratch 0.1,0.81,1.21,0.4", "M3,hit 0.02,1.5,,")
    Path("markers.csv").write_text("\n".join(rows))
    Path("hits.csv").write_text("seconds,strength\n0.25,0.3\n0.81,0.1\n1.5,0.02\n")
    for name in ("markers.csv", "hits.csv"):
        code, report, _ = foleygram(name)
        assert code == 0 and times(report) == pytest.approx(TRACK.times, abs=1e-6)


def test_a_csv_is_a_curve_unless_events_are_asked_for(foleygram, desk):
    assert foleygram("track.json", "-o", "a.csv")[0] == 0
    assert Path("a.csv").read_text().startswith("seconds,amplitude\n")
    assert foleygram("track.json", "-o", "b.csv", "--events")[0] == 0
    assert Path("b.csv").read_text().startswith("seconds,strength,kind,duration\n")


def test_a_sound_becomes_events(foleygram, desk):
    code, report, _ = foleygram("guide.wav", "-o", "a.mid")
    assert code == 0 and times(report) == pytest.approx([0.2, 0.6], abs=0.01)
    assert read_track(Path("a.mid")).times == pytest.approx(times(report), abs=1e-3)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--shift-ms", 40), [0.31, 0.81]),
        (("--shift-frames", -1), [0.17, 0.67]),
        (("--snap",), [0.3, 0.8]),
        (("--snap-fps", 4), [0.25, 0.75]),
        (("--snap-fps", 5, "--shift-ms", 100), [0.3, 0.9]),
        (("--mute", "0.2-0.5"), [0.77]),
        (("--mute", "0:00.7-0:01"), [0.27]),
        (("--mute", "0.2-0.5", "--mute", "0.7-1.2"), []),
        (("--mix", "guide.wav", "--mix-as", "loudest"), [0.2, 0.27, 0.6, 0.77]),
        (("--mix", "guide.wav", "--weight", 0), [0.27, 0.77]),
        (("--shift-ms", 1190), []),
    ],
)
def test_edits_of_a_sound(foleygram, desk, options, expected):
    code, report, err = foleygram("clip.mp4", *options)
    assert code == 0, err
    assert times(report) == pytest.approx(expected, abs=0.013)
    assert report["seconds"] == pytest.approx(1.2, abs=0.003) and report["edits"]


def test_edits_of_events_are_exact(foleygram, desk):
    line = ("--snap-fps", 25, "--shift-frames", 2, "--gate-db", -30, "--scale-db", 6.0206, "--mute", "1.0-1.1")
    code, report, err = foleygram("track.json", *line, "-o", "a.csv")
    assert code == 0, err
    events = report["events"]
    # 0.25 and 0.81 lie in the middle of frames: of two equally near the earlier
    assert [event["seconds"] for event in events] == pytest.approx([0.24 + 0.08, 0.80 + 0.08])
    assert [event["strength"] for event in events] == pytest.approx([0.6, 0.2], rel=1e-3)
    assert events[1]["duration"] == pytest.approx(0.12)
    assert report["edits"] == [
        "snapped to 25 frames/s",
        "shifted by +2 frames",
        "gated at -30 dB",
        "+6.0206 dB",
        "muted 1-1.1 s",
    ]
    curve = read_file(Path("a.csv"))
    assert curve.envelope.at(np.array([0.2, 0.33, 1.05]))[[0, 2]].max() < 1e-3 < curve.envelope.at(np.array([0.33]))[0]


@pytest.mark.parametrize("suffix", [".csv", ".json", ".txt", ".rpp"])
def test_events_that_were_made_louder_than_full_scale_are_read_again_and_told(foleygram, desk, suffix):
    assert foleygram("track.json", "-o", f"a{suffix}", "--events", "--scale-db", 20)[0] == 0
    code, report, err = foleygram(f"a{suffix}")
    assert code == 0 and [event["strength"] for event in report["events"]] == pytest.approx([3, 1, 0.2]), err
    assert report["notes"] == [f"a{suffix} holds 1 strength(s) above 1, which is full scale"]
    assert not foleygram("track.json")[1]["notes"]


def test_no_event_is_snapped_to_the_end_of_the_film_and_lost(foleygram, desk):
    Path("late.csv").write_text("0.52\n1.17\n")
    for options in (("--snap-fps", 10), ("--snap",)):
        code, report, err = foleygram("late.csv", "--film", "silent.mp4", *options)
        assert code == 0 and times(report) == pytest.approx([0.5, 1.1]), err
        code, report, err = foleygram("late.csv", "--film", "silent.mp4", *options, "--shift-ms", 50)
        assert times(report) == pytest.approx([0.55, 1.15]) and not report["notes"], err


def test_what_is_moved_beyond_the_end_of_the_film_is_told(foleygram, desk):
    Path("late.csv").write_text("0.52\n1.17\n")
    code, report, err = foleygram("late.csv", "--film", "silent.mp4", "--shift-ms", 100)
    assert code == 0 and times(report) == pytest.approx([0.62]), err
    assert report["notes"] == ["1 event(s) were moved out of the clip and are gone"]


def test_events_too_loud_for_notes_are_told(foleygram, desk):
    code, report, _ = foleygram("track.json", "-o", "a.mid", "--scale-db", 12)
    assert code == 0 and report["notes"] == [
        "1 event(s) are louder than 0.5, which is velocity 127, and are cut to it; lower them (--scale-db), or write .json"
    ]
    assert read_track(Path("a.mid")).strengths.max() == 0.5
    for options in (("-o", "b.mid"), ("-o", "b.json", "--scale-db", 12), ("--scale-db", 12)):
        assert not foleygram("track.json", *options)[1]["notes"]


def test_levels(foleygram, desk):
    plain, louder, gated, long, soft, smooth = (
        foleygram("guide.wav", *options, "-o", f"{number}.csv")[1]
        for number, options in enumerate(
            ((), ("--scale-db", 6), ("--gate-db", 0), ("--decay-ms", 300), ("--attack-ms", 40), ("--smooth-ms", 80))
        )
    )
    assert louder["peak"] == pytest.approx(plain["peak"] * 10**0.3, rel=1e-4)
    assert gated["peak"] == 0 and "silent throughout" in gated["notes"][0] and not gated["onsets"]
    after = [read_file(Path(f"{number}.csv")).envelope.at(np.array([0.5]))[0] for number in (0, 3)]
    assert after[1] > 5 * after[0] + 0.01
    assert soft["peak"] < 0.9 * plain["peak"] and smooth["peak"] < 0.9 * plain["peak"]
    assert long["peak"] == pytest.approx(plain["peak"], rel=1e-4)


def test_events_take_the_strokes_of_another_sound(foleygram, desk):
    rate, seconds = 44100, np.arange(44100) / 44100
    noise = np.random.default_rng(0).normal(0, 0.2, 44100)
    for name, decay in (("short", 0.01), ("long", 0.15)):
        write_audio(Path(f"{name}.wav"), Audio((noise * np.exp(-seconds / decay))[None].astype(np.float32), rate))
        assert foleygram("guide.wav", "--strokes", f"{name}.wav", "-o", f"{name}.csv")[0] == 0
    code, report, err = foleygram("track.json", "--strokes", "long.wav", "-o", "both.csv")
    assert code == 0 and report["edits"] == ["strokes of long.wav"], err
    short, long = (read_file(Path(f"{name}.csv")).envelope for name in ("short", "long"))
    assert long.at(0.7) > 20 * short.at(0.7) and long.at(0.2) == pytest.approx(short.at(0.2), rel=0.3)


def test_a_guide_one_channel_of_which_is_upside_down_is_heard(foleygram, desk):
    sound = read_audio(Path("guide.wav"))
    write_audio(Path("twisted.wav"), Audio(np.concatenate([sound.samples[:1], -sound.samples[:1]]), sound.rate))
    write_audio(Path("straight.wav"), Audio(sound.samples[:1], sound.rate))
    peaks = [foleygram(f"{name}.wav")[1]["peak"] for name in ("twisted", "straight")]
    assert peaks[0] == pytest.approx(peaks[1], rel=1e-3) and peaks[1] > 0.01


def test_shapes_that_events_cannot_hold_are_told(foleygram, desk):
    code, report, _ = foleygram("track.json", "--decay-ms", 300, "--smooth-ms", 20, "-o", "events.json")
    assert code == 0 and report["notes"] == [
        "--decay-ms, --smooth-ms shape the curve, but events.json holds events; write a .csv without --events"
    ]
    code, report, _ = foleygram("track.json", "--decay-ms", 300, "--smooth-ms", 20, "-o", "curve.csv")
    assert code == 0 and not report["notes"]


@pytest.mark.parametrize(
    ("name", "rows", "onsets", "note"),
    [
        ("flam.csv", "0.5,0.3\n0.53,0.3\n", 2, "was read as a list of hits; a first line seconds,amplitude"),
        ("grace.csv", "seconds,strength\n0.5,0.3\n0.53,0.3\n", 2, None),
        ("plain.csv", "0.5,0.3\n0.9,0.1\n", 2, None),
        ("coarse.csv", "0.5,0.3\n0.9,0\n", 2, "was read as a list of hits"),
        ("drawn.csv", "".join(f"{k / 100},{0.1 if k == 5 else 0}\n" for k in range(20)), 1, "was read as an amplitude curve"),
    ],
)
def test_a_table_that_does_not_say_what_it_is(foleygram, desk, name, rows, onsets, note):
    Path(name).write_text(rows)
    code, report, _ = foleygram(name)
    assert code == 0 and len(report["onsets"]) == onsets
    assert note in report["notes"][0] if note else not report["notes"], report["notes"]


def test_the_film_gives_length_frames_and_strip(foleygram, desk):
    code, report, err = foleygram("guide.wav", "--film", "silent.mp4", "--snap", "--picture", "a.png", "-o", "a.json")
    assert code == 0, err
    assert report["seconds"] == pytest.approx(1.2, abs=0.003) and Path("a.png").read_bytes().startswith(b"\x89PNG")
    assert times(report) == pytest.approx([0.2, 0.6], abs=0.013)
    assert foleygram("guide.wav", "--seconds", 3)[1]["seconds"] == pytest.approx(3, abs=0.003)


def test_a_guide_that_outlasts_the_film_is_told(foleygram, desk, clicks):
    write_audio(Path("long.wav"), clicks(4.0, [0.2, 3.0]))
    note = "the guide lasts 4.00 s, the film 1.20 s; the rest of it is not heard"
    assert foleygram("long.wav", "-o", "long.csv")[1]["notes"] == []
    assert foleygram("long.wav", "--film", "silent.mp4")[1]["notes"] == [note]
    assert note in foleygram("long.csv", "--film", "silent.mp4")[1]["notes"]
    assert (
        foleygram("long.wav", "--seconds", 1.2)[1]["notes"] == foleygram("guide.wav", "--film", "silent.mp4")[1]["notes"] == []
    )


def test_nothing_moved_later_is_cut_off_where_no_film_says_the_length(foleygram, desk):
    code, report, _ = foleygram("track.json", "--shift-ms", 5000)
    assert code == 0 and times(report) == pytest.approx(TRACK.times + 5) and not report["notes"]
    code, report, _ = foleygram("track.json", "--shift-ms", -300)
    assert times(report) == pytest.approx(TRACK.times[1:] - 0.3) and "1 event(s) were moved out" in report["notes"][0]


def test_a_tapped_recording(foleygram, desk, clicks):
    taps = clicks(2.0, [0.5, 1.2])
    noise = np.random.default_rng(0).normal(0, 0.004, taps.samples.shape)
    write_audio(Path("voice.wav"), Audio((0.1 * taps.samples + noise).astype(np.float32), taps.rate))
    code, report, _ = foleygram("voice.wav")
    assert code == 0 and "--voice" in report["notes"][0] and "--gate-db" in report["notes"][0]
    assert not foleygram("voice.wav", "--gate-db", -35)[1]["notes"]
    code, report, _ = foleygram("voice.wav", "--voice")
    assert code == 0 and report["kind"] == "voice" and not report["notes"]
    assert times(report) == pytest.approx([0.5, 1.2], abs=0.02) and report["peak"] == pytest.approx(0.1, rel=0.01)


def test_a_prediction_is_told_from_a_sound(foleygram, desk, tmp_path):
    from tiny import tiny_model

    folder = tiny_model(timing=True).save(tmp_path / "model")
    code, report, err = foleygram("silent.mp4", "--model", folder, "-o", "a.csv", "--picture", "a.png")
    assert code == 0, err
    assert report["kind"] == "predicted" and any("counts as measured" in note for note in report["notes"])
    assert not foleygram("silent.mp4", "--model", folder, "-o", "a.json")[1]["notes"]
    assert "predicted from the picture" in report["origin"] and "12 frames" in report["origin"]
    assert report["seconds"] == pytest.approx(1.2, abs=0.003)
    assert foleygram("clip.mp4", "--model", folder)[1]["kind"] == "sound"
    assert foleygram("clip.mp4", "--model", folder, "--predict")[1]["kind"] == "predicted"
    for kind in ("hit", "scratch"):
        found = foleygram("silent.mp4", "--model", folder, "--kind", kind)[1]["events"]
        assert found and {event["kind"] for event in found} == {kind}
    assert "none are" in foleygram("clip.mp4", "--kind", "hit")[2]
    code, report, _ = foleygram("silent.mp4", "--model", folder, "--gate-db", 0)
    assert code == 0 and not report["onsets"] and "silent throughout" in report["notes"][-1]


def test_a_prediction_tells_how_many_frames_are_damaged(foleygram, desk, tmp_path, monkeypatch):
    from tiny import tiny_model

    folder = tiny_model(timing=True).save(tmp_path / "model")
    frames = guide.stream_frames
    monkeypatch.setattr(
        guide, "stream_frames", lambda *a, **k: (f for n, f in enumerate(frames(*a, **k)) if n not in (3, 4, 7))
    )
    assert "3 of 12 frames cannot be decoded" in foleygram("silent.mp4", "--model", folder)[1]["notes"][0]


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        (("guide.wav", "--scale-db", "nan"), 2, "--scale-db takes a number from -120 to 60"),
        (("guide.wav", "--scale-db", 61), 2, "--scale-db"),
        (("guide.wav", "--gate-db", 3), 2, "--gate-db takes a number from -120 to 0"),
        (("guide.wav", "--attack-ms", -1), 2, "--attack-ms"),
        (("guide.wav", "--decay-ms", "inf"), 2, "--decay-ms"),
        (("guide.wav", "--smooth-ms", 1e9), 2, "--smooth-ms"),
        (("guide.wav", "--snap-fps", 0), 2, "--snap-fps"),
        (("guide.wav", "--seconds", 0), 2, "--seconds"),
        (("guide.wav", "--mute", "3"), 2, "--mute takes a range in seconds such as 1.5-2.25"),
        (("guide.wav", "--mute", "3-2"), 2, "from an earlier to a later time"),
        (("guide.wav", "--mute", "1.2.3-4"), 2, "--mute"),
        (("guide.wav", "--mute", f"0-1{'0' * 400}"), 2, "from an earlier to a later time"),
        (("guide.wav", "--weight", 2), 2, "give --mix"),
        (("guide.wav", "--mix", "guide.wav", "--mix-as", "sum"), 2, "power, loudest or product"),
        (("guide.wav", "--mix", "guide.wav", "--weight", -1), 2, "--weight"),
        (("guide.wav", "--snap"), 2, "--film"),
        (("silent.mp4", "--kind", "step"), 2, "hit or scratch"),
        (("guide.wav", "--shift-frames", 2), 2, "--snap-fps"),
        (("guide.wav", "--predict"), 1, "holds no picture"),
        (("track.json", "--predict"), 2, "no picture to predict from"),
        (("track.json", "--voice"), 2, "--voice"),
        (("silent.mp4", "--voice"), 1, "holds no sound"),
        (("clip.mp4", "--voice", "--predict"), 2, "one of them"),
        (("guide.wav", "--film", "guide.wav"), 1, "holds no picture"),
        (("guide.wav", "--film", "no.mp4"), 1, "no such file"),
        (("guide.wav", "--mix", "no.wav"), 1, "no such file"),
        (("track.json", "--film", "clip.mp4"), 1, "the event at 1.5 s lies outside the clip of 1.2 s"),
        (("end.csv", "--film", "clip.mp4"), 1, "the hit at 1.2 s lies outside the clip of 1.2 s"),
        (("end.json", "--film", "clip.mp4"), 1, "the event at 1.2 s lies outside the clip of 1.2 s"),
        (("guide.wav", "-o", "a.doc"), 1, ".mid"),
        (("guide.wav", "-o", "a.png", "--picture", "a.png"), 1, ".csv"),
        (("guide.wav", "-o", "guide.wav"), 1, ".csv"),
        (("track.json", "-o", "track.json", "--force"), 1, "is the input itself"),
        (("guide.wav", "--strokes", "no.wav"), 1, "no such file"),
        (("guide.wav", "--strokes", "steady.wav"), 1, "nothing in it dies away"),
        (("broken.mid",), 1, "MIDI"),
        (("broken.json",), 1, "is not JSON"),
    ],
)
def test_bad_input_is_one_line(foleygram, desk, line, code, message):
    Path("broken.mid").write_bytes(b"MThd\0\0")
    Path("broken.json").write_text("{]")
    Path("end.csv").write_text("0.5\n1.2\n")
    write_track(Path("end.json"), OnsetTrack.at([0.5, 1.2]))
    write_audio(Path("steady.wav"), Audio(np.random.default_rng(0).normal(0, 0.1, (1, 44100)).astype(np.float32), 44100))
    before = {path.name for path in desk.iterdir()}
    found, _, err = foleygram(*line)
    assert found == code and message in err and err.count("\n") == 1
    assert {path.name for path in desk.iterdir()} == before


def test_half_a_film_is_told(foleygram, desk, clicks, moving_bar):
    """Its curve ends where the file breaks off, which nobody would see in the curve."""
    write_video(Path("whole.mkv"), moving_bar(60), 10, clicks(6, [0.5, 4.5]))
    whole = Path("whole.mkv").read_bytes()
    Path("half.mkv").write_bytes(whole[: len(whole) * 4 // 5])
    for line in (("half.mkv",), ("track.json", "--film", "half.mkv")):
        code, report, err = foleygram(*line)
        assert code == 0, err
        assert "the file says 6.0 s" in report["notes"][0] and 1.6 < report["seconds"] < 5.5
    assert not any("the file says" in note for note in foleygram("whole.mkv")[1]["notes"])


def test_what_is_mixed_in_and_lies_beyond_the_clip_is_told(foleygram, desk):
    Path("first.csv").write_text("seconds,strength\n0.2,0.3\n")
    Path("late.csv").write_text("seconds,strength\n0.2,0.1\n5.0,0.4\n")
    code, report, _ = foleygram("first.csv", "--mix", "late.csv")
    assert code == 0 and any("of late.csv, mixed in, " in note and "not heard" in note for note in report["notes"])


def test_the_louder_of_two_events_at_one_moment_stays(foleygram, desk):
    Path("first.csv").write_text("seconds,strength\n0.2,0.3\n0.5,0.1\n")
    Path("second.csv").write_text("seconds,strength\n0.2,0.3\n0.506,0.2\n0.9,0.05\n")
    line = ("first.csv", "--mix", "second.csv", "--mix-as")
    assert times(foleygram(*line, "loudest")[1]) == [0.2, 0.506, 0.9]
    assert times(foleygram(*line, "power")[1]) == [0.2, 0.2, 0.5, 0.506, 0.9]


def test_what_gives_way_hides_nothing_and_kinds_do_not_meet():
    first = [OnsetEvent(0.5, 0.1), OnsetEvent(0.512, 0.3), OnsetEvent(0.8, 0.1, "scratch", 1.0)]
    second = [OnsetEvent(0.506, 0.2), OnsetEvent(0.8, 0.5)]
    assert sorted(event.seconds for event in louder(first, second)) == [0.5, 0.512, 0.8, 0.8]


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--mix", "hits.csv", "--mix-as", "product", "--weight", 2), "--weight has no part"), (("--events",), "give -o")],
)
def test_options_that_could_do_nothing_are_refused(foleygram, desk, options, words):
    Path("hits.csv").write_text("seconds,strength\n0.2,0.3\n")
    code, _, err = foleygram("hits.csv", *options)
    assert code == 2 and words in err


def test_the_events_of_a_sound_join_those_of_a_list_and_a_product_has_those_of_its_curve(foleygram, desk):
    Path("list.csv").write_text("seconds,strength\n0.4,0.2\n0.8,0.2\n")
    code, report, err = foleygram("list.csv", "--mix", "guide.wav")
    assert code == 0 and times(report) == pytest.approx([0.2, 0.4, 0.6, 0.8], abs=0.003), err
    code, report, err = foleygram("list.csv", "--mix", "guide.wav", "--mix-as", "product")
    assert code == 0 and times(report) == pytest.approx([0.6], abs=0.02), err  # in the tail of the first
