"""The command line as a whole: start-up, help, and the verbs besides ``generate``."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from foleygram import cli
from foleygram.cli import main
from foleygram.media.video import write_video

VERBS = ("generate", "envelope", "embed", "prepare", "train", "evaluate", "benchmark", "models", "import", "doctor")


def cpu_seconds(code: str) -> float:
    """CPU time of a Python that runs ``code``, interpreter included; wall time would measure the neighbours."""
    before = os.times()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


@pytest.fixture
def foleygram(capsys):
    """Runs a command line in this process: (exit code, out, err)."""

    def run(*arguments):
        return main([str(argument) for argument in arguments]), *capsys.readouterr()

    return run


def test_help_takes_at_most_half_the_time_of_importing_torch():
    show_help = "import sys; from foleygram.cli import main; main(['--help']); assert 'torch' not in sys.modules"
    assert cpu_seconds(show_help) <= 0.5 * cpu_seconds("import torch")


def test_importing_the_package_imports_nothing_heavy():
    code = "import foleygram, sys; assert not {'torch', 'numpy', 'pydantic', 'av'} & set(sys.modules)"
    assert cpu_seconds(code) < cpu_seconds("pass") + 0.3


def test_a_refusal_does_not_wait_for_torch():
    refused = "import sys; from foleygram.cli import main; code = main(['generate', 'absent.mp4', '-o', 'x.mp4']); "
    assert cpu_seconds(refused + "assert code == 1 and 'torch' not in sys.modules") > 0


def test_public_names_exist():
    import foleygram

    for name in foleygram.__all__:
        assert hasattr(foleygram, name), name
    with pytest.raises(AttributeError, match="nonsense"):
        foleygram.nonsense  # noqa: B018


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(foleygram, verb):
    code, out, err = foleygram(verb, "--help")
    assert code == 0 and not err and out.startswith(f"Usage: foleygram {verb}")
    assert len(out.split("\n\n")[1].strip()) > 15, "a verb says what it does"


def test_help_and_version(foleygram):
    code, out, err = foleygram()
    assert code == 0 and not err and all(verb in out for verb in VERBS)
    from importlib.metadata import version

    assert foleygram("--version")[:2] == (0, f"foleygram {version('foleygram')}\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nope", "No such command"), ("generate --sed 3", "--seed"), ("generate --seed x", "valid integer"),
        ("embed", "Missing argument"), ("prepare", "Missing command"), ("train", "Missing argument"),
        ("envelope", "Missing argument"), ("generate", "which video"), ("generate clip.mp4", "give -o"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line_and_code_2(foleygram, line, message):
    code, out, err = foleygram(*line.split())
    assert code == 2 and not out
    assert err.startswith("foleygram: ") and message in err and err.count("\n") == 1


def test_a_working_folder_that_was_deleted(foleygram, tiny_video, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    (tmp_path / "clip.mp4").write_bytes(tiny_video.read_bytes())
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for line in (("generate", "../clip.mp4", "-o", "x.wav"), ("envelope", tmp_path / "clip.mp4"), ("doctor",)):
        code, out, err = foleygram(*line)
        assert code == 1 and not out and "the working folder is gone" in err and err.count("\n") == 1
    assert foleygram("--version")[0] == foleygram()[0] == 0


def test_installed_command():
    command = Path(sys.executable).with_name("foleygram")
    result = subprocess.run([command, "--version"], capture_output=True, text=True)
    assert result.returncode == 0 and result.stdout.startswith("foleygram ")


def test_the_command_spares_the_collector_of_cycles(monkeypatch):
    done = []
    monkeypatch.setattr(cli.gc, "set_threshold", lambda *numbers: done.append(numbers[0]))
    monkeypatch.setattr(cli.gc, "freeze", lambda: done.append("frozen"))
    monkeypatch.setattr(cli, "main", lambda: done.append("main") or 3)
    with pytest.raises(SystemExit) as ended:
        cli.script()
    assert ended.value.code == 3 and done == [cli.SELDOM, "main", "frozen"]


def test_a_reader_that_leaves_early_sees_no_traceback(tiny_sound):
    code = f"from foleygram.cli import main; import sys; sys.exit(main(['envelope', {str(tiny_sound)!r}, '--json']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_report_that_cannot_be_printed_is_one_line(tiny_sound):
    code = f"from foleygram.cli import main; import sys; sys.exit(main(['envelope', {str(tiny_sound)!r}]))"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "cannot be printed" in done.stderr


def test_closed_streams_do_no_harm(tiny_sound, tmp_path):
    out = tmp_path / "a.csv"
    code = f"from foleygram.cli import main; import sys; sys.exit(main(['envelope', {str(tiny_sound)!r}, '-o', {str(out)!r}]))"
    line = f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} >&- 2>&-"
    assert subprocess.run(["sh", "-c", line]).returncode == 0 and out.exists()
    assert subprocess.run(["sh", "-c", line]).returncode == 1  # it exists already


def test_names_that_are_no_text(foleygram, tiny_sound, tmp_path):
    try:
        path = tmp_path / os.fsdecode(b"s\xff.wav")
        path.write_bytes(tiny_sound.read_bytes())
    except OSError:
        pytest.skip("this file system takes only names that are text")
    code, out, err = foleygram("envelope", path)
    assert code == 0 and not err and "onsets" in out
    code, out, err = foleygram("embed", path, "--text", os.fsdecode(b"\xff"), "--model", "mini")
    assert code == 2 and "--text" in err and err.count("\n") == 1


@pytest.mark.parametrize("name", ["x" * 300, "guide.wav/x"])
def test_names_that_cannot_be(foleygram, tiny_sound, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("guide.wav").write_bytes(tiny_sound.read_bytes())
    for line in (
        ("envelope", f"{name}.wav"), ("envelope", "guide.wav", "-o", f"{name}.csv"), ("embed", f"{name}.mp4"), ("models", name),
        ("generate", f"{name}.mp4", "-o", "a.wav"), ("generate", "guide.wav", "-o", f"{name}.wav"),
        ("generate", "guide.wav", "-o", "a.wav", "--from", f"{name}.json"), ("evaluate", name, "--truth", f"{name}.jsonl"),
        ("prepare", "minihits", "--out", name),
    ):  # fmt: skip
        code, out, err = foleygram(*line)
        assert code in (1, 2) and not out and err.count("\n") == 1 and name in err, line
    assert [path.name for path in tmp_path.iterdir()] == ["guide.wav"]


def test_envelope(foleygram, tiny_video, tmp_path):
    code, out, err = foleygram("envelope", tiny_video, "-o", tmp_path / "a.csv", "--picture", tmp_path / "a.png")
    assert (code, err) == (0, "") and "2 onsets (s): 0." in out and str(tmp_path / "a.csv") in out
    assert (tmp_path / "a.csv").read_text().startswith("seconds,amplitude\n")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    # what it wrote is what it reads
    code, out, _ = foleygram("envelope", tmp_path / "a.csv", "--json")
    again = json.loads(out)
    code, out, _ = foleygram("envelope", tiny_video, "--json")
    first = json.loads(out)
    np.testing.assert_allclose([seconds for seconds, _ in first["onsets"]], [0.25, 0.75], atol=0.01)
    assert again["peak"] == pytest.approx(first["peak"], rel=1e-4)
    np.testing.assert_allclose(again["onsets"], first["onsets"], atol=2e-3)


def test_envelope_of_a_list_of_hits(foleygram, tmp_path):
    (tmp_path / "hits.txt").write_text("0.5\n1.25\n")
    code, out, _ = foleygram("envelope", tmp_path / "hits.txt", "--json")
    report = json.loads(out)
    assert code == 0 and len(report["onsets"]) == 2 and 2 < report["seconds"] < 4


def test_envelope_keeps_files_and_checks_names(foleygram, tiny_sound, tmp_path):
    (tmp_path / "a.csv").write_text("mine")
    for line, message in (
        (("-o", tmp_path / "a.csv"), "exists already"), (("-o", tmp_path / "a.png"), ".csv"),
        (("--picture", tmp_path / "a.jpg"), ".png"), (("-o", tmp_path / "no" / "a.csv"), "no folder"),
    ):  # fmt: skip
        code, _, err = foleygram("envelope", tiny_sound, *line)
        assert code == 1 and message in err and err.count("\n") == 1
    assert (tmp_path / "a.csv").read_text() == "mine"
    assert foleygram("envelope", tiny_sound, "-o", tmp_path / "a.csv", "--force")[0] == 0


def test_embed(foleygram, tiny_folder, tiny_video, tiny_sound):
    line = ("embed", tiny_video, tiny_sound, "--text", "a person hits wood", "--text", "metal", "--model", tiny_folder)
    code, out, err = foleygram(*line)
    assert (code, err) == (0, "") and len(out.splitlines()) == 5 and "volume" in out
    code, out, _ = foleygram(*line, "--json")
    rows = json.loads(out)
    assert [row["modalities"] for row in rows] == ["AVT", "AVT", "AT", "AT"]
    for row in rows:
        assert all(-1 <= cosine <= 1 for cosine in row["cosines"].values()) and 0 <= row["volume"] <= 1
    # two modalities span an area: volume^2 = 1 - cosine^2
    assert rows[2]["volume"] ** 2 == pytest.approx(1 - rows[2]["cosines"]["AT"] ** 2, abs=1e-5)
    code, out, _ = foleygram("embed", tiny_sound, "--model", tiny_folder, "--json")
    assert json.loads(out)[0]["volume"] is None


def test_embed_takes_still_pictures_and_a_dtype(foleygram, tiny_folder, tmp_path, monkeypatch):
    from foleygram.media.stills import jpeg
    from foleygram.pipeline import FoleyGRAM

    picture, asked, load = tmp_path / "picture.jpg", [], FoleyGRAM.load
    picture.write_bytes(jpeg(np.full((3, 48, 64), 90, np.uint8)))
    monkeypatch.setattr(FoleyGRAM, "load", lambda *arguments: asked.append(arguments[2]) or load(*arguments))
    line = ("embed", picture, "--text", "a person hits wood", "--model", tiny_folder, "--json")
    code, out, err = foleygram(*line, "--dtype", "int8")
    assert (code, err) == (0, "") and json.loads(out)[0]["modalities"] == "VT"
    assert foleygram(*line)[0] == 0 and asked == ["int8", "auto"]
    code, _, err = foleygram(*line, "--dtype", "x")
    assert code == 2 and "--dtype" in err and err.count("\n") == 1


def test_prepare_minihits(foleygram, tmp_path):
    pytest.importorskip("cv2")
    line = ("--train", 1, "--validation", 0, "--test", 1, "--seconds", 1)
    code, out, err = foleygram("prepare", "minihits", "--out", tmp_path / "mini", *line)
    assert code == 0, err
    assert (tmp_path / "mini" / "clips.jsonl").exists() and len(list((tmp_path / "mini" / "video").iterdir())) == 2
    code, _, err = foleygram("prepare", "minihits", "--out", tmp_path / "mini", *line, "--seed", 4)
    assert code == 1 and "another seed" in err and err.count("\n") == 1


def test_train_refuses_what_it_cannot_do(foleygram, tmp_path):
    recipe = Path(__file__).parents[2] / "recipes" / "mini.yaml"
    for line, code, message in (
        (("train", "nonsense", recipe), 2, "autoencoder"),
        (("train", "autoencoder", recipe, "--steps", 0), 2, "--steps"),
        (("train", "autoencoder", recipe, "--textures", tmp_path), 2, "--textures"),
        (("train", "autoencoder", tmp_path / "no.yaml"), 1, "cannot be read"),
        (("train", "autoencoder", recipe, "--data", tmp_path / "no.jsonl", "--out", tmp_path / "run"), 1, "prepare minihits"),
    ):
        found, _, err = foleygram(*line)
        assert found == code and message in err and err.count("\n") == 1


def test_models(foleygram, tiny_folder):
    code, out, err = foleygram("models", tiny_folder)
    assert (code, err) == (0, "") and "transformer" in out
    code, out, _ = foleygram("models", tiny_folder, "--json")
    assert json.loads(out)["name"] == "tiny"
    code, _, err = foleygram("models", "nonsense")
    assert code == 1 and "no such model" in err


def test_doctor(foleygram):
    code, out, err = foleygram("doctor", "--json")
    assert code == 0 and json.loads(out)["versions"]["torch"]
    assert "Python" in foleygram("doctor")[1]


def test_import_and_evaluate_refuse_in_one_line(foleygram, tmp_path, tiny_video):
    for line in (
        ("import", "stable-audio", tmp_path / "no.ckpt", "-o", tmp_path / "model"),
        ("import", "gram", tmp_path / "no", "-o", tmp_path / "model"),
        ("import", "tower", "ear", tmp_path / "no", "-o", tmp_path / "model"),
        ("evaluate", tmp_path, "--truth", tmp_path / "no.jsonl"),
        ("benchmark", "minihits", tmp_path / "no.jsonl", "-o", tmp_path / "out", "--model", tmp_path / "no"),
        ("prepare", "greatest-hits", tmp_path / "no", "-o", tmp_path / "out"),
    ):
        code, out, err = foleygram(*line)
        assert code in (1, 2) and not out and err.count("\n") == 1 and "Traceback" not in err, line
    assert not (tmp_path / "out").exists()


def test_a_silent_video_says_how_it_may_sound(foleygram, tiny_folder, tmp_path, moving_bar):
    write_video(tmp_path / "silent.mp4", moving_bar(6), 10)
    code, _, err = foleygram("envelope", tmp_path / "silent.mp4", "--model", tiny_folder)
    assert code == 1 and "--envelope own" in err and err.count("\n") == 1


def test_an_option_that_is_given_twice_is_refused_where_one_value_counts(foleygram, tiny_folder, tiny_video, tmp_path):
    code, _, err = foleygram("generate", tiny_video, "--out", tmp_path / "a.wav", "--text", "wood", "--text", "metal")
    assert code == 2 and "--text is given twice" in err and err.count("\n") == 1
    code, _, err = foleygram("train", "gram", "r.yaml", "--data", "a", "--data", "b")
    assert code == 2 and "--data is given twice" in err
    code, _, err = foleygram("prepare", "minihits", "--out", "a", "--out", "a")
    assert code == 2 and "--out is given twice" in err
    code, out, _ = foleygram(
        "embed", tiny_video, "--model", tiny_folder, "--text", "wood", "--text", "metal", "--json", "--json"
    )
    assert code == 0 and len(json.loads(out)) == 2


def test_python_runs_the_package_by_name():
    done = subprocess.run([sys.executable, "-m", "foleygram", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("foleygram ")


@pytest.mark.skipif(not hasattr(signal, "raise_signal"), reason="needs signals")
def test_an_interrupt_waits_until_torch_is_imported(monkeypatch, capsys):
    """Below the import lies C++ that ends the process when an exception passes through it."""
    spec = SimpleNamespace(_initializing=True)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(__spec__=spec))
    reached = []

    def busy(_):
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
        reached.append("import")
        spec._initializing = False
        time.sleep(20)
        reached.append("end")

    monkeypatch.setattr(cli, "run", busy)
    began = time.monotonic()
    assert main([]) == 1
    assert time.monotonic() - began < 10  # it does not sleep on
    assert reached == ["import"] and "stopped by Ctrl-C" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(signal, "raise_signal"), reason="needs signals")
def test_an_interrupt_that_still_waits_at_the_end_counts(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(__spec__=SimpleNamespace(_initializing=True)))
    monkeypatch.setattr(cli, "run", lambda _: signal.raise_signal(signal.SIGINT) or 0)
    assert main([]) == 1
    assert "stopped by Ctrl-C" in capsys.readouterr().err
    time.sleep(0.2)  # and nothing comes after it
