"""The rows of a score report: from the judge's windows and the scores of clips to named numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foleygram.evaluation import classes, onsets, similarity
from foleygram.evaluation.bootstrap import around, bootstrap, frechet_draws, frechet_interval, mean_interval, shifted
from foleygram.evaluation.embedders import Embedder
from foleygram.evaluation.frechet import frechet_distance, frechet_infinity, split_half_floor
from foleygram.evaluation.kernel import kernel_distance, kernel_draws
from foleygram.evaluation.scores import ClipScore, Score

LEAST = 3  # clips that make a set
DRAWS, FEW_DRAWS, KERNEL_DRAWS = 120, 40, 1000  # of clips, for the intervals of a result's FAD, of the controls', of KAD
DETECTOR = "librosa onset_detect, 44.1 kHz, hop 256"
BAND_LIMITS = (22050, 16000)  # Hz: SpecVQGAN and CondFoleyGen; Diff-Foley and Video-Foley


@dataclass(frozen=True, eq=False)
class ClipWindows:
    """The judge's windows [window, dim] of result and truth, of the truth at each of ``BAND_LIMITS``, and of the result at
    the lowest of them."""

    result: np.ndarray
    truth: np.ndarray
    limited: tuple[np.ndarray, ...]
    limited_result: np.ndarray


def distance_scores(kept: list[ClipWindows], second: list[np.ndarray], judge: str, seed: int) -> list[Score]:
    """FAD of the results, and what to read it by: two draws of truth, halves of the truth, band-limited truth."""
    results, truths = [each.result for each in kept], [each.truth for each in kept]
    windows, clips = sum(map(len, truths)), len(kept)
    if clips < LEAST:
        return [_empty(name, judge, clips) for name in ("FAD", "KAD", "FAD of two draws of truth")]
    truth = np.concatenate(truths)
    floor = split_half_floor(truths, seed=seed) if clips >= 4 else None
    own = frechet_distance(np.concatenate(results), truth)
    _, own_draws = frechet_draws(results, truths, repeats=DRAWS, seed=seed)
    scores = [
        Score("FAD", own, "lower", around(own, own_draws), floor, judge, clips, windows,
              f"interval: {DRAWS} draws of clips; floor: two halves of the truth, half as many clips",
              tuple(own_draws.tolist()))
    ]  # fmt: skip
    lowest = BAND_LIMITS[-1]
    same_band = frechet_distance(
        np.concatenate([each.limited_result for each in kept]), np.concatenate([each.limited[-1] for each in kept])
    )
    note = "for a fair look at systems of a lower rate"
    scores.append(Score(f"FAD, both at {lowest / 1000:g} kHz", same_band, "lower", None, None, judge, clips, windows, note))
    scores.append(_extrapolated(results, truth, judge, clips, seed))
    kernel = kernel_distance(np.concatenate(results), truth)
    note = f"Gaussian kernel, bandwidth {kernel.bandwidth:.4g}: the truth's median distance"
    draws = kernel_draws(results, truths, kernel.bandwidth, repeats=KERNEL_DRAWS, seed=seed)
    interval, kept_draws = shifted(kernel.value, draws), tuple(draws.tolist())
    scores.append(Score("KAD", kernel.value, "lower", interval, None, judge, clips, windows, note, kept_draws))
    scores += _draw_scores(own, own_draws, second, truths, floor, judge, seed)
    for number, rate in enumerate(BAND_LIMITS):
        limited = [each.limited[number] for each in kept]
        value = frechet_distance(np.concatenate(limited), truth)
        name = f"FAD of truth at {rate / 1000:g} kHz"
        interval = frechet_interval(limited, truths, repeats=FEW_DRAWS, seed=seed)
        scores.append(Score(name, value, "", interval, None, judge, clips, windows))
    return scores


def _draw_scores(
    own: float,
    own_draws: np.ndarray,
    second: list[np.ndarray],
    truths: list[np.ndarray],
    floor: float | None,
    judge: str,
    seed: int,
) -> list[Score]:
    """FAD of another draw of truth of as many clips, and how many times it is the FAD of the results, ``own``."""
    names, clips, windows = ("FAD of two draws of truth", "FAD over two draws of truth"), len(truths), sum(map(len, truths))
    if len(second) != clips:
        note = f"needs {clips} other true clips, {len(second)} were given"
        return [Score(names[0], None, "", None, floor, judge, len(second), 0, note),
                Score(names[1], None, "lower", None, None, judge, len(second), 0, note)]  # fmt: skip
    between = frechet_distance(np.concatenate(second), truth := np.concatenate(truths))
    # Drawn with the seed of the results' draws, so that both have the same truths and their ratio is taken draw by draw.
    _, draws = frechet_draws(second, truths, repeats=DRAWS, seed=seed)
    note = f"{clips} other true clips"
    scores = [Score(names[0], between, "", around(between, draws), floor, judge, clips, windows, note)]
    if between <= 1e-6 * float((truth.astype(np.float64) ** 2).sum(axis=1).mean()):
        return [*scores, Score(names[1], None, "lower", None, None, judge, clips, 0, "the two draws of truth do not differ")]
    note = "1: as near to the truth as another draw of it; interval: clips drawn for both distances at once"
    ratio = own / between
    return [*scores, Score(names[1], ratio, "lower", around(ratio, own_draws / draws), 1.0, judge, clips, windows, note)]


def class_scores(kept: list[ClipWindows], embedder: Embedder, seed: int) -> list[Score]:
    """IS and KL over the judge's classes, where it has any (AISFX: the 69 classes of its head ``ucsMixed``)."""
    logits = getattr(embedder, "logits", None)
    if logits is None:
        return []
    if len(kept) < LEAST:
        return [_empty(name, embedder.card.label, len(kept)) for name in ("KL", "IS")]
    results = np.stack([logits(each.result).mean(axis=0) for each in kept])
    truths = np.stack([logits(each.truth).mean(axis=0) for each in kept])
    note = f"{results.shape[1]} classes of {embedder.card.name}, mean logits of a clip; not the field's AudioSet classes"
    splits = min(10, len(kept))
    divergences = classes.paired_kl(truths, results)
    return [
        Score("KL", float(divergences.mean()), "lower", mean_interval(divergences, seed=seed), None, embedder.card.label,
              len(kept), 0, note),
        Score("IS", classes.inception_score(results, splits=splits)[0], "higher", None, None, embedder.card.label,
              len(kept), 0, f"{note}; truth: {classes.inception_score(truths, splits=splits)[0]:.3g}"),
    ]  # fmt: skip


def ranks_of(kept: list[ClipWindows], seed: int) -> similarity.RankScore:
    """Ranks by the cosine of window means."""
    means = (similarity.window_means([getattr(each, side) for each in kept]) for side in ("result", "truth"))
    return similarity.evaluate(*means, seed=seed)


def rank_scores(kept: list[ClipWindows], judge: str, seed: int) -> list[Score]:
    """Whether results sound like their own truth."""
    clips = len(kept)
    if clips < LEAST:
        return [_empty(name, judge, clips) for name in ("nearer to own truth", "cosine to own truth")]
    ranks = ranks_of(kept, seed)
    by = "cosine of window means"
    first, own = mean_interval(ranks.shares == 1, seed=seed), mean_interval(ranks.cosines, seed=seed)
    return [
        Score("nearer to own truth", ranks.value, "higher", ranks.interval, 0.5, judge, clips, 0, f"{by}; floor: a guess"),
        Score("nearer to own truth, shuffled", ranks.shuffled, "", None, 0.5, judge, clips, 0, f"{by}; results swapped"),
        Score("own truth is nearest", ranks.first, "higher", first, 1 / clips, judge, clips, 0, f"{by}; floor: a guess"),
        Score("cosine to own truth", ranks.own, "higher", own, ranks.other, judge, clips, 0, f"{by}; floor: other truths"),
    ]


def onset_scores(clips: Sequence[ClipScore], events: bool, seed: int) -> list[Score]:
    """F1 of results and of the truth's own sound by one detector, at each tolerance, and details at 50 ms."""
    against = "against the true events" if events else "against the onsets detected in the truth"
    note = f"{against}; counts of all clips added"
    scores = []
    for number, tolerance in enumerate(onsets.TOLERANCES):
        at = f"{tolerance * 1000:g} ms"
        # 2 hits / (true + found), from sums over clips; columns: result, truth.
        pairs = [(each.onsets[number], each.truth_onsets[number]) for each in clips]
        hits = np.array([[2 * side.hits for side in pair] for pair in pairs])
        all_onsets = np.array([[side.true + side.found for side in pair] for pair in pairs])

        def f1(draws: np.ndarray, side: int, hits=hits, all_onsets=all_onsets) -> np.ndarray:
            return hits[draws, side].sum(axis=1) / all_onsets[draws, side].sum(axis=1)

        found, ceiling = _pooled(clips, number, False), _pooled(clips, number, True)
        ratio = found.f1 / ceiling.f1 if ceiling.f1 else None
        for name, value, better, statistic in (
            (f"onset F1 at {at}", found.f1, "higher", lambda draws, f1=f1: f1(draws, 0)),
            (f"onset F1 of truth at {at}", ceiling.f1, "", lambda draws, f1=f1: f1(draws, 1)),
            (f"onset F1 over truth's at {at}", ratio, "higher", lambda draws, f1=f1: f1(draws, 0) / f1(draws, 1)),
        ):
            interval = bootstrap(statistic, len(clips), seed=seed) if len(clips) > 1 else None
            scores.append(Score(name, value, better, interval, None, DETECTOR, len(clips), 0, note))
    middle = _pooled(clips, onsets.TOLERANCES.index(0.05), False)
    each = [clip.onsets[onsets.TOLERANCES.index(0.05)] for clip in clips]
    hits, late = np.array([one.hits for one in each]), np.array([np.abs(one.offsets).sum() for one in each])
    found, true = np.array([one.found for one in each]), np.array([one.true for one in each])
    for name, value, better, over, under in (
        ("onset precision at 50 ms", middle.precision, "higher", hits, found),
        ("onset recall at 50 ms", middle.recall, "higher", hits, true),
        ("onset timing error at 50 ms (s)", middle.mean_error, "lower", late, hits),
    ):

        def rate(draws: np.ndarray, over=over, under=under) -> np.ndarray:
            return over[draws].sum(axis=1) / under[draws].sum(axis=1)

        interval = bootstrap(rate, len(clips), seed=seed) if len(clips) > 1 else None
        scores.append(Score(name, value, better, interval, None, DETECTOR, len(clips), 0, against))
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


def look_scores(clips: Sequence[ClipScore]) -> list[Score]:
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


def _empty(name: str, judge: str, clips: int) -> Score:
    return Score(name, None, "", None, None, judge, clips, 0, f"needs at least {LEAST} clips, here are {clips}")


def _extrapolated(results: Sequence[np.ndarray], truth: np.ndarray, judge: str, clips: int, seed: int) -> Score:
    windows = np.concatenate(results)
    if len(windows) < 40:
        return Score("FAD-inf", None, "lower", None, None, judge, clips, len(windows), "needs at least 40 windows")
    line = frechet_infinity(windows, truth, seed=seed, steps=9)
    note = f"without replacement, {line.sizes[0]}..{line.sizes[-1]} windows, R^2 {line.r_squared:.2f}; truth as it is"
    return Score("FAD-inf", line.value, "lower", None, None, judge, clips, len(windows), note)


def _pooled(clips: Sequence[ClipScore], number: int, truth: bool) -> onsets.OnsetScore:
    return onsets.total([(each.truth_onsets if truth else each.onsets)[number] for each in clips])


def _mean(name: str, values: list[float], better: str, note: str, seed: int) -> Score:
    numbers = np.asarray(values, dtype=np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) == 0:
        return Score(name, None, better, None, None, "", 0, 0, f"{note}; not defined for any of the clips")
    interval = mean_interval(numbers, seed=seed) if len(numbers) > 1 else None
    return Score(
        name, float(numbers.mean()), better, interval, None, "", len(numbers), 0,
        f"{note}; mean over clips",
    )  # fmt: skip
