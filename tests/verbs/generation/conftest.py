"""A desk to work at and a command line to work with, for the stories of ``foleygram generate``."""

from pathlib import Path

import pytest

from foleygram.cli import main
from foleygram.media.video import write_video


@pytest.fixture
def foleygram(capsys, tiny_folder):
    """Runs a command line in this process, ``generate`` and ``embed`` with the tiny model: (exit code, out, err)."""

    def run(*arguments):
        line = [str(argument) for argument in arguments]
        if line[0] in ("generate", "embed") and "--model" not in line and "--from" not in line:
            line += ["--model", str(tiny_folder)]
        code = main(line)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def desk(tmp_path, monkeypatch, tiny_video, tiny_sound, moving_bar, clicks):
    """A folder to work in: clip.mp4 (1.2 s with clicks), silent.mp4, guide.wav, hits.csv, other.mp4; names are relative."""
    (tmp_path / "clip.mp4").write_bytes(tiny_video.read_bytes())
    (tmp_path / "guide.wav").write_bytes(tiny_sound.read_bytes())
    (tmp_path / "hits.csv").write_text("seconds,strength\n0.1,0.3\n0.4,0.1\n")
    write_video(tmp_path / "silent.mp4", moving_bar(7), 12)
    write_video(tmp_path / "other.mp4", [frame[:, ::-1] // 2 for frame in moving_bar(5)], 5, clicks(1.0, [0.5]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def predicting(tmp_path_factory):
    """A function: the tiny model with a predictor to which any moment, or none, is an onset; as a folder."""
    import torch
    from tiny import tiny_model

    from foleygram.timing.network import LEVELS

    def folder(sees: bool) -> Path:
        model = tiny_model(timing=True)
        with torch.no_grad():
            model.timing.network.heads.weight[LEVELS] *= 0.1
            model.timing.network.heads.bias[LEVELS] = 2.0 if sees else -20.0
        return model.save(tmp_path_factory.mktemp("models") / "predicting")

    return folder
