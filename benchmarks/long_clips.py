"""Clips longer than the training window: can the joints be heard, and what do length and memory cost?

    python benchmarks/long_clips.py seams --seconds 60 --steps 20
    python benchmarks/long_clips.py cost --seconds 10 60 600 --steps 4 --suffix .out.mp4 --film clip.mp4

``seams``: a sound under an even envelope (hits and strokes without a pause, so that every joint lies in sound) is made in
windows. At each joint, of windows and of decoded pieces, the change of the spectrum within 50 ms, the step of the level and
the roughness of the waveform are compared with those at all places of the same sound half a window away from a joint:
where a joint's rank among them is evenly spread, it cannot be told from any other moment. As a positive control the same
places are measured where the sound cuts hard from one take to another (of another seed, and of another seed and text), so
that the measure is seen to be able to find a seam. ``cost``: a process of its own for each length tells seconds and peak
memory; the result is a ``--suffix`` of sound or a muxed video. With ``--film`` the picture is that video over and over, 144
pixels high without its sound, and the model says when it sounds; else it is grey under a list of hits.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from foleygram.media.video import stream_frames, write_video
from foleygram.pipeline import FoleyGRAM
from foleygram.timing.track import OnsetEvent, OnsetTrack
from foleygram.types import Clip
from foleygram.windows import Film, WindowConfig, plan_windows, synthesise_long

PART = 0.05  # s compared on both sides of a place
BANDS = 16  # even in log frequency from 100 Hz to 16 kHz


def guide(seconds: float):
    """Hits and strokes that follow one another without a pause."""
    rng = np.random.default_rng(0)
    events, time_ = [], 0.2
    while time_ < seconds - 0.5:
        events.append(
            OnsetEvent(time_, float(rng.uniform(0.1, 0.3)), "scratch", 0.35) if rng.random() < 0.6 else OnsetEvent(time_, 0.25)
        )
        time_ += rng.uniform(0.25, 0.6)
    return OnsetTrack(tuple(events)).to_envelope(seconds)


def joints(model: FoleyGRAM, seconds: float, config: WindowConfig) -> dict[str, np.ndarray]:
    """Times (s) of the middles of overlapping windows, and of the decoded pieces' laps."""
    rate = model.config.autoencoder.rate / model.autoencoder.hop
    windows = plan_windows(int(np.ceil(seconds * rate)), rate, round(model.config.seconds * rate), (), config)
    middles = [(before.end + after.start) / 2 / rate for before, after in zip(windows[:-1], windows[1:], strict=True)]
    return {"windows": np.array(middles), "decoded pieces": np.arange(config.decoded, seconds, config.decoded) + config.lap / 2}


def measures(sound: np.ndarray, rate: int, place: float) -> tuple[float, float, float]:
    """Change of the spectrum (mean |dB| over ``BANDS`` bands: single bins of noise differ at any place), step of the level
    (dB), largest second difference within 5 ms over that of 50 ms."""
    centre, part = round(place * rate), round(PART * rate)
    before, after = sound[centre - part : centre], sound[centre : centre + part]
    edges = np.unique(np.geomspace(100, 16_000, BANDS + 1) * part / rate).astype(int)
    powers = [np.abs(np.fft.rfft(side * np.hanning(part))) ** 2 for side in (before, after)]
    spectra = [10 * np.log10(np.add.reduceat(power, edges)[:-1] / np.diff(edges) + 1e-6) for power in powers]
    levels = [10 * np.log10(np.mean(side**2) + 1e-8) for side in (before, after)]
    rough = np.abs(np.diff(sound[centre - part : centre + part], 2))
    near = rough[part - rate // 400 : part + rate // 400]
    return float(np.abs(spectra[0] - spectra[1]).mean()), abs(levels[0] - levels[1]), float(near.max() / (rough.max() + 1e-9))


def cut_hard(one: np.ndarray, other: np.ndarray, rate: int, times: np.ndarray) -> np.ndarray:
    """Samples of ``one`` and ``other`` [sample] by turns, changing over at ``times`` (s) without a fade."""
    turns = np.searchsorted(np.round(times * rate), np.arange(len(one)), side="right") % 2
    return np.where(turns == 0, one, other)


def seams(model: FoleyGRAM, seconds: float, steps: int, text: str, other: str) -> list[dict]:
    config = WindowConfig()
    sampler = model.config.sampler.replace(steps=steps)

    def made(words: str, seeds: list[int]) -> list[np.ndarray]:
        points = model.embed(Clip(text=words))
        takes = synthesise_long(model, Film(lambda *_: points), guide(seconds), seconds, sampler, seeds)
        return [take.mono().astype(np.float64) for take in takes]

    rate = model.config.autoencoder.rate
    places = joints(model, seconds, config)
    mono, second = made(text, [1, 2])
    (foreign,) = made(other, [3])
    rows = compared("this sound", mono, rate, seconds, places)
    at = {"windows": places["windows"]}
    rows += compared("control: hard cuts between two takes", cut_hard(mono, second, rate, at["windows"]), rate, seconds, at)
    rows += compared("control: hard cuts to another text", cut_hard(mono, foreign, rate, at["windows"]), rate, seconds, at)
    return rows


def compared(title: str, mono: np.ndarray, rate: int, seconds: float, places: dict[str, np.ndarray]) -> list[dict]:
    """A row for each kind of joint: its measures beside those of places far from any."""
    every = np.concatenate(list(places.values()))
    others = [t for t in np.arange(0.5, seconds - 0.5, 0.1) if np.abs(every - t).min() > 1.0]
    usual = np.array([measures(mono, rate, t) for t in others])
    rows = []
    for name, times in places.items():
        found = np.array([measures(mono, rate, t) for t in times if PART < t < seconds - PART])
        ranks = (found[:, None] > usual[None]).mean(axis=1)
        kinds = list(enumerate(("spectrum", "level dB", "roughness")))
        rows.append(
            {
                "sound": title, "joints of": name, "number": len(found), "others": len(others),
                **{
                    f"{what}: median here / elsewhere": [round(float(np.median(each[:, k])), 3) for each in (found, usual)]
                    for k, what in kinds
                },
                **{f"{what}: mean rank (0.5 = no seam)": round(float(ranks[:, k].mean()), 3) for k, what in kinds},
            }
        )  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
    return rows


def looped(film: Path, count: int) -> Iterator[np.ndarray]:
    """``count`` frames uint8 [144, width, 3] of a video that begins again whenever it has ended; at most 15 s are held."""
    frames = [frame.transpose(1, 2, 0) for _, frame in itertools.islice(stream_frames(film, short_side=144, fps=15), 225)]
    return itertools.islice(itertools.cycle(frames), count)


def cost(model: str, seconds: list[float], steps: int, suffix: str, film: Path | None = None) -> list[dict]:
    """Runs the command line on silent pictures of these lengths, each in a process of its own."""

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for length in seconds:
            video, out = Path(folder) / f"{length:g}.mp4", Path(folder) / f"{length:g}{suffix}"
            count, guide_from = int(length * 15), []
            if film is None:
                write_video(video, (np.full((144, 192, 3), 60 + k % 3, np.uint8) for k in range(count)), 15)
                hits = Path(folder) / "hits.csv"
                hits.write_text("\n".join(f"{t:.3f}" for t in np.arange(0.5, length, 0.8)) + "\n")
                guide_from = ["--envelope", str(hits)]
            else:
                write_video(video, looped(film, count), 15)
            began = time.perf_counter()
            command = [sys.executable, "-m", "foleygram.cli", "generate", str(video), "-o", str(out), "--model", model]
            command += ["--json", "--steps", str(steps), *guide_from]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr)
            report = json.loads(done.stdout)
            row = {
                "seconds": length,
                "written": out.suffix,
                "megabytes": round(out.stat().st_size / 1e6, 1),
                "wall": round(time.perf_counter() - began, 1),
                "memory_mb": report["memory"] // 2**20,
                "envelope": report["envelope"],
                "stages": report["stages"],
            }
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
    parser.add_argument("--other", default="A person steps on gravel.", help="text of the second control")
    parser.add_argument("--film", type=Path, help="a video that cost repeats; the picture then says when it sounds")
    parser.add_argument("--suffix", default=".out.mp4", help="of what cost writes: .out.mp4 .wav .flac ...")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.what == "cost":
        cost(arguments.model, arguments.seconds, arguments.steps, arguments.suffix, arguments.film)
    else:
        seams(FoleyGRAM.load(arguments.model), arguments.seconds[0], arguments.steps, arguments.text, arguments.other)


if __name__ == "__main__":
    main()
