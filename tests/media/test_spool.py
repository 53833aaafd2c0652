"""A sound on the disk is written and measured as one in memory, part by part."""

import io

import numpy as np
import pytest
import soundfile
from scipy.io import wavfile

from foleygram import types
from foleygram.errors import MediaError, OutputError
from foleygram.media.audio import write_audio, write_pcm
from foleygram.media.mux import mux
from foleygram.media.spool import Spool
from foleygram.signal.envelope import extract_envelope
from foleygram.types import Audio


@pytest.fixture
def pair(monkeypatch):
    """The same sound in memory and spooled in uneven pieces, measured and written in small parts."""
    monkeypatch.setattr(types, "SOUND_PART", 1 << 12)
    audio = Audio(np.random.default_rng(0).uniform(-0.7, 0.7, (2, 52_921)).astype(np.float32), 44100)
    with Spool(2, 44100) as spool:
        for first, last in ((0, 7), (7, 30_000), (30_000, 30_000), (30_000, 52_921)):
            spool.append(audio.samples[:, first:last])
        yield audio, spool


def test_it_is_the_sound(pair):
    audio, spool = pair
    assert (spool.count, spool.channels, spool.rate, spool.peak) == (audio.count, 2, 44100, audio.peak)
    for first, last in ((0, 5), (29_990, 30_010), (52_900, 60_000), (60_000, 60_001)):
        assert (spool.part(first, last) == audio.part(first, last)).all()
    assert (extract_envelope(spool).values == extract_envelope(audio).values).all()


@pytest.mark.parametrize(
    ("name", "subtype"), [("a.wav", "PCM_24"), ("a.wav", "PCM_16"), ("a.wav", "FLOAT"), ("a.flac", "PCM_24")]
)
def test_the_files_are_those_of_the_sound_in_memory(pair, tmp_path, name, subtype):
    audio, spool = pair
    write_audio(tmp_path / name, spool, subtype)
    write_audio(tmp_path / f"whole-{name}", audio, subtype)
    content = (tmp_path / name).read_bytes()
    assert content == (tmp_path / f"whole-{name}").read_bytes()
    expected = io.BytesIO()
    if subtype == "FLOAT":
        wavfile.write(expected, 44100, audio.samples.T)
    elif subtype == "PCM_24":
        steps = np.round(audio.samples.T.astype(np.float64) * 2**23).astype(np.int32) << 8
        soundfile.write(expected, steps, 44100, format=name[2:].upper(), subtype=subtype)
    else:
        return
    assert content == expected.getvalue()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_muxed_in_parts(pair, tmp_path, tiny_video, suffix):
    audio, spool = pair
    mux(tiny_video, spool, tmp_path / f"a{suffix}")
    mux(tiny_video, audio, tmp_path / f"b{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_a_full_disk_is_told_from_other_failures(pair, kind):
    class Full(io.BytesIO):
        def write(self, content):
            if self.tell() + len(content) > 20_000:
                raise OSError(28, "No space left on device")
            return super().write(content)

    with pytest.raises(OSError, match="No space"):
        write_pcm(Full(), pair[1], kind, "PCM_24")


def test_failures(tmp_path, monkeypatch):
    with Spool(2, 44100) as spool:
        with pytest.raises(MediaError, match="NaN"):
            spool.append(np.full((2, 3), np.nan, np.float32))
        with pytest.raises(MediaError, match="no samples"):
            write_audio(tmp_path / "a.wav", spool)

    class Full:
        def seek(self, *_): ...
        def write(self, _):
            raise OSError(28, "No space left on device")

        def close(self): ...

    with Spool(2, 44100) as spool:
        spool.file.close()
        spool.file = Full()
        with pytest.raises(OutputError, match="the disk is full.*TMPDIR"):
            spool.append(np.zeros((2, 3), np.float32))
