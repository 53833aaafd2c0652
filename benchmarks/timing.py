"""How well the picture tells when it sounds: the timing predictor and the blunt baseline on held-out clips.

    python benchmarks/timing.py --data data/minihits --textures TEXTURES --model mini --clips 100 --sounds 30 --out timing.json
    python benchmarks/timing.py --video real1.mp4 real2.mp4 --model mini --picture real.png

MiniHits: the test scenes are rendered at their own size and rate, written as H.264, read back and predicted from, against
the onsets that the program placed (F1 at 50 ms, mean absolute error of the pairs). The same scenes are filmed again without
and with more shake, at 15, 30 and 60 frames/s and at half the size; a fall of F1 is that between two films of the same clips.
Intervals are of 95 %, from 2,000 draws of clips (paired for falls). ``--sounds``: of so many clips the sound is generated
too, under the predicted envelope, conditioned by the picture; its onsets are those that librosa's detector finds, beside what
the same detector finds in the true sound. Real videos: predicted onsets, and those of the generated track, against those that
the detector finds in the video's own sound; ``lag_ms`` is the median by which sound follows prediction, of pairs within 150
ms, and rows without it stand beside. ``--picture`` draws the first. Nothing is chosen here: the threshold is the model's.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from foleygram.data.features import read_scenes
from foleygram.data.manifest import read_manifest
from foleygram.data.render import render_frames
from foleygram.data.scenes import Scene
from foleygram.evaluation.bootstrap import bootstrap
from foleygram.evaluation.onsets import evaluate
from foleygram.media.audio import read_audio
from foleygram.media.video import FRAME_SIDE, probe, read_frames, stream_frames, write_video
from foleygram.pipeline import FoleyGRAM, load_predictor
from foleygram.signal.envelope import extract_envelope
from foleygram.signal.onsets import detect_onsets
from foleygram.timing.difference import DifferenceConfig, difference_onsets
from foleygram.timing.network import TimingConfig
from foleygram.timing.predictor import EnvelopePredictor
from foleygram.types import Audio, Clip, Envelope
from foleygram.weights import assign

CONDITIONS: dict[str, Callable[[Scene], Scene]] = {
    "as they are": lambda scene: scene,
    "no shake": lambda scene: replace(scene, shake=0.0),
    "shake 3 px": lambda scene: replace(scene, shake=3.0),
    "15 fps": lambda scene: replace(scene, fps=15.0),
    "30 fps": lambda scene: replace(scene, fps=30.0),
    "60 fps": lambda scene: replace(scene, fps=60.0),
    "half size": lambda scene: replace(scene, width=scene.width // 2, height=scene.height // 2),
}


FALLS = (("no shake", "as they are"), ("no shake", "shake 3 px"), ("30 fps", "15 fps"), ("as they are", "half size"))
"""Pairs of conditions of which the second is the harder one."""


def predictor_of(source: str) -> EnvelopePredictor:
    """The predictor alone, from a model or a weights file of the default config."""
    if not source.endswith(".safetensors"):
        model = load_predictor(source, "cpu")
        if model is None:
            raise SystemExit(f"{source}: has no timing predictor; give its timing.safetensors")
        return model
    model = EnvelopePredictor(TimingConfig())
    assign(model, Path(source))
    return model.eval().requires_grad_(False)


@dataclass(frozen=True, eq=False)
class Counts:
    """Of each clip: pairs, true and found onsets, and the sum of |dt| of the pairs (s); float64 [clip]."""

    hits: np.ndarray
    true: np.ndarray
    found: np.ndarray
    error: np.ndarray

    @classmethod
    def of(cls, true: Sequence[np.ndarray], found: Sequence[np.ndarray], tolerance: float) -> Counts:
        scores = [evaluate(t, f, tolerance) for t, f in zip(true, found, strict=True)]
        rows = [(score.hits, score.true, score.found, sum(map(abs, score.offsets))) for score in scores]
        return cls(*np.array(rows, np.float64).T)

    def f1(self, draws: np.ndarray) -> np.ndarray:
        """Of each draw of clips [draw, clip]; counts are added first."""
        return 2 * self.hits[draws].sum(axis=1) / (self.true[draws].sum(axis=1) + self.found[draws].sum(axis=1))

    def error_ms(self, draws: np.ndarray) -> np.ndarray:
        return 1000 * self.error[draws].sum(axis=1) / self.hits[draws].sum(axis=1)


def with_interval(statistic: Callable[[np.ndarray], np.ndarray], clips: int, digits: int) -> list[float]:
    """The value of all clips, and the ends of its interval where there are several clips."""
    values = [float(statistic(np.arange(clips)[None])[0])]
    if clips > 1:
        interval = bootstrap(statistic, clips)
        values += [interval.low, interval.high]
    return [round(value, digits) for value in values]


def report(name: str, true: Sequence[np.ndarray], found: Sequence[np.ndarray], by: str, tolerances=(0.05, 0.1)) -> dict:
    """One row: value, low and high of F1 and error, at each tolerance."""
    row: dict = {"condition": name, "by": by, "clips": len(true), "onsets": sum(map(len, true)), "found": sum(map(len, found))}
    for tolerance in tolerances:
        counts, label = Counts.of(true, found, tolerance), f"{round(1000 * tolerance)}ms"
        with np.errstate(invalid="ignore", divide="ignore"):
            row[f"f1_{label}"] = with_interval(counts.f1, len(true), 4)
            row[f"error_{label}"] = with_interval(counts.error_ms, len(true), 2)
    return row


def show(row: dict) -> dict:
    print(json.dumps(row), flush=True)
    return row


@dataclass(frozen=True, eq=False)
class Trial:
    """What was true of the clips filmed in one way, and what was found."""

    true: list[np.ndarray]
    learned: list[np.ndarray]
    blunt: list[np.ndarray]


def film_and_predict(model: EnvelopePredictor, scene: Scene, textures: Path | None, path: Path, threshold: float | None):
    """Renders a scene to ``path`` as H.264 and predicts from what is read back."""
    write_video(path, render_frames(scene, textures), scene.fps, force=True)
    return model.read(stream_frames(path, short_side=2 * model.config.motion.short), scene.seconds, threshold)


def minihits(
    model: EnvelopePredictor, records, scenes, textures: Path | None, conditions: Sequence[str], threshold: float | None
) -> list[dict]:
    rows, trials = [], {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        for name in conditions:
            trial = trials[name] = Trial([], [], [])
            wrong = []
            for record in records:
                scene = CONDITIONS[name](scenes[record.id])
                prediction = film_and_predict(model, scene, textures, path, threshold)
                trial.true.append(np.array([event.seconds for event in scene.events]))
                trial.learned.append(prediction.track.times)
                trial.blunt.append(difference_onsets(stream_frames(path), scene.seconds).times)
                f1 = evaluate(trial.true[-1], trial.learned[-1], 0.05).f1
                wrong.append((record.id, scene.action, scene.tool, scene.material, f1))
            worst = sorted(wrong, key=lambda row: row[-1])[:8]
            rows.append(show(report(name, trial.true, trial.learned, "predictor") | {"worst": worst}))
            rows.append(show(report(name, trial.true, trial.blunt, "difference")))
            for kind in ("hit", "scratch", "step"):
                part = [k for k, row in enumerate(wrong) if row[1] == kind]
                if part:
                    true, learned = ([times[k] for k in part] for times in (trial.true, trial.learned))
                    rows.append(show(report(f"{name}, {kind}", true, learned, "predictor")))
    for easy, hard in FALLS:
        if easy in trials and hard in trials:
            for by in ("learned", "blunt"):
                before, after = (Counts.of(trials[name].true, getattr(trials[name], by), 0.05) for name in (easy, hard))
                fall = with_interval(
                    lambda draws, before=before, after=after: before.f1(draws) - after.f1(draws), len(records), 4
                )
                rows.append(
                    show({"fall": f"{easy} -> {hard}", "by": "predictor" if by == "learned" else "difference", "f1_50ms": fall})
                )
    return rows


def sounds(
    source: str, model: EnvelopePredictor, records, scenes, textures: Path | None, threshold: float | None, steps: int | None
) -> list[dict]:
    """Onsets of what is generated under the predicted envelope, and of the true sounds, against the placed ones."""
    whole = FoleyGRAM.load(source)
    true, made, own = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        for record in records:
            scene = scenes[record.id]
            prediction = film_and_predict(model, scene, textures, path, threshold)
            true.append(np.array([event.seconds for event in scene.events]))
            made.append(detect_onsets(generated(whole, path, prediction.envelope, steps)))
            own.append(detect_onsets(read_audio(record.audio)))
    return [
        show(report("sound under the predicted envelope", true, made, "detector")),
        show(report("true sound", true, own, "detector")),
    ]


def generated(model: FoleyGRAM, video: Path, envelope: Envelope, steps: int | None) -> Audio:
    """Take 1 of seed 0 under ``envelope``, conditioned by the picture alone, as ``foleygram generate VIDEO`` does."""
    picture = read_frames(video, count=model.config.gram.vision.frames, short_side=FRAME_SIDE)
    return model.generate(Clip(picture, seconds=picture.seconds), envelope, use="V", steps=steps, strokes=True)[0]


def real(
    source: str,
    model: EnvelopePredictor,
    paths: Sequence[Path],
    picture: Path | None,
    threshold: float | None,
    steps: int | None,
) -> list[dict]:
    whole = None if source.endswith(".safetensors") else FoleyGRAM.load(source)
    true: list[np.ndarray] = []
    found: dict[str, list[np.ndarray]] = {"predictor": [], "difference": [], "generated track": []}
    for path in paths:
        sound = read_audio(path)
        seconds = probe(path).seconds
        prediction = model.read(stream_frames(path, short_side=2 * model.config.motion.short), seconds, threshold)
        true.append(detect_onsets(sound))
        found["predictor"].append(prediction.track.times)
        found["difference"].append(difference_onsets(stream_frames(path), seconds, DifferenceConfig()).times)
        if whole is not None:
            found["generated track"].append(detect_onsets(generated(whole, path, prediction.envelope, steps)))
        if picture is not None and path == paths[0]:
            draw(picture, path, extract_envelope(sound), prediction, true[0])
        here = {by: times[-1].round(3).tolist() for by, times in found.items() if times}
        show({"video": path.name, "true": true[-1].round(3).tolist()} | here)
    name = paths[0].name if len(paths) == 1 else f"{len(paths)} real videos"
    rows = []
    for by, times in found.items():
        if times:
            pairs = [offset for t, f in zip(true, times, strict=True) for offset in evaluate(t, f, 0.15).offsets]
            lag = -float(np.median(pairs)) if pairs else 0.0
            rows.append(show(report(name, true, times, by) | {"lag_ms": round(1000 * lag, 1)}))
            rows.append(show(report(f"{name}, the lag taken away", true, [np.maximum(f + lag, 0) for f in times], by)))
    return rows


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
    parser.add_argument("--data", type=Path, help="folder or manifest of MiniHits")
    parser.add_argument("--textures", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--split", default="test")
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--conditions", nargs="*", choices=list(CONDITIONS), default=list(CONDITIONS))
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--sounds", type=int, default=0, help="of so many clips the sound is generated too")
    parser.add_argument("--steps", type=int, help="of sampling; the model's by default")
    parser.add_argument("--video", type=Path, nargs="+")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = predictor_of(arguments.model)
    rows = []
    if arguments.video:
        rows += real(arguments.model, model, arguments.video, arguments.picture, arguments.threshold, arguments.steps)
    if arguments.data:
        manifest = arguments.data if arguments.data.suffix == ".jsonl" else arguments.data / "clips.jsonl"
        scenes = read_scenes(manifest.parent / "scenes.jsonl")
        records = read_manifest(manifest, arguments.split)[: arguments.clips]
        common = (records, scenes, arguments.textures)
        rows += minihits(model, *common, arguments.conditions, arguments.threshold)
        if arguments.sounds:
            part = (records[: arguments.sounds], scenes, arguments.textures)
            rows += sounds(arguments.model, model, *part, arguments.threshold, arguments.steps)
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
