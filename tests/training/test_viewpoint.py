"""Motion maps from another place of the camera."""

import numpy as np
import pytest

from foleygram.training import viewpoint
from foleygram.training.viewpoint import exposed, fast, seen_anew, thinned, turn, warp, warped

pytest.importorskip("cv2")


def moving(high: int = 48, wide: int = 64) -> np.ndarray:
    """A bright square that appears for one frame; its surroundings look like noise."""
    maps = np.zeros((4, 2, high, wide), np.int8)
    maps[:, 1] = np.random.default_rng(0).integers(-40, 40, (high, wide))
    maps[1, 0, 10:16, 40:46] = 80
    return maps


def middle(plane: np.ndarray) -> np.ndarray:
    """(right, down) of what is bright."""
    weight = np.abs(plane.astype(float))
    down, right = np.mgrid[: plane.shape[0], : plane.shape[1]]
    return np.array([(weight * right).sum(), (weight * down).sum()]) / weight.sum()


def test_a_warp_moves_both_maps_of_each_frame_and_leaves_the_film_as_it_is():
    maps = moving()
    kept = maps.copy()
    matrix = np.float32([[0, 1, 20], [1, 0, -20]])  # a mirror image on its side
    seen = warped(maps, matrix)
    np.testing.assert_array_equal(maps, kept)
    assert seen.dtype == np.int8 and seen.shape == maps.shape
    np.testing.assert_allclose(middle(seen[1, 0]), matrix[:, :2] @ middle(maps[1, 0]) + matrix[:, 2], atol=0.1)
    assert not seen[0, 0].any() and not seen[2:, 0].any() and np.abs(seen[0, 1]).mean() > 10
    np.testing.assert_array_equal(warped(maps, np.float32([[1, 0, 0], [0, 1, 0]])), maps)


def test_what_moves_is_brought_into_the_middle_part_at_any_angle_and_size():
    maps, draws = moving(), [np.random.default_rng(seed) for seed in range(60)]
    matrices = [warp(draw, maps) for draw in draws]
    places = np.array([matrix[:, :2] @ middle(maps[1, 0]) + matrix[:, 2] for matrix in matrices]) / (64, 48)
    assert places.min() > 0.1 and places.max() < 0.9 and np.ptp(places) > 0.4
    areas = np.array([np.linalg.det(matrix[:, :2]) for matrix in matrices])
    assert areas.min() < 0.6 and areas.max() > 2.5 and (areas > 0).all()  # mirrors are drawn elsewhere
    angles = np.degrees([np.arctan2(matrix[1, 0], matrix[0, 0]) for matrix in matrices])
    assert 0.3 < (np.abs(angles) < 45).mean() < 0.9 and np.abs(angles).max() > 120
    np.testing.assert_array_equal(warp(np.random.default_rng(5), maps), matrices[5])


def test_a_still_film_has_a_place_as_well():
    maps = np.zeros((3, 2, 24, 32), np.int8)
    assert np.isfinite(warp(np.random.default_rng(0), maps)).all()


def test_a_longer_exposure_shows_the_frame_before_as_well():
    maps = moving()
    seen = exposed(maps, 0.25)
    assert [int(seen[k, 0, 12, 42]) for k in range(4)] == [0, 60, 20, 0]
    np.testing.assert_array_equal(seen[:, 1], maps[:, 1])


def test_a_film_with_half_of_its_frames_moves_as_much_from_each_to_the_next():
    rng = np.random.default_rng(0)
    canvas = rng.integers(-30, 30, (7, 6, 8))
    maps = np.zeros((7, 2, 6, 8), np.int8)
    maps[:, 1] = canvas
    maps[1:, 0] = np.diff(canvas, axis=0)
    times = np.array([0, 0.033, 0.066, 0.1, 0.133, 0.166, 0.2])
    left, when = thinned(maps, times)
    np.testing.assert_array_equal(when, times[::2])
    np.testing.assert_array_equal(left[:, 1], canvas[::2])
    np.testing.assert_array_equal(left[1:, 0], np.diff(canvas[::2], axis=0))
    assert not left[0, 0].any() and left.dtype == np.int8
    np.testing.assert_array_equal(thinned(maps[:6], times[:6])[0], left[:3])  # what follows the last frame is not in it
    loud = np.full((3, 2, 2, 2), 100, np.int8)
    assert thinned(loud, times[:3])[0][1, 0, 0, 0] == 127


def test_only_films_with_frames_to_spare_lose_some():
    assert fast(np.arange(9) / 24) and not fast(np.arange(9) / 20) and not fast(np.zeros(1))


def test_a_turn_keeps_lengths():
    np.testing.assert_allclose(turn(0.3) @ turn(0.3).T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(turn(np.pi / 2) @ (1, 0), (0, 1), atol=1e-12)


def test_some_films_stay_as_they_are_and_noise_moves_only_the_difference(monkeypatch):
    maps = moving()
    results = [seen_anew(np.random.default_rng(seed), maps) for seed in range(100)]
    same = sum(np.array_equal(result, maps) for result in results)
    assert 20 < same < 50  # 0.5 x 0.85 x 0.8
    np.testing.assert_array_equal(results[7], seen_anew(np.random.default_rng(7), maps))
    monkeypatch.setattr(viewpoint, "WARPED", 0.0)
    monkeypatch.setattr(viewpoint, "EXPOSED", 0.0)
    monkeypatch.setattr(viewpoint, "NOISY", 1.0)
    noisy = seen_anew(np.random.default_rng(0), maps)
    np.testing.assert_array_equal(noisy[:, 1], maps[:, 1])
    assert 0.3 < noisy[3, 0].std() < 3.5 and noisy[1, 0].max() <= 127
