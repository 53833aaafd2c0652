"""Every block of the README runs: the cheap ones whole, with the tiny model under the name mini; of the others the options
are parsed."""

import re
import shlex
from pathlib import Path

import pytest
from tiny import tiny_model

from foleygram import weights
from foleygram.cli import main
from foleygram.cli.app import command
from foleygram.hub import sources
from foleygram.media.audio import write_audio
from foleygram.media.video import write_video
from foleygram.verbs import generation

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
SHELL = "\n".join(block for kind, block in BLOCKS if kind == "sh")
LINES = [line for line in SHELL.splitlines() if line and not line.startswith("#")]
COSTLY = ("foleygram train", "foleygram prepare", "foleygram benchmark", "foleygram evaluate")


@pytest.fixture
def desk(tmp_path, monkeypatch, tiny_video, clicks, moving_bar):
    """The files that the README speaks of, and the tiny model with a predictor as mini."""
    models = tmp_path / "models"
    tiny_model(timing=True).save(models / "mini")
    for module in (sources, weights, generation):
        monkeypatch.setattr(module, "MODELS", models)
    monkeypatch.chdir(tmp_path)
    Path("clip.mp4").write_bytes(tiny_video.read_bytes())
    write_video(Path("silent.mp4"), moving_bar(9), 10)
    write_video(Path("other.mp4"), moving_bar(5), 5, clicks(1.0, [0.5]))
    write_audio(Path("guide.wav"), clicks(1.0, [0.2, 0.6]))
    write_audio(Path("ref.wav"), clicks(0.5, [0.1]))
    write_audio(Path("voice.wav"), clicks(0.7, [0.1, 0.5]))
    Path("hits.csv").write_text("0.2,0.3\n0.7,0.1\n")
    return tmp_path


def words(line: str) -> list[str]:
    return shlex.split(line, comments=True)


def test_cheap_commands_run(desk, capsys):
    cheap = [line for line in LINES if line.startswith("foleygram ") and not line.startswith(COSTLY)]
    assert len(cheap) >= 10
    for line in cheap:
        assert main(words(line)[1:]) == 0, f"{line}: {capsys.readouterr().err}"
    for name in ("clip_foley.mp4", "hits.mp4", "borrowed.mkv", "takes_take3.wav", "softer.wav", "guide.csv", "guide.png"):
        assert Path(name).stat().st_size > 0
    assert Path("again.wav").read_bytes() == Path("takes_take2.wav").read_bytes()


def test_the_commands_of_the_page_on_timing_run(desk, capsys):
    page = (ROOT / "docs" / "timing.md").read_text()
    lines = [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines() if line]
    assert len(lines) >= 10
    for line in lines:
        assert main(words(line)[1:]) == 0, f"{line}: {capsys.readouterr().err}"
    for name in ("sounded.mp4", "guide.png", "edited.mp4", "notes.mid", "labels.txt", "both.png", "tapped.mp4"):
        assert Path(name).stat().st_size > 0


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith(COSTLY)])
def test_costly_commands_parse(line):
    parser, arguments, context = command(), words(line)[1:], None
    while hasattr(parser, "commands"):
        name, *arguments = arguments
        parser = parser.commands[name]
    context = parser.make_context(parser.name, list(arguments))
    assert context.params
    for path in re.findall(r"recipes/\S+", line):
        assert (ROOT / path).is_file()


def test_python_blocks_run(desk):
    blocks = [block for kind, block in BLOCKS if kind == "python"]
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert Path("from_python.mp4").exists()


def test_the_two_commands_are_targets_of_the_makefile():
    targets = {line.split()[1] for line in LINES if line.startswith("make ")}
    assert targets == {"demo", "test"}
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"\n{target}:" in makefile for target in targets)
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("make test")
