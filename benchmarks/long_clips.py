"""Clips longer than the training window: can the joints be heard, and what do length and memory cost?

    python benchmarks/long_clips.py seams --seconds 60 --steps 20
    python benchmarks/long_clips.py cost --seconds 10 60 600 --steps 4

``seams``: a sound under an even envelope (hits and strokes without a pause, so that every joint lies in sound) is made in
windows. At each joint, of windows and of decoded pieces, the change of the spectrum within 50 ms, the step of the level and
the roughness of the waveform are compared with those at all places of the same sound half a window away from a joint:
where a joint's rank among them is evenly spread, it cannot be told from any other moment. ``cost``: a process of its own
for each length tells seconds and peak memory; the picture is a file of that length.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from foleygram.pipeline import FoleyGRAM
from foleygram.timing.track import OnsetEvent, OnsetTrack
from foleygram.types import Audio, Clip
from foleygram.windows import Film, WindowConfig, plan_windows, synthesise_long

PART = 0.05  # s compared on both sides of a place


def guide(seconds: float):
    """Hits and strokes that follow one another without a pause."""
    rng = np.random.default_rng(0)
    events, time_ = [], 0.2
    while time_ < seconds - 0.5:
        events.append(OnsetEvent(time_, float(rng.uniform(0.1, 0.3)), "scratch", 0.35) if rng.random() < 0.6 else OnsetEvent(time_, 0.25))
        time_ += rng.uniform(0.25, 0.6)
    return OnsetTrack(tuple(events)).to_envelope(seconds)


def joints(model: FoleyGRAM, seconds: float, config: WindowConfig) -> dict[str, np.ndarray]:
    """Times (s) of the middles of overlapping windows, and of the decoded pieces' laps."""
    rate = model.config.autoencoder.rate / model.autoencoder.hop
    windows = plan_windows(int(np.ceil(seconds * rate)), rate, round(model.config.seconds * rate), (), config)
    middles = [(before.end + after.start) / 2 / rate for before, after in zip(windows[:-1], windows[1:], strict=True)]
    return {"windows": np.array(middles), "decoded pieces": np.arange(config.decoded, seconds, config.decoded) + config.lap / 2}


def measures(sound: np.ndarray, rate: int, place: float) -> tuple[float, float, float]:
    """Change of the log spectrum, step of the level (dB), largest second difference within 5 ms over that of 50 ms."""
    centre, part = round(place * rate), round(PART * rate)
    before, after = sound[centre - part : centre], sound[centre : centre + part]
    spectra = [np.log10(np.abs(np.fft.rfft(side * np.hanning(part)))[: part // 2] + 1e-3) for side in (before, after)]
    levels = [10 * np.log10(np.mean(side**2) + 1e-8) for side in (before, after)]
    rough = np.abs(np.diff(sound[centre - part : centre + part], 2))
    near = rough[part - rate // 400 : part + rate // 400]
    return float(np.abs(spectra[0] - spectra[1]).mean()), abs(levels[0] - levels[1]), float(near.max() / (rough.max() + 1e-9))


def seams(model: FoleyGRAM, seconds: float, steps: int, text: str) -> list[dict]:
    config = WindowConfig()
    points = model.embed(Clip(text=text))
    sampler = model.config.sampler.replace(steps=steps)
    sound: Audio = next(synthesise_long(model, Film(lambda *_: points), guide(seconds), seconds, sampler, [1]))
    mono, rate = sound.mono().astype(np.float64), sound.rate
    places = joints(model, seconds, config)
    every = np.concatenate(list(places.values()))
    others = [t for t in np.arange(0.5, seconds - 0.5, 0.1) if np.abs(every - t).min() > 1.0]
    usual = np.array([measures(mono, rate, t) for t in others])
    rows = []
    for name, times in places.items():
        found = np.array([measures(mono, rate, t) for t in times if PART < t < seconds - PART])
        ranks = (found[:, None] > usual[None]).mean(axis=1)
        rows.append(
            {
                "joints of": name, "number": len(found), "others": len(others),
                **{f"{what}: median here / elsewhere": [round(float(np.median(found[:, k])), 3), round(float(np.median(usual[:, k])), 3)] for k, what in enumerate(("spectrum", "level dB", "roughness"))},
                **{f"{what}: mean rank (0.5 = no seam)": round(float(ranks[:, k].mean()), 3) for k, what in enumerate(("spectrum", "level dB", "roughness"))},
            }
        )  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
    return rows


def cost(model: str, seconds: list[float], steps: int) -> list[dict]:
    """Runs the command line on silent pictures of these lengths, each in a process of its own."""
    from foleygram.media.video import write_video

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for length in seconds:
            video, out = Path(folder) / f"{length:g}.mp4", Path(folder) / f"{length:g}.wav"
            frames = (np.full((144, 192, 3), 60 + k % 3, np.uint8) for k in range(int(length * 15)))
            write_video(video, frames, 15)
            track = OnsetTrack.at(np.arange(0.5, length, 0.8))
            (Path(folder) / "hits.csv").write_text("\n".join(f"{t:.3f}" for t in track.times) + "\n")
            began = time.perf_counter()
            command = [sys.executable, "-m", "foleygram.cli", "generate", str(video), "-o", str(out), "--model", model, "--json", "--steps", str(steps)]
            done = subprocess.run([*command, "--envelope", str(Path(folder) / "hits.csv")], capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr)
            report = json.loads(done.stdout)
            row = {"seconds": length, "wall": round(time.perf_counter() - began, 1), "memory_mb": report["memory"] // 2**20, "stages": report["stages"]}
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["seams", "cost"])
    parser.add_argument("--model", default="mini")
    parser.add_argument("--seconds", type=float, nargs="+", default=[60.0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--text", default="A person hits and scratches wood with a wooden stick.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.what == "cost":
        cost(arguments.model, arguments.seconds, arguments.steps)
    else:
        seams(FoleyGRAM.load(arguments.model), arguments.seconds[0], arguments.steps, arguments.text)


if __name__ == "__main__":
    main()
