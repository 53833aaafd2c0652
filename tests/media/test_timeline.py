"""Time comes from presentation timestamps."""

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foleygram.media.timeline import Timeline, picture_length, read_timeline
from foleygram.media.video import probe, stream_frames, write_video

from .recordings import record, shifted

RATES = [
    Fraction(24000, 1001),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(60000, 1001),
    Fraction(15),
    Fraction(12),
]
UNITS = [Fraction(1, 1000), Fraction(1, 90000), Fraction(1, 15360), Fraction(1, 600)]


@settings(max_examples=60)
@given(st.sampled_from(RATES), st.sampled_from(UNITS), st.integers(1, 400), st.integers(-10_000, 10_000), st.booleans())
def test_constant_rate_is_exact_whatever_the_clock(rate, unit, count, start, told):
    """Timestamps rounded to the file's clock still give a whole number of frames: 300 frames at 29.97 last 10.01 s."""
    ticks = np.array([start + round(index / rate / unit) for index in range(count)])
    last = round(1 / rate / unit) if told else 0
    assert picture_length(ticks, last, unit, 1 / rate) == count / rate


@given(st.lists(st.integers(1, 2000), min_size=2, max_size=50), st.integers(1, 3000))
def test_variable_rate_is_what_the_timestamps_say(gaps, last):
    unit = Fraction(1, 1000)
    ticks = np.concatenate([[0], np.cumsum(gaps)])
    step = Fraction(1, 7919)  # a nominal rate that fits nothing
    assert picture_length(ticks, last, unit, step) == (sum(gaps) + last) * unit
    untold = picture_length(ticks, 0, unit, step)
    assert (sum(gaps) + min(gaps)) * unit <= untold <= (sum(gaps) + max(gaps)) * unit


@given(
    st.lists(st.integers(1, 300), min_size=0, max_size=30),
    st.lists(st.floats(-1, 12, allow_nan=False), min_size=1, max_size=20),
)
def test_nearest_frame_is_nearest(gaps, times):
    ticks = 500 + np.concatenate([[0], np.cumsum(gaps)]).astype(np.int64)
    timeline = Timeline(ticks, Fraction(1, 1000), Fraction(1), 500)
    distance = np.abs(timeline.times[None] - np.array(times)[:, None])
    chosen = timeline.nearest(np.array(times))
    np.testing.assert_allclose(distance[np.arange(len(times)), chosen], distance.min(axis=1), atol=1e-9)


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(30)])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_files_of_constant_rate(tmp_path, rate, suffix):
    path = record(tmp_path / f"clip.{suffix}", rate=rate, count=31)
    assert probe(path).seconds == pytest.approx(31 / float(rate), abs=1e-12)
    assert probe(path).fps == pytest.approx(float(rate), rel=1e-6)


@settings(max_examples=8)
@given(gaps=st.lists(st.integers(2, 20), min_size=1, max_size=12), fps=st.sampled_from([5, 12.5, 25, 29.97, 60]))
def test_sample_and_hold_of_a_variable_rate(tmp_path_factory, gaps, fps):
    """At each k / fps the frame on show, told by its grey level."""
    times = np.concatenate([[0], np.cumsum(gaps)]) / 100
    path = record(tmp_path_factory.mktemp("vfr") / "vfr.mp4", times=times, options={"crf": "1"})
    timeline = read_timeline(path)
    np.testing.assert_allclose(timeline.times, times, atol=1e-4)
    sampled = list(stream_frames(path, fps=fps))
    assert len(sampled) == int(np.ceil(round(timeline.seconds * fps, 6)))
    levels = [20 + index * 200 // len(times) for index in range(len(times))]
    for index, (time, image) in enumerate(sampled):
        assert time == pytest.approx(index / fps)
        on_show = int(np.searchsorted(times, time + 1e-4, side="right")) - 1
        assert abs(float(image.mean()) - levels[on_show]) < 4


def test_sampling_at_its_own_rate_gives_each_frame_once(tmp_path):
    """Matroska rounds to 1 ms, so every third frame seems to come too late."""
    rate = Fraction(30000, 1001)
    path = record(tmp_path / "clip.mkv", rate=rate, count=40, options={"crf": "1"})
    own = [float(image.mean()) for _, image in stream_frames(path)]
    held = [float(image.mean()) for _, image in stream_frames(path, fps=rate)]
    assert held == own and len(own) == 40


def test_edit_list_hides_the_start(tmp_path):
    """A trimmed phone video: frames before the cut are stored, but are no part of the picture."""
    whole = record(tmp_path / "whole.mp4", count=30)
    cut = shifted(whole, tmp_path / "cut.mp4", 0.7)
    info = probe(cut)
    assert (info.frames, info.seconds) == (23, 2.3)
    first = next(iter(stream_frames(cut)))[1]
    assert float(first.mean()) == pytest.approx(20 + 7 * 200 // 30, abs=4)


def test_avi_and_raw_streams_without_timestamps(tmp_path):
    for name in ("clip.avi", "clip.h264"):
        path = record(tmp_path / name, rate=25, count=20)
        timeline = read_timeline(path)
        assert len(timeline.ticks) == 20 and timeline.seconds == pytest.approx(0.8)
        assert (np.diff(timeline.times) > 0).all()


def test_where_the_picture_begins_after_the_sound_players_begin_with_the_sound(tmp_path, moving_bar, clicks):
    write_video(tmp_path / "even.mp4", moving_bar(12), 10, clicks(1.2, [0.3]))
    with av.open(str(tmp_path / "even.mp4")) as source, av.open(str(tmp_path / "late.mp4"), "w") as late:
        streams = {stream.index: late.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                if packet.stream.type == "video":
                    shift = round(0.5 / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = streams[packet.stream.index]
                late.mux(packet)
    assert read_timeline(tmp_path / "even.mp4").begins == pytest.approx(0, abs=0.03)
    timeline = read_timeline(tmp_path / "late.mp4")
    assert timeline.begins == pytest.approx(0.5, abs=0.03) and timeline.times[0] == 0


def test_a_film_is_read_once_until_it_is_another(tmp_path, monkeypatch):
    path = record(tmp_path / "a.mp4", times=np.arange(5) / 25)
    first = read_timeline(path)
    record(tmp_path / "b.mp4", times=np.arange(9) / 25).replace(path)
    second = read_timeline(path)
    assert (len(first.ticks), len(second.ticks)) == (5, 9)

    def opened(_):
        raise AssertionError

    monkeypatch.setattr("foleygram.media.timeline.open_media", opened)
    assert read_timeline(str(path)) is second
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(AssertionError):
        read_timeline(path)
