"""Files of other programs, there and back, and what is wrong in them."""

import numpy as np
import pytest

from foleygram.errors import EnvelopeError, OutputError
from foleygram.timing.exchange import holds_events, parse_csv, read_track, write_track
from foleygram.timing.midi import louder_than_notes, midi_bytes, parse_midi, variable_length
from foleygram.timing.track import OnsetEvent, OnsetTrack

TRACK = OnsetTrack((OnsetEvent(0.25, 0.3), OnsetEvent(1.5, 0.1), OnsetEvent(62.2, 0.2, "scratch", 0.4)))


@pytest.mark.parametrize("suffix", [".csv", ".json", ".txt", ".rpp", ".mid", ".MIDI"])
def test_there_and_back(tmp_path, suffix):
    path = tmp_path / f"events{suffix}"
    write_track(path, TRACK)
    back = read_track(path)
    np.testing.assert_allclose(back.times, TRACK.times, atol=5e-4)
    np.testing.assert_allclose(back.strengths, TRACK.strengths, rtol=0.02)
    assert [event.kind for event in back.events] == ["hit", "hit", "scratch"]
    assert back.events[2].duration == pytest.approx(0.4, abs=1e-3)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".txt", ".rpp", ".mid"])
def test_empty_tracks(tmp_path, suffix):
    path = tmp_path / f"none{suffix}"
    write_track(path, OnsetTrack())
    assert len(read_track(path)) == 0


def test_reaper_table_with_clock_times():
    rows = "#,Name,Start,End,Length\nM1,hit 0.3,1:02.250,,\nR2,scratch,0:01:05.5,1:06.5,0:01.0\n"
    track = parse_csv(rows, "r.csv")
    assert track.times == pytest.approx([62.25, 65.5]) and track.events[1].duration == pytest.approx(1.0)
    with pytest.raises(EnvelopeError, match="ruler"):
        parse_csv("#,Name,Start,End,Length\nM1,hit,1.1.00,,\n", "r.csv")


def test_events_in_quotes_are_known(tmp_path):
    path = tmp_path / "a.csv"
    for header in ("seconds,strength,kind,duration", "#,Name,Start,End,Length"):
        path.write_text('"' + header.replace(",", '","') + '"\n')
        assert holds_events(path) and len(read_track(path)) == 0
    path.write_text("\ufeffkind,seconds\nscratch,0.5\n", encoding="utf-8")  # as spreadsheets begin a file
    assert holds_events(path) and read_track(path).events[0].kind == "scratch"
    path.write_text('"0.5","0.3"\n')
    assert not holds_events(path)


def test_csv_of_people():
    assert parse_csv("1.0\n0.5\n", "x").times.tolist() == [0.5, 1.0]
    assert parse_csv("seconds,kind\n0.5,scratch\n", "x").events[0].kind == "scratch"
    assert len(parse_csv("\n", "x")) == 0


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "seconds,colour\n1,red\n", "colour"), ("b.csv", "1\ntwo\n", "line 2"), ("c.csv", "seconds\n-1\n", "line 2"),
        ("d.json", "[1]", "events"), ("e.json", '{"events": [{"seconds": "x"}]}', "event 1"),
        ("f.json", '{"events": [{"time": 1}]}', "event 1"), ("g.txt", "1.0\tx\n2", "line 1"),
        ("h.rpp", "  MARKER 1 soon", "line 1"), ("i.mid", "MThd", "MIDI"), ("j.wav", "", "export"),
        ("k.json", '{"events": 5}', "events"), ("l.json", '{"events": [null]}', "event 1"), ("m.json", "[" * 100_000, "events"),
        ("n.json", '{"events": [{"seconds": 1, "strength": 1e300}]}', "full scale"), ("o.rpp", '  MARKER 1 -3 "x" 0', "line 1"),
        ("p.csv", "seconds,kind\n0.1," + "x" * 200_000, "no table"), ("q.csv", "#,Name,Start\nM1,hit,-2", "line 2"),
        ("r.csv", "0.1\n0,5\n", "line 2 has a strength above 1"),
        ("s.csv", "seconds,strength,kind\n0,5,hit\n", "line 2 has a strength above 1"),
    ],
)  # fmt: skip
def test_broken_files_are_named(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(EnvelopeError, match=message) as error:
        read_track(path)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_places_that_cannot_be(tmp_path):
    with pytest.raises(OutputError, match="end the name"):
        write_track(tmp_path / "events.doc", TRACK)
    (tmp_path / "there.csv").write_text("")
    with pytest.raises(OutputError, match="exists"):
        write_track(tmp_path / "there.csv", TRACK)
    with pytest.raises(EnvelopeError):
        read_track(tmp_path / "absent.mid")


def test_audacity_writes_spectral_labels_and_commas(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("0,5\t0,5\tknock\n\\\t100\t200\n1.0\t1.4\tscratch .2\n")
    track = read_track(path)
    assert track.times.tolist() == [0.5, 1.0] and track.events[1].duration == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("text", "strength"),
    [
        ("step 1", 0.1), ("door slam, take 12", 0.1), ("Shot 24", 0.1), ("1", 0.1), ("0.3", 0.1), ("hit 1", 0.1),
        ("hit 12", 0.1), ("hit take 0.5", 0.1), ("take 2 of hit 3.5", 0.1), ("white 0.3", 0.1), ("hit 0.3.1", 0.1),
        ("hit", 0.1), ("", 0.1),
        ("hit 0.3", 0.3), ("Scratch .2 on wood", 0.2), ("hit 1.0", 1.0), ("hit 1e-05", 1e-5), ("hit 0.0", 0.0),
        ("hit 0,3", 0.3), ("scratch ,25, wood", 0.25), ("hit 0,3,1", 0.1), ("door slam, hit, 0,5", 0.1),
    ],
)  # fmt: skip
def test_a_number_in_a_label_is_a_strength_only_after_the_kind(tmp_path, text, strength):
    (tmp_path / "a.txt").write_text(f"0.5\t0.5\t{text}\n")
    (tmp_path / "a.rpp").write_text(f'  MARKER 1 0.5 "{text}" 0\n')
    (tmp_path / "a.csv").write_text(f'#,Name,Start,End,Length\nM1,"{text}",0.5,,\n')
    for suffix in ("txt", "rpp", "csv"):
        assert [event.strength for event in read_track(tmp_path / f"a.{suffix}").events] == [strength]


@pytest.mark.parametrize("suffix", [".csv", ".json", ".txt", ".rpp"])
def test_any_strength_is_read_as_it_was_written(tmp_path, suffix):
    strengths = [0.0, 1.234e-05, 1e-05, 0.3, 0.9999, 1.0, 1.995, 12.0, 1e6]
    track = OnsetTrack(tuple(OnsetEvent(k + 0.5, value, ("hit", "scratch")[k % 2], k % 2) for k, value in enumerate(strengths)))
    write_track(tmp_path / f"a{suffix}", track)
    assert read_track(tmp_path / f"a{suffix}") == track


def test_midi_numbers():
    assert [variable_length(value).hex() for value in (0, 127, 128, 16383, 16384)] == ["00", "7f", "8100", "ff7f", "818000"]


def test_what_velocities_cannot_hold_is_counted():
    track = OnsetTrack.at([0.1, 0.2], 0.5)
    assert (
        louder_than_notes(track)
        == louder_than_notes(parse_midi(midi_bytes(track), "x"))
        == louder_than_notes(OnsetTrack())
        == 0
    )
    assert louder_than_notes(track.scaled(1.02)) == 2


def test_midi_of_other_programs():
    def chunk(name, content):
        return name + len(content).to_bytes(4, "big") + content

    head = chunk(b"MThd", bytes([0, 1, 0, 2, 0, 96]))
    tempo = chunk(b"MTrk", bytes.fromhex("00ff5103 0f4240 60ff5103 07a120 00ff2f00"))  # 1 s a quarter, after one: 0.5 s
    # running status, a note on of velocity 0 as its end, a controller, a system message, a note that never ends
    notes = chunk(b"MTrk", bytes.fromhex("00c005 00b00740 60903c7f 60 3c00 00f001f7 60903e40 00ff2f00"))
    track = parse_midi(head + tempo + notes, "x.mid")
    assert track.times == pytest.approx([1.0, 2.0]) and track.events[0].strength == pytest.approx(0.5)
    with pytest.raises(EnvelopeError):
        parse_midi(head + tempo + notes[:-6], "x.mid")
    with pytest.raises(EnvelopeError):
        parse_midi(chunk(b"MThd", bytes([0, 2, 0, 1, 0, 96])), "x.mid")
    assert parse_midi(midi_bytes(TRACK), "y").times == pytest.approx(TRACK.times, abs=5e-4)


def test_midi_bytes_are_those_that_other_programs_expect():
    """Middle C for a hit, the D above for a scratch, velocity by the root of the strength, ticks of 0.5 ms."""
    track = OnsetTrack((OnsetEvent(0.25, 0.5), OnsetEvent(1.0, 0.125, "scratch", 0.3)))
    assert midi_bytes(track) == bytes.fromhex(
        "4d546864 00000006 0000 0001 03e8 4d54726b 0000001e 00ff5103 07a120"
        "8374 903c7f 64 803c00 8a78 903e40 8458 803e00 00ff2f00"
    )


def test_a_note_ends_where_the_next_of_its_kind_begins():
    """Else the end of the first would cut the second short."""
    scratches = OnsetEvent(0.5, 0.2, "scratch", 0.5), OnsetEvent(0.8, 0.1, "scratch", 0.6)
    back = parse_midi(midi_bytes(OnsetTrack((*scratches, OnsetEvent(0.9, 0.1), OnsetEvent(0.92, 0.1)))), "x")
    assert back.times == pytest.approx([0.5, 0.8, 0.9, 0.92])
    assert [event.duration for event in back.events] == pytest.approx([0.3, 0.6, 0, 0])
    assert len(parse_midi(midi_bytes(OnsetTrack.at([0.5, 0.5])), "x")) == 2


def midi_file(division: str, *tracks: str) -> bytes:
    """A file of type 1 from the bytes of its tracks, in hexadecimal."""
    chunks = [bytes.fromhex(track + "00ff2f00") for track in tracks]
    head = b"MThd" + bytes([0, 0, 0, 6, 0, 1, 0, len(tracks)]) + bytes.fromhex(division)
    return head + b"".join(b"MTrk" + len(chunk).to_bytes(4, "big") + chunk for chunk in chunks)


def test_ticks_of_midi_files_are_counted_as_they_say():
    frames = midi_file("e728", "8b5c 903c40")  # 25 frames of 40 ticks a second; tick 1500
    (event,) = parse_midi(frames, "x").events
    assert event.seconds == pytest.approx(1.5) and event.strength == pytest.approx(0.5 * (64 / 127) ** 2)
    # 2 quarters of 1 s, told by the second track, then 0.25 s each, told by the first
    tempos = midi_file("0060", "8140 ff5103 03d090", "00ff5103 0f4240", "8220 903c7f")
    assert parse_midi(tempos, "x").times == pytest.approx([2.25])


def test_midi_channels_are_apart_and_messages_of_makers_are_passed_over():
    content = midi_file("0060", "00f7022a2a 00903e7f 00913e40 60803e00 60813e00")
    assert [event.duration for event in parse_midi(content, "x").events] == pytest.approx([0.5, 1.0])


def test_a_hit_lasts_for_nothing_whatever_its_label_spans(tmp_path):
    (tmp_path / "a.txt").write_text("0.5\t1.0\thit 0.3\n1.0\t0.5\tscratch\n")
    assert [event.duration for event in read_track(tmp_path / "a.txt").events] == [0.0, 0.0]


def test_a_region_of_reaper_may_be_open_and_its_number_come_again(tmp_path):
    lines = ('2 0.5 "scratch" 1', '2 0.9 "" 1', '2 2.0 "scratch" 1', '2 2.3 "" 1', '3 4.0 "scratch 0.3" 1')
    (tmp_path / "a.rpp").write_text("".join(f"  MARKER {line}\n" for line in lines))
    track = read_track(tmp_path / "a.rpp")
    assert track.times.tolist() == [0.5, 2.0, 4.0] and track.events[2].strength == 0.3
    assert [event.duration for event in track.events] == pytest.approx([0.4, 0.3, 0.0])


def test_whether_a_marker_of_reaper_is_a_region_is_one_bit_of_its_flags(tmp_path):
    lines = ('1 0.5 "scratch" 9', '1 0.9 "" 9', '2 2.0 "hit" 8')
    (tmp_path / "a.rpp").write_text("".join(f"  MARKER {line}\n" for line in lines))
    track = read_track(tmp_path / "a.rpp")
    assert track.times.tolist() == [0.5, 2.0] and track.events[0].duration == pytest.approx(0.4)


def test_two_numbers_between_tabs_are_no_labels(tmp_path):
    for rows, known in (("0.5\t0.3\n", False), ("0.5\t0.5\t\n", True)):
        (tmp_path / "a.txt").write_text(rows)
        assert holds_events(tmp_path / "a.txt") == known
