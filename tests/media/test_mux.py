"""The picture stays bit for bit what it was; the sound begins at the first frame and has every sample."""

import os
import signal
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from foleygram.errors import MediaError, OutputError
from foleygram.media.audio import read_audio
from foleygram.media.mux import chapters_from, mux, unkept
from foleygram.media.video import probe, read_frames
from foleygram.types import Audio

from .recordings import picture_packets, record, shifted, sound_rates, sound_start
from .test_media_audio import lag


@pytest.fixture(scope="module")
def sound(clicks):
    return clicks(1.2, [0.1, 0.55, 0.9])


def shape(path) -> Fraction | None:
    """Width of a pixel over its height."""
    import av

    with av.open(str(path)) as container:
        return container.streams.video[0].sample_aspect_ratio


@pytest.mark.parametrize("suffix", ["mp4", "m4v", "mov", "mkv"])
def test_picture_is_copied_and_sound_is_exact(tmp_path, tiny_video, sound, suffix):
    out = tmp_path / f"out.{suffix}"
    mux(tiny_video, sound, out)
    assert picture_packets(out) == picture_packets(tiny_video)
    before, after = read_frames(tiny_video), read_frames(out)
    np.testing.assert_array_equal(after.frames, before.frames)
    np.testing.assert_allclose(after.times, before.times, atol=5e-4)
    info = probe(out)
    assert info.seconds == 1.2 and sound_rates(out) == [44100]
    assert abs(sound_start(out)) < 1e-9
    back = read_audio(out)
    assert back.samples.shape == (2, 52920)
    assert lag(back, sound) == 0
    assert np.abs(back.samples - sound.samples).max() < (1e-6 if suffix == "mkv" else 0.15)


def test_webm_takes_opus_at_48_kilohertz(tmp_path, sound):
    source = record(tmp_path / "source.webm", "libvpx-vp9", count=6, options={"deadline": "realtime", "cpu-used": "8"})
    mux(source, sound, tmp_path / "out.webm")
    assert picture_packets(tmp_path / "out.webm") == picture_packets(source)
    back = read_audio(tmp_path / "out.webm")
    assert back.samples.shape == (2, 52920) and abs(lag(back, sound)) <= 1
    with pytest.raises(OutputError, match="cannot hold a picture in VP9; end the name with .mp4"):
        mux(source, sound, tmp_path / "out.mov")


@pytest.mark.parametrize("samples", [1, 500, 1024, 1025, 44100])
def test_any_number_of_samples(tmp_path, tiny_video, samples):
    tone = 0.3 * np.sin(np.arange(samples) * 0.1)
    for suffix in ("mp4", "mkv"):
        out = tmp_path / f"out.{suffix}"
        mux(tiny_video, Audio(tone[None], 44100), out)
        assert read_audio(out).samples.shape == (2, samples)


def test_all_other_tracks_are_dropped_and_mono_becomes_stereo(tmp_path, sound):
    source = record(tmp_path / "source.mkv", sound=[sound, sound])
    mux(source, Audio(sound.mono()[None], 44100), tmp_path / "out.mp4")
    assert len(sound_rates(tmp_path / "out.mp4")) == 1
    assert read_audio(tmp_path / "out.mp4").channels == 2


def rich(path, sound, first=0):
    """A film with two sounds, subtitles and three chapters, of which the last lies behind its end; the picture begins at frame
    ``first``."""
    import av

    film = record(path.with_name("plain.mkv"), first=first, sound=[sound, sound])
    path.with_name("words.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    with av.open(str(film)) as source, av.open(str(path.with_name("words.srt"))) as words, av.open(str(path), "w") as target:
        copies = {stream: target.add_stream_from_template(stream, opaque=True) for stream in (*source.streams, *words.streams)}
        marks = [("one", 0, 500), ("zwölf", 500 + 100 * first, 1200 + 100 * first), ("late", 9000, 9500)]
        target.set_chapters(
            [
                {"id": number, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": title}}
                for number, (title, start, end) in enumerate(marks, 1)
            ]
        )
        for stream, packet in [(packet.stream, packet) for part in (source, words) for packet in part.demux() if packet.size]:
            packet.stream = copies[stream]
            target.mux(packet)
    return path


def chapters(path) -> list[tuple[str, float, float]]:
    import av

    with av.open(str(path)) as container:
        found = container.chapters()
        ends = [[round(float(c[side] * c["time_base"]), 3) for side in ("start", "end")] for c in found]
        return [(chapter["metadata"].get("title", ""), *pair) for chapter, pair in zip(found, ends, strict=True)]


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_chapters_are_kept_and_the_rest_that_is_left_out_is_told(tmp_path, sound, suffix):
    film, out = rich(tmp_path / "rich.mkv", sound), tmp_path / f"out.{suffix}"
    mux(film, sound, out)
    assert chapters(out) == [("one", 0, 0.5), ("zwölf", 0.5, 1.2)]
    assert picture_packets(out) == picture_packets(film) and probe(out).seconds == 1.2
    assert unkept(film, out) == [f"left out of {out.name}: 1 further sound track, subtitles"]
    assert unkept(out, tmp_path / "again.mp4") == []
    mux(out, sound, tmp_path / f"again.{suffix}")
    assert chapters(tmp_path / f"again.{suffix}") == chapters(out)


def test_chapters_in_no_order_and_without_names():
    class Film:
        def chapters(self):
            spans = [(3, 4), (1, 2), (1, 3), (9, 10)]
            return [{"id": 0, "start": a, "end": b, "time_base": Fraction(1), "metadata": {}} for a, b in spans]

    for kind, expected in [("matroska", [(1000, 2000), (3000, 3500)]), ("mov", [(0, 1000), (1000, 2000), (3000, 3500)])]:
        kept = chapters_from(Film(), kind, Fraction(0), Fraction(7, 2))
        assert [(chapter["start"], chapter["end"]) for chapter in kept] == expected
        assert all(chapter["metadata"] == {"title": ""} for chapter in kept)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_chapters_move_with_the_picture(tmp_path, sound, suffix):
    out = tmp_path / f"out.{suffix}"
    mux(rich(tmp_path / "rich.mkv", sound, first=10), sound, out)
    ahead = [("", 0, 0.5)] if suffix == "mp4" else []  # there the first chapter begins with the film
    assert chapters(out) == [*ahead, ("zwölf", 0.5, 1.2)] and abs(sound_start(out)) < 1e-3


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_rotation_and_late_pictures(tmp_path, sound, suffix):
    """The rotation flag survives, and a picture that begins at 1 s begins at 0 with its new sound."""
    source = record(tmp_path / "source.mkv", first=10, rotation=-90, sound=[sound])
    out = tmp_path / f"out.{suffix}"
    mux(source, sound, out)
    info = probe(out)
    assert info.rotation == 90 and abs(sound_start(out)) < 1e-3 and lag(read_audio(out), sound) == 0
    np.testing.assert_array_equal(read_frames(out).frames, read_frames(source).frames)


def test_variable_frame_rate_keeps_its_times(tmp_path, sound):
    times = np.cumsum([0, 0.02, 0.05, 0.03, 0.2, 0.04, 0.11])
    source = record(tmp_path / "source.mp4", times=times)
    for suffix in ("mp4", "mkv"):
        mux(source, sound, tmp_path / f"out.{suffix}")
        np.testing.assert_allclose(read_frames(tmp_path / f"out.{suffix}").times, times, atol=5e-4)


def test_trimmed_videos(tmp_path, sound):
    cut = shifted(record(tmp_path / "whole.mp4", count=30), tmp_path / "cut.mp4", 0.7)
    mux(cut, sound, tmp_path / "out.mp4")
    np.testing.assert_array_equal(read_frames(tmp_path / "out.mp4").frames, read_frames(cut).frames)
    assert probe(tmp_path / "out.mp4").seconds == probe(cut).seconds == 2.3
    with pytest.raises(OutputError, match="cannot hide the trimmed parts of cut.mp4"):
        mux(cut, sound, tmp_path / "out.mkv")


def test_refusals(tmp_path, tiny_video, tiny_sound, sound):
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(tiny_video.read_bytes())
    with pytest.raises(OutputError, match="is the input itself"):
        mux(copy, sound, copy, force=True)
    with pytest.raises(OutputError, match="is the input itself"):
        mux(copy, sound, tmp_path / ".." / tmp_path.name / "copy.mp4", force=True)
    with pytest.raises(OutputError, match="exists already"):
        mux(tiny_video, sound, copy)
    assert copy.read_bytes() == tiny_video.read_bytes()
    with pytest.raises(OutputError, match="a video is written as .mp4"):
        mux(tiny_video, sound, tmp_path / "out.avi")
    with pytest.raises(OutputError, match="cannot hold a picture in H.264; end the name with .mp4"):
        mux(tiny_video, sound, tmp_path / "out.webm")
    with pytest.raises(MediaError, match="sound but no picture"):
        mux(tiny_sound, sound, tmp_path / "out.mp4")
    with pytest.raises(MediaError, match="no samples"):
        mux(tiny_video, Audio(np.zeros((2, 0)), 44100), tmp_path / "out.mp4")
    raw = record(tmp_path / "raw.h264", count=5)
    with pytest.raises(OutputError, match="does not say when each frame is shown; convert it to .mp4"):
        mux(raw, sound, tmp_path / "out.mp4")
    gif = record(tmp_path / "a.gif", "gif", count=3, pixels="rgb8")
    with pytest.raises(OutputError, match="cannot hold a picture in GIF; end the name with .mov"):
        mux(gif, sound, tmp_path / "out.mkv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "copy.mp4", "raw.h264"]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_same_input_same_bytes(tmp_path, sound, suffix):
    film = rich(tmp_path / "rich.mkv", sound)
    for name in ("a", "b"):
        mux(film, sound, tmp_path / f"{name}.{suffix}")
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


@pytest.mark.parametrize("tag", ["hvc1", "hev1"])
def test_hevc_keeps_the_tag_that_players_ask_for(tmp_path, sound, tag):
    import av

    source = record(tmp_path / "a.mkv", "libx265", count=3, options={"x265-params": "log-level=none:pools=none"})
    tagged = tmp_path / "tagged.mp4"
    with av.open(str(source)) as original, av.open(str(tagged), "w") as copy:
        stream = copy.add_stream_from_template(original.streams.video[0], opaque=True)
        stream.codec_context.codec_tag = tag
        for packet in original.demux(original.streams.video[0]):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    mux(tagged, sound, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.codec_tag == tag


def tag(path) -> str:
    import av

    with av.open(str(path)) as container:
        return container.streams.video[0].codec_context.codec_tag


@pytest.mark.parametrize(("profile", "name"), [("proxy", "apco"), ("lt", "apcs"), ("standard", "apcn"), ("hq", "apch")])
def test_every_prores_keeps_its_name(tmp_path, sound, profile, name):
    film = record(tmp_path / "a.mov", "prores_ks", count=2, pixels="yuv422p10le", options={"profile": profile})
    mux(film, sound, tmp_path / "out.mov")
    assert tag(film) == tag(tmp_path / "out.mov") == name


def test_a_tag_that_the_container_does_not_know_is_left_out(tmp_path, sound):
    film = record(tmp_path / "a.mov", "mjpeg", count=2, pixels="yuvj420p")
    mux(film, sound, tmp_path / "out.mp4")
    assert (tag(film), tag(tmp_path / "out.mp4")) == ("jpeg", "mp4v")
    np.testing.assert_array_equal(read_frames(tmp_path / "out.mp4").frames, read_frames(film).frames)


@pytest.mark.parametrize(
    ("codec", "pixels", "source", "suffix"),
    [
        ("prores_ks", "yuv422p10le", "mov", "mov"),
        ("cfhd", "yuv422p10le", "mov", "mov"),
        ("libvpx-vp9", "yuv420p", "mp4", "mp4"),
    ],
)
def test_pixels_keep_their_shape_or_it_is_told(tmp_path, sound, codec, pixels, source, suffix):
    """These codecs do not say themselves how wide a pixel is: only the container does, and Matroska cannot be made to."""
    film = record(tmp_path / f"a.{source}", codec, count=3, size=(64, 96), pixels=pixels, aspect=Fraction(16, 11))
    mux(film, sound, tmp_path / f"out.{suffix}")
    assert shape(tmp_path / f"out.{suffix}") == Fraction(16, 11)
    assert unkept(film, tmp_path / f"out.{suffix}") == []
    if codec != "cfhd":  # .mkv does not hold it
        assert unkept(film, tmp_path / "out.mkv") == [
            "the film's pixels are 16:11 wide, which the .mkv does not say, so that it looks squeezed or stretched;"
            f" end the name with .{suffix}"
        ]


def test_pixel_shapes_that_the_codec_says_are_no_matter(tmp_path, sound):
    film = record(tmp_path / "a.mp4", count=3, aspect=Fraction(16, 11))
    for suffix in ("mp4", "mkv"):
        mux(film, sound, tmp_path / f"out.{suffix}")
        assert shape(tmp_path / f"out.{suffix}") == Fraction(16, 11) and unkept(film, tmp_path / f"out.{suffix}") == []


def test_a_copy_that_nobody_can_open_is_refused(tmp_path, sound):
    """FFmpeg writes planar raw pictures into a .mov without a word, and cannot read them back."""
    film = record(tmp_path / "a.avi", "rawvideo", count=3)
    with pytest.raises(OutputError, match="cannot hold a picture in raw pixels; convert the video to H.264 first"):
        mux(film, sound, tmp_path / "out.mov")
    assert not (tmp_path / "out.mov").exists()


@pytest.mark.parametrize(
    ("name", "codec", "options", "words"),
    [
        ("a.mov", "prores_ks", {"pixels": "yuv422p10le"}, "ProRes"),
        ("a.gif", "gif", {"pixels": "rgb8"}, "GIF"),
        ("a.avi", "dvvideo", {"size": (576, 720), "rate": 25}, "DV"),
        ("a.avi", "ffv1", {}, "FFV1"),
        ("a.mkv", "libsvtav1", {}, "AV1"),
    ],
)
def test_the_container_that_is_named_instead_holds_the_picture(tmp_path, sound, name, codec, options, words, monkeypatch):
    monkeypatch.setenv("SVT_LOG", "0")
    film = record(tmp_path / name, codec, count=3, **options)
    refused = 0
    for suffix in (".mp4", ".mov", ".mkv", ".webm"):
        try:
            mux(film, sound, tmp_path / f"out{suffix}")
        except OutputError as error:
            refused += 1
            own = name[1:] if name in ("a.mov", "a.mkv") else "."
            assert f"{suffix} cannot hold a picture in {words}; end the name with {own}" in str(error)
            mux(film, sound, tmp_path / f"better.{str(error).rpartition('.')[2]}", force=True)
    assert refused


def test_force_replaces(tmp_path, tiny_video, sound):
    out = tmp_path / "out.mp4"
    out.write_text("an older file")
    mux(tiny_video, sound, out, force=True)
    assert probe(out).seconds == 1.2


def test_killed_run_leaves_nothing_under_the_final_name(tmp_path):
    """SIGKILL in the middle of writing: the old file still stands."""
    out = tmp_path / "out.mp4"
    out.write_text("an older file")
    program = f"""
import os, signal, numpy as np
from pathlib import Path
from foleygram.media.video import write_video

def frames():
    for index in range(10):
        yield np.zeros((64, 64, 3), np.uint8)
    os.kill(os.getpid(), signal.SIGKILL)
    yield np.zeros((64, 64, 3), np.uint8)

write_video(Path({str(out)!r}), frames(), 10, force=True)
"""
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert out.read_text() == "an older file"


def test_a_film_of_two_that_were_put_one_after_another_is_refused(tmp_path, sound):
    part = record(tmp_path / "a.ts", container="mpegts", count=30)
    (tmp_path / "two.ts").write_bytes(2 * part.read_bytes())
    assert probe(part).seconds == pytest.approx(3.0)
    with pytest.raises(MediaError, match="start again"):
        probe(tmp_path / "two.ts")


def test_a_time_code_of_a_codec_that_does_not_know_its_rate_is_kept(tmp_path, sound):
    import av

    source = record(tmp_path / "a.mov", "prores_ks", pixels="yuv422p10le", rate=25)
    with av.open(str(source)) as plain, av.open(str(tmp_path / "coded.mov"), "w") as coded:
        stream = coded.add_stream_from_template(plain.streams.video[0], opaque=True)
        stream.codec_context.framerate = 25
        stream.metadata["timecode"] = "10:00:00:00"
        for packet in plain.demux(video=0):
            if packet.size:
                packet.stream = stream
                coded.mux(packet)
    mux(tmp_path / "coded.mov", sound, tmp_path / "out.mov")
    with av.open(str(tmp_path / "out.mov")) as out:
        assert out.streams.video[0].metadata["timecode"] == "10:00:00:00"


@pytest.mark.parametrize("suffix", ["mov", "mp4"])
@pytest.mark.parametrize(
    "said",
    [
        {"title": "Plate", "comment": "take 3"},
        {"com.apple.quicktime.location.ISO6709": "+48.1+011.6/", "com.apple.quicktime.model": "phone", "title": "Plate"},
        {"com.android.version": "14", "title": "Plate"},
    ],
    ids=["of a film", "of a phone", "of another phone"],
)
def test_what_a_film_says_of_itself_is_kept(tmp_path, sound, suffix, said):
    import av

    source = record(tmp_path / "plain.mp4")
    with (
        av.open(str(source)) as plain,
        av.open(str(tmp_path / "told.mov"), "w", container_options={"movflags": "use_metadata_tags"}) as told,
    ):
        stream = told.add_stream_from_template(plain.streams.video[0], opaque=True)
        told.metadata.update(said)
        for packet in plain.demux(video=0):
            if packet.size:
                packet.stream = stream
                told.mux(packet)
    mux(tmp_path / "told.mov", sound, tmp_path / f"out.{suffix}")
    with av.open(str(tmp_path / f"out.{suffix}")) as out:
        assert {name: out.metadata.get(name) for name in said} == said
    by_any_name = b"mdta" in (tmp_path / f"out.{suffix}").read_bytes()  # in which fewer programs look for a title
    assert by_any_name == any(name.startswith("com.") for name in said)
    mux(tmp_path / "told.mov", sound, tmp_path / "out.mkv")  # where names are in capitals
    mux(tmp_path / "out.mkv", sound, tmp_path / f"again.{suffix}")
    with av.open(str(tmp_path / f"again.{suffix}")) as out:
        assert set(said.values()) <= set(out.metadata.values())


def test_a_title_that_is_no_utf8_does_no_harm(tmp_path, sound):
    film = rich(tmp_path / "rich.mkv", sound)
    film.write_bytes(film.read_bytes().replace("zwölf".encode(), b"zw\xf6lf!"))
    mux(film, sound, tmp_path / "out.mkv")
    assert [span for _, *span in chapters(tmp_path / "out.mkv")] == [[0, 0.5], [0.5, 1.2]]


@pytest.mark.parametrize("profile, pixels", [("4444", "yuva444p10le"), ("hq", "yuv422p10le")])
def test_prores_keeps_its_flavour_in_matroska(tmp_path, sound, profile, pixels):
    import av

    source = record(tmp_path / "a.mov", "prores_ks", pixels=pixels, options={"profile": profile})
    mux(source, sound, tmp_path / "out.mkv")
    told = []
    for path in (source, tmp_path / "out.mkv"):
        with av.open(str(path)) as container:
            context = container.streams.video[0].codec_context
            told.append((context.profile, context.pix_fmt, context.codec_tag))
    assert told[0] == told[1]
    np.testing.assert_array_equal(read_frames(tmp_path / "out.mkv").frames, read_frames(source).frames)


def test_a_frame_that_an_avi_lacks_leaves_the_picture_its_length(tmp_path, sound):
    import av

    whole, source = record(tmp_path / "whole.avi", "mpeg4", count=24, rate=25), tmp_path / "a.avi"
    with av.open(str(whole)) as plain, av.open(str(source), "w") as target:
        copy = target.add_stream_from_template(plain.streams.video[0])
        for packet in plain.demux(video=0):
            if packet.size:
                late = packet.dts > 0
                packet.stream, packet.dts, packet.pts = copy, packet.dts + late, packet.dts + late
                target.mux(packet)
    info = probe(source)
    assert info.frames == 24 and info.seconds == pytest.approx(1.0)
    mux(source, Audio(np.zeros((2, round(info.seconds * 44100)), np.float32), 44100), tmp_path / "out.mp4")
    assert info.seconds == pytest.approx(probe(tmp_path / "out.mp4").seconds, abs=1e-3)


def test_the_picture_that_is_marked_as_default_is_taken(tmp_path, sound):
    import av
    from av.stream import Disposition

    parts = [record(tmp_path / f"{side}.mp4", size=(side, 64)) for side in (32, 48)]
    with av.open(str(tmp_path / "two.mkv"), "w") as target:
        sources = [av.open(str(path)) for path in parts]
        copies = [target.add_stream_from_template(source.streams.video[0]) for source in sources]
        for copy, mark in zip(copies, (Disposition(0), Disposition.default), strict=True):
            copy.disposition = mark
        for source, copy in zip(sources, copies, strict=True):
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = copy
                    target.mux(packet)
            source.close()
    assert probe(tmp_path / "two.mkv").height == 48
    assert unkept(tmp_path / "two.mkv", tmp_path / "out.mkv") == ["left out of out.mkv: 1 further picture"]


def test_what_comes_before_the_first_key_frame_is_left_out_of_matroska(tmp_path, sound):
    import av

    whole = record(tmp_path / "a.ts", container="mpegts", count=40, options={"g": "20", "bf": "2", "x264-params": "open-gop=1"})
    packets = whole.read_bytes()
    parts = [packets[at : at + 188] for at in range(0, len(packets), 188)]
    (tmp_path / "cut.ts").write_bytes(b"".join(parts[:3] + parts[len(parts) // 3 :]))
    mux(tmp_path / "cut.ts", sound, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as out:
        picture, heard = out.streams.video[0], out.streams.audio[0]
        first = min(packet.pts * picture.time_base for packet in out.demux(picture) if packet.size)
        assert abs(float(first - (heard.start_time or 0) * heard.time_base)) < 0.002
