"""Is the material recognised? What the probe hears in results beside what it hears in the true sounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foleygram.data.manifest import ClipRecord
from foleygram.errors import DataError
from foleygram.evaluation.bootstrap import bootstrap, mean_interval
from foleygram.evaluation.embedders import Embedder
from foleygram.evaluation.ingestion import Ingestion
from foleygram.evaluation.probe import MaterialProbe, ProbeCard, families_of
from foleygram.evaluation.scores import Score

RECOGNISED = "material recognised"
IN_TRUTH = f"{RECOGNISED} in the truth"
PART_OF_TRUTH = f"{RECOGNISED}, part of the truth's"
NOT_ASKED = "listens to the training split of the truth, minutes the first time; ask for it with materials"


@dataclass(frozen=True)
class Heard:
    """One sound. ``name``: of clip or prompt; ``materials``: any of which is right; ``recognised``: what the probe says;
    ``share``: the probability that it gives to the right ones, 0..1; ``group``: what kind of sound it is."""

    name: str
    materials: tuple[str, ...]
    recognised: str
    share: float
    group: str = ""

    @property
    def right(self) -> bool:
        return self.recognised in self.materials


def heard(
    names: Sequence[str],
    materials: Sequence[tuple[str, ...]],
    windows: Sequence[np.ndarray],
    probe: MaterialProbe,
    group: str = "",
) -> list[Heard]:
    """What the probe says of each sound, from the judge's windows [window, dim]."""
    if not windows:
        return []
    found = probe.log_probabilities(windows)
    known = probe.card.materials
    return [
        Heard(
            name,
            right,
            known[int(row.argmax())],
            float(sum(np.exp(row[known.index(each)]) for each in right if each in known)),
            group,
        )
        for name, right, row in zip(names, materials, found, strict=True)
    ]


def accuracy(name: str, sounds: Sequence[Heard], card: ProbeCard, seed: int, better: str = "higher", note: str = "") -> Score:
    """The share of sounds whose material is recognised; floor: a guess among the probe's materials."""
    right = np.array([each.right for each in sounds], dtype=np.float64)
    if len(right) == 0:
        return Score(name, None, better, judge=card.label, note="there is no such sound")
    floor = float(np.mean([len(each.materials) for each in sounds])) / len(card.materials)
    interval = mean_interval(right, seed=seed) if len(right) > 1 else None
    note = "; ".join(part for part in (note, "floor: a guess") if part)
    return Score(name, float(right.mean()), better, interval, floor, card.label, len(right), 0, note)


def truth_accuracy(truths: Sequence[Heard], card: ProbeCard, families: int, seed: int) -> Score:
    """The probe on true sounds, made of so many ``families``."""
    return accuracy(IN_TRUTH, truths, card, seed, "", f"{families} families; clips of one are not independent")


def material_scores(
    results: Sequence[Heard], truths: Sequence[Heard], card: ProbeCard, families: int, seed: int
) -> list[Score]:
    """Accuracy on results, on the truths of the same clips, and the one as a part of the other, clips drawn for both."""
    own = accuracy(RECOGNISED, results, card, seed, note=card.sentence)
    true = truth_accuracy(truths, card, families, seed)
    if len(results) < 2 or not true.value:
        return [own, true]
    right = np.array([[result.right, truth.right] for result, truth in zip(results, truths, strict=True)], dtype=np.float64)
    interval = bootstrap(lambda draws: right[draws, 0].sum(axis=1) / right[draws, 1].sum(axis=1), len(right), seed=seed)
    note = "results / truths, clips drawn for both; floor: a guess"
    ratio, floor = own.value / true.value, own.floor / true.value
    return [own, true, Score(PART_OF_TRUTH, ratio, "higher", interval, floor, card.label, len(right), 0, note)]


def material_rows(ingestion: Ingestion, probe: MaterialProbe | None, judge: Embedder | None, seed: int) -> list[Score]:
    """The rows of an evaluation; without a probe one empty row that says how to get them. Raises DataError where probe
    and judge do not belong together."""
    if probe is None or judge is None:
        return [Score(RECOGNISED, None, "higher", note=NOT_ASKED)]
    results, truths = heard_of(ingestion, probe, judge)
    return material_scores(results, truths, probe.card, families_in([output.record for output in ingestion.outputs]), seed)


def heard_of(ingestion: Ingestion, probe: MaterialProbe, judge: Embedder) -> tuple[list[Heard], list[Heard]]:
    """Results and truths of the outputs whose material the probe knows."""
    if judge.card.label != probe.card.judge:
        raise DataError(
            f"the probe was fitted to {probe.card.judge}, the judge is {judge.card.label}; train the probe with this judge"
        )
    outputs = [output for output in ingestion.outputs if output.record.material in probe.card.materials]
    names, right = [output.record.id for output in outputs], [(output.record.material,) for output in outputs]
    sides = ([judge.embed(side(output)) for output in outputs] for side in (ingestion.result, ingestion.truth))
    results, truths = (heard(names, right, windows, probe) for windows in sides)
    return results, truths


def families_in(records: Sequence[ClipRecord]) -> int:
    """How many families the sounds were made of."""
    return len({family for record in records for family in families_of(record)})
