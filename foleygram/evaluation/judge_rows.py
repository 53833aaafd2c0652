"""Further rows of an evaluation, from the files of an ingestion: the paper's judges, the published onset scores, and the
metrics that look at the picture.

Judges whose weights are absent leave an empty row that says what to get; nothing takes their place.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from foleygram.errors import DataError, MediaError, ModelError, UsageError
from foleygram.evaluation import av_align, foley_onsets
from foleygram.evaluation.bootstrap import around, frechet_draws, mean_interval
from foleygram.evaluation.clap import LaionClap, MsClap
from foleygram.evaluation.clap_score import clap_score
from foleygram.evaluation.embedders import Embedder
from foleygram.evaluation.embedding_cache import CachedEmbedder
from foleygram.evaluation.favd import favd, join
from foleygram.evaluation.frechet import frechet_distance, split_half_floor
from foleygram.evaluation.i3d import SIDE, I3d
from foleygram.evaluation.ingestion import Ingestion
from foleygram.evaluation.scores import Score
from foleygram.evaluation.vggish import Vggish

DETECTOR = "librosa onset_detect, 22.05 kHz, delta 0.3"
PAPER_JUDGES: tuple[tuple[str, Callable[[], Embedder]], ...] = (
    ("FAD-C", MsClap),
    ("FAD-LC", LaionClap),
    ("FAD-VGGish", Vggish),
)
ONSET_ROWS = (
    ("same_count", "onset count acc"),
    ("recall", "onset recall at 100 ms"),
    ("precision", "onset AP at 100 ms"),
)
SMALL_SIDE = 180  # pixels, enough for mean flow
NOT_ASKED = "looks at the video, seconds a clip; ask for it with pictures"


def published_onsets(ingestion: Ingestion, seed: int) -> list[Score]:
    """CondFoleyGen's three scores, as published and corrected; onsets of the truth are detected, not known."""
    clips = [foley_onsets.evaluate(ingestion.result(output), ingestion.truth(output)) for output in ingestion.outputs]
    rows = []
    for form, label in enumerate(("as published", "corrected")):
        for field, title in ONSET_ROWS:
            values = np.array([getattr(clip[form], field) for clip in clips])
            rows.append(_mean_row(f"{title} ({label})", values, DETECTOR, "its own onsets for truth", seed))
    return rows


def paper_judges(ingestion: Ingestion, cache: str | Path | None, seed: int) -> list[Score]:
    """FAD-C, FAD-LC and FAD-VGGish in fadtk's windows, and the CLAP score."""
    rows = []
    for name, make in PAPER_JUDGES:
        try:
            judge = _cached(make(), cache)
        except (ModelError, UsageError) as error:
            rows.append(Score(name, None, "lower", note=str(error)))
            continue
        results = [judge.embed(ingestion.result(output)) for output in ingestion.outputs]
        truths = [judge.embed(ingestion.truth(output)) for output in ingestion.outputs]
        rows += _distance_rows(name, judge.card.label, results, truths, seed)
    try:
        judge = _cached(LaionClap(whole=True), cache)
    except (ModelError, UsageError) as error:
        return [*rows, Score("CLAP score", None, "higher", note=str(error))]
    results = np.concatenate([judge.embed(ingestion.result(output)) for output in ingestion.outputs])
    truths = np.concatenate([judge.embed(ingestion.truth(output)) for output in ingestion.outputs])
    return [*rows, *_clap_rows(results, truths, judge.card.label, seed)]


def picture_rows(ingestion: Ingestion, asked: bool, cache: str | Path | None) -> list[Score]:
    """FAVD with its terms, and AV-Align; ``asked``: whether to read the videos."""
    names = (("FAVD", "lower"), ("AV-Align", "higher"))
    with_video = [output for output in ingestion.outputs if output.record.video is not None]
    if not asked or not with_video:
        note = NOT_ASKED if not asked else "none of the true clips has a video"
        return [Score(name, None, better, note=note) for name, better in names]
    return [*_favd_rows(ingestion, with_video, cache), _align_row(ingestion, with_video)]


def _favd_rows(ingestion: Ingestion, outputs: list, cache: str | Path | None) -> list[Score]:
    try:
        eyes, ears = I3d(), _cached(Vggish(), cache)
    except (ModelError, UsageError) as error:
        return [Score("FAVD", None, "lower", note=str(error))]
    videos, results, truths = [], [], []
    try:
        for output in outputs:
            videos.append(eyes.embed(ingestion.picture(output, SIDE)))
            results.append(ears.embed(ingestion.result(output)))
            truths.append(ears.embed(ingestion.truth(output)))
        found = favd(videos, results, truths)
        _, draws = frechet_draws(*([join([v], [a]) for v, a in zip(videos, side, strict=True)] for side in (results, truths)))
    except (DataError, MediaError) as error:
        return [Score("FAVD", None, "lower", note=str(error))]
    judge = f"{eyes.card.label} + {ears.card.label}"
    note = "true picture on both sides"
    return [
        Score("FAVD", found.value, "lower", around(found.value, draws), None, judge, found.clips, found.windows, note,
              tuple(draws.tolist())),
        Score("FAVD, sound alone", found.audio, "lower", None, None, judge, found.clips, found.windows, note),
        Score("FAVD, picture alone", found.video, "", None, None, judge, found.clips, found.windows, note),
        Score("FAVD, beyond both", found.excess, "lower", None, None, judge, found.clips, found.windows, note),
    ]  # fmt: skip


def _align_row(ingestion: Ingestion, outputs: list) -> Score:
    values = []
    try:
        for output in outputs:
            values.append(av_align.evaluate(ingestion.picture(output, SMALL_SIDE), ingestion.result(output)))
    except (UsageError, MediaError, DataError) as error:
        return Score("AV-Align", None, "higher", note=str(error))
    return _mean_row("AV-Align", np.array(values), "librosa onsets, Farneback flow", "peaks within a frame", 0)


def _distance_rows(name: str, judge: str, results: list[np.ndarray], truths: list[np.ndarray], seed: int) -> list[Score]:
    clips, windows = len(results), sum(map(len, results))
    if clips < 3:
        return [Score(name, None, "lower", None, None, judge, clips, windows, f"needs at least 3 clips, here are {clips}")]
    true = np.concatenate(truths)
    value = frechet_distance(np.concatenate(results), true)
    energy = float((true.astype(np.float64) ** 2).sum(axis=1).mean())
    floor = split_half_floor(truths, seed=seed) if clips > 3 else None
    _, draws = frechet_draws(results, truths, seed=seed)
    kept = tuple(draws.tolist())
    return [
        Score(name, value, "lower", around(value, draws), floor, judge, clips, windows, "fadtk's windows; exact root", kept),
        Score(f"{name} / |x|^2", value / energy, "lower", None, None, judge, clips, windows, "comparable between judges"),
    ]


def _clap_rows(results: np.ndarray, truths: np.ndarray, judge: str, seed: int) -> list[Score]:
    if len(results) < 3:
        return [Score("CLAP score", None, "higher", None, None, judge, len(results), 0, "needs at least 3 clips")]
    found = clap_score(results, truths, seed=seed)
    note = "between the sounds, one window of 10 s; floor: shuffled pairs"
    return [
        Score("CLAP score", found.value, "higher", found.interval, found.shuffled, judge, found.clips, found.clips, note),
        Score("CLAP retrieval R@1", found.first, "higher", None, 1 / found.clips, judge, found.clips, found.clips, note),
    ]


def _mean_row(name: str, values: np.ndarray, judge: str, note: str, seed: int) -> Score:
    good = values[np.isfinite(values)]
    if len(good) < len(values):
        note += f"; the published script crashes on {len(values) - len(good)} clips, which are left out"
    interval = mean_interval(good, seed=seed) if len(good) > 1 else None
    value = float(good.mean()) if len(good) else None
    return Score(name, value, "higher", interval, None, judge, len(good), 0, f"{note}; mean over clips")


def _cached(judge: Embedder, cache: str | Path | None) -> Embedder:
    return CachedEmbedder(judge, Path(cache)) if cache else judge
