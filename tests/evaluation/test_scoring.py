"""Scores of a set of clips: what each disturbance moves, and what a caller may get wrong."""

import json

import numpy as np
import pytest

from foleygram.errors import DataError
from foleygram.evaluation.logmel import LogMel
from foleygram.evaluation.scores import ScoreReport
from foleygram.evaluation.scoring import score
from foleygram.types import Audio
from tests.evaluation.conftest import burst_clips

COUNT = 8


def run(results: list[Audio], **options) -> ScoreReport:
    truths, onsets = burst_clips(COUNT)
    return score(iter(results), iter(truths), onsets, embedder=LogMel(), **options)


def shifted(audio: Audio, seconds: float) -> Audio:
    return Audio(np.roll(audio.samples, round(seconds * audio.rate), axis=1), audio.rate)


@pytest.fixture(scope="module")
def perfect() -> ScoreReport:
    return run(burst_clips(COUNT)[0], second_truths=burst_clips(COUNT, seed=5)[0], ids=[f"clip{i}" for i in range(COUNT)])


def test_the_truth_itself_scores_best(perfect):
    assert perfect.score("FAD").value == pytest.approx(0, abs=1e-6)
    assert perfect.score("nearer to own truth").value == 1
    assert perfect.score("nearer to own truth, shuffled").value == pytest.approx(0.5, abs=0.15)
    assert perfect.score("onset F1 over truth's at 50 ms").value == 1
    assert perfect.score("onset F1 of truth at 50 ms").value > 0.9
    assert perfect.score("E-L1 (Video-Foley)").value == pytest.approx(0, abs=1e-6)
    assert perfect.score("envelope correlation").value == pytest.approx(1)
    assert perfect.score("KAD").value < 0 < perfect.score("FAD of two draws of truth").value
    assert perfect.score("FAD, both at 16 kHz").value == pytest.approx(0, abs=1e-6)


def test_controls_stand_beside_the_distance(perfect):
    assert perfect.score("FAD of two draws of truth").value > 0
    assert perfect.score("FAD of truth at 16 kHz").value > perfect.score("FAD of truth at 22.05 kHz").value > 0
    own = perfect.score("FAD")
    assert own.judge == "log-mel 64" and own.clips == COUNT and own.windows == 3 * COUNT and own.floor > 0


def test_the_distance_is_told_as_a_multiple_of_two_draws_of_truth(perfect):
    truths, others = burst_clips(COUNT)[0], burst_clips(COUNT, seed=5)[0]
    assert perfect.score("FAD over two draws of truth").value == pytest.approx(0, abs=1e-6)
    again = run(burst_clips(COUNT, seed=9)[0], second_truths=[*truths[:3], *others, *truths])
    between, ratio = again.score("FAD of two draws of truth"), again.score("FAD over two draws of truth")
    assert between.value == perfect.score("FAD of two draws of truth").value, "truths among the others are passed over"
    assert ratio.value == pytest.approx(again.score("FAD").value / between.value)
    assert ratio.interval.low < ratio.value < ratio.interval.high and 0.3 < ratio.value < 3
    alone = run(truths, second_truths=truths).score("FAD over two draws of truth")
    assert alone.note == f"needs {COUNT} other true clips, 0 were given"


def test_every_score_says_what_it_stands_on(perfect):
    for each in perfect.scores:
        assert each.clips > 0 and each.better in ("", "lower", "higher")
        assert each.value is not None or each.note
    assert {clip.id for clip in perfect.clips} == {f"clip{i}" for i in range(COUNT)}


def test_report_is_json_without_nan(perfect):
    content = json.loads(perfect.as_json())
    assert content["scores"][0]["name"] == "FAD"
    assert content["clips"][0]["onsets"][1]["tolerance"] == 0.05
    json.dumps(content, allow_nan=False)
    with pytest.raises(DataError, match="there are FAD,"):
        perfect.score("beauty")


def test_a_shift_moves_onsets_and_hardly_the_distance(perfect):
    late = run([shifted(audio, 0.08) for audio in burst_clips(COUNT)[0]])
    assert late.score("onset F1 at 50 ms").value < 0.3
    assert late.score("onset F1 at 100 ms").value > 0.9
    assert late.score("onset timing error at 50 ms (s)").clips == COUNT
    assert late.score("nearer to own truth").value == 1
    assert late.score("FAD").value < perfect.score("FAD of two draws of truth").value


def test_swapped_clips_move_ranks_and_not_the_distance():
    truths = burst_clips(COUNT)[0]
    swapped = run(truths[3:] + truths[:3])
    assert swapped.score("FAD").value == pytest.approx(0, abs=1e-6)
    assert swapped.score("nearer to own truth").value < 0.7


def test_noise_moves_distance_and_floor(perfect):
    random = np.random.RandomState(0)
    noisy = run(
        [Audio(audio.samples + 0.01 * random.standard_normal(audio.samples.shape), 44100) for audio in burst_clips(COUNT)[0]]
    )
    assert noisy.score("FAD").value > 10 * perfect.score("FAD of two draws of truth").value
    assert noisy.score("noise floor (dBFS)").value > noisy.score("noise floor (dBFS) of truth").value + 10


def test_silent_results_are_scored_and_not_dropped():
    silent = [Audio(np.zeros((2, 88200)), 44100)] * COUNT
    report = run(silent)
    assert report.score("onset F1 at 50 ms").value == 0
    assert report.score("envelope correlation").value == 0
    assert report.score("E-L1 (gain-matched)").clips == COUNT
    json.dumps(json.loads(report.as_json()), allow_nan=False)


def test_mono_low_rates_and_no_known_onsets_are_fine():
    from foleygram.signal.resample import resample

    truths, _ = burst_clips(4)
    results = [resample(Audio(audio.mono()[None], audio.rate), 16000) for audio in truths]
    report = score(results, truths, embedder=LogMel())
    assert report.score("onset F1 at 50 ms").value > 0.8
    assert "detected in the truth" in report.score("onset F1 at 50 ms").note
    assert report.score("FAD of two draws of truth").value is None
    assert "needs 4 other true clips" in report.score("FAD of two draws of truth").note


@pytest.mark.parametrize("count", [1, 2])
def test_few_clips_leave_what_needs_a_set_empty_and_explained(count):
    truths, onsets = burst_clips(count)
    report = score(truths, truths, onsets, embedder=LogMel())
    for name in ("FAD", "KAD", "nearer to own truth"):
        assert report.score(name).value is None and f"here are {count}" in report.score(name).note
    assert report.score("onset F1 over truth's at 50 ms").value == 1
    assert (report.score("envelope correlation").interval is None) == (count == 1)
    json.loads(report.as_json())


def test_sides_of_unequal_length_and_empty_sounds_are_refused():
    truths, onsets = burst_clips(4)
    with pytest.raises(DataError, match="ends after 3 clips"):
        score(truths[:3], truths, onsets, embedder=LogMel())
    with pytest.raises(DataError, match="ends after 2 clips"):
        score(truths, truths, onsets[:2], embedder=LogMel())
    with pytest.raises(DataError, match="not a single clip"):
        score([], [], [], embedder=LogMel())
    with pytest.raises(DataError, match="length 0"):
        score([Audio(np.zeros((1, 0)), 44100)] * 3, truths[:3], onsets[:3], embedder=LogMel())
