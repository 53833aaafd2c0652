"""What the autoencoder alone keeps of a sound: the best that the diffusion model on it can reach.

    python benchmarks/autoencoder.py data/minihits/clips.jsonl --split test --limit 200 --out runs/autoencoder
    foleygram evaluate runs/autoencoder --truth data/minihits/clips.jsonl --split test

Every clip is encoded and decoded and lies in ``--out`` as FLAC afterwards; clips that lie there are kept. Printed: the onset F1
of decoded against original, both by the same detector, with an interval from drawing clips. The second command scores the
folder as it scores any system's: FAD, beside the truth band-limited to 22.05 and 16 kHz.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

TOLERANCE = 0.025  # s; half of what results are measured with: a decoder has no reason to be off


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()

    import torch

    import foleygram
    from foleygram.data.manifest import read_manifest
    from foleygram.errors import FoleyGRAMError
    from foleygram.evaluation.bootstrap import bootstrap
    from foleygram.evaluation.onsets import evaluate, total
    from foleygram.media.audio import read_audio, write_audio
    from foleygram.signal.onsets import detect_onsets
    from foleygram.types import Audio

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    console = Console()
    try:
        model = foleygram.load(arguments.model)
        records = read_manifest(arguments.manifest, arguments.split)[: arguments.limit]
        arguments.out.mkdir(parents=True, exist_ok=True)
        scores, spent = {"at 25 ms": [], "at 50 ms": []}, 0.0
        for record in track(records, "decoding", console=console, disable=not console.is_terminal):
            path, sound = arguments.out / f"{record.id}.flac", read_audio(record.audio)
            if not path.exists():
                started = time.perf_counter()
                with torch.inference_mode():
                    latent = model.autoencoder.encode(torch.from_numpy(sound.samples)[None])
                    decoded = model.autoencoder.decode(latent, seed=0)[0, :, : sound.samples.shape[1]]
                spent += time.perf_counter() - started
                write_audio(path, Audio(decoded.numpy(), sound.rate))
            true, found = detect_onsets(sound), detect_onsets(read_audio(path))
            for name, tolerance in (("at 25 ms", TOLERANCE), ("at 50 ms", 2 * TOLERANCE)):
                scores[name].append(evaluate(true, found, tolerance))
        console.print(f"{len(records)} clips, {spent:.0f} s to encode and decode")
        for name, found in scores.items():
            matched = np.array([2 * len(score.offsets) for score in found])
            heard = np.array([score.true + score.found for score in found])
            drawn = bootstrap(lambda draws, a=matched, b=heard: a[draws].sum(1) / b[draws].sum(1), len(found))
            f1 = f"{total(found).f1:.3f} ({drawn.low:.3f} .. {drawn.high:.3f})"
            console.print(f"onset F1 of decoded against original {name}: {f1}", highlight=False, soft_wrap=True)
    except FoleyGRAMError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
