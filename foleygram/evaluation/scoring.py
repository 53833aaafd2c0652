"""Scores results against truths: one pass, one clip in memory at a time, only embeddings (14 kB a clip) are kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from foleygram.errors import DataError
from foleygram.evaluation import envelopes, onsets, similarity, sound
from foleygram.evaluation.aisfx import Aisfx
from foleygram.evaluation.bootstrap import bootstrap, frechet_interval, mean_interval
from foleygram.evaluation.embedders import Embedder, require_sound
from foleygram.evaluation.frechet import frechet_distance, split_half_floor
from foleygram.evaluation.scores import ClipScore, Score, ScoreReport
from foleygram.signal.onsets import detect_onsets
from foleygram.signal.resample import resample
from foleygram.types import Audio

DETECTOR = "librosa onset_detect, 44.1 kHz, hop 256"
BAND_LIMITS = (22050, 16000)  # Hz: SpecVQGAN and CondFoleyGen; Diff-Foley and Video-Foley


@dataclass(frozen=True, eq=False)
class ClipWindows:
    """The judge's windows [window, dim] of result and truth, and of the truth at each of ``BAND_LIMITS``."""

    result: np.ndarray
    truth: np.ndarray
    limited: tuple[np.ndarray, ...]


def score(
    results: Iterable[Audio],
    truths: Iterable[Audio],
    true_onsets: Iterable[Sequence[float]] | None = None,
    *,
    second_truths: Iterable[Audio] | None = None,
    ids: Sequence[str] | None = None,
    embedder: Embedder | None = None,
    seed: int = 0,
    on_clip: Callable[[int], None] = lambda number: None,
) -> ScoreReport:
    """Scores ``results`` against ``truths``, clip i against clip i; iterables are read once, so files may be opened as
    they are needed.

    ``true_onsets``: seconds of the known events of each clip; without them the onsets detected in the truth count.
    ``second_truths``: other true sounds of the same task, for the distance between two draws of truth; the first as
    many as there are clips are taken. ``embedder``: AISFX by default. ``on_clip`` is told how many clips are done.
    Raises DataError for fewer than three clips, for sounds of length 0 and where the sides differ in number; ModelError
    where the judge's weights are absent."""
    started = time.perf_counter()
    embedder = embedder or Aisfx()
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
            kept.append(_listen(result, truth, embedder))
            clips.append(compared.result())
            on_clip(len(clips))
    if len(clips) < 3:
        raise DataError(f"scores of a set need at least three clips, here are {len(clips)}; add clips")
    second = []
    for number, audio in enumerate(second_truths or ()):
        if number == len(clips):
            break
        second.append(embedder.embed(audio))
    ranks = similarity.evaluate(
        similarity.window_means([each.result for each in kept]),
        similarity.window_means([each.truth for each in kept]),
        seed=seed,
    )
    clips = [
        replace(each, share=float(share), cosine=float(cosine))
        for each, share, cosine in zip(clips, ranks.shares, ranks.cosines, strict=True)
    ]
    scores = (
        *distance_scores(kept, second, embedder.card.label, seed),
        *rank_scores(ranks, embedder.card.label, len(clips)),
        *onset_scores(clips, known is not None, seed),
        *envelope_scores(clips, seed),
        *look_scores(clips, seed),
    )
    return ScoreReport(scores, tuple(clips), embedder.card, time.perf_counter() - started)


def distance_scores(kept: list[ClipWindows], second: list[np.ndarray], judge: str, seed: int) -> list[Score]:
    """FAD of the results, and what to read it by: two draws of truth, halves of the truth, band-limited truth."""
    results, truths = [each.result for each in kept], [each.truth for each in kept]
    windows, clips = sum(map(len, truths)), len(kept)
    truth = np.concatenate(truths)
    floor = split_half_floor(truths, seed=seed) if clips >= 4 else None
    own = frechet_distance(np.concatenate(results), truth)
    scores = [
        Score("FAD", own, "lower", frechet_interval(results, truths, seed=seed), floor, judge, clips, windows,
              "interval: 60 draws of clips; floor: two halves of the truth, half as many clips")
    ]  # fmt: skip
    if len(second) == clips:
        between = frechet_distance(np.concatenate(second), truth)
        interval = frechet_interval(second, truths, paired=False, seed=seed)
        scores.append(Score("FAD of two draws of truth", between, "", interval, floor, judge, clips, windows))
    else:
        note = f"needs {clips} other true clips, {len(second)} were given"
        scores.append(Score("FAD of two draws of truth", None, "", None, floor, judge, len(second), 0, note))
    for number, rate in enumerate(BAND_LIMITS):
        limited = [each.limited[number] for each in kept]
        value = frechet_distance(np.concatenate(limited), truth)
        name = f"FAD of truth at {rate / 1000:g} kHz"
        scores.append(Score(name, value, "", frechet_interval(limited, truths, seed=seed), None, judge, clips, windows))
    return scores


def rank_scores(ranks: similarity.RankScore, judge: str, clips: int) -> list[Score]:
    """Whether results sound like their own truth."""
    by = "cosine of window means"
    return [
        Score("nearer to own truth", ranks.value, "higher", ranks.interval, 0.5, judge, clips, 0, f"{by}; floor: a guess"),
        Score("nearer to own truth, shuffled", ranks.shuffled, "", None, 0.5, judge, clips, 0, f"{by}; results swapped"),
        Score("own truth is nearest", ranks.first, "higher", None, 1 / clips, judge, clips, 0, f"{by}; floor: a guess"),
        Score("cosine to own truth", ranks.own, "higher", None, ranks.other, judge, clips, 0, f"{by}; floor: other truths"),
    ]


def onset_scores(clips: Sequence[ClipScore], events: bool, seed: int) -> list[Score]:
    """F1 of results and of the truth's own sound by one detector, at each tolerance, and details at 50 ms."""
    against = "against the true events" if events else "against the onsets detected in the truth"
    scores = []
    for number, tolerance in enumerate(onsets.TOLERANCES):
        at = f"{tolerance * 1000:g} ms"
        found, ceiling = _pooled(clips, number, False), _pooled(clips, number, True)

        def f1(draw: np.ndarray, truth: bool, number: int = number) -> float:
            return _pooled([clips[i] for i in draw], number, truth).f1

        def ratio(draw: np.ndarray, f1: Callable = f1) -> float:
            truth = f1(draw, True)
            return f1(draw, False) / truth if truth else float("nan")

        note = f"{against}; counts of all clips added"
        interval = bootstrap(lambda draw, f1=f1: f1(draw, False), len(clips), repeats=300, seed=seed)
        scores.append(Score(f"onset F1 at {at}", found.f1, "higher", interval, None, DETECTOR, len(clips), 0, note))
        interval = bootstrap(lambda draw, f1=f1: f1(draw, True), len(clips), repeats=300, seed=seed)
        scores.append(Score(f"onset F1 of truth at {at}", ceiling.f1, "", interval, None, DETECTOR, len(clips), 0, note))
        interval = bootstrap(ratio, len(clips), repeats=300, seed=seed)
        share = found.f1 / ceiling.f1 if ceiling.f1 else None
        scores.append(Score(f"onset F1 over truth's at {at}", share, "higher", interval, None, DETECTOR, len(clips), 0, note))
    middle = _pooled(clips, onsets.TOLERANCES.index(0.05), False)
    for name, value, better in (
        ("onset precision at 50 ms", middle.precision, "higher"),
        ("onset recall at 50 ms", middle.recall, "higher"),
        ("onset timing error at 50 ms (s)", middle.mean_error, "lower"),
    ):
        scores.append(Score(name, value, better, None, None, DETECTOR, len(clips), 0, against))
    return scores


def envelope_scores(clips: Sequence[ClipScore], seed: int) -> list[Score]:
    """Means over clips of the envelope distances."""
    rows = [each.envelope for each in clips]
    return [
        _mean("E-L1 (T-Foley)", [row.tfoley for row in rows], "lower", "22.05 kHz, peak-normalised", seed),
        _mean("E-L1 (Video-Foley)", [row.video_foley for row in rows], "lower", "16 kHz, level as it is", seed),
        _mean("E-L1 (Video2RMS)", [row.video2rms for row in rows], "lower", "64 classes against low-passed truth", seed),
        _mean("E-L1 (gain-matched)", [row.matched for row in rows], "lower", "16 kHz, best gain per clip", seed),
        _mean("envelope correlation", [row.correlation for row in rows], "higher", "Eq. 5 at 44.1 kHz", seed),
    ]


def look_scores(clips: Sequence[ClipScore], seed: int) -> list[Score]:
    """Medians over clips of the looks, of results and of truths."""
    scores = []
    for label, name in (
        ("level (dBFS)", "level"),
        ("noise floor (dBFS)", "floor"),
        ("crest factor (dB)", "crest"),
        ("stereo correlation", "stereo"),
        ("bandwidth (Hz)", "bandwidth"),
    ):
        for side, whose in (("looks", ""), ("truth_looks", " of truth")):
            values = np.array([getattr(getattr(each, side), name) for each in clips])
            values = values[~np.isnan(values)]
            value = float(np.median(values)) if len(values) else None
            scores.append(Score(f"{label}{whose}", value, "", None, None, "", len(values), 0, "median over clips"))
    return scores


def _listen(result: Audio, truth: Audio, embedder: Embedder) -> ClipWindows:
    limited = tuple(embedder.embed(resample(resample(truth, rate), truth.rate)) for rate in BAND_LIMITS)
    return ClipWindows(embedder.embed(result), embedder.embed(truth), limited)


def _compare(name: str, result: Audio, truth: Audio, known: Sequence[float] | None) -> ClipScore:
    require_sound(result)
    require_sound(truth)
    found, heard = detect_onsets(result), detect_onsets(truth)
    events = heard if known is None else np.asarray(known, dtype=np.float64)
    return ClipScore(
        name,
        float("nan"),  # ranks need all clips and are filled in at the end
        float("nan"),
        tuple(onsets.evaluate(events, found, tolerance) for tolerance in onsets.TOLERANCES),
        tuple(onsets.evaluate(events, heard, tolerance) for tolerance in onsets.TOLERANCES),
        envelopes.evaluate(result, truth),
        sound.evaluate(result, events),
        sound.evaluate(truth, events),
    )


def _pooled(clips: Sequence[ClipScore], number: int, truth: bool) -> onsets.OnsetScore:
    return onsets.total([(each.truth_onsets if truth else each.onsets)[number] for each in clips])


def _mean(name: str, values: list[float], better: str, note: str, seed: int) -> Score:
    numbers = np.asarray(values, dtype=np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) < 2:
        return Score(name, None, better, None, None, "", len(numbers), 0, f"{note}; defined for fewer than two clips")
    return Score(
        name, float(numbers.mean()), better, mean_interval(numbers, seed=seed), None, "", len(numbers), 0,
        f"{note}; mean over clips",
    )  # fmt: skip
