"""What moves is seen, the camera and the light are not; memory and rate are bounded."""

import numpy as np
import pytest

from foleygram.errors import MediaError
from foleygram.timing.motion import (
    DIFFERENCE_UNIT,
    Camera,
    Canvas,
    MotionConfig,
    Shrinker,
    appearance,
    median,
    motions,
    phase_shift,
    shrinking,
    whole,
)

SMALL = MotionConfig(long=48, short=36)


def change(motion) -> float:
    return float(np.abs(motion.difference).mean() * DIFFERENCE_UNIT)


@pytest.mark.parametrize(("source", "target"), [(100, 36), (37, 36), (36, 36), (20, 36), (1, 36)])
def test_shrinking_keeps_the_mean_of_a_ramp(source, target):
    weights = shrinking(source, target)
    assert weights.shape == (target, source) and (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    assert (weights @ np.arange(source)).mean() == pytest.approx((source - 1) / 2, abs=0.01)


@pytest.mark.parametrize(("high", "wide"), [(144, 256), (36, 20), (1, 300)])
def test_a_shrunk_picture_is_the_product_with_its_weights(high, wide):
    plane = np.random.default_rng(0).integers(0, 256, (high, wide), dtype=np.uint8)
    shrinker = Shrinker((high, wide), 36, 48)
    small = shrinker.narrow(shrinker.lower(plane))
    dense = shrinking(high, 36).astype(np.float64) @ plane @ shrinking(wide, 48).T.astype(np.float64)
    assert small.shape == (36, 48) and small.dtype == np.float32 and small.flags.c_contiguous
    np.testing.assert_allclose(small, dense, atol=1e-3, rtol=1e-5)


def test_canvas_stands_upright_where_the_picture_does():
    assert Canvas(SMALL)(np.zeros((3, 90, 160), np.uint8)).shape == (36, 48)
    assert Canvas(SMALL)(np.zeros((3, 160, 90), np.uint8)).shape == (48, 36)


def test_phase_shift_finds_whole_pixels():
    image = np.random.default_rng(0).standard_normal((72, 96))
    camera = Camera(image.shape)
    before, now = camera.shrink(image), camera.shrink(np.roll(image, (6, -10), (0, 1)))
    assert phase_shift(before, now) == (3.0, -5.0)


def test_a_canvas_is_halved_once():
    one, other = np.random.default_rng(0).standard_normal((2, 36, 48))
    camera = Camera(one.shape)
    half = camera.shrink(one)
    np.testing.assert_allclose(half.image[1, 2], one[2:4, 4:6].mean())
    assert half.image.shape == (18, 24) and camera.shrink(one) is half
    assert (camera.shrink(other).image != half.image).all() and camera.shrink(other) is not half


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_median_is_numpys(count):
    values = np.random.default_rng(count).standard_normal(count).astype(np.float32)
    assert median(values) == np.median(values) and median(values).dtype == np.float32


def test_camera_takes_a_turn_and_a_zoom_away():
    from scipy.ndimage import affine_transform, gaussian_filter

    image = gaussian_filter(np.random.default_rng(1).standard_normal((36, 48)), 2) * 3
    turn = np.array([[1.01, 0.015], [-0.015, 1.01]])
    moved = affine_transform(image, turn, offset=(1.2, -0.8), order=1, mode="nearest") + 0.3
    left = Camera(image.shape).difference(image.astype(np.float32), moved.astype(np.float32))
    inner = (slice(4, -4), slice(4, -4))
    assert np.abs(left[inner]).mean() < 0.2 * np.abs(moved - image)[inner].mean()


def test_still_picture_has_no_motion(film):
    _, frame = next(film([]))
    stream = list(motions(((k / 25, frame) for k in range(4)), SMALL))
    assert len(stream) == 4 and all(not motion.difference.any() and not motion.cut for motion in stream)


def test_shake_and_light_leave_less_than_the_bar(film):
    steady = [change(m) for m in motions(film([0.6], 1.2, shake=2, light=0.15), SMALL)]
    hit = max(steady[9:18])  # 0.36 to 0.7 s
    assert hit > 2.5 * np.median(steady[1:9])


def test_more_frames_than_needed_are_passed_over(film):
    times = [m.time for m in motions(film([0.1], 0.5, fps=240), SMALL)]
    assert min(np.diff(times)) >= 1 / SMALL.rate and len(times) == 15
    assert len(list(motions(film([0.5], 2.0, fps=5), SMALL))) == 10


def test_repeated_times_are_passed_over(film):
    frames = list(film([], 0.2))
    assert len(list(motions(iter([frames[0], frames[0], frames[1]]), SMALL))) == 2


def test_a_cut_is_no_motion():
    frames = [
        np.random.default_rng(seed).integers(0, 255, (3, 12, 16), dtype=np.uint8).repeat(3, 1).repeat(3, 2) for seed in (0, 1)
    ]
    first, second = motions(iter([(0.0, frames[0]), (0.04, frames[1])]), SMALL)
    assert second.cut and not second.difference.any() and not first.cut


@pytest.mark.parametrize("frame", [np.zeros((3, 8, 8)), np.zeros((8, 8, 3), np.uint8), np.zeros((3, 0, 8), np.uint8)])
def test_frames_of_another_kind_are_refused(frame):
    with pytest.raises(MediaError, match=r"uint8 \[3, height, width\]"):
        list(motions(iter([(0.0, frame)]), SMALL))


def test_a_changing_size_is_refused():
    with pytest.raises(MediaError, match="one size"):
        list(motions(iter([(0.0, np.zeros((3, 8, 8), np.uint8)), (0.1, np.zeros((3, 9, 8), np.uint8))]), SMALL))


def test_times_are_finite():
    with pytest.raises(MediaError, match="finite"):
        list(motions(iter([(float("nan"), np.zeros((3, 8, 8), np.uint8))]), SMALL))


@pytest.mark.parametrize("channel, share", list(enumerate((0.299, 0.587, 0.114))))
def test_the_canvas_is_the_logarithm_of_luminance(channel, share):
    frame = np.zeros((3, 36, 48), np.uint8)
    frame[channel] = 200
    np.testing.assert_allclose(Canvas(SMALL)(frame), np.log2(1 + share * 200 / 16), rtol=1e-5)


def test_light_that_falls_from_one_side_is_no_motion():
    from scipy.ndimage import gaussian_filter

    image = gaussian_filter(np.random.default_rng(1).standard_normal((36, 48)), 1) * 3
    lit = image + np.linspace(0, 0.5, 48)
    left = Camera(image.shape).difference(image.astype(np.float32), lit.astype(np.float32))
    assert np.nanmax(np.abs(left)) < 0.05


def test_the_noise_of_a_flat_picture_is_no_appearance():
    draw = np.random.default_rng(0).standard_normal((36, 48))
    assert np.abs(appearance(2 + 0.002 * draw, 17)).max() < 0.1
    assert appearance(2 + 2.0 * draw, 17).std() == pytest.approx(1, abs=0.1)


def test_what_is_too_large_for_a_byte_is_cut_off():
    assert whole(np.array([-9.0, -0.02, 0.008, 9.0]), DIFFERENCE_UNIT).tolist() == [-127, -1, 1, 127]
