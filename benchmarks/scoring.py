"""How long scoring takes, and whether its memory grows with the number of clips: AISFX, onsets, envelopes and all the rows
that need no further weights, from files to the report.

    python benchmarks/scoring.py RESULTS --truth data/minihits/clips.jsonl --split test --clips 50 200 --threads 2

Without RESULTS the true sounds are their own results. Each count is scored in a process of its own, without a cache of
embeddings, after one clip that pays for what is only paid once (imports, compilation); times are wall time and CPU time.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_SECONDS = 300  # for 200 clips of 10 s on two cores, as the task asks


def copies(truth: Path, split: str | None, count: int, folder: Path) -> Path:
    """A folder with links to the true sounds, as if a system had made them."""
    from foleygram.data.manifest import read_manifest

    for record in read_manifest(truth, split)[:count]:
        (folder / f"{record.id}{record.audio.suffix}").symlink_to(record.audio)
    return folder


def measure(results: Path, truth: Path, split: str | None, count: int, threads: int) -> dict:
    """Scores the first ``count`` clips in this process."""
    import torch

    from foleygram.evaluation.evaluate import evaluate_folder

    torch.set_num_threads(threads)
    evaluate_folder(results, truth, split=split, limit=1)
    warm = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    report = evaluate_folder(results, truth, split=split, limit=count)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "clips": len(report.clips),
        "clip_seconds": report.span,
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "cpu_s_per_clip": round(cpu / max(1, len(report.clips)), 3),
        "peak_mb": round(peak / 1024),
        "peak_mb_after_one_clip": round(warm / 1024),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="?")
    parser.add_argument("--truth", type=Path, required=True, help="manifest of the true clips (clips.jsonl)")
    parser.add_argument("--split", default=None, help="train, validation or test")
    parser.add_argument("--clips", type=int, nargs="+", default=[50, 200], help="how many to score, one measurement each")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        count = arguments.clips[0]
        print(json.dumps(measure(arguments.results, arguments.truth, arguments.split, count, arguments.threads)))
        return 0
    found = []
    with tempfile.TemporaryDirectory() as folder:
        results = arguments.results or copies(arguments.truth, arguments.split, max(arguments.clips), Path(folder))
        for count in arguments.clips:
            split = ["--split", arguments.split] if arguments.split else []
            line = [sys.executable, __file__, str(results), "--truth", str(arguments.truth), *split, "--clips", str(count)]
            run = subprocess.run([*line, "--threads", str(arguments.threads), "--alone"], stdout=subprocess.PIPE, check=False)
            if run.returncode:
                return run.returncode
            found.append(json.loads(run.stdout))
            print(found[-1], flush=True)
    last = found[-1]
    print(
        f"{last['clips']} clips of {last['clip_seconds']:g} s: {last['wall_s']:g} s; "
        f"the limit for 200 of 10 s is {LIMIT_SECONDS} s"
    )
    if len(found) > 1:
        more = last["clips"] - found[0]["clips"]
        print(f"memory: {last['peak_mb'] - found[0]['peak_mb']} MB more for {more} clips more")
    return 0


if __name__ == "__main__":
    sys.exit(main())
