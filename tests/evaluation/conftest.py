"""Sounds for the tests of evaluation."""

from pathlib import Path

import numpy as np
import pytest

from foleygram.data.manifest import ClipRecord, write_manifest
from foleygram.media.audio import write_audio
from foleygram.types import Audio
from tests.conftest import click_sound


@pytest.fixture(scope="module", autouse=True)
def no_weights(tmp_path_factory):
    """Judges find no weights in the cache of whoever runs the tests, nor do fixtures of a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOLEYGRAM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def clicks() -> Audio:
    """Two seconds with three bursts."""
    return click_sound(2.0, [0.4, 1.0, 1.5])


def burst_clips(count: int, seed: int = 0, seconds: float = 2.0, pitch: float = 1.0) -> tuple[list[Audio], list[list[float]]]:
    """Clips of decaying tones, each with its own frequency, and the seconds at which they begin."""
    random = np.random.RandomState(seed)
    audios, onsets = [], []
    for number in range(count):
        times = np.sort(random.choice(np.arange(3, int(seconds * 10) - 3, 3), 3, replace=False)) / 10
        wave = np.zeros(round(seconds * 44100))
        frequency = pitch * (200 + 4000 * number / count)
        for time in times:
            start = round(time * 44100)
            clock = np.arange(len(wave) - start) / 44100
            tone = np.sin(2 * np.pi * frequency * clock) + 0.3 * random.standard_normal(len(clock))
            wave[start:] += 0.3 * tone * np.exp(-clock * 25)
        audios.append(Audio(np.stack([wave, 0.8 * wave]).clip(-1, 1), 44100))
        onsets.append([float(time) for time in times])
    return audios, onsets


def material_clips(folder: Path, seconds: float = 2.0) -> Path:
    """A manifest of two materials, low tones for wood and high ones for glass: of each six training clips of three
    families, two of one family for validation, three of three families for the test."""
    records = []
    for material, pitch in (("wood", 1.5), ("glass", 20.0)):
        for number in range(11):
            (audio,), (times,) = burst_clips(1, number, seconds, pitch * (1 + number / 50))
            split = "test" if number in (2, 6, 9) else "validation" if number in (4, 8) else "train"
            family = {"train": f"{material}{number % 3}", "validation": f"{material}-v", "test": f"{material}-t{number}"}[split]
            path = folder / f"{material}{number}.wav"
            write_audio(path, audio)
            hits = tuple((time, 0.5) for time in times)
            text = f"a person hits {material} ."
            records.append(ClipRecord(path.stem, split, None, path, text, material, "hit", seconds, hits, family=(family,)))
    return write_manifest(folder / "clips.jsonl", records)


def write_sounds(folder: Path, audios: list[Audio]) -> Path:
    """``clip_<number>.wav`` of each sound in a new folder, which is handed back."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, audio in enumerate(audios):
        write_audio(folder / f"clip_{number}.wav", audio)
    return folder


def write_truth(folder: Path, count: int) -> Path:
    """The manifest of ``burst_clips(count)`` as clips of the split test, with the sounds beside it."""
    audios, onsets = burst_clips(count)
    write_sounds(folder, audios)
    records = [
        ClipRecord(
            f"clip_{number}", "test", None, folder / f"clip_{number}.wav", "A hit.", "wood", "hit", audio.seconds,
            tuple((time, 1.0) for time in times),
        )
        for number, (audio, times) in enumerate(zip(audios, onsets, strict=True))
    ]  # fmt: skip
    return write_manifest(folder / "clips.jsonl", records)
