"""Each bad input ends in one line that says what happened and what to do."""

import errno
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from foleygram.errors import FoleyGRAMError, MediaError, OutputError
from foleygram.media import timeline
from foleygram.media.audio import read_audio, write_audio
from foleygram.media.clip import read_clip
from foleygram.media.container import DamagedError, frames_of, open_media, packets_of, picture_of
from foleygram.media.mux import mux
from foleygram.media.timeline import all_shown, shown_after, shown_frames
from foleygram.media.video import probe, read_frames, stream_frames, write_video
from foleygram.types import Audio

from .recordings import record, shifted

READERS = [probe, read_frames, read_audio, read_clip, lambda path: next(stream_frames(path))]


def boxes(data: bytes) -> dict[bytes, tuple[int, int]]:
    """Start and end of each top-level box of an mp4."""
    found, position = {}, 0
    while position + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[position : position + 8])
        found[name] = (position, position + size)
        position += size
    return found


def index_first(path) -> bytes:
    """An mp4 with its index moved to the front, as downloads have it, and the offsets in it with it."""
    data = path.read_bytes()
    found = boxes(data)
    moov, mdat = data[slice(*found[b"moov"])], found[b"mdat"]
    moved = bytearray(moov)
    for place in [match.start() for match in re.finditer(b"stco", moov)]:
        count = struct.unpack(">I", moov[place + 8 : place + 12])[0]
        for entry in range(place + 12, place + 12 + 4 * count, 4):
            struct.pack_into(">I", moved, entry, struct.unpack(">I", moov[entry : entry + 4])[0] + len(moov))
    return data[: found[b"ftyp"][1]] + bytes(moved) + data[found[b"ftyp"][1] : mdat[1]]


def assert_one_line(error: pytest.ExceptionInfo) -> None:
    message = str(error.value)
    assert "\n" not in message and len(message) < 300
    assert re.search(r"[:;(]", message)  # what happened, and what to do
    assert "Errno" not in message and "av." not in message


@pytest.fixture
def bad_files(tmp_path, tiny_video):
    """Name -> expected words."""
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("This is a letter, not a video.\n" * 50)
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "words.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    data = tiny_video.read_bytes()
    start, _ = boxes(data)[b"moov"]
    (tmp_path / "no_moov.mp4").write_bytes(data[:start])
    (tmp_path / "half_moov.mp4").write_bytes(data[: start + 300])
    return {
        "missing.mp4": "no such file",
        "folder.mp4": "is a folder",
        "empty.mp4": "file is empty",
        "text.mp4": "not a video or sound",
        "noise.mp4": "not a video or sound",
        "words.srt": "not a video or sound",
        "no_moov.mp4": "cut off",
        "half_moov.mp4": "cut off",
    }


@pytest.mark.parametrize("read", READERS)
def test_files_that_are_no_media(tmp_path, bad_files, read):
    for name, expected in bad_files.items():
        with pytest.raises(MediaError, match=expected) as error:
            read(tmp_path / name)
        assert name in str(error.value)
        assert_one_line(error)


@pytest.mark.parametrize(("version", "options"), [("18.1.0", {"metadata_errors": "replace"}), ("19.0.2", {})])
def test_names_that_are_no_utf8_are_asked_for_where_pyav_has_an_option(monkeypatch, version, options):
    import av

    def asked(_, **given):
        assert given == options
        raise ValueError

    monkeypatch.setattr(av, "__version__", version)
    monkeypatch.setattr(av, "open", asked)
    with pytest.raises(MediaError), open_media(Path(__file__)):
        pass


def test_names_with_colons_and_percents_are_files(tmp_path, tiny_sound):
    """FFmpeg would take these for protocols and patterns."""
    for name in ("data:x.wav", "concat:a|b.wav", "take %03d.wav", "sound é.wav", "-i.wav"):
        (tmp_path / name).write_bytes(tiny_sound.read_bytes())
        assert read_audio(tmp_path / name).seconds == 1.0


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_video_cut_in_the_middle_gives_what_is_there(tmp_path, clicks, suffix):
    whole = record(tmp_path / f"whole.{suffix}", count=60, size=(96, 96), sound=[clicks(6, [1])], options={"g": "5"})
    data = index_first(whole) if suffix == "mp4" else whole.read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(data[: len(data) // 2])
    info = probe(cut)
    assert 0 < info.frames < 60 and 0 < info.seconds < 6
    assert len(read_frames(cut, count=4).frames) == 4
    assert 0 < read_audio(cut).seconds < 6
    assert abs(info.stated - 6) < 0.1 and probe(whole).stated == 0


def test_half_an_avi_is_known_as_such(tmp_path):
    whole = record(tmp_path / "whole.avi", "mpeg4", count=30, size=(96, 96), options={"g": "5"})
    data = whole.read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: (data.index(b"movi") + len(data)) // 2])
    assert probe(whole).stated == 0 and probe(tmp_path / "cut.avi").stated == 3


def test_whole_films_of_awkward_lengths_are_not_taken_for_halves(tmp_path, clicks):
    """A sound that goes on, a last frame that stays, hidden beginnings, a file written without going back."""
    late = record(tmp_path / "late.mkv", times=[0, 0.1, 0.2, 3], first=10, sound=[clicks(6, [1])])
    long = record(tmp_path / "long.mp4", sound=[clicks(6, [1])])
    trimmed = shifted(record(tmp_path / "whole.mp4", count=30), tmp_path / "trimmed.mp4", 0.7)
    live = bytearray(late.read_bytes())
    place = live.index(b"\x18S\x80g") + 4
    live[place : place + 8] = b"\x01" + b"\xff" * 7
    (tmp_path / "live.mkv").write_bytes(live)
    for film in (late, long, trimmed, tmp_path / "live.mkv"):
        assert probe(film).stated == 0 < probe(film).seconds


def test_a_failing_disk_is_not_taken_for_the_end_of_a_film(tmp_path, monkeypatch):
    """A file that breaks off gives FFmpeg's "input/output error" as well: what cannot be read by anybody decides."""

    class Demuxer:
        name = str(tmp_path / "a.mp4")

        def demux(self, stream):
            raise OSError(errno.EIO, "Input/output error")
            yield

    (tmp_path / "a.mp4").write_bytes(bytes(100))
    assert list(packets_of(Demuxer(), None)) == []

    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(MediaError, match="cannot be read to its end") as error:
        list(packets_of(Demuxer(), None))
    assert_one_line(error)


def test_damaged_packets_are_passed_over(tmp_path):
    path = record(tmp_path / "a.mkv", count=40, size=(96, 96), options={"g": "10"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 60] = bytes(60)
    (tmp_path / "b.mkv").write_bytes(data)
    assert len(read_frames(tmp_path / "b.mkv", count=5).frames) == 5


@pytest.mark.parametrize("number", [0, 5, 39])
def test_a_damaged_film_is_decoded_one_by_one_and_loses_no_other_frame(tmp_path, number):
    path = record(tmp_path / "a.mp4", count=40, size=(96, 96), options={"g": "10"})
    with open_media(path) as container:
        places = [(packet.pos, packet.size) for packet in packets_of(container, picture_of(container, path))]
    position, size = places[number]
    data = bytearray(path.read_bytes())
    data[position + 4 : position + size] = b"\xff" * (size - 4)
    path.write_bytes(data)
    with open_media(path) as container, pytest.raises(DamagedError):
        list(shown_frames(container, picture_of(container, path), beside=True))
    with open_media(path) as container:
        alone = [frame.pts for _, frame in shown_frames(container, picture_of(container, path))]
    assert [frame.pts for _, frame in all_shown(path)] == alone and len(alone) == (30 if number == 0 else 39)
    assert read_frames(path, count=4).frames.shape == (4, 3, 96, 96)


def test_what_follows_a_damage_is_read_from_the_keyframe_before_it(tmp_path, monkeypatch):
    path = record(tmp_path / "a.mp4", count=40, size=(96, 96), options={"g": "10"})
    whole = [(tick, frame.to_ndarray().tobytes()) for tick, frame in all_shown(path)]
    for last in (None, whole[0][0], whole[24][0], whole[39][0]):
        after = [(tick, frame.to_ndarray().tobytes()) for tick, frame in shown_after(path, last)]
        assert after == [shown for shown in whole if last is None or shown[0] > last]
    decoded = []
    monkeypatch.setattr(timeline, "frames_of", lambda *given: (decoded.append(1) or frame for frame in frames_of(*given)))
    assert len(list(shown_after(path, whole[24][0]))) == 15 and len(decoded) == 20


def test_a_whole_film_is_decoded_once(tmp_path, monkeypatch):
    path = record(tmp_path / "a.mp4", count=40, size=(96, 96), options={"g": "10"})
    looked = []
    monkeypatch.setattr(timeline, "shown_after", lambda path, last: looked.append(last) or iter(()))
    assert len(list(all_shown(path))) == 40 and not looked


def test_sound_as_video_and_video_without_sound(tmp_path, tiny_sound):
    for read in (read_frames, lambda path: next(stream_frames(path))):
        with pytest.raises(MediaError, match="holds a sound but no picture") as error:
            read(tiny_sound)
        assert_one_line(error)
    silent = record(tmp_path / "silent.mp4")
    with pytest.raises(MediaError, match="holds no sound") as error:
        read_audio(silent)
    assert_one_line(error)
    assert read_clip(silent).modalities == "V"
    assert not probe(silent).has_audio


def test_sound_of_no_length(tmp_path, tiny_sound):
    header = bytearray(tiny_sound.read_bytes()[:44])
    struct.pack_into("<I", header, 40, 0)
    (tmp_path / "a.wav").write_bytes(header)
    for read in (read_audio, probe, read_clip):
        with pytest.raises(MediaError, match="sound is empty") as error:
            read(tmp_path / "a.wav")
        assert_one_line(error)


def test_clip_of_one_frame_is_refused(tmp_path):
    write_video(tmp_path / "a.mp4", [np.zeros((16, 16, 3), np.uint8)], 25)
    with pytest.raises(MediaError, match="single frame") as error:
        read_clip(tmp_path / "a.mp4")
    assert_one_line(error)
    clip = read_clip(tmp_path / "a.mp4", frames=3, still=True)
    assert clip.modalities == "V" and clip.video.frames.shape[0] == 3 and clip.seconds == pytest.approx(0.04)


def test_clips(tiny_video, tiny_sound):
    clip = read_clip(tiny_video, text="A person hits metal.", frames=4, short_side=18)
    assert clip.modalities == "AVT" and clip.seconds == 1.2
    assert clip.video.frames.shape == (4, 3, 18, 32) and clip.audio.rate == 44100
    clip = read_clip(tiny_sound)
    assert clip.modalities == "A" and clip.seconds == 1.0


def writers(tmp_path, tiny_video, clicks):
    sound = clicks(1.0, [0.3])
    return {
        "a.wav": lambda path, **options: write_audio(path, sound, **options),
        "a.mp4": lambda path, **options: write_video(path, [np.zeros((64, 64, 3), np.uint8)] * 9, 10, sound, **options),
        "b.mkv": lambda path, **options: mux(tiny_video, sound, path, **options),
        "b.mp4": lambda path, **options: mux(tiny_video, sound, path, **options),
    }


def test_places_that_cannot_be_written(tmp_path, tiny_video, clicks, monkeypatch):
    (tmp_path / "file").touch()
    (tmp_path / "folder.wav").mkdir()
    for name, write in writers(tmp_path, tiny_video, clicks).items():
        for place, expected in [("nowhere", "no folder"), ("file", "no folder")]:
            with pytest.raises(OutputError, match=expected) as error:
                write(tmp_path / place / name)
            assert_one_line(error)
        (tmp_path / name).write_text("older")
        with pytest.raises(OutputError, match="exists already and is kept") as error:
            write(tmp_path / name)
        assert (tmp_path / name).read_text() == "older"
        with monkeypatch.context() as patch:
            patch.setattr("os.access", lambda *_: False)
            with pytest.raises(OutputError, match="may not be written"):
                write(tmp_path / name, force=True)
    with pytest.raises(OutputError, match="is a folder"):
        write_audio(tmp_path / "folder.wav", Audio(np.zeros((1, 5)), 44100), force=True)


def test_full_disk_keeps_the_old_file(tmp_path, tiny_video, clicks):
    """A limit on the size of files fails inside FFmpeg and Python alike, as a full disk does."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for name, write in writers(tmp_path, tiny_video, clicks).items():
        (tmp_path / name).write_text("older")
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, before[1]))
        try:
            with pytest.raises(OutputError, match="disk is full") as error:
                write(tmp_path / name, force=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert_one_line(error)
        assert (tmp_path / name).read_text() == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "a.wav", "b.mkv", "b.mp4"]


@pytest.mark.parametrize("short", [1, 3000, 20000, 60000])
@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_disk_that_is_full_near_the_end_prints_nothing(tmp_path, name, short):
    """Whatever libsndfile was about when it failed, be it going back to the head of the file."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = Audio(np.random.default_rng(0).uniform(-0.9, 0.9, (2, 22050)).astype(np.float32), 44100)
    write_audio(tmp_path / name, noise)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / name).stat().st_size - short, before[1]))
    try:
        with pytest.raises(OutputError, match="disk is full") as error:
            write_audio(tmp_path / name, noise, force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert_one_line(error)
    assert [path.name for path in tmp_path.iterdir()] == [name] and read_audio(tmp_path / name).seconds == 0.5


def test_late_failure_of_the_disk(tmp_path, monkeypatch, clicks):
    """A disk may accept the bytes and fail when they are to be kept."""

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OutputError, match="disk is full"):
        write_audio(tmp_path / "a.wav", clicks(0.1, [0]))
    assert list(tmp_path.iterdir()) == []


def test_interrupt_leaves_nothing(tmp_path):
    def frames():
        yield np.zeros((16, 16, 3), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "a.mp4", frames(), 10)
    assert list(tmp_path.iterdir()) == []


def test_errors_are_of_the_package():
    assert issubclass(MediaError, FoleyGRAMError) and MediaError.exit_code == 1
