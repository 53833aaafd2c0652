"""Everything a user can get wrong: one line that says what to do, exit code 1 or 2, nothing half-written, nothing lost."""

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from foleygram.cli import main
from foleygram.media.audio import write_audio
from foleygram.media.video import write_video
from foleygram.types import Audio

MEMORY = "foleygram: will need about 0.5 GiB of memory\n"


@pytest.fixture
def desk(tmp_path, monkeypatch, tiny_video, tiny_sound, tiny_folder, moving_bar):
    """A folder with clip.mp4, silent.mp4, guide.wav, hits.csv and all kinds of bad files; names are relative."""
    monkeypatch.chdir(tmp_path)
    film = tiny_video.read_bytes()
    for name, content in {
        "clip.mp4": film, "guide.wav": tiny_sound.read_bytes(), "cut.mp4": film[: len(film) // 2], "empty.mp4": b"",
        "text.mp4": b"this is no video, only a text with another name\n" * 20, "noise.mp4": os.urandom(5000),
        "hits.csv": b"0.2,0.3\n0.7,0.1\n", "nan.csv": b"seconds,amplitude\n0,0.1\n0.5,nan\n",
        "negative.csv": b"seconds,amplitude\n0,0.1\n0.5,-0.2\n", "unsorted.csv": b"seconds,amplitude\n0.5,0.1\n0.2,0.2\n",
        "loud.csv": b"0.2,1e200\n", "five.json": b'{"events": 5}', "deep.json": b"[" * 100_000,
        "words.csv": b"when,how loud\nsoon,very\n", "late.csv": b"0.2\n77\n", "empty.csv": b"", "single.csv": b"0.3 0.1 0.5\n",
    }.items():  # fmt: skip
        Path(name).write_bytes(content)
    Path("folder").mkdir()
    write_video(Path("silent.mp4"), moving_bar(6), 10)
    write_video(Path("one.mp4"), moving_bar(1), 10)
    write_audio(Path("sound.mp4.wav"), Audio(np.zeros((2, 4410)), 44100))
    Path("sound.mp4.wav").rename("sound.mp4")  # a sound under the name of a video
    import soundfile

    soundfile.write("nothing.wav", np.zeros((0, 2)), 44100)
    return tmp_path


@pytest.fixture
def refused(desk, capsys, tiny_folder):
    """Runs ``generate`` with the tiny model, checks that it ends as it should, and returns its one line."""

    def run(line: str, code: int | None = None) -> str:
        before = {path: path.read_bytes() for path in desk.rglob("*") if path.is_file()}
        model = [] if "--model" in line else ["--model", str(tiny_folder)]
        found = main(["generate", *line.split(), *model])
        out, err = capsys.readouterr()
        err = err.removeprefix(MEMORY)  # said before loading; most mistakes are found before that
        assert found in (1, 2) and (code is None or found == code), (found, err)
        assert not out and err.startswith("foleygram: ") and err.count("\n") == 1 and "Traceback" not in err, err
        assert len(err) < 400
        after = {path: path.read_bytes() for path in desk.rglob("*") if path.is_file()}
        assert after == before, "files were written, changed or lost"
        return err

    return run


@pytest.mark.parametrize(
    ("video", "message"),
    [
        ("missing.mp4", "no such file"), ("folder", "is a folder"), ("empty.mp4", "is empty"), ("text.mp4", "not a video"),
        ("noise.mp4", "not a video"), ("cut.mp4", "cut off"), ("sound.mp4", "no picture"), ("guide.wav", "no picture"),
        ("one.mp4", "single frame"), ("hits.csv", "not a video"),
    ],
)  # fmt: skip
def test_bad_videos(refused, video, message):
    assert message in refused(f"{video} -o out.mp4 --envelope hits.csv", 1)


@pytest.mark.parametrize(
    ("guide", "message"),
    [
        ("missing.wav", "no such file"), ("folder", "is a folder"), ("nothing.wav", "at least one sample"),
        ("silent.mp4", "holds no sound"), ("nan.csv", "NaN"), ("negative.csv", "negative"), ("unsorted.csv", "sort"),
        ("words.csv", "line 1"), ("late.csv", "outside the clip"), ("empty.csv", "empty"), ("noise.mp4", "not a video"),
        ("single.csv", "column"), ("text.mp4", "line 1"), ("loud.csv", "strength above"), ("five.json", "events"),
    ],
)  # fmt: skip
def test_bad_guides(refused, guide, message):
    assert message in refused(f"clip.mp4 -o out.mp4 --envelope {guide}", 1)


@pytest.mark.parametrize(
    "options",
    [
        "-o out.mp4 --envelope nan.csv",
        "-o out.mp4 --envelope own --audio nothing.wav",
        "-o out.mp4 --envelope own --video-ref guide.wav",
        "-o out.mp4 --envelope own --dtype x",
        "-o out.mp4 --envelope own --steps 0",
        "-o out.webm --envelope own",
    ],
)
def test_mistakes_are_found_before_the_model_is_loaded(refused, monkeypatch, options):
    from foleygram.pipeline import FoleyGRAM

    monkeypatch.setattr(FoleyGRAM, "fill", lambda *_: pytest.fail("was loaded"))
    refused(f"clip.mp4 {options}")


def test_no_guide_names_the_choices(refused):
    for video in ("silent.mp4", "clip.mp4"):
        message = refused(f"{video} -o out.mp4", 1)
        assert "--envelope own" in message and "list of hits" in message
    assert "no sound of its own" in refused("silent.mp4 -o out.mp4 --envelope own", 1)
    assert "no sound of its own for --use A" in refused("silent.mp4 -o out.mp4 --envelope hits.csv --use A", 2)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ("--audio missing.wav", 1, "no such file"), ("--audio nothing.wav", 1, "sample"), ("--audio silent.mp4", 1, "no sound"),
        ("--video-ref guide.wav", 1, "no picture"), ("--video-ref folder", 1, "is a folder"),
        ("--use T", 2, "--text"), ("--use AVX", 2, "AVT"), ("--use VV", 2, "once"),
        ("--seed -1", 2, "--seed"), ("--seed 9223372036854775808", 2, "--seed"), ("--seed 1.5", 2, "integer"),
        ("--steps 0", 2, "--steps"), ("--steps 1001", 2, "--steps"), ("--guidance -1", 2, "--guidance"),
        ("--guidance nan", 2, "--guidance"), ("--guidance 21", 2, "--guidance"), ("--takes 0", 2, "--takes"),
        ("--takes 65", 2, "--takes"), ("--device gpu", 2, "--device"), ("--device cuda:99", 2, "--device"),
        ("--dtype fp8", 2, "--dtype"), ("--model nonsense", 1, "no such model"), ("--model folder", 1, "config.json"),
        ("--format pcm24", 2, "--format"), ("--from missing.json", 2, "cannot be read"), ("--from hits.csv", 2, "JSON"),
        ("--from deep.json", 2, "JSON"),
    ],
)  # fmt: skip
def test_bad_options(refused, options, code, message):
    assert message in refused(f"clip.mp4 -o out.mp4 --envelope hits.csv {options}", code)


def test_a_broken_tokenizer_is_named(desk, capsys, tiny_folder):
    import shutil

    shutil.copytree(tiny_folder, "model")
    Path("model/tokenizer.json").write_text("{")
    line = ["generate", "clip.mp4", "-o", "out.mp4", "--envelope", "hits.csv", "--model", "model"]
    assert main(line) == 1
    err = capsys.readouterr().err.removeprefix(MEMORY)
    assert err.startswith("foleygram: model/tokenizer.json: not a tokenizer.json") and err.count("\n") == 1
    assert not Path("out.mp4").exists()


def test_a_text_that_is_none_is_refused(desk, capsys, tiny_folder):
    line = ["generate", "clip.mp4", "-o", "out.mp4", "--envelope", "own", "--text", "\udcff", "--model", str(tiny_folder)]
    assert main(line) == 2
    assert "--text" in capsys.readouterr().err and not Path("out.mp4").exists()


def test_an_empty_text_is_refused(desk, capsys, tiny_folder):
    line = ["generate", "clip.mp4", "-o", "out.mp4", "--envelope", "own", "--text", "  ", "--model", str(tiny_folder)]
    assert main(line) == 2
    assert "--text is empty" in capsys.readouterr().err


def test_a_variant_that_was_not_trained_is_told_and_not_looked_for_on_the_hub(desk, capsys, tiny_folder):
    Path("variants").mkdir()
    line = ["benchmark", "minihits", "clips.jsonl", "--table", "1", "--row", "envelope, cosine, A", "-o", "out"]
    assert main([*line, "--variants", "variants", "--model", str(tiny_folder)]) == 1
    assert "has no folder cosine; train it" in capsys.readouterr().err
    for table, row in (("1", "envelope, cosine, A"), ("4", "envelope, unaligned, T as sound")):
        assert main(["benchmark", "minihits", "no.jsonl", "--table", table, "--row", row, "-o", "out"]) == 2  # before all else
        assert "give the folder that holds them as --variants" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("guide.wav", "exists already"), ("clip.mp4", "is the input"), ("folder", "end it with"), ("out.mp3", "end it with"),
        ("out", "end it with"), ("no/out.mp4", "no folder"), ("out.webm", "cannot hold"), ("folder.wav/out.wav", "no folder"),
    ],
)  # fmt: skip
def test_bad_outputs(refused, out, message):
    assert message in refused(f"clip.mp4 -o {out} --envelope hits.csv")


def test_not_even_force_writes_over_an_input(refused):
    assert "is the input" in refused("clip.mp4 -o clip.mp4 --envelope hits.csv --force")
    assert "is the input" in refused("clip.mp4 -o guide.wav --envelope guide.wav --force")


def test_a_sidecar_is_not_lost_either(refused):
    Path("out.wav.json").write_text("mine")
    assert "out.wav.json: exists already" in refused("clip.mp4 -o out.wav --envelope hits.csv")
    Path("out_take2.wav").write_text("mine")
    assert "out_take2.wav: exists already" in refused("clip.mp4 -o out.wav --envelope hits.csv --takes 2 --seed 4")


def test_flac_holds_no_floats(refused):
    assert "pcm16 or pcm24" in refused("clip.mp4 -o out.flac --envelope hits.csv --format float", 2)


def test_a_folder_that_may_not_be_written_to(refused, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "folder")  # root may write anywhere
    assert "may not be written to" in refused("clip.mp4 -o folder/out.mp4 --envelope hits.csv", 1)


@pytest.mark.parametrize("out", ["out.mp4", "out.wav"])
def test_a_full_disk(refused, monkeypatch, out):
    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert "disk is full" in refused(f"clip.mp4 -o {out} --envelope hits.csv", 1)


@pytest.mark.parametrize("out", ["out.mp4", "out.mkv", "out.wav"])
def test_a_file_that_grows_too_large(refused, out):
    """The system's own limit stands in for a full disk: writing fails in the middle of the file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, before[1]))
    try:
        message = refused(f"clip.mp4 -o {out} --envelope hits.csv", 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "disk is full or the file too large" in message


def test_a_late_failure_keeps_the_earlier_file(desk, tiny_folder, capsys, monkeypatch):
    Path("out.wav").write_bytes(b"an earlier render")
    monkeypatch.setattr(os, "fsync", lambda number: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error")))
    line = ["generate", "clip.mp4", "-o", "out.wav", "--envelope", "hits.csv", "--model", str(tiny_folder), "--force"]
    assert main(line) == 1 and "cannot be written" in capsys.readouterr().err
    assert Path("out.wav").read_bytes() == b"an earlier render"
    assert not list(desk.glob(".foleygram*")) and not Path("out.wav.json").exists()


def test_a_sound_that_is_not_finite(refused, monkeypatch):
    import torch

    from foleygram.diffusion.spectral import SpectralAutoencoder

    monkeypatch.setattr(SpectralAutoencoder, "decode", lambda self, latent, seed=0: torch.full((1, 2, 60000), float("nan")))
    assert "--dtype fp32" in refused("clip.mp4 -o out.mp4 --envelope hits.csv", 1)


def test_absent_weights_are_named_before_the_memory(desk, capsys, tiny_folder):
    import shutil

    shutil.copytree(tiny_folder, "model")
    Path("model/heads.safetensors").unlink()
    line = ["generate", "clip.mp4", "-o", "out.mp4", "--envelope", "hits.csv", "--model", "model"]
    assert main(line) == 1
    err = capsys.readouterr().err
    assert "heads.safetensors: this weights file is absent" in err and err.count("\n") == 1


def test_too_little_memory(refused, monkeypatch):
    from foleygram.pipeline import FoleyGRAM

    def exhausted(*arguments, **options):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")

    monkeypatch.setattr(FoleyGRAM, "synthesise", exhausted)
    assert "memory" in refused("clip.mp4 -o out.mp4 --envelope hits.csv", 1)


INTERRUPTED = """
import signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may ignore it, as nohup does
import foleygram.pipeline as pipeline
from foleygram.cli import main
original = pipeline.sample
def sample(*arguments):
    print("sampling", flush=True)
    return original(*arguments)
pipeline.sample = sample
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("out", "number", "who"),
    [
        ("out.mp4", signal.SIGINT, "Ctrl-C"),
        ("out.wav", signal.SIGTERM, "the system"),
        ("out.wav", signal.SIGHUP, "its terminal"),
    ],
)
def test_stopped_while_sampling(desk, tiny_folder, out, number, who):
    before = {path.name for path in desk.iterdir()}
    line = ["generate", "clip.mp4", "-o", out, "--envelope", "hits.csv", "--model", str(tiny_folder), "--steps", "1000"]
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    assert process.stdout.readline() == "sampling\n"
    time.sleep(0.3)
    process.send_signal(number)
    rest, err = process.communicate(timeout=120)
    assert process.returncode == 1 and not rest
    err = err.removeprefix(MEMORY)
    assert err.startswith(f"foleygram: stopped by {who}") and err.count("\n") == 1
    assert {path.name for path in desk.iterdir()} == before
