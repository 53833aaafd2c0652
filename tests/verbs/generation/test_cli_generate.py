"""The story of ``foleygram generate``: a video in, a video with sound out, by the real command line."""

import errno
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from media.recordings import record, sound_rates, sound_start

from foleygram import quantisation
from foleygram.cli import main
from foleygram.diffusion.spectral import SpectralAutoencoder
from foleygram.errors import ModelError, UsageError
from foleygram.media.audio import read_audio, write_audio
from foleygram.media.video import probe, read_frames, write_video
from foleygram.pipeline import FoleyGRAM
from foleygram.types import Audio, sample_count


def digest(path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_main_command(foleygram, desk):
    code, out, err = foleygram(
        "generate", "clip.mp4", "-o", "clip_foley.mp4", "--envelope", "guide.wav",
        "--text", "A person hits metal with a wooden stick.",
    )  # fmt: skip
    assert code == 0 and re.fullmatch(r"foleygram: will need about 0\.\d GiB of memory\n", err)
    assert out.startswith("clip_foley.mp4\n")
    for stage in ("load", "read", "embed", "envelope", "sample", "decode", "write"):
        assert f"{stage} " in out
    assert "picture, text (VT)" in out.replace("text, picture", "picture, text") and "peak memory" in out
    info = probe(Path("clip_foley.mp4"))
    assert info.has_audio and sound_rates("clip_foley.mp4") == [44100] and sound_start("clip_foley.mp4") == 0
    assert info.seconds == probe(Path("clip.mp4")).seconds
    sound = read_audio(Path("clip_foley.mp4"))
    assert sound.channels == 2 and sound.samples.shape[1] == sample_count(info.seconds)
    assert not np.allclose(sound.samples, read_audio(Path("clip.mp4")).samples, atol=1e-3)
    before, after = read_frames(Path("clip.mp4")), read_frames(Path("clip_foley.mp4"))
    np.testing.assert_array_equal(before.frames, after.frames)
    np.testing.assert_array_equal(before.times, after.times)


@pytest.mark.parametrize("out", ["a.wav", "a.flac", "a.mov", "a.mkv"])
def test_the_name_of_the_output_says_what_it_is(foleygram, desk, out):
    code, *_ = foleygram("generate", "silent.mp4", "-o", out, "--envelope", "hits.csv")
    assert code == 0
    sound = read_audio(Path(out))
    assert sound.samples.shape == (2, sample_count(7 / 12)) and sound.rate == 44100
    assert probe(Path(out)).has_video == (out not in ("a.wav", "a.flac"))


@pytest.mark.parametrize(("sample_format", "subtype"), [("pcm16", "PCM_16"), ("pcm24", "PCM_24"), ("float", "FLOAT")])
def test_sample_formats(foleygram, desk, sample_format, subtype):
    import soundfile

    assert foleygram("generate", "silent.mp4", "-o", "a.wav", "--envelope", "hits.csv", "--format", sample_format)[0] == 0
    assert soundfile.info("a.wav").subtype == subtype


def test_the_memory_is_said_before_a_model_is_loaded(desk, capsys, tiny_folder, monkeypatch):
    def fill(*_):
        assert "will need about" in capsys.readouterr().err
        raise ModelError("enough")

    monkeypatch.setattr(FoleyGRAM, "fill", fill)
    line = ["generate", "clip.mp4", "-o", "a.wav", "--envelope", "own", "--model", str(tiny_folder)]
    assert main(line) == 1 and capsys.readouterr().err == "foleygram: enough\n"


def test_weights_in_8_bits_by_the_command_line(foleygram, desk, monkeypatch):
    monkeypatch.setattr(quantisation, "LEAST", 16)
    line = ("generate", "clip.mp4", "-o", "a.wav", "--envelope", "own", "--use", "AVT", "--text", "metal", "--dtype", "int8")
    code, out, err = foleygram(*line)
    assert code == 0, err
    assert json.loads(Path("a.wav.json").read_text())["dtype"] == "int8" and "int8" in out
    code, out, _ = foleygram("generate", "--from", "a.wav.json", "-o", "b.wav")
    assert code == 0 and digest("a.wav") == digest("b.wav")


def test_several_takes(foleygram, desk):
    code, out, _ = foleygram("generate", "silent.mp4", "-o", "a.wav", "--envelope", "hits.csv", "--takes", 3)
    assert code == 0 and out.count("fits best") == 1 and out.count("onsets F1") == 3
    takes = [Path(f"a_take{number}.wav") for number in (1, 2, 3)]
    assert len({digest(path) for path in takes}) == 3 and all(str(path) in out for path in takes)
    assert not Path("a.wav").exists()
    assert foleygram("generate", "silent.mp4", "-o", "one.wav", "--envelope", "hits.csv")[0] == 0
    assert digest("one.wav") == digest(takes[0])
    code, *_ = foleygram("generate", "--from", "a_take3.wav.json", "-o", "third.wav")
    assert code == 0 and digest("third.wav") == digest(takes[2])
    assert json.loads(Path("third.wav.json").read_text())["take"] == 3
    report = json.loads(foleygram("generate", "silent.mp4", "-o", "b.wav", "--envelope", "hits.csv", "--takes", 2, "--json")[1])
    assert [(result["take"], result["rank"]["take"]) for result in report["results"]] == [(1, 1), (2, 2)]


def test_a_clip_longer_than_the_window_is_exactly_as_long(foleygram, desk, moving_bar):
    write_video(Path("long.mp4"), moving_bar(42), 10)  # 4.2 s, the tiny model was made for 2
    assert foleygram("generate", "long.mp4", "-o", "a.wav", "--envelope", "hits.csv", "--text", "wood")[0] == 0
    sound = read_audio(Path("a.wav"))
    assert sound.samples.shape[1] == sample_count(4.2) and np.abs(sound.samples[:, -44100:]).max() > 0
    assert foleygram("generate", "--from", "a.wav.json", "-o", "b.wav")[0] == 0
    assert digest("a.wav") == digest("b.wav")


@pytest.mark.parametrize(
    ("options", "use"),
    [
        ((), "V"),
        (("--text", "a person hits wood"), "VT"),
        (("--audio", "guide.wav"), "AV"),
        (("--audio", "own"), "AV"),
        (("--use", "A"), "A"),
        (("--use", "avt", "--text", "wood"), "AVT"),
        (("--use", "T", "--text", "wood"), "T"),
        (("--video-ref", "other.mp4", "--audio", "other.mp4"), "AV"),
    ],
)
def test_what_conditions_by_default(foleygram, desk, options, use):
    code, out, err = foleygram("generate", "clip.mp4", "-o", "a.wav", "--envelope", "own", "--json", *options)
    assert code == 0, err
    assert json.loads(out)["use"] == use


def test_references_change_the_sound(foleygram, desk):
    variants = {
        "plain": (), "text": ("--text", "wood"), "other text": ("--text", "metal"), "audio": ("--audio", "guide.wav"),
        "picture": ("--video-ref", "other.mp4"), "curve": ("--envelope", "guide.wav"),
    }  # fmt: skip
    found = set()
    for number, options in enumerate(variants.values()):
        envelope = () if "--envelope" in options else ("--envelope", "hits.csv")
        assert foleygram("generate", "clip.mp4", "-o", f"{number}.wav", "--format", "float", *envelope, *options)[0] == 0
        found.add(digest(f"{number}.wav"))
    assert len(found) == len(variants)


def test_notes(foleygram, desk):
    code, out, _ = foleygram("generate", "clip.mp4", "-o", "a.wav", "--envelope", "guide.wav", "--text", "wood", "--use", "V")
    assert code == 0 and "the envelope ends at 1.00 s of 1.20 s" in out and "leaves --text unused" in out
    assert "is not heard" not in out
    code, out, _ = foleygram("generate", "silent.mp4", "-o", "d.wav", "--envelope", "guide.wav")
    assert code == 0 and "note: the guide lasts 1.00 s, the film 0.58 s; the rest of it is not heard" in out
    code, out, _ = foleygram(
        "generate", "clip.mp4", "-o", "long.wav", "--envelope", "guide.wav", "--text", "wood " * 60 + "end"
    )
    assert code == 0 and "does not read 'wood" in out and "wood end'" in out
    write_audio(Path("nothing.wav"), Audio(np.zeros((1, 44100)), 44100))
    code, out, _ = foleygram("generate", "clip.mp4", "-o", "b.wav", "--envelope", "nothing.wav")
    assert code == 0 and "silent throughout" in out
    code, out, err = foleygram("generate", "clip.mp4", "-o", "c.wav", "--envelope", "hits.csv", "--audio", "nothing.wav")
    assert code == 1 and "nothing.wav: its sound is silent" in err and not Path("c.wav").exists()


def test_sounds_that_a_film_loses_are_told(foleygram, desk, clicks):
    record(Path("two.mkv"), sound=[clicks(1.2, [0.1])] * 2)
    for out, told in (("a.mp4", True), ("a.wav", False)):
        code, text, err = foleygram("generate", "two.mkv", "-o", out, "--envelope", "hits.csv", "--text", "wood")
        assert code == 0, err
        assert ("left out of a.mp4: 1 further sound track" in text) == told


def test_a_film_that_breaks_off_is_told(foleygram, desk, moving_bar):
    write_video(Path("film.mkv"), moving_bar(40), 10)
    whole = Path("film.mkv").read_bytes()
    Path("part.mkv").write_bytes(whole[: len(whole) * 3 // 4])
    for name, told in (("film.mkv", False), ("part.mkv", True)):
        code, out, err = foleygram("generate", name, "-o", f"{name}.wav", "--envelope", "hits.csv", "--text", "wood")
        assert code == 0, err
        assert (f"the file says 4.0 s, only {probe(Path(name)).seconds:.1f} s of its picture can be read" in out) == told


@pytest.mark.parametrize(("out", "what"), [("a.wav", "was clipped there"), ("a.mp4", "players clip it there"), ("f.wav", None)])
def test_a_sound_over_full_scale_is_told(foleygram, desk, monkeypatch, out, what):
    def loud(self, latent, seed=0):
        return torch.full((1, 2, latent.shape[-1] * self.hop), 1.5)

    monkeypatch.setattr(SpectralAutoencoder, "decode", loud)
    form = () if what else ("--format", "float")
    code, text, _ = foleygram("generate", "clip.mp4", "-o", out, "--envelope", "hits.csv", *form)
    assert code == 0 and ("over full scale" in text) == (what is not None)
    assert what is None or f"reaches +3.5 dB over full scale and {what}" in text and "envelope --scale-db -4)" in text


@pytest.mark.parametrize("option", ["-o", "--envelope", "--audio", "--model"])
def test_an_empty_name_is_refused(foleygram, desk, option):
    line = {"-o": "a.wav", "--envelope": "hits.csv"} | {option: ""}
    code, _, err = foleygram("generate", "clip.mp4", *(word for pair in line.items() for word in pair))
    assert code == 2 and f"{option} is empty" in err


def test_the_library_function_takes_an_envelope(desk, tiny_folder):
    import foleygram

    guide = foleygram.envelope_from_hits([(0.2, 0.3)], 1.2)
    report = foleygram.generate(foleygram.Request(Path("clip.mp4"), Path("a.wav"), envelope=guide, model=tiny_folder))
    assert report.envelope == "given by the caller"
    again = foleygram.generate(foleygram.Request(again=Path("a.wav.json"), out=Path("b.wav")))
    assert again.results[0].same and digest("b.wav") == digest("a.wav")


def test_where_the_timing_comes_from(foleygram, desk, predicting):
    folder = predicting(True)
    for options, kind, words in (
        ((), "predicted", "predicted from the picture"),
        (("--envelope", "own"), "own", "the clip's own sound"),
        (("--envelope", "hits.csv"), "table", "hits.csv"),
        (("--envelope", "guide.wav"), "sound", "the sound of guide.wav"),
        (("--envelope", "guide.wav", "--voice"), "voice", "guide.wav, hummed or tapped"),
    ):
        code, out, err = foleygram("generate", "clip.mp4", "-o", "a.wav", "--model", folder, "--force", *options)
        assert code == 0, err
        assert f"sounds when: {words}" in out
        recorded = json.loads(Path("a.wav.json").read_text())["envelope"]
        assert recorded["kind"] == kind and (recorded["values"] is not None) == (kind == "predicted")
        code, out, err = foleygram("generate", "--from", "a.wav.json", "-o", "b.wav", "--force")
        assert code == 0 and "the same bytes as before" in out, err


def test_a_guide_that_hisses_is_told(foleygram, desk, clicks, moving_bar):
    """So does the film's own sound, whose room would be heard in the result."""
    taps = clicks(1.2, [0.3, 0.8])
    noise = np.random.default_rng(0).normal(0, 0.004, taps.samples.shape)
    write_video(Path("room.mp4"), moving_bar(12), 10, Audio((0.1 * taps.samples + noise).astype(np.float32), taps.rate))
    code, out, _ = foleygram("generate", "room.mp4", "-o", "a.wav", "--envelope", "own")
    assert code == 0 and "--gate-db" in out and "--voice" not in out
    code, out, _ = foleygram("generate", "clip.mp4", "-o", "a.wav", "--envelope", "room.mp4", "--force")
    assert code == 0 and "--gate-db" in out and "--voice" in out


def test_events_of_other_programs_and_no_picture_in_a_voice(foleygram, desk):
    Path("labels.txt").write_text("0.100000\t0.100000\thit 0.3\n0.400000\t0.600000\tscratch 0.1\n")
    assert foleygram("generate", "clip.mp4", "-o", "a.wav", "--envelope", "labels.txt")[0] == 0
    for options, message in (
        (("--voice",), "give --envelope FILE"),
        (("--voice", "--envelope", "own"), "give --envelope FILE"),
    ):
        code, _, err = foleygram("generate", "clip.mp4", "-o", "b.wav", *options)
        assert code == 2 and message in err and err.count("\n") == 1


def test_a_prediction_without_events_says_so(foleygram, desk, predicting):
    code, out, err = foleygram("generate", "silent.mp4", "-o", "a.wav", "--model", predicting(False))
    assert code == 0, err
    assert "no event found in 7 frames" in out and "silent throughout" in out


def test_advice_against_clipping_can_be_followed(foleygram, desk):
    Path("loud.csv").write_text("seconds,amplitude\n0,20\n1.2,20\n")
    for name, advice in (("a.mp4", "or take a .wav with --format float"), ("a.wav", "or take --format float")):
        code, out, _ = foleygram("generate", "clip.mp4", "-o", name, "--envelope", "loud.csv")
        assert code == 0 and "over full scale" in out and advice in out


def test_nobody_has_to_read_what_memory_is_needed(foleygram, desk, monkeypatch):
    import foleygram.cli.generate as verb

    def full(*_, err=False, **__):
        if err:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(verb.typer, "echo", full)
    assert foleygram("generate", "clip.mp4", "-o", "a.wav", "--envelope", "hits.csv")[0] == 0


def test_a_text_in_another_script_is_told(foleygram, desk):
    code, out, _ = foleygram("generate", "clip.mp4", "-o", "a.wav", "--envelope", "hits.csv", "--text", "шаги по гравию")
    assert code == 0 and "knows hardly a word" in out


@pytest.mark.parametrize("wrong", [{"seed": 1.5}, {"takes": 2.0}])
def test_the_library_takes_whole_numbers(desk, tiny_folder, wrong):
    import foleygram

    with pytest.raises(UsageError, match="whole number"):
        foleygram.generate(foleygram.Request(Path("clip.mp4"), Path("a.wav"), envelope="hits.csv", model=tiny_folder, **wrong))
