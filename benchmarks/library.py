"""What a sound library scores: strokes of another recording of the same kind, laid by hand.

    python benchmarks/library.py data/minihits/clips.jsonl --split test --limit 100 --out runs/library [--level] [--seed 0]
    foleygram evaluate runs/library --truth data/minihits/clips.jsonl --split test --limit 100

An editor without a model takes a real recording of the same material and action (here: a clip of the training split, drawn at
random) and lays its strokes at the true moments. ``--level``: the clip's envelope is laid over them besides, so that it knows
what a row of Table II knows that has no sound. The sounds lie in ``--out`` as FLAC.
"""

import argparse
import random
import sys
from pathlib import Path

import numpy as np
from reordered import laid, strokes_of
from rich.console import Console
from rich.progress import track


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--level", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    from foleygram.data.manifest import read_manifest
    from foleygram.errors import DataError, FoleyGRAMError
    from foleygram.finish import FinishConfig
    from foleygram.media.audio import read_audio, write_audio
    from foleygram.signal.envelope import extract_envelope
    from foleygram.signal.level import followed
    from foleygram.types import SAMPLE_RATE, Audio

    console = Console()
    limits = FinishConfig()
    try:
        records = read_manifest(arguments.manifest, arguments.split)[: arguments.limit]
        library = [record for record in read_manifest(arguments.manifest, "train") if record.onsets]
        arguments.out.mkdir(parents=True, exist_ok=True)
        for record in track(records, "laying", console=console, disable=not console.is_terminal):
            shelf = [known for known in library if (known.material, known.action) == (record.material, record.action)]
            if not shelf:
                raise DataError(f"{record.id}: no training clip is of {record.material} and {record.action}")
            taken = random.Random(f"{arguments.seed} {record.id}").choice(shelf)
            source = read_audio(taken.audio, SAMPLE_RATE).stereo()
            strokes = strokes_of(source.samples, [seconds for seconds, _ in taken.onsets], SAMPLE_RATE)
            sound = read_audio(record.audio, SAMPLE_RATE).stereo()
            onsets = [seconds for seconds, _ in record.onsets if seconds < sound.seconds - 0.05]
            made = laid(strokes, onsets, sound.samples.shape[1], SAMPLE_RATE)
            if arguments.level:
                guide = extract_envelope(sound)
                made = np.concatenate(list(followed([made], guide, SAMPLE_RATE, limits.boost_db, limits.cut_db)), axis=1)
            write_audio(arguments.out / f"{record.id}.flac", Audio(made, SAMPLE_RATE), force=True)
    except FoleyGRAMError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
