"""What real recordings score: the strokes of a clip in another order, or those of another recording of its kind.

    python benchmarks/strokes.py data/minihits/clips.jsonl --split test --limit 200 --out runs/reordered [--level]
    python benchmarks/strokes.py data/minihits/clips.jsonl --split test --limit 100 --out runs/library --library [--level]
    foleygram evaluate runs/reordered --truth data/minihits/clips.jsonl --split test

A system that knows the object and the moments, but not which stroke was meant, can at best sound like the first: the same
object, struck at the true moments with other strokes of the same clip, every one in the place of the next. ``--library``: an
editor without a model takes a recording of the same material and action instead (a clip of the training split, drawn at random)
and lays its strokes at the true moments. ``--level``: the clip's envelope is laid over them besides, as the finish lays it over
a result, so that they follow the guide as results do. The sounds lie in ``--out`` as FLAC.
"""

import argparse
import random
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

AHEAD = 0.008  # s before its event that a stroke begins
FADE = 0.01  # s at the end of a stroke that has to fill a longer gap


def starts_of(onsets: list[float], rate: int) -> list[int]:
    """Samples at which the strokes with these onsets (s, rising) begin."""
    return [max(round((seconds - AHEAD) * rate), 0) for seconds in onsets]


def strokes_of(samples: np.ndarray, onsets: list[float], rate: int) -> list[np.ndarray]:
    """float32 [channel, sample] cut at its onsets, what is before the first left out."""
    starts = [*starts_of(onsets, rate), samples.shape[1]]
    return [samples[:, begin:end] for begin, end in zip(starts[:-1], starts[1:], strict=True)]


def laid(strokes: list[np.ndarray], onsets: list[float], length: int, rate: int) -> np.ndarray:
    """float32 [channel, sample] of ``length`` samples with a stroke at each of ``onsets`` (s, rising), the first again after
    the last; one that is too long for its place is cut by the next attack, one that is too short fades into silence."""
    starts = [*starts_of(onsets, rate), length]
    result = np.zeros((strokes[0].shape[0], length), np.float32)
    for place, (begin, end) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
        stroke = strokes[place % len(strokes)][:, : end - begin].copy()
        count = stroke.shape[1]
        if count < end - begin:
            fade = min(round(FADE * rate), count)
            stroke[:, count - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
        result[:, begin : begin + count] = stroke
    return result


def reordered(samples: np.ndarray, onsets: list[float], rate: int) -> np.ndarray:
    """float32 [channel, sample] with the strokes at ``onsets`` (s, rising) moved on by one, the last to the first."""
    strokes = strokes_of(samples, onsets, rate)
    if not strokes:
        return samples.copy()
    result = laid(strokes[-1:] + strokes[:-1], onsets, samples.shape[1], rate)
    first = starts_of(onsets, rate)[0]
    result[:, :first] = samples[:, :first]
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--library", action="store_true")
    parser.add_argument("--level", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    from foleygram.data.manifest import read_manifest
    from foleygram.errors import DataError, FoleyGRAMError
    from foleygram.finish.matching import FinishConfig
    from foleygram.media.audio import read_audio, write_audio
    from foleygram.signal.envelope import extract_envelope
    from foleygram.signal.level import followed
    from foleygram.types import SAMPLE_RATE, Audio

    console = Console()
    limits = FinishConfig()
    try:
        records = read_manifest(arguments.manifest, arguments.split)[: arguments.limit]
        library = [known for known in read_manifest(arguments.manifest, "train") if known.onsets] if arguments.library else []
        arguments.out.mkdir(parents=True, exist_ok=True)
        for record in track(records, "laying", console=console, disable=not console.is_terminal):
            sound = read_audio(record.audio, SAMPLE_RATE).stereo()
            onsets = sorted(seconds for seconds, _ in record.onsets if seconds < sound.seconds - 0.05)
            if arguments.library:
                shelf = [known for known in library if (known.material, known.action) == (record.material, record.action)]
                if not shelf:
                    raise DataError(f"{record.id}: no training clip is of {record.material} and {record.action}")
                taken = random.Random(f"{arguments.seed} {record.id}").choice(shelf)
                source = read_audio(taken.audio, SAMPLE_RATE).stereo()
                strokes = strokes_of(source.samples, [seconds for seconds, _ in taken.onsets], SAMPLE_RATE)
                made = laid(strokes, onsets, sound.samples.shape[1], SAMPLE_RATE)
            else:
                made = reordered(sound.samples, onsets, SAMPLE_RATE)
            if arguments.level:
                guide = extract_envelope(sound)
                made = np.concatenate(list(followed([made], guide, SAMPLE_RATE, limits.boost_db, limits.cut_db)), axis=1)
            write_audio(arguments.out / f"{record.id}.flac", Audio(made, SAMPLE_RATE), force=True)
        if not arguments.library:
            single = sum(len(record.onsets) < 2 for record in records)
            console.print(f"{len(records)} clips; {single} of them have one stroke and stay as they are", highlight=False)
    except FoleyGRAMError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
