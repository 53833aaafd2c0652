"""How well the picture tells when it sounds: the timing predictor and the blunt baseline on held-out clips.

    python benchmarks/timing.py --data data/minihits --textures TEXTURES --model mini --clips 100 --out timing.json
    python benchmarks/timing.py --video real.mp4 --model mini --picture real.png

MiniHits: the test scenes are rendered at their own size and rate, written as H.264, read back and predicted from, against
the onsets that the program placed (F1 at 50 ms). The same scenes are filmed again with more shake, at 15 and at 30
frames/s and at half the size. Real video: predicted onsets against those that librosa's detector finds in the true sound
(100 ms). Nothing is chosen here: the threshold is the model's.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from foleygram.data.features import read_scenes
from foleygram.data.manifest import read_manifest
from foleygram.data.render import render_frames
from foleygram.data.scenes import Scene
from foleygram.evaluation.onsets import evaluate, total
from foleygram.hub.folder import read_tensors
from foleygram.media.audio import read_audio
from foleygram.media.video import probe, read_frames, stream_frames, write_video
from foleygram.pipeline import FoleyGRAMConfig, assign, find_folder
from foleygram.config import read_json
from foleygram.signal.envelope import extract_envelope
from foleygram.signal.onsets import detect_onsets
from foleygram.timing.difference import DifferenceConfig, difference_onsets
from foleygram.timing.network import TimingConfig
from foleygram.timing.predictor import EnvelopePredictor

CONDITIONS: dict[str, Callable[[Scene], Scene]] = {
    "as they are": lambda scene: scene,
    "no shake": lambda scene: replace(scene, shake=0.0),
    "shake 3 px": lambda scene: replace(scene, shake=3.0),
    "15 fps": lambda scene: replace(scene, fps=15.0),
    "30 fps": lambda scene: replace(scene, fps=30.0),
    "60 fps": lambda scene: replace(scene, fps=60.0),
    "half size": lambda scene: replace(scene, width=scene.width // 2, height=scene.height // 2),
}


def load_predictor(source: str) -> EnvelopePredictor:
    """The predictor alone, from a model folder or a weights file of the default config."""
    path = Path(source)
    if path.suffix == ".safetensors":
        model = EnvelopePredictor(TimingConfig())
        model.load_state_dict({name: value.float() for name, value in read_tensors(path).items()})
        return model.eval()
    folder = find_folder(source)
    model = EnvelopePredictor(read_json(FoleyGRAMConfig, folder / "config.json").timing or TimingConfig())
    assign(model, folder / "timing.safetensors")
    return model.eval()


def report(name: str, true: list[np.ndarray], found: list[np.ndarray], tolerances=(0.05, 0.1)) -> dict:
    row: dict = {"condition": name, "clips": len(true)}
    for tolerance in tolerances:
        score = total([evaluate(t, f, tolerance) for t, f in zip(true, found, strict=True)])
        row[f"f1_{round(1000 * tolerance)}ms"] = round(score.f1, 4)
        row[f"precision_{round(1000 * tolerance)}ms"] = round(score.precision, 4)
        row[f"recall_{round(1000 * tolerance)}ms"] = round(score.recall, 4)
        row[f"error_{round(1000 * tolerance)}ms"] = round(1000 * score.mean_error, 2)
    return row


def minihits(model: EnvelopePredictor, data: Path, textures: Path, split: str, clips: int, conditions: list[str], threshold: float | None) -> list[dict]:
    scenes = read_scenes(data / "scenes.jsonl")
    records = read_manifest(data / "clips.jsonl", split)[:clips]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in conditions:
            true, learned, blunt, wrong = [], [], [], []
            for record in records:
                scene = CONDITIONS[name](scenes[record.id])
                path = Path(folder) / "clip.mp4"
                write_video(path, render_frames(scene, textures), scene.fps, force=True)
                prediction = model.read(stream_frames(path), scene.seconds, threshold)
                true.append(np.array([event.seconds for event in scene.events]))
                learned.append(prediction.track.times)
                blunt.append(difference_onsets(stream_frames(path), scene.seconds).times)
                wrong.append((record.id, scene.action, scene.tool, scene.material, evaluate(true[-1], learned[-1], 0.05).f1))
            rows += [report(name, true, learned) | {"by": "predictor"}, report(name, true, blunt) | {"by": "difference"}]
            for kind in ("hit", "scratch", "step"):
                part = [k for k, row in enumerate(wrong) if row[1] == kind]
                if part:
                    rows.append(report(f"{name}, {kind}", [true[k] for k in part], [learned[k] for k in part]) | {"by": "predictor"})
            rows[-1]["worst"] = sorted(wrong, key=lambda row: row[-1])[:8]
            for row in rows[-5:]:
                print(json.dumps(row), flush=True)
    return rows


def real(model: EnvelopePredictor, path: Path, picture: Path | None, threshold: float | None) -> list[dict]:
    sound = read_audio(path)
    seconds = probe(path).seconds
    true = detect_onsets(sound)
    prediction = model.read(stream_frames(path), seconds, threshold)
    blunt = difference_onsets(stream_frames(path), seconds, DifferenceConfig())
    if picture is not None:
        draw(picture, path, extract_envelope(sound), prediction, true)
    print("true", true.round(3).tolist(), "found", prediction.track.times.round(3).tolist(), "blunt", blunt.times.round(3).tolist())
    return [
        report(path.name, [true], [prediction.track.times]) | {"by": "predictor"},
        report(path.name, [true], [blunt.times]) | {"by": "difference"},
    ]


def draw(out: Path, video: Path, truth, prediction, onsets: np.ndarray) -> None:
    """Film strip, predicted and true envelope under each other, onsets as lines."""
    from foleygram.signal.plot import film_height, new_figure, save, show_film

    frames = read_frames(video, count=12, short_side=160)
    figure, (film, top, bottom) = new_figure([film_height(frames), 1.6, 1.6])
    show_film(film, frames, film_height(frames), frames.seconds)
    for axes, name, envelope, marks, colour in (
        (top, "predicted from the picture", prediction.envelope, prediction.track.times, "tab:blue"),
        (bottom, "of the true sound", truth, onsets, "tab:orange"),
    ):
        axes.fill_between(envelope.times, envelope.values, color=colour, alpha=0.4, linewidth=0)
        axes.set_title(name, fontsize=9, loc="left")
        axes.set_xlim(0, frames.seconds)
        axes.set_ylim(0, None)
        for mark in marks:
            axes.axvline(mark, color="black", linewidth=0.7)
    bottom.set_xlabel("seconds; lines are onsets")
    save(figure, out, force=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--textures", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--split", default="test")
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--conditions", nargs="*", default=list(CONDITIONS))
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = load_predictor(arguments.model)
    rows = []
    if arguments.video:
        rows += real(model, arguments.video, arguments.picture, arguments.threshold)
        print("\n".join(map(json.dumps, rows)))
    if arguments.data:
        rows += minihits(
            model, arguments.data, arguments.textures, arguments.split, arguments.clips, arguments.conditions, arguments.threshold
        )
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
