"""How often a material is recognised: the probe on the true sounds of a split, and on folders of results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from foleygram.data.manifest import ClipRecord, read_manifest
from foleygram.errors import UsageError
from foleygram.evaluation.embedders import Embedder
from foleygram.evaluation.ingestion import ingest
from foleygram.evaluation.materials import Heard, families_in, heard, heard_of, material_scores, truth_accuracy
from foleygram.evaluation.probe import CLIPS, MaterialProbe, Progress, chosen_judge, listen, train_probe
from foleygram.evaluation.trials import Grid, TrialReport, percent

NAME = "materials"  # of the trial and its files


def benchmark_materials(
    manifest: str | Path,
    results: Sequence[str | Path] = (),
    *,
    split: str = "test",
    limit: int | None = None,
    clips: int = CLIPS,
    cache: str | Path | None = None,
    embedder: Embedder | None = None,
    seed: int = 0,
    command: str = "",
    on_progress: Progress = lambda stage, done, total: None,
) -> TrialReport:
    """How often the probe recognises the material of true sounds of a split, and of the results in each folder of
    ``results``, named by the clips' ids, against the truth of the same clips.

    ``limit``: only the first clips; ``clips``: of the training split, for the probe; for further arguments see
    ``train_probe``. Raises UsageError below one clip and for two folders of one name, DataError where a manifest or a folder
    cannot be used, ModelError without the judge."""
    if limit is not None and limit < 1:
        raise UsageError(f"at least one clip is listened to, not {limit}")
    names = [Path(folder).resolve().name for folder in results]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two folders of results are named {twice}, and rows are named by folders; give them one by one")
    judge = chosen_judge(embedder, cache)
    records = read_manifest(Path(manifest), split)[:limit]
    ingestions = {Path(folder).resolve().name: ingest(Path(folder), records) for folder in results}
    probe = train_probe(manifest, clips=clips, embedder=judge, on_progress=on_progress)
    truths = true_sounds(records, probe, judge, f"listening to the {split} split", on_progress)
    families = families_in(records)
    scores = [truth_accuracy(truths, probe.card, families, seed)]
    everything, grids, missing = list(truths), [material_grid("True sounds", truths)], []
    for name, ingestion in ingestions.items():
        found, true = heard_of(ingestion, probe, judge)
        own = [replace(each, group=name) for each in found]
        rows = material_scores(own, true, probe.card, families, seed)
        scores += [replace(score, name=f"{name}: {score.name}") for score in rows]
        everything += own
        grids.append(material_grid(name, own))
        missing += [f"{name}: {finding.name}" for finding in ingestion.findings if finding.lost]
    about = (f"{Path(manifest).name}, {split}: {len(records)} clips. The probe: {probe.card.sentence}.",)
    title = "Materials: what a probe on the judge's embeddings recognises"
    return TrialReport(NAME, title, about, tuple(scores), tuple(everything), tuple(grids), tuple(missing), command)


def true_sounds(
    records: Sequence[ClipRecord], probe: MaterialProbe, judge: Embedder, stage: str, on_progress: Progress
) -> list[Heard]:
    """The true sounds whose material the probe knows."""
    known = [record for record in records if record.material in probe.card.materials]
    windows = listen(known, judge, stage, on_progress)
    return heard([record.id for record in known], [(record.material,) for record in known], windows, probe, "truth")


def material_grid(title: str, sounds: Sequence[Heard]) -> Grid:
    """For each material that is right, how often it was recognised and what was heard in its place."""
    rows = []
    for material in sorted({each.materials[0] for each in sounds}):
        own = [each for each in sounds if each.materials[0] == material]
        counts = Counter(each.recognised for each in own)
        said = ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
        rows.append((material, percent([each.right for each in own]), said))
    return Grid(title, ("material", "right", "recognised as"), tuple(rows))
