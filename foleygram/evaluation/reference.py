"""Reference sound: does a recording of a family that never trained say what the result sounds like, under another timing?"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foleygram.data.manifest import ClipRecord, read_manifest
from foleygram.errors import DataError, UsageError
from foleygram.evaluation.benchmark import CACHE, clip_seed, content_of, fingerprint_of, keep_settings
from foleygram.evaluation.bootstrap import mean_interval
from foleygram.evaluation.embedders import Embedder
from foleygram.evaluation.probe import Progress, chosen_judge, families_of, listen, varied
from foleygram.evaluation.scores import Score
from foleygram.evaluation.similarity import derangement, window_means
from foleygram.evaluation.trials import Grid, TrialReport
from foleygram.media.audio import read_audio, write_audio
from foleygram.output import alone_in
from foleygram.signal.envelope import extract_envelope
from foleygram.types import SAMPLE_RATE, Clip

if TYPE_CHECKING:
    from foleygram.pipeline import FoleyGRAM

NAME = "reference"  # of the trial, its files and the folder of its sounds
NEARER = "nearer to the reference"
SHUFFLES = 20
CHANCE = 0.5


@dataclass(frozen=True)
class ReferenceSettings:
    """What decides a sound besides its reference; kept beside the sounds. ``guides``: hash of who gets whose timing."""

    model: str
    weights: str
    use: str
    truth: str
    guides: str
    steps: int | None
    guidance: float | None
    seed: int
    strokes: bool = False


@dataclass(frozen=True)
class Resemblance:
    """One result. ``id``: clip that was the reference; ``guide``: clip whose envelope was; ``share``: part of the recordings
    of other families that are farther from the result than the reference (ties count half), 0..1; ``alike``: the same among
    those of the reference's material, None where there are none; ``cosine`` to the reference; ``to_guide``: to the
    sound of the guide."""

    id: str
    guide: str
    material: str
    family: tuple[str, ...]
    share: float
    alike: float | None
    cosine: float
    to_guide: float


def benchmark_reference(
    model: FoleyGRAM,
    manifest: str | Path,
    out: str | Path,
    *,
    split: str = "test",
    limit: int | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    seed: int = 0,
    strokes: bool = False,
    cache: str | Path | None = None,
    embedder: Embedder | None = None,
    command: str = "",
    on_progress: Progress = lambda stage, done, total: None,
) -> TrialReport:
    """Generates from the true sound of each clip alone, under the envelope of a clip of another family, and asks whether the
    judge finds the result nearer to that sound than to those of all other families.

    Only clips no family of which trains take part, as references and as the others. ``limit``: only so many references,
    materials and families by turns; all clips stay among the others. ``strokes``: the guide says when and how loud, its events
    become strokes of the reference. For further arguments see ``benchmark_prompts``.
    Raises UsageError below one reference, DataError where the manifest has fewer than three such clips and where ``out``
    holds sounds of other settings, ModelError without the judge."""
    if limit is not None and limit < 1:
        raise UsageError(f"at least one reference is tried, not {limit}")
    judge = chosen_judge(embedder, cache or Path(out) / CACHE)
    everything = read_manifest(Path(manifest))
    records = varied(unheard(everything, split), len(everything))
    if len(records) < 3:
        raise DataError(
            f"{manifest}: {len(records)} clips of the {split} split have families that never train; three at least are needed"
        )
    guides = guides_of(records, seed)
    chosen = list(range(len(records)))[:limit]
    folder = Path(out) / NAME
    pairs = sorted((record.id, records[place].id) for record, place in zip(records, guides, strict=True))
    settings = ReferenceSettings(
        model.config.name, fingerprint_of(model), "A", content_of(manifest), hashlib.sha256(repr(pairs).encode()).hexdigest(),
        steps, guidance, seed, strokes,
    )  # fmt: skip
    with alone_in(Path(out)):
        keep_settings(folder, settings)
        for number, place in enumerate(chosen, 1):
            generate_one(model, records[place], records[guides[place]], folder, settings)
            on_progress(f"generating {NAME}", number, len(chosen))
    results = window_means([judge.embed(read_audio(file_of(folder, records[place]), rate=None)) for place in chosen])
    truths = window_means(listen(records, judge, f"listening to the {split} split", on_progress))
    scores, found = rank(records, chosen, guides, results, truths, judge.card.label, seed)
    count = len({families_of(records[place]) for place in chosen})
    struck = ", its events in strokes of the reference" if strokes else ""
    about = (
        f"{len(chosen)} recordings of {count} objects that never trained, each the only condition (use A) of "
        f"{model.config.name} #{settings.weights[:8]} under the envelope of a clip of another family, of the same action and "
        f"another material where there is one{struck}; ranked by cosines of window means among {len(records)} recordings; "
        f"seed {seed}.",
    )
    columns = ("reference", "material", "timing of", "nearer than to", "of its material", "cosine", "to the guide's sound")
    grids = (Grid("Results", columns, tuple(in_words(each) for each in found)),)
    title = "Reference sound: a recording of a family never heard"
    return TrialReport(NAME, title, about, scores, found, grids, command=command)


def in_words(each: Resemblance) -> tuple[str, ...]:
    """A result as a row of the report."""
    alike = "–" if each.alike is None else f"{each.alike:.1%}"
    return (each.id, each.material, each.guide, f"{each.share:.1%}", alike, f"{each.cosine:.3f}", f"{each.to_guide:.3f}")


def unheard(records: Sequence[ClipRecord], split: str) -> list[ClipRecord]:
    """The clips of a split none of whose families stands in another split."""
    others = {family for record in records if record.split != split for family in families_of(record)}
    return [record for record in records if record.split == split and not others & set(families_of(record))]


def guides_of(records: Sequence[ClipRecord], seed: int) -> list[int]:
    """For each clip the place of the clip whose timing it gets: of another family, of the same action and another material
    where there is one. Which one depends on seed and clip alone. Raises DataError where all are of one family."""
    places = []
    for record in records:
        strangers = [place for place, other in enumerate(records) if not set(families_of(record)) & set(families_of(other))]
        if not strangers:
            raise DataError(f"{record.id}: every other clip is of its family; a reference needs clips of other families")
        fitting = [p for p in strangers if records[p].action == record.action and records[p].material != record.material]
        pool = sorted(fitting or strangers, key=lambda place: records[place].id)
        places.append(pool[clip_seed(seed, record.id) % len(pool)])
    return places


def file_of(folder: Path, record: ClipRecord) -> Path:
    """Where the result of a reference lies."""
    return folder / f"{record.id}.flac"


def generate_one(model: FoleyGRAM, record: ClipRecord, guide: ClipRecord, folder: Path, settings: ReferenceSettings) -> None:
    """The sound of one reference under the envelope of ``guide``, as long as that; left alone where it lies there already."""
    path = file_of(folder, record)
    if path.exists():
        return
    reference = read_audio(record.audio, SAMPLE_RATE).stereo().trim(record.seconds)
    timing = read_audio(guide.audio, SAMPLE_RATE).trim(guide.seconds)
    (sound,) = model.generate(
        Clip(audio=reference, seconds=guide.seconds),
        extract_envelope(timing),
        use=settings.use,
        seed=clip_seed(settings.seed, record.id),
        steps=settings.steps,
        guidance=settings.guidance,
        strokes=settings.strokes,
    )
    write_audio(path, sound)


def rank(
    records: Sequence[ClipRecord],
    chosen: Sequence[int],
    guides: Sequence[int],
    results: np.ndarray,
    truths: np.ndarray,
    judge: str,
    seed: int,
) -> tuple[tuple[Score, ...], tuple[Resemblance, ...]]:
    """``results`` [chosen, dim] among ``truths`` [record, dim]: the rows, and every result's own numbers."""
    cosines = unit(results) @ unit(truths).T
    kin = [set(families_of(record)) for record in records]
    strange = np.array([[not one & other for other in kin] for one in kin])
    same = np.array([[one.material == other.material for other in records] for one in records])
    found = []
    for row, place in zip(cosines, chosen, strict=True):
        alike = strange[place] & same[place]
        found.append(
            Resemblance(
                records[place].id, records[guides[place]].id, records[place].material, families_of(records[place]),
                share(row, place, strange[place]), share(row, place, alike) if alike.any() else None,
                float(row[place]), float(row[guides[place]]),
            )
        )  # fmt: skip
    # a true sound of the very family in the place of the result: what a perfect one would get
    kept = unit(truths)
    siblings = {place: next((p for p in range(len(records)) if p != place and kin[p] == kin[place]), None) for place in chosen}
    ceiling = [share(kept @ kept[other], place, strange[place]) for place, other in siblings.items() if other is not None]
    by = "cosine of window means, others: all of other families; floor: a guess"
    within = "the same, others: those of its material"
    own = "a true clip of the reference's own family in the place of the result"

    def mean(name: str, values: Sequence[float], better: str, note: str) -> Score:
        return mean_score(name, values, judge, seed, better, note)

    wrong = swapped(cosines, chosen, strange, seed)
    scores = (
        mean(NEARER, [each.share for each in found], "higher", by),
        Score(f"{NEARER}, shuffled", wrong, "", None, CHANCE, judge, len(found), 0, "results handed to other references"),
        mean(f"{NEARER}, of its material", [each.alike for each in found if each.alike is not None], "higher", within),
        mean(f"{NEARER}, another true clip", ceiling, "", own),
        mean(
            f"{NEARER} than to the guide's sound", [each.cosine > each.to_guide for each in found], "higher", "floor: a guess"
        ),
    )
    return scores, tuple(found)


def share(cosines: np.ndarray, own: int, others: np.ndarray) -> float:
    """Part of the ``others`` (bool [record]) that are farther than ``own``; ties count half."""
    values = cosines[others]
    return float(((values < cosines[own]).sum() + (values == cosines[own]).sum() / 2) / len(values))


def swapped(cosines: np.ndarray, chosen: Sequence[int], strange: np.ndarray, seed: int) -> float | None:
    """The mean share with the results in wrong order; None for a single one."""
    if len(chosen) < 2:
        return None
    generator = np.random.default_rng(seed)
    shares = []
    for _ in range(SHUFFLES):
        order = [chosen[place] for place in derangement(len(chosen), generator)]
        shares += [share(row, place, strange[place]) for row, place in zip(cosines, order, strict=True)]
    return float(np.mean(shares))


def mean_score(name: str, values: Sequence[float], judge: str, seed: int, better: str, note: str) -> Score:
    """The mean over clips with its interval; empty where there is no clip."""
    if not len(values):
        return Score(name, None, better, None, CHANCE, judge, 0, 0, "there is no such clip")
    numbers = np.asarray(values, dtype=np.float64)
    interval = mean_interval(numbers, seed=seed) if len(numbers) > 1 else None
    return Score(name, float(numbers.mean()), better, interval, CHANCE, judge, len(numbers), 0, note)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows [clip, dim] of length 1; a row of zeros stays."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
