"""Free text: does a prompt in words that no caption used land on the right material? Judged by the material probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foleygram.data.manifest import read_manifest
from foleygram.data.vocabulary import names_thing
from foleygram.errors import UsageError
from foleygram.evaluation.benchmark import CACHE, clip_seed, fingerprint_of, keep_settings
from foleygram.evaluation.bootstrap import mean_interval, percentiles
from foleygram.evaluation.embedders import Embedder
from foleygram.evaluation.materials import IN_TRUTH, RECOGNISED, Heard, accuracy, families_in, heard, truth_accuracy
from foleygram.evaluation.probe import CLIPS, ProbeCard, Progress, chosen_judge, families_of, train_probe
from foleygram.evaluation.prompts import HITS, PROMPTS, SHAPES, Prompt, guide, spread, trained_prompts
from foleygram.evaluation.recognition import material_grid, true_sounds
from foleygram.evaluation.scores import Score
from foleygram.evaluation.trials import Grid, TrialReport
from foleygram.media.audio import read_audio, write_audio
from foleygram.output import alone_in
from foleygram.types import Clip

if TYPE_CHECKING:
    from foleygram.pipeline import FoleyGRAM

NAME = "prompts"  # of the trial, its files and the folder of its sounds
TITLE = "Free text: words that no caption used"
FREE = f"{RECOGNISED}, free text"
FRESH = "by a probe that heard none of the remembered objects"
NAMED = "material of the kind that the text is nearest to, free text"
DRAWS = 2000  # of prompts and of true sounds
SECONDS = 10.0  # of each sound, as long as the clips that the probe knows


@dataclass(frozen=True)
class PromptSettings:
    """What decides a sound besides its prompt; kept beside the sounds."""

    model: str
    weights: str
    use: str
    hits: tuple[tuple[float, float], ...]
    shapes: tuple[tuple[str, float, float], ...]
    seconds: float
    steps: int | None
    guidance: float | None
    seed: int
    strokes: bool  # the guides are made up, so that a model may remember a sound


def benchmark_prompts(
    model: FoleyGRAM,
    manifest: str | Path,
    out: str | Path,
    *,
    prompts: Sequence[Prompt] = PROMPTS,
    split: str = "test",
    limit: int | None = None,
    seconds: float = SECONDS,
    clips: int = CLIPS,
    steps: int | None = None,
    guidance: float | None = None,
    seed: int = 0,
    strokes: bool = True,
    cache: str | Path | None = None,
    embedder: Embedder | None = None,
    title: str = TITLE,
    command: str = "",
    on_progress: Progress = lambda stage, done, total: None,
) -> TrialReport:
    """Generates each prompt from its text alone under the guide of its action, and asks the probe for the material.

    Beside it stand the test's own captions for the same materials and actions under the same guides, the prompts with
    their results swapped, and the probe on the true sounds of ``split``. ``out``: folder for the sounds, which are kept
    in its folder ``prompts``, and for embeddings; ``limit``: only so many prompts, materials by turns; ``title``: of the
    report; ``clips``: of the training split, for the probe; ``steps``, ``guidance``: the model's by default; ``seed``: of
    the whole run, each prompt has its own from it; ``strokes``: the guides are made up, as they are, so that the model
    may remember a sound of the kind, as ``generate`` does, else they are kept as a measured one is; then a second probe,
    which heard none of the remembered objects, is asked too. Raises UsageError below one prompt, DataError where the
    manifest cannot be used and where ``out`` holds sounds of other settings, ModelError without the judge."""
    if limit is not None and limit < 1:
        raise UsageError(f"at least one prompt is tried, not {limit}")
    judge = chosen_judge(embedder, cache or Path(out) / CACHE)
    records = read_manifest(Path(manifest), split)
    folder = Path(out) / NAME
    chosen = spread(prompts, limit)
    asked = (*chosen, *trained_prompts(chosen))
    shapes = tuple((action, *shape) for action, shape in SHAPES.items())
    settings = PromptSettings(
        model.config.name, fingerprint_of(model), "T", HITS, shapes, seconds, steps, guidance, seed, strokes
    )
    with alone_in(Path(out)):
        keep_settings(folder, settings)
        probe = train_probe(manifest, clips=clips, embedder=judge, on_progress=on_progress)
        generate_prompts(model, asked, folder, settings, on_progress)
    windows = [judge.embed(read_audio(file_of(folder, prompt), rate=None)) for prompt in asked]
    names, materials = [prompt.text for prompt in asked], [prompt.materials for prompt in asked]
    sounds = heard(names, materials, windows, probe, NAME)
    free = sounds[: len(chosen)]
    trained = [replace(each, group="trained words") for each in sounds[len(chosen) :]]
    truths = true_sounds(records, probe, judge, f"listening to the {split} split", on_progress)
    scores = prompt_scores(free, trained, truths, probe.card, families_in(records), seed)
    if model.memory is not None:
        scores += named_scores(model, chosen, seed)
    remembered = () if model.memory is None or not strokes else model.config.memory.families
    if remembered and len(materials_without(manifest, remembered)) > 1:
        fresh = train_probe(manifest, clips=clips, embedder=judge, unheard=remembered, on_progress=on_progress)
        again = heard(names, materials, windows, fresh, NAME)
        others = true_sounds(records, fresh, judge, f"listening to the {split} split", on_progress)
        scores += fresh_scores(again[: len(chosen)], again[len(chosen) :], others, fresh.card, seed)
    remembers = ", and a sound that it remembers" if strokes and model.memory is not None else ""
    about = (
        f"{len(free)} prompts that name materials in words of no training caption, sounded by {model.config.name} "
        f"#{settings.weights[:8]} from the text alone (use T{remembers}), {seconds:g} s under a fixed guide for each action; "
        f"seed {seed}.",
        f"The probe: {probe.card.sentence}.",
    )
    said = tuple(
        (each.name, " or ".join(each.materials), each.recognised if each.right else f"**{each.recognised}**") for each in free
    )
    grids = (
        material_grid("Free text", free),
        material_grid("Trained words", trained),
        material_grid("True sounds", truths),
        Grid("Prompts", ("prompt", "right", "recognised"), said),
    )
    return TrialReport(NAME, title, about, scores, (*free, *trained, *truths), grids, command=command)


def file_of(folder: Path, prompt: Prompt) -> Path:
    """Where the sound of a prompt lies."""
    return folder / f"{prompt.name}.flac"


def generate_prompts(
    model: FoleyGRAM, prompts: Sequence[Prompt], folder: Path, settings: PromptSettings, on_progress: Progress
) -> None:
    """One sound for each prompt; those that lie there already are left alone."""
    for number, prompt in enumerate(prompts, 1):
        path = file_of(folder, prompt)
        if not path.exists():
            (sound,) = model.generate(
                Clip(text=prompt.text, seconds=settings.seconds),
                guide(prompt.action, settings.seconds),
                use=settings.use,
                seed=clip_seed(settings.seed, prompt.text),
                steps=settings.steps,
                guidance=settings.guidance,
                strokes=settings.strokes,
            )
            write_audio(path, sound)
        on_progress(f"generating {NAME}", number, len(prompts))


def prompt_scores(
    free: Sequence[Heard], trained: Sequence[Heard], truths: Sequence[Heard], card: ProbeCard, families: int, seed: int
) -> tuple[Score, ...]:
    """Free text, and what to read it by."""
    note = "results handed to other prompts"
    return (
        accuracy(FREE, free, card, seed, note="prompts in words of no caption"),
        against_truths(free, truths, card, seed),
        Score(f"{FREE}, shuffled", swapped(free), "", None, None, card.label, len(free), 0, note),
        accuracy(
            f"{RECOGNISED}, trained words", trained, card, seed, "", "captions of the test for the same materials and actions"
        ),
        truth_accuracy(truths, card, families, seed),
    )


def named_scores(model: FoleyGRAM, prompts: Sequence[Prompt], seed: int) -> tuple[Score, ...]:
    """What the language alone does: the share of prompts whose nearest kind in the model's memory is of a right material. No
    sound is made or heard for it. Where some prompts name a thing that the vocabulary teaches, with and without these."""
    kinds = model.config.memory.kinds
    near = [kinds[model.memory.nearest(model.embed(Clip(text=prompt.text)))] for prompt in prompts]
    right = np.array([kind.split(", ")[0] in prompt.materials for kind, prompt in zip(near, prompts, strict=True)], np.float64)
    taught = np.array([any(names_thing(prompt.text, material) for material in prompt.materials) for prompt in prompts])

    def score(name: str, chosen: np.ndarray) -> Score:
        own = right[chosen]
        interval = mean_interval(own, seed=seed) if len(own) > 1 else None
        return Score(name, float(own.mean()), "higher", interval, None, "the joint space", len(own), 0, "before any sound")

    parts = ((f"{NAMED}, things that the vocabulary names", taught), (f"{NAMED}, other things", ~taught))
    split = parts if taught.any() and not taught.all() else ()
    return tuple(score(name, chosen) for name, chosen in ((NAMED, np.ones_like(taught)), *split))


def materials_without(manifest: str | Path, families: Sequence[str]) -> set[str]:
    """Materials of the training clips that hold none of ``families``."""
    records = read_manifest(Path(manifest), "train")
    return {record.material for record in records if record.material and not set(families) & set(families_of(record))}


def fresh_scores(
    free: Sequence[Heard], trained: Sequence[Heard], truths: Sequence[Heard], card: ProbeCard, seed: int
) -> tuple[Score, ...]:
    """The same by a probe fitted without the recordings behind the sounds that the model remembers first: what it recognises is
    the material and not an object that it knows."""
    note = f"fitted to {card.clips} clips of {card.families} families"
    return (
        accuracy(f"{FREE}, {FRESH}", free, card, seed, note=note),
        accuracy(f"{RECOGNISED}, trained words, {FRESH}", trained, card, seed, "", note),
        accuracy(f"{IN_TRUTH}, {FRESH}", truths, card, seed, "", note),
    )


def against_truths(free: Sequence[Heard], truths: Sequence[Heard], card: ProbeCard, seed: int) -> Score:
    """The accuracy of free text as a part of what true sounds of the same materials would get, prompts and true sounds drawn
    apart. The probe errs on true sounds as well, so this says more of the model than the accuracy alone."""
    name = f"{FREE}, part of the truth's"
    hits = {material: np.array([each.right for each in truths if each.materials[0] == material]) for material in card.materials}
    asked = [each for each in free if any(len(hits.get(material, ())) for material in each.materials)]
    if not asked:
        return Score(name, None, "higher", judge=card.label, note="no true sound is of a material that a prompt asks for")
    right = np.array([each.right for each in asked], dtype=np.float64)

    def ratio(prompts: np.ndarray, means: dict[str, float]) -> float:
        best = [max(means.get(material, 0.0) for material in asked[place].materials) for place in prompts]
        return float(right[prompts].mean() / np.mean(best)) if np.mean(best) else float("nan")

    value = ratio(np.arange(len(asked)), {material: float(own.mean()) for material, own in hits.items() if len(own)})
    rng = np.random.default_rng(seed)
    draws = [
        ratio(
            rng.integers(len(asked), size=len(asked)),
            {material: float(rng.choice(own, len(own)).mean()) for material, own in hits.items() if len(own)},
        )
        for _ in range(DRAWS)
    ]
    note = "the truth's: true sounds of the split, of the materials that are asked for; both drawn"
    return Score(name, value, "higher", percentiles(np.array(draws)), None, card.label, len(asked), 0, note)


def swapped(sounds: Sequence[Heard]) -> float | None:
    """The accuracy to be had with every result handed to every other prompt; None for a single one."""
    if len(sounds) < 2:
        return None
    right = np.array([[other.recognised in each.materials for other in sounds] for each in sounds])
    return float(right[~np.eye(len(sounds), dtype=bool)].mean())
