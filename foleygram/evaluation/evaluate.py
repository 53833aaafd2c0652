"""Scores a folder of any system's outputs: every metric that can be computed here, and why the others cannot."""

from __future__ import annotations

import importlib.metadata
import json
import math
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from foleygram.data.manifest import ClipRecord, read_manifest
from foleygram.errors import DataError, ModelError, UsageError
from foleygram.evaluation.aisfx import Aisfx
from foleygram.evaluation.embedders import Embedder
from foleygram.evaluation.embedding_cache import CachedEmbedder, check_cache
from foleygram.evaluation.ingestion import LENGTH_SLACK, Finding, Output, ingest
from foleygram.evaluation.judge_rows import paper_judges, picture_rows, published_onsets
from foleygram.evaluation.materials import material_rows
from foleygram.evaluation.probe import MaterialProbe, Progress
from foleygram.evaluation.scores import ClipScore, Score, as_json
from foleygram.evaluation.scoring import score
from foleygram.evaluation.systems import system_named
from foleygram.media.audio import read_audio

LIBRARIES = ("foleygram", "torch", "numpy", "scipy", "librosa", "soxr", "transformers")


@dataclass(frozen=True)
class Player:
    """Files to listen to beside each other. ``start``: s of the truth at which the result begins; ``onsets``: s of the true
    events from there."""

    id: str
    result: str
    truth: str
    start: float
    onsets: tuple[float, ...] = ()


@dataclass(frozen=True)
class EvaluationReport:
    """One run. ``given``: what the system knew of each clip; ``seen``: clips of the truth it was trained on, None where
    nobody said; ``span``: s scored of each clip; ``rates``, ``channels``: of the files; ``command``, ``versions``,
    ``created``: how the numbers came about; ``seconds``: it took; ``seed``: of what was drawn."""

    name: str
    system: str
    given: tuple[str, ...]
    trained_on: str
    note: str
    folder: str
    truth: str
    split: str
    span: float
    rates: tuple[int, ...]
    channels: tuple[int, ...]
    seen: tuple[str, ...] | None
    findings: tuple[Finding, ...]
    scores: tuple[Score, ...]
    clips: tuple[ClipScore, ...]
    players: tuple[Player, ...]
    command: str
    versions: tuple[tuple[str, str], ...]
    created: str
    seconds: float
    seed: int = 0

    def score(self, name: str) -> Score | None:
        """The row of this name, or None."""
        return next((score for score in self.scores if score.name == name), None)

    @property
    def complete(self) -> bool:
        """Whether every true clip has a score."""
        return not any(finding.lost for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """0 where the report is complete, 1 where clips are missing or could not be read."""
        return 0 if self.complete else 1

    def as_json(self) -> str:
        """Everything, as JSON text."""
        return as_json(asdict(self))


def evaluate_folder(
    folder: str | Path,
    truth: str | Path,
    *,
    split: str | None = None,
    system: str | None = None,
    given: Sequence[str] = (),
    name: str | None = None,
    seen: str | Path | None = None,
    second: str | Path | None = None,
    pictures: bool = False,
    limit: int | None = None,
    cache: str | Path | None = None,
    embedder: Embedder | None = None,
    probe: MaterialProbe | None = None,
    seed: int = 0,
    command: str = "",
    on_progress: Progress = lambda stage, done, total: None,
) -> EvaluationReport:
    """Scores the sounds in ``folder`` against the clips of the manifest ``truth``.

    ``system``: whose file names they are, by default found out; ``given``: what it knew of each clip, where its name does not
    tell; ``name``: of the run in reports; ``seen``: text file with
    the ids (clips or videos, one a line) that the system was trained on; ``second``: manifest of another draw of truth,
    by default the clips of the split that have no output; ``pictures``: also the metrics that look at the video, seconds
    a clip; ``limit``: only the first clips of the truth; ``cache``: folder in which embeddings are kept; ``embedder``:
    the judge of the main rows, AISFX by default, whose rows stay empty and say why where it is not installed; ``probe``:
    also whether the material is recognised, by a probe fitted to the same judge (``train_probe``). Raises DataError for a
    folder or manifest that cannot be used, OutputError for a ``cache`` that cannot be written."""
    started = time.perf_counter()
    truth, folder = Path(truth), Path(folder)
    if limit is not None and limit < 1:
        raise UsageError(f"at least one clip is scored, not {limit}")
    records = read_manifest(truth, split)
    scored = records[:limit]
    seen_ids = None if seen is None else seen_clips(Path(seen), scored)
    if cache:
        check_cache(cache)
    judge, absent = embedder, ""
    if judge is None:
        try:
            judge = Aisfx()
        except (ModelError, UsageError) as error:
            absent = str(error)
    if judge is not None and cache:
        judge = CachedEmbedder(judge, Path(cache))
    ingestion = ingest(folder, scored, system_named(system) if system else None, records[len(scored) :])
    outputs = ingestion.outputs
    others = unused(read_manifest(Path(second), split) if second else records, outputs, ingestion.span)
    report = score(
        (ingestion.result(output) for output in outputs),
        (ingestion.truth(output) for output in outputs),
        [ingestion.onsets(output) for output in outputs] if any(output.record.onsets for output in outputs) else None,
        second_truths=(read_audio(record.audio, rate=None).trim(ingestion.span) for record in others),
        ids=[output.record.id for output in outputs],
        embedder=judge,
        absent=absent,
        seed=seed,
        on_clip=lambda done: on_progress("scoring", done, len(outputs)),
    )
    scores = (
        *report.scores,
        *material_rows(ingestion, probe, judge, seed),
        *published_onsets(ingestion, seed),
        *paper_judges(ingestion, cache, seed),
        *picture_rows(ingestion, pictures, cache),
    )
    return EvaluationReport(
        name=name or folder.resolve().name,
        system=ingestion.system.name,
        given=tuple(given) or ingestion.system.given,
        trained_on=ingestion.system.trained_on,
        note=ingestion.system.note,
        folder=str(folder),
        truth=str(truth),
        split=split or "all",
        span=ingestion.span,
        rates=ingestion.rates,
        channels=ingestion.channels,
        seen=seen_ids,
        findings=ingestion.findings,
        scores=scores,
        clips=report.clips,
        players=tuple(
            Player(each.record.id, str(each.file), str(each.record.audio), each.start, tuple(ingestion.onsets(each)))
            for each in outputs
        ),
        command=command,
        versions=versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=time.perf_counter() - started,
        seed=seed,
    )


def load_report(path: str | Path) -> EvaluationReport:
    """A report that was written as JSON. Raises DataError for a file that is none."""
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return TypeAdapter(EvaluationReport).validate_python(content | {"clips": _numbers(content["clips"])})
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(f"{path}: not a report of an evaluation; write one with foleygram evaluate --json") from error


def _numbers(content: object) -> object:
    """JSON has no NaN: within clips null stands for it."""
    if isinstance(content, dict):
        return {key: _numbers(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_numbers(value) for value in content]
    return math.nan if content is None else content


def unused(records: Sequence[ClipRecord], outputs: Sequence[Output], span: float) -> list[ClipRecord]:
    """True clips of at least ``span`` s whose sound is no truth of any output: another draw of truth. Shorter ones would
    be filled with silence, which the truths are not."""
    used = {output.record.audio.resolve() for output in outputs}
    return [record for record in records if record.audio.resolve() not in used and record.seconds >= span - LENGTH_SLACK]


def seen_clips(path: Path, records: Sequence[ClipRecord]) -> tuple[str, ...]:
    """The clips whose id, or video (the id up to its last underscore), stands in the file."""
    try:
        listed = set(path.read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read; it is a text file with one id a line") from error
    return tuple(record.id for record in records if record.id in listed or record.id.rpartition("_")[0] in listed)


def versions() -> tuple[tuple[str, str], ...]:
    """Of Python and of the libraries that numbers depend on."""
    found = [("python", platform.python_version())]
    for name in LIBRARIES:
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            found.append((name, "not installed"))
    return tuple(found)
