"""Scores of whole sets: KAD, FAVD, IS and KL, AV-Align."""

import numpy as np
import pytest
import torch

from foleygram.errors import DataError
from foleygram.evaluation import av_align, classes
from foleygram.evaluation.favd import favd, join
from foleygram.evaluation.frechet import frechet_distance
from foleygram.evaluation.kernel import kernel_distance, kernel_draws, median_distance
from foleygram.types import Audio, Video


def windows(count: int, dim: int = 6, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    return np.random.RandomState(seed).standard_normal((count, dim)) + shift


def test_kernel_distance_by_loops():
    x, y = windows(12), windows(9, seed=1, shift=0.5)
    score = kernel_distance(x, y)
    pairs = [np.linalg.norm(y[i] - y[j]) for i in range(9) for j in range(i)]
    assert score.bandwidth == pytest.approx(np.median(pairs))

    def kernel(a, b):
        return np.exp(-((a - b) ** 2).sum() / (2 * score.bandwidth**2))

    own = np.mean([kernel(x[i], x[j]) for i in range(12) for j in range(12) if i != j])
    other = np.mean([kernel(y[i], y[j]) for i in range(9) for j in range(9) if i != j])
    cross = np.mean([kernel(a, b) for a in x for b in y])
    assert score.value == pytest.approx(100 * (own + other - 2 * cross))


def test_kernel_distance_has_no_bias():
    values = [kernel_distance(windows(30, seed=2 * i), windows(30, seed=2 * i + 1), 2.0).value for i in range(200)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(200)
    assert min(values) < 0


def test_kernel_distance_in_blocks_and_with_many_windows(monkeypatch):
    x, y = windows(50), windows(40, seed=1)
    whole = kernel_distance(x, y, 1.5)
    monkeypatch.setattr("foleygram.evaluation.kernel.ROWS", 7)
    assert kernel_distance(x, y, 1.5).value == pytest.approx(whole.value)
    monkeypatch.setattr("foleygram.evaluation.kernel.MEDIAN_WINDOWS", 30)
    assert median_distance(y) == median_distance(y)
    assert median_distance(y) == pytest.approx(np.sqrt(12), rel=0.2)


def test_kernel_distance_refuses():
    with pytest.raises(DataError, match="all equal"):
        kernel_distance(windows(5), np.ones((5, 6)))
    with pytest.raises(DataError, match="one embedder"):
        kernel_distance(windows(5), windows(5, 7))


def av_clips(count: int = 40, seed: int = 0):
    """Pictures and sounds that depend on each other: each clip has its own place in both spaces."""
    random = np.random.RandomState(seed)
    videos, audios = [], []
    for _ in range(count):
        place = random.standard_normal(4)
        videos.append(np.tile(place, (10, 1)) + 0.1 * random.standard_normal((10, 4)))
        audios.append(np.tile(place[:3], (9, 1)) + 0.1 * random.standard_normal((9, 3)))
    return videos, audios


def test_favd_terms():
    videos, truths = av_clips()
    results = [truth + 0.05 * np.random.RandomState(1).standard_normal(truth.shape) for truth in truths]
    score = favd(videos, results, truths)
    assert score.video == pytest.approx(0, abs=1e-9)
    assert score.value >= score.audio > 0 and score.excess >= -1e-9
    assert score.audio == pytest.approx(frechet_distance(np.concatenate(results), np.concatenate(truths)))
    assert score.windows == 40 * 9
    assert favd(videos, truths, truths).value == pytest.approx(0, abs=1e-9)


def test_swapped_sounds_move_favd_and_not_fad():
    videos, truths = av_clips()
    swapped = favd(videos, truths[1:] + truths[:1], truths)
    assert swapped.audio == pytest.approx(0, abs=1e-9)
    assert swapped.excess > 1


def test_joined_rows_are_picture_first_and_cut_to_the_shorter():
    joined = join([np.full((3, 2), 7.0)], [np.full((2, 1), 5.0)])
    np.testing.assert_array_equal(joined, [[7, 7, 5], [7, 7, 5]])
    with pytest.raises(DataError, match="shorter than one window"):
        join([np.zeros((0, 2))], [np.zeros((2, 1))])
    with pytest.raises(DataError, match="2 pictures and 1 sounds"):
        join([np.zeros((1, 2))] * 2, [np.zeros((1, 1))])


def test_class_scores_are_the_fields_formulas():
    truth, result = windows(40, 7), windows(40, 7, 1)
    own, other = torch.from_numpy(truth).log_softmax(1), torch.from_numpy(result).log_softmax(1)
    expected = torch.nn.functional.kl_div(other, own, reduction="sum", log_target=True) / 40
    assert classes.paired_kl(truth, result).mean() == pytest.approx(expected.item())
    p = other.exp()
    score = (p * (other - p.mean(dim=0).log())).sum(dim=1).mean().exp().item()
    assert classes.inception_score(result, splits=1)[0] == pytest.approx(score)
    assert (classes.paired_kl(truth, truth) == 0).all()


def test_inception_score_bounds():
    sure = np.eye(5)[np.arange(50) % 5] * 1000
    assert classes.inception_score(sure, splits=1)[0] == pytest.approx(5)
    assert classes.inception_score(np.zeros((20, 5)))[0] == pytest.approx(1)
    with pytest.raises(DataError, match="10 splits"):
        classes.inception_score(np.zeros((5, 5)))
    with pytest.raises(DataError):
        classes.paired_kl(np.zeros((5, 4)), np.zeros((5, 3)))


def test_av_align_counts_matches_over_union():
    assert av_align.av_align(np.array([1.0, 2.0]), np.array([1.02, 3.0]), 0.04) == pytest.approx(1 / 3)
    assert av_align.av_align(np.array([1.0]), np.array([1.04]), 0.04) == 0
    assert av_align.av_align(np.zeros(0), np.zeros(0), 0.04) == 1
    assert av_align.av_align(np.zeros(0), np.array([1.0]), 0.04) == 0
    assert av_align.local_maxima(np.array([0, 2, 1, 1, 3, 0, 5])).tolist() == [1, 4]
    with pytest.raises(DataError):
        av_align.av_align(np.zeros(0), np.zeros(0), 0.0)


def test_av_align_of_a_moving_square_and_clicks(clicks):
    pytest.importorskip("cv2")
    fps, frames = 25, np.zeros((50, 3, 48, 64), np.uint8)
    strikes = np.round(np.array([0.4, 1.0, 1.5]) * fps).astype(int)
    texture = np.random.RandomState(0).randint(60, 255, (3, 20, 20)).astype(np.uint8)
    x = 5.0
    for number in range(50):
        # The square jumps at the strikes, by less before and after.
        x += max(0.0, 4.0 - 2 * np.abs(strikes - number).min())
        frames[number, :, 10:30, round(x) : round(x) + 20] = texture
    video = Video(frames, np.arange(50) / fps, 2.0)
    assert av_align.evaluate(video, clicks) > av_align.evaluate(video, Audio(np.roll(clicks.samples, 9000, axis=1), 44100))
    with pytest.raises(DataError, match="four frames"):
        av_align.evaluate(Video(frames[:2], np.arange(2) / fps, 0.1), clicks)


def test_draws_of_the_kernel_distance_spread_as_new_clips_do():
    generator = np.random.default_rng(0)

    def clips():
        truths = [generator.standard_normal((3, 4)) + generator.standard_normal(4) for _ in range(30)]
        return [clip + 0.5 for clip in truths], truths

    fresh = [kernel_distance(*map(np.concatenate, clips()), bandwidth=4.0).value for _ in range(200)]
    drawn = [kernel_draws(*clips(), 4.0, repeats=200).std() for _ in range(20)]
    assert 0.7 < np.mean(drawn) / np.std(fresh) < 1.4


def test_draws_of_the_kernel_distance_are_those_of_repeated_clips():
    """A draw is the mean over pairs of windows that are not one, each as often as its clip was drawn."""
    generator = np.random.default_rng(1)
    truths, results = ([generator.standard_normal((count, 2)) for count in (2, 3, 1)] for _ in range(2))
    (value,) = kernel_draws(results, truths, 1.0, repeats=1, seed=3)
    draw = np.random.default_rng(3).integers(3, size=(1, 3))[0]

    def mean(one, two):
        pairs = [(x, y) for i in draw for j in draw for x in one[i] for y in two[j]]
        return np.mean([np.exp(-((x - y) ** 2).sum() / 2) for x, y in pairs if one is not two or (x != y).any()])

    assert len(set(draw)) > 1
    assert value == pytest.approx(100 * (mean(results, results) + mean(truths, truths) - 2 * mean(results, truths)))
    with pytest.raises(DataError, match="three pairs"):
        kernel_draws(results, truths[:2], 1.0)
