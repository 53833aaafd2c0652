"""Scores a folder of generated sounds against the true ones: a table, and everything as JSON.

    python benchmarks/quality.py RESULTS --truth data/minihits/clips.jsonl --split test --out scores.json

RESULTS holds one sound for each clip, named by the clip's id (``test_00001.wav``; ``.flac`` and videos do as well). Clips
without a result are left out and counted. The other clips of the split, or those of ``--second``, are the second draw of
truth. Without --split the whole manifest is the truth. ``--threads`` limits torch, ``--cache`` keeps embeddings.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".mp4", ".mkv", ".mov", ".webm")


def find_results(folder: Path) -> dict[str, Path]:
    """Stem -> file of every sound in the folder."""
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}


def table(report) -> Table:
    """The scores as people read them."""
    rows = Table(title=f"{len(report.clips)} clips, judge {report.judge.label}, {report.seconds:.0f} s")
    for column in ("score", "value", "95 %", "floor", "clips", "note"):
        rows.add_column(column, justify="left" if column in ("score", "note") else "right", overflow="fold")
    for score in report.scores:
        value = "-" if score.value is None else f"{score.value:.4g}"
        interval = "" if score.interval is None else f"{score.interval.low:.4g} .. {score.interval.high:.4g}"
        floor = "" if score.floor is None else f"{score.floor:.4g}"
        arrow = {"lower": " ↓", "higher": " ↑", "": ""}[score.better]
        rows.add_row(score.name + arrow, value, interval, floor, str(score.clips), score.note)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--truth", type=Path, required=True, help="manifest of the true clips (clips.jsonl)")
    parser.add_argument("--split", default=None, help="train, validation or test")
    parser.add_argument("--second", type=Path, default=None, help="manifest of another draw of truth")
    parser.add_argument("--limit", type=int, default=None, help="score only the first clips")
    parser.add_argument("--out", type=Path, default=None, help="JSON to write")
    parser.add_argument("--cache", type=Path, default=None, help="folder for embeddings")
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()

    import torch

    from foleygram.data.manifest import read_manifest
    from foleygram.errors import FoleyGRAMError
    from foleygram.evaluation.aisfx import Aisfx
    from foleygram.evaluation.embedding_cache import CachedEmbedder
    from foleygram.evaluation.scoring import score
    from foleygram.media.audio import read_audio

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    console = Console()
    try:
        records = read_manifest(arguments.truth, arguments.split)
        found = find_results(arguments.results)
        scored = [record for record in records if record.id in found][: arguments.limit]
        used = {record.id for record in scored}
        others = [record for record in records if record.id not in used]
        if arguments.second:
            others = list(read_manifest(arguments.second, arguments.split))
        console.print(f"{len(scored)} of {len(records)} clips have a result; {len(others)} others are a second draw of truth")
        embedder = CachedEmbedder(Aisfx(), arguments.cache) if arguments.cache else Aisfx()
        pairs = track(scored, "scoring", console=console, disable=not console.is_terminal)
        report = score(
            (read_audio(found[record.id]) for record in pairs),
            (read_audio(record.audio) for record in scored),
            [[seconds for seconds, _ in record.onsets] for record in scored],
            second_truths=(read_audio(record.audio) for record in others),
            ids=[record.id for record in scored],
            embedder=embedder,
        )
    except FoleyGRAMError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    console.print(table(report))
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(report.as_json())
        console.print(f"written to {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
