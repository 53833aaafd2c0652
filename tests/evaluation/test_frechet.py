"""The Frechet distance against closed forms, against scipy, and against fadtk's way of computing it."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from foleygram.errors import DataError
from foleygram.evaluation.frechet import (
    GaussianStatistics,
    frechet_distance,
    frechet_from_statistics,
    frechet_infinity,
    frechet_of_gaussians,
    frechet_per_clip,
    split_half_floor,
)


def windows(seed: int, count: int = 300, dim: int = 24, scale: float = 1.0) -> np.ndarray:
    random = np.random.RandomState(seed)
    mixing = random.standard_normal((dim, dim)) / np.sqrt(dim)
    return scale * random.standard_normal((count, dim)) @ mixing + random.standard_normal(dim)


def by_sqrtm(x: np.ndarray, y: np.ndarray) -> float:
    one, two = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    shared = np.trace(scipy.linalg.sqrtm(one @ two)).real
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(one) + np.trace(two) - 2 * shared


def by_eigenvectors(x: np.ndarray, y: np.ndarray) -> float:
    one, two = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    values, vectors = scipy.linalg.eig(one @ two)
    root = (vectors * np.sqrt(values)) @ scipy.linalg.inv(vectors)
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(one) + np.trace(two) - 2 * np.trace(root).real


def test_agrees_with_sqrtm_eigenvectors_and_statistics_at_full_rank():
    x, y = windows(1), windows(2)
    value = frechet_distance(x, y)
    assert value == pytest.approx(by_sqrtm(x, y), rel=1e-8)
    assert value == pytest.approx(by_eigenvectors(x, y), rel=1e-8)
    assert value == pytest.approx(frechet_from_statistics(GaussianStatistics.of(x), GaussianStatistics.of(y)), rel=1e-8)


def test_diagonal_gaussians_have_a_closed_form():
    one, two = np.array([1.0, 4.0, 9.0]), np.array([4.0, 4.0, 1.0])
    shift = np.array([1.0, -2.0, 0.5])
    value = frechet_of_gaussians(np.zeros(3), np.diag(one), shift, np.diag(two))
    assert value == pytest.approx((shift**2).sum() + ((np.sqrt(one) - np.sqrt(two)) ** 2).sum(), rel=1e-12)


@given(seed=st.integers(0, 1000), count=st.integers(2, 60), other=st.integers(2, 60))
def test_shift_scale_rotation_symmetry_and_identity(seed, count, other):
    x, y = windows(seed, count, 12), windows(seed + 1, other, 12)
    value = frechet_distance(x, y)
    rotation = np.linalg.qr(np.random.RandomState(seed).standard_normal((12, 12)))[0]
    assert value >= -1e-9
    assert frechet_distance(y, x) == pytest.approx(value, rel=1e-9)
    assert frechet_distance(3 * x, 3 * y) == pytest.approx(9 * value, rel=1e-9)
    assert frechet_distance(x @ rotation, y @ rotation) == pytest.approx(value, rel=1e-9)
    assert frechet_distance(x, x + 2) == pytest.approx(4 * 12, rel=1e-9)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


def test_below_full_rank_no_epsilon_is_needed():
    x, y = windows(3, 20, 64), windows(4, 25, 64)
    exact = frechet_distance(x, y)
    assert frechet_from_statistics(GaussianStatistics.of(x), GaussianStatistics.of(y)) == pytest.approx(exact, rel=1e-5)
    # In the span of all windows the same Gaussians are small enough for a second route.
    basis = np.linalg.qr(np.vstack([x, y]).T)[0]
    assert frechet_distance(x @ basis, y @ basis) == pytest.approx(exact, rel=1e-9)


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_merged_statistics_equal_pooled_ones(sizes, seed):
    x = 100 + windows(seed, sum(sizes) + 2, 6)
    parts = np.split(x, np.cumsum([*sizes])[:])
    merged = GaussianStatistics.of(parts[0])
    for part in parts[1:]:
        merged = merged.merge(GaussianStatistics.of(part))
    assert merged.count == len(x)
    np.testing.assert_allclose(merged.mean, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(merged.covariance, np.cov(x, rowvar=False), rtol=1e-10, atol=1e-12)


def test_fadtks_rounding_moves_the_distance_by_less_than_a_thousandth():
    clips = [windows(seed, 10, 16) for seed in range(12)]
    reference = GaussianStatistics.of(windows(99, 200, 16, 2.0))
    exact = frechet_from_statistics(GaussianStatistics.of(np.concatenate(clips)), reference)
    # fadtk, step by step: float16 files, float16 mean of each, unbiased covariance, Chan's merge.
    count, mean, scatter = 0, np.zeros(16), np.zeros((16, 16))
    for clip in clips:
        half = clip.astype(np.float16)
        own, cov = np.mean(half, axis=0), np.cov(half, rowvar=False) * (len(half) - 1)
        assert own.dtype == np.float16
        step = own - mean
        scatter += cov + np.outer(step, step) * count * len(half) / (count + len(half))
        mean = mean + step * (len(half) / (count + len(half)))
        count += len(half)
    emulated = frechet_of_gaussians(mean, scatter / (count - 1), reference.mean, reference.covariance)
    assert emulated == pytest.approx(exact, rel=1e-3)
    assert emulated != exact


def test_extrapolation_takes_the_sampling_bias_away():
    reference = np.random.RandomState(0).standard_normal((20000, 16))
    samples = [np.random.RandomState(seed).standard_normal((400, 16)) for seed in range(1, 6)]
    plain = np.mean([frechet_distance(sample, reference) for sample in samples])
    assert abs(np.mean([frechet_infinity(sample, reference).value for sample in samples])) < plain / 2
    sample, plain = samples[0], frechet_distance(samples[0], reference)
    without = frechet_infinity(sample, reference, seed=3)
    assert frechet_infinity(sample, reference, seed=3) == without
    assert without.sizes[0] == 100 and without.sizes[-1] == 400
    # With replacement the line ends at the distance of the sample itself.
    with_replacement = frechet_infinity(sample, reference, seed=3, smallest=100, fadtk_compat=True)
    assert with_replacement.value == pytest.approx(plain, rel=0.25)


def test_per_clip_distances_find_the_odd_clip():
    reference = windows(5, 400)
    clips = [reference[i : i + 8] for i in range(0, 80, 8)] + [reference[:8] + 3, reference[:1]]
    distances = frechet_per_clip(clips, reference)
    assert np.nanargmax(distances) == 10
    assert np.isnan(distances[11])
    assert distances[0] == pytest.approx(frechet_distance(clips[0], reference), rel=1e-9)


def test_floor_falls_with_clips():
    random = np.random.RandomState(0)
    clips = [random.standard_normal((7, 8)) for _ in range(200)]
    assert 0.01 < split_half_floor(clips) < split_half_floor(clips[:20]) / 4


@pytest.mark.parametrize(
    "x, y, words",
    [
        (np.zeros((1, 3)), np.zeros((5, 3)), "at least 2 windows"),
        (np.zeros((5, 3)), np.zeros((5, 4)), "one embedder"),
        (np.zeros(5), np.zeros((5, 4)), r"\[window, dim\]"),
        (np.full((5, 3), np.nan), np.zeros((5, 3)), "NaN"),
    ],
)
def test_bad_embeddings_are_refused(x, y, words):
    with pytest.raises(DataError, match=words):
        frechet_distance(x, y)


def test_too_few_clips_are_refused():
    clip = [np.zeros((2, 3))]
    with pytest.raises(DataError, match="four clips"):
        split_half_floor(clip * 3)
    with pytest.raises(DataError, match="add clips"):
        frechet_infinity(np.random.RandomState(0).standard_normal((5, 2)), np.eye(2), smallest=5)


def test_a_single_window_has_a_mean_and_no_covariance():
    one = GaussianStatistics.of(np.ones((1, 3)))
    with pytest.raises(DataError, match="needs two windows"):
        frechet_from_statistics(one, GaussianStatistics.of(windows(1, 10, 3)))


def test_statistics_of_two_embedders_are_told_apart():
    with pytest.raises(DataError, match="one embedder"):
        frechet_from_statistics(GaussianStatistics.of(windows(1, 10, 3)), GaussianStatistics.of(windows(2, 10, 4)))


def test_covariances_that_cannot_be_are_refused():
    with pytest.raises(DataError, match="beyond rounding"):
        frechet_of_gaussians(np.zeros(2), -2 * np.eye(2), np.zeros(2), np.eye(2))


def test_extrapolation_says_how_well_its_line_fits_and_fadtks_begins_at_500():
    reference = windows(1, 300, 4)
    fitted = frechet_infinity(windows(2, 600, 4), reference, fadtk_compat=True)
    assert fitted.sizes[0] == 500 and fitted.sizes[-1] == 600 and len(fitted.sizes) == 25
    with pytest.raises(DataError, match="starts at 500 windows"):
        frechet_infinity(windows(2, 500, 4), reference, fadtk_compat=True)
    steep = frechet_infinity(windows(3, 400, 30), windows(3, 400, 30), smallest=40)
    assert steep.slope > 0 and 0.9 < steep.r_squared < 1
    assert frechet_infinity(np.zeros((40, 2)), np.zeros((40, 2))).r_squared == 1  # a level line fits wholly
