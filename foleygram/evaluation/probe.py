"""What material is heard: a linear probe on the judge's embeddings of true sounds.

The judge stays as it is. Fitted are the few weights of a multinomial logistic regression, to true sounds of the training
split alone; the validation split chooses how strongly they are held back. No generated sound and no sound of the test is
fitted, and nothing of judge or probe goes into the training of a generator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from foleygram.data.manifest import ClipRecord, read_manifest
from foleygram.errors import DataError, UsageError
from foleygram.evaluation.aisfx import Aisfx
from foleygram.evaluation.embedders import Embedder
from foleygram.evaluation.embedding_cache import CachedEmbedder, check_cache
from foleygram.evaluation.similarity import window_means
from foleygram.media.audio import read_audio

CLIPS = 2400  # of the training split that a probe is fitted to
PENALTIES = (1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0, 10.0)  # half of the squared weights, against the mean cross-entropy

Progress = Callable[[str, int, int], None]
"""Told the stage, how many clips of it are done, and how many there are."""


@dataclass(frozen=True)
class ProbeCard:
    """Who says what a material is. ``judge``: label of the embedder; ``clips``, ``families``: it was fitted to; ``penalty``:
    as chosen; ``validation``: accuracy on the ``validated`` clips of the validation split that chose it."""

    judge: str
    materials: tuple[str, ...]
    clips: int
    families: int
    penalty: float
    validation: float
    validated: int

    @property
    def label(self) -> str:
        """As tables print it."""
        return f"linear probe on {self.judge}"

    @property
    def sentence(self) -> str:
        """How it came about, in words."""
        chosen = f"penalty {self.penalty:g}, chosen by nothing for want of a validation split"
        if self.validated:
            chosen = (
                f"{self.validation:.1%} right on the {self.validated} validation clips that chose its penalty, {self.penalty:g}"
            )
        return (
            f"{len(self.materials)} materials, fitted to {self.clips} true training clips of {self.families} families, never "
            f"to results; {chosen}"
        )


@dataclass(frozen=True, eq=False)
class MaterialProbe:
    """``centre``, ``scale`` [dim]: of the training clips; ``weights`` [dim, material], ``bias`` [material]."""

    card: ProbeCard
    centre: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def log_probabilities(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """The judge's windows of each clip, [window, dim], to float64 [clip, material]."""
        vectors = (window_means(clips) - self.centre) / self.scale
        return log_softmax(vectors @ self.weights + self.bias, axis=1)

    def recognise(self, clips: Sequence[np.ndarray]) -> list[str]:
        """The likeliest material of each clip, from the judge's windows [window, dim]."""
        return [self.card.materials[place] for place in self.log_probabilities(clips).argmax(axis=1)]


def chosen_judge(embedder: Embedder | None, cache: str | Path | None) -> Embedder:
    """AISFX where no other judge is given, remembering in ``cache``. Raises ModelError where AISFX is not installed,
    OutputError where nothing can be kept there."""
    if cache:
        check_cache(cache)
    judge = Aisfx() if embedder is None else embedder
    return CachedEmbedder(judge, Path(cache)) if cache else judge


def train_probe(
    manifest: str | Path,
    *,
    clips: int = CLIPS,
    cache: str | Path | None = None,
    embedder: Embedder | None = None,
    unheard: Collection[str] = (),
    on_progress: Progress = lambda stage, done, total: None,
) -> MaterialProbe:
    """Fits the probe to the true sounds of ``clips`` clips of the training split (all where there are fewer), materials
    and families by turns; without a validation split the middle penalty is taken.

    ``cache``: folder in which embeddings are kept; ``embedder``: the judge, AISFX by default; ``unheard``: families of which no
    clip is taken. Raises DataError where the
    manifest has no training split or names fewer than two materials in it, UsageError below one clip."""
    if clips < 1:
        raise UsageError(f"a probe is fitted to at least one clip, not {clips}")
    records = read_manifest(Path(manifest))
    known = [record for record in records if record.split == "train" and record.material]
    train = varied([record for record in known if not set(unheard) & set(families_of(record))], clips)
    materials = tuple(sorted({record.material for record in train}))
    if len(materials) < 2:
        raise DataError(
            f"{manifest}: its training split names {len(materials)} materials; a probe needs two at least, as MiniHits has"
        )
    validation = [record for record in records if record.split == "validation" and record.material in materials]
    judge = chosen_judge(embedder, cache)
    heard = window_means(listen(train, judge, "listening to the training split", on_progress))
    labels = np.array([materials.index(record.material) for record in train])
    centre, scale = heard.mean(axis=0), heard.std(axis=0) + 1e-6
    heard = (heard - centre) / scale
    checked = checked_labels = None
    if validation:
        checked = (window_means(listen(validation, judge, "listening to the validation split", on_progress)) - centre) / scale
        checked_labels = np.array([materials.index(record.material) for record in validation])
    fits = []
    for penalty in PENALTIES if validation else PENALTIES[len(PENALTIES) // 2 :][:1]:
        weights, bias = fit(heard, labels, len(materials), penalty)
        right, loss = float("nan"), 0.0
        if checked is not None:
            found = log_softmax(checked @ weights + bias, axis=1)
            loss = -float(found[np.arange(len(found)), checked_labels].mean())
            right = float((found.argmax(axis=1) == checked_labels).mean())
        fits.append((loss, penalty, right, weights, bias))
    _, penalty, right, weights, bias = min(fits, key=lambda fitted: fitted[:2])
    families = len({family for record in train for family in families_of(record)})
    card = ProbeCard(judge.card.label, materials, len(train), families, penalty, right, len(validation))
    return MaterialProbe(card, centre, scale, weights, bias)


def fit(vectors: np.ndarray, labels: np.ndarray, classes: int, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Multinomial logistic regression: ``vectors`` [clip, dim], ``labels`` int [clip] -> weights [dim, class], bias
    [class], at the minimum of mean cross-entropy + ``penalty`` |weights|^2 / 2. Deterministic."""
    count, dim = vectors.shape
    targets = np.eye(classes)[labels]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights, bias = flat[:-classes].reshape(dim, classes), flat[-classes:]
        found = log_softmax(vectors @ weights + bias, axis=1)
        gap = (np.exp(found) - targets) / count
        gradient = np.concatenate([(vectors.T @ gap + penalty * weights).ravel(), gap.sum(axis=0)])
        return -float((found * targets).sum()) / count + penalty * float((weights**2).sum()) / 2, gradient

    flat = minimize(loss, np.zeros((dim + 1) * classes), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return flat[:-classes].reshape(dim, classes), flat[-classes:]


def varied(records: Sequence[ClipRecord], count: int) -> list[ClipRecord]:
    """The first ``count`` clips of an order in which materials take turns, and within a material its actions and families:
    few clips hold as many different objects as can be."""
    shelves: dict[str, dict[tuple[str, ...], list[ClipRecord]]] = {}
    for record in records:
        shelf = shelves.setdefault(record.material, {})
        shelf.setdefault((record.action, *families_of(record)), []).append(record)
    rows = [in_turns(shuffled(shelf)) for _, shelf in sorted(shelves.items())]
    return in_turns(rows)[:count]


def families_of(record: ClipRecord) -> tuple[str, ...]:
    """What a clip's sound was made of; a clip that does not tell is a family of its own."""
    return tuple(sorted(record.family)) or (record.id,)


def shuffled(shelf: dict[tuple[str, ...], list[ClipRecord]]) -> list[list[ClipRecord]]:
    """The values in an order that depends on the keys alone."""
    return [shelf[key] for key in sorted(shelf, key=lambda key: hashlib.sha256(repr(key).encode()).digest())]


def in_turns(rows: Sequence[Sequence[ClipRecord]]) -> list[ClipRecord]:
    """The first of each row, the second of each, and so on."""
    return [row[place] for place in range(max(map(len, rows), default=0)) for row in rows if place < len(row)]


def listen(records: Sequence[ClipRecord], judge: Embedder, stage: str, on_progress: Progress) -> list[np.ndarray]:
    """The judge's windows [window, dim] of each true sound, one sound in memory at a time."""
    windows = []
    for number, record in enumerate(records, 1):
        windows.append(judge.embed(read_audio(record.audio, rate=None).trim(record.seconds)))
        on_progress(stage, number, len(records))
    return windows
