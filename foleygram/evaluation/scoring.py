"""Scores results against truths: one pass, one clip in memory at a time, only embeddings (14 kB a clip) are kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

import numpy as np

from foleygram.errors import DataError
from foleygram.evaluation import envelopes, onsets, sound
from foleygram.evaluation.aisfx import Aisfx
from foleygram.evaluation.embedders import Card, Embedder, require_sound
from foleygram.evaluation.frechet import frechet_per_clip
from foleygram.evaluation.score_rows import (
    BAND_LIMITS,
    ClipWindows,
    class_scores,
    distance_scores,
    envelope_scores,
    look_scores,
    onset_scores,
    rank_scores,
    ranks_of,
)
from foleygram.evaluation.scores import ClipScore, Score, ScoreReport
from foleygram.signal.onsets import detect_onsets
from foleygram.signal.resample import resample
from foleygram.types import Audio

JUDGED = (("FAD", "lower"), ("KAD", "lower"), ("nearer to own truth", "higher"), ("cosine to own truth", "higher"))
"""Rows that need a judge; the main ones of them are shown empty where there is none."""

NOBODY = Card("none", 0, 0, 0.0, 0.0, "")


def score(
    results: Iterable[Audio],
    truths: Iterable[Audio],
    true_onsets: Iterable[Sequence[float]] | None = None,
    *,
    second_truths: Iterable[Audio] | None = None,
    ids: Sequence[str] | None = None,
    embedder: Embedder | None = None,
    absent: str = "",
    seed: int = 0,
    on_clip: Callable[[int], None] = lambda number: None,
) -> ScoreReport:
    """Scores ``results`` against ``truths``, clip i against clip i; iterables are read once, so files may be opened as
    they are needed.

    ``true_onsets``: seconds of the known events of each clip; without them the onsets detected in the truth count.
    ``second_truths``: other true sounds of the same task, for the distance between two draws of truth; the first as
    many as there are clips are taken, without those that are one of ``truths``. ``embedder``: AISFX by default;
    ``absent``: why there is none, where there is none: its rows stay empty and say so. ``on_clip`` is told how many clips
    are done.
    Below three clips what needs a set stays empty and says so. Raises DataError for no clip at all, for sounds of length 0
    and where the sides differ in number; ModelError where the judge's weights are absent."""
    started = time.perf_counter()
    if embedder is None and not absent:
        embedder = Aisfx()
    results, truths = iter(results), iter(truths)
    known = iter(true_onsets) if true_onsets is not None else None
    kept: list[ClipWindows] = []
    clips: list[ClipScore] = []
    # While the judge listens here, onsets and envelopes of the same clip are taken beside it.
    with ThreadPoolExecutor(1) as beside:
        while True:
            result, truth = next(results, None), next(truths, None)
            events = next(known, None) if known is not None else None
            if result is None and truth is None:
                break
            if result is None or truth is None or (known is not None and events is None):
                raise DataError(f"results, truths and onsets come in equal numbers; one side ends after {len(clips)} clips")
            name = ids[len(clips)] if ids is not None else str(len(clips))
            compared = beside.submit(_compare, name, result, truth, events)
            if embedder is not None:
                kept.append(_listen(result, truth, embedder))
            clips.append(compared.result())
            on_clip(len(clips))
    if not clips:
        raise DataError("there is not a single clip to score")
    judged = [Score(name, None, better, note=absent) for name, better in JUDGED]
    if embedder is not None:
        second = second_draw(second_truths or (), kept, embedder)
        clips = with_ranks(clips, kept, seed)
        judged = [
            *distance_scores(kept, second, embedder.card.label, seed),
            *class_scores(kept, embedder, seed),
            *rank_scores(kept, embedder.card.label, seed),
        ]
    scores = (
        *judged,
        *onset_scores(clips, known is not None, seed),
        *envelope_scores(clips, seed),
        *look_scores(clips),
    )
    return ScoreReport(scores, tuple(clips), NOBODY if embedder is None else embedder.card, time.perf_counter() - started)


def with_ranks(clips: list[ClipScore], kept: list[ClipWindows], seed: int) -> list[ClipScore]:
    """The clips with what only the whole set can tell: rank, cosine and distance. Left empty below three clips."""
    if len(clips) < 3:
        return clips
    ranks = ranks_of(kept, seed)
    distances = frechet_per_clip([each.result for each in kept], np.concatenate([each.truth for each in kept]))
    return [
        replace(each, share=float(share), cosine=float(cosine), distance=float(distance))
        for each, share, cosine, distance in zip(clips, ranks.shares, ranks.cosines, distances, strict=True)
    ]


def second_draw(others: Iterable[Audio], kept: list[ClipWindows], embedder: Embedder) -> list[np.ndarray]:
    """Windows of as many other truths as there are clips, or of all there are; no more are read. A sound that is among
    the truths under another name is passed over: draws with clips in common would be too near to each other."""
    known = {each.truth.tobytes() for each in kept}
    windows = (embedder.embed(audio) for audio in others)
    return list(islice((each for each in windows if each.tobytes() not in known), len(kept)))


def band_limited(audio: Audio, rate: int) -> Audio:
    """The sound as a system of ``rate`` Hz would have it, at its own rate; the same where it has no more."""
    return audio if audio.rate <= rate else resample(resample(audio, rate), audio.rate)


def _listen(result: Audio, truth: Audio, embedder: Embedder) -> ClipWindows:
    own, true = embedder.embed(result), embedder.embed(truth)

    def limited(audio: Audio, windows: np.ndarray, rate: int) -> np.ndarray:
        narrow = band_limited(audio, rate)
        return windows if narrow is audio else embedder.embed(narrow)  # listening is most of the work

    return ClipWindows(
        own, true, tuple(limited(truth, true, rate) for rate in BAND_LIMITS), limited(result, own, BAND_LIMITS[-1])
    )


def _compare(name: str, result: Audio, truth: Audio, known: Sequence[float] | None) -> ClipScore:
    require_sound(result)
    require_sound(truth)
    found, heard = detect_onsets(result), detect_onsets(truth)
    events = heard if known is None else np.asarray(known, dtype=np.float64)
    return ClipScore(
        name,
        float("nan"),  # ranks and distances need all clips and are filled in at the end
        float("nan"),
        float("nan"),
        tuple(onsets.evaluate(events, found, tolerance) for tolerance in onsets.TOLERANCES),
        tuple(onsets.evaluate(events, heard, tolerance) for tolerance in onsets.TOLERANCES),
        envelopes.evaluate(result, truth),
        sound.evaluate(result, events),
        sound.evaluate(truth, events),
    )
