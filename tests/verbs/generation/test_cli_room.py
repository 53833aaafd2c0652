"""``foleygram generate --room``: a room tone under the result, made again from the sidecar, refused where there is none."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from foleygram.diffusion.spectral import SpectralAutoencoder
from foleygram.media.audio import read_audio, write_audio
from foleygram.types import SAMPLE_RATE, Audio


def hiss(seconds, seed=0):
    """At -50 dBFS."""
    white = np.random.default_rng(seed).standard_normal((2, round(seconds * SAMPLE_RATE)))
    return (white * 10 ** (-50 / 20)).astype(np.float32)


@pytest.fixture
def room(desk):
    """room.wav: two seconds of hiss with a click in each."""
    sound = hiss(2)
    sound[:, [20000, 60000]] = 0.8
    write_audio(Path("room.wav"), Audio(sound, SAMPLE_RATE))
    return desk


def between(wet, dry):
    """What one file has more than the other."""
    return read_audio(Path(wet)).samples.astype(np.float64) - read_audio(Path(dry)).samples


def level(samples):
    return 10 * np.log10(max(np.mean(np.square(samples)), 1e-20))


@pytest.mark.parametrize(("tone", "expected"), [("-40", -40), ("room.wav", -50), ("reference", -50)])
def test_a_tone_lies_under_the_result(foleygram, room, tone, expected):
    line = ("generate", "silent.mp4", "--envelope", "hits.csv", "--audio", "room.wav")
    assert foleygram(*line, "-o", "dry.wav")[0] == 0
    code, out, err = foleygram(*line, "-o", "wet.wav", "--room", tone)
    assert code == 0, err
    assert f"{expected} dBFS" in next(line for line in out.splitlines() if "room tone:" in line)
    # a still room is mostly of slow waves, whose level varies in half a second
    assert level(between("wet.wav", "dry.wav")) == pytest.approx(expected, abs=3)


def test_a_note_tells_of_a_room_that_the_reference_has(foleygram, room):
    line = ("generate", "silent.mp4", "--envelope", "hits.csv", "-o", "a.wav", "--force")
    assert "--room reference" in foleygram(*line, "--audio", "room.wav")[1]
    for options in (["--audio", "guide.wav"], ["--audio", "room.wav", "--room", "-60"]):
        assert "--room reference" not in foleygram(*line, *options)[1]


@pytest.mark.parametrize("tone", [["--room", "room.wav"], ["--room", "-45"], ["--room", "reference", "--audio", "room.wav"]])
def test_the_sidecar_makes_it_again(foleygram, room, tone):
    assert foleygram("generate", "clip.mp4", "-o", "a.wav", "--envelope", "guide.wav", *tone)[0] == 0
    code, out, err = foleygram("generate", "--from", "a.wav.json", "-o", "b.wav")
    assert code == 0, err
    assert "the same bytes as before" in out and Path("a.wav").read_bytes() == Path("b.wav").read_bytes()
    assert foleygram("generate", "--from", "a.wav.json", "-o", "c.wav", "--room", "none")[0] == 0
    assert json.loads(Path("c.wav.json").read_text())["room"] is None
    assert level(between("a.wav", "c.wav")) > -60


def test_the_films_own_room(foleygram, room):
    write_audio(Path("hiss.flac"), Audio(hiss(1.2, seed=1), SAMPLE_RATE))
    made = foleygram("generate", "clip.mp4", "-o", "hissing.mov", "--envelope", "hiss.flac", "--raw", "--room", "hiss.flac")
    assert made[0] == 0, made[2]
    code, out, err = foleygram("generate", "hissing.mov", "-o", "a.wav", "--envelope", "guide.wav", "--room", "own")
    assert code == 0, err
    assert "room tone: of the video's own sound" in out


def test_takes_have_tones_of_their_own(foleygram, desk):
    for name, tone in (("wet.wav", "-40"), ("dry.wav", "none")):
        line = ("generate", "silent.mp4", "-o", name, "--envelope", "guide.wav", "--takes", 2, "--room", tone)
        assert foleygram(*line)[0] == 0
    first, second = (between(f"wet_take{number}.wav", f"dry_take{number}.wav") for number in (1, 2))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.9


def test_what_is_loud_with_its_tone_is_told(foleygram, desk, monkeypatch):
    def loud(self, latent, seed=0):
        return torch.full((1, 2, latent.shape[-1] * self.hop), 0.99)

    monkeypatch.setattr(SpectralAutoencoder, "decode", loud)
    code, out, err = foleygram("generate", "silent.mp4", "-o", "a.wav", "--envelope", "hits.csv", "--room", "-20", "--json")
    assert code == 0, err
    report = json.loads(out)
    assert report["results"][0]["peak"] > 1 and any("over full scale" in note for note in report["notes"])


@pytest.mark.parametrize(
    ("tone", "said"),
    [
        ("0", "from -100 to -20"),
        ("nan", "from -100 to -20"),
        ("", "--room is empty"),
        ("reference", "give --audio FILE"),
        ("own", "no sound of its own for --room own"),
        ("absent.wav", "no such file"),
        ("still.wav", "is silent between its sounds"),
    ],
)
def test_what_cannot_be_is_refused(foleygram, desk, tone, said):
    write_audio(Path("still.wav"), Audio(np.zeros((2, SAMPLE_RATE), np.float32), SAMPLE_RATE))
    code, _, err = foleygram("generate", "silent.mp4", "-o", "a.wav", "--envelope", "guide.wav", "--room", tone)
    assert code != 0 and said in err and len(err.strip().splitlines()) == 1
    assert not Path("a.wav").exists()
