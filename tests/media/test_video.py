"""Frames in and out."""

from fractions import Fraction

import numpy as np
import pytest

from foleygram.errors import MediaError, OutputError, UsageError
from foleygram.media.audio import read_audio
from foleygram.media.video import probe, read_frames, stream_frames, write_video

from .recordings import record, sound_rates, sound_start


def grey(video) -> np.ndarray:
    """Mean level of each frame outside the white bar."""
    return video.frames[..., 16:].mean(axis=(1, 2, 3))


def test_story_write_probe_read(tiny_video, clicks):
    """A video that we wrote is what we read: length, frames, colours, sound."""
    info = probe(tiny_video)
    assert (info.seconds, info.fps, info.frames, info.width, info.height) == (1.2, 10.0, 12, 64, 36)
    assert (info.has_video, info.has_audio, info.rotation) == (True, True, 0) and sound_rates(tiny_video) == [44100]
    assert sound_start(tiny_video) == pytest.approx(0, abs=1e-3)
    video = read_frames(tiny_video)
    assert video.frames.shape == (12, 3, 36, 64) and video.seconds == 1.2
    np.testing.assert_allclose(video.times, np.arange(12) / 10, atol=1e-9)
    np.testing.assert_allclose(grey(video), 20 + np.arange(12) * 200 // 12, atol=3)
    assert video.frames[:, :, :, :4].mean() > 250  # the bar is on the left
    assert read_audio(tiny_video).samples.shape == (2, 52920)


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (20, 200, 120)])
def test_colours_survive(tmp_path, colour):
    write_video(tmp_path / "a.mp4", [np.full((32, 32, 3), colour, np.uint8)] * 2, 10)
    np.testing.assert_allclose(read_frames(tmp_path / "a.mp4").frames[0].mean(axis=(1, 2)), colour, atol=3)


def test_frames_by_time_and_count(tiny_video):
    everything = read_frames(tiny_video)
    chosen = read_frames(tiny_video, times=[-1, 0.04, 0.06, 0.5, 0.5, 99])
    np.testing.assert_allclose(chosen.times, [0, 0, 0.1, 0.5, 0.5, 1.1], atol=1e-9)
    assert chosen.seconds == everything.seconds
    np.testing.assert_array_equal(chosen.frames, everything.frames[[0, 0, 1, 5, 5, 11]])
    # GRAM: np.array_split(range(12), 5) is 3 3 2 2 2, of each part the item at (len + 1) // 2 - 1
    np.testing.assert_array_equal(read_frames(tiny_video, count=5).frames, everything.frames[[1, 4, 6, 8, 10]])
    np.testing.assert_array_equal(read_frames(tiny_video, count=24).frames, everything.frames[np.arange(24) // 2])


@pytest.mark.parametrize("count", [1, 2, 8, 30])
def test_seeking_finds_the_same_frames(tmp_path, monkeypatch, count):
    for name in ("a.mp4", "a.mkv", "a.ts"):
        path = record(tmp_path / name, count=120, rate=30, options={"g": "12", "bf": "2"})
        whole = read_frames(path, count=count)
        monkeypatch.setattr("foleygram.media.video.SEEK_SECONDS", 0.0)
        np.testing.assert_array_equal(read_frames(path, count=count).frames, whole.frames)
        monkeypatch.undo()


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
@pytest.mark.parametrize(
    ("size", "short", "expected"), [((35, 61), None, (35, 61)), ((35, 61), 14, (14, 24)), ((61, 35), 7, (12, 7))]
)
def test_odd_sizes_and_scaling(tmp_path, codec, size, short, expected):
    if codec == "libx264":
        path = tmp_path / "a.mp4"
        write_video(path, [np.full((*size, 3), 99, np.uint8)] * 3, 10)
        even = tuple(side + side % 2 for side in size)
        assert (probe(path).height, probe(path).width) == even
        size = even
    else:
        path = record(tmp_path / "a.mkv", codec, size=size, count=3)
        assert (probe(path).height, probe(path).width) == size
        assert read_frames(path, short_side=short).frames.shape[2:] == expected
    small = read_frames(path, short_side=8)
    assert min(small.frames.shape[2:]) == 8


@pytest.mark.parametrize(("flag", "rotation"), [(-90, 90), (90, 270), (180, 180)])
def test_rotation_flag_is_applied(tmp_path, moving_bar, flag, rotation):
    """A bar on the left of the stored picture stands on top after a clockwise quarter turn."""
    import av

    upright, turned = tmp_path / "upright.mp4", tmp_path / "turned.mp4"
    write_video(upright, moving_bar(4), 10)
    with av.open(str(upright)) as source, av.open(str(turned), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream, opaque=True)
        copy.set_display_rotation(flag)
        for packet in source.demux(stream):
            if packet.size:
                packet.stream = copy
                target.mux(packet)
    info = probe(turned)
    assert info.rotation == rotation
    assert (info.width, info.height) == ((64, 36) if rotation == 180 else (36, 64))
    stored = read_frames(upright).frames
    np.testing.assert_array_equal(read_frames(turned).frames, np.rot90(stored, -rotation // 90, axes=(2, 3)))
    streamed = [image for _, image in stream_frames(turned, short_side=18)]
    assert streamed[0].shape == ((3, 18, 32) if rotation == 180 else (3, 32, 18))


def test_single_frame(tmp_path):
    write_video(tmp_path / "a.mp4", [np.zeros((16, 16, 3), np.uint8)], 25)
    assert probe(tmp_path / "a.mp4").seconds == pytest.approx(0.04)
    assert read_frames(tmp_path / "a.mp4", count=8).frames.shape[0] == 8
    assert len(list(stream_frames(tmp_path / "a.mp4", fps=100))) == 4


def test_streaming_equals_reading(tiny_video):
    video = read_frames(tiny_video)
    streamed = list(stream_frames(tiny_video))
    np.testing.assert_allclose([time for time, _ in streamed], video.times)
    np.testing.assert_array_equal(np.stack([image for _, image in streamed]), video.frames)


def test_cover_of_a_music_file_is_no_picture(tmp_path, tiny_sound):
    import av

    path = tmp_path / "song.mka"
    with av.open(str(tiny_sound)) as source, av.open(str(path), "w", format="matroska") as target:
        copy = target.add_stream_from_template(source.streams.audio[0])
        target.add_attachment("cover.png", "image/png", b"\x89PNG\r\n\x1a\n" + bytes(64))
        for packet in source.demux():
            if packet.size:
                packet.stream = copy
                target.mux(packet)
    info = probe(path)
    assert not info.has_video and info.seconds == 1.0
    with pytest.raises(MediaError, match="sound but no picture"):
        read_frames(path)


def test_same_frames_same_bytes(tmp_path, moving_bar, clicks):
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, iter(moving_bar(6)), Fraction(30000, 1001), clicks(0.2, [0.1]))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    assert probe(tmp_path / "a.mp4").seconds == pytest.approx(6 * 1001 / 30000)


def test_wrong_calls(tmp_path, tiny_video):
    black = np.zeros((16, 16, 3), np.uint8)
    for arguments, expected in [
        ({"times": [1], "count": 1}, "not by both"), ({"count": 0}, "at least 1 frame"), ({"times": []}, "at least one"),
        ({"times": [1, 0]}, "none falling"), ({"times": [np.nan]}, "none NaN"), ({"short_side": 0}, "at least 1 pixel"),
    ]:  # fmt: skip
        with pytest.raises(UsageError, match=expected):
            read_frames(tiny_video, **arguments)
    for fps in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="positive number of frames"):
            next(stream_frames(tiny_video, fps=fps))
        with pytest.raises(UsageError, match="positive number of frames"):
            write_video(tmp_path / "a.mp4", [black], fps)
    with pytest.raises(UsageError, match="at most 1001 s"):
        write_video(tmp_path / "a.mp4", [black], 0.0004)
    for frames in ([], [black[..., :2]], [black, black[:8]], [black.astype(float)]):
        with pytest.raises(MediaError):
            write_video(tmp_path / "a.mp4", frames, 10)
    for name, expected in [
        ("a.webm", "does not hold H.264"),
        ("a.avi", "end the name with one of them"),
        ("a", "end the name"),
    ]:
        with pytest.raises(OutputError, match=expected):
            write_video(tmp_path / name, [black], 10)
    assert list(tmp_path.iterdir()) == []
