"""Cuts are found; flashes, shakes and hits are none."""

import numpy as np
import pytest

from foleygram.errors import MediaError
from foleygram.timing.cuts import CutConfig, find_cuts


def scenes(film, seconds=0.4, count=3):
    """Different films one after another."""
    time = 0.0
    for number in range(count):
        offset = time
        for moment, frame in film([0.2], seconds, fps=25, seed=number, light=0.05):
            time = offset + moment
            tint = np.array([[1.0, 0.7, 0.4], [0.4, 0.9, 1.0], [0.8, 0.3, 0.9]])[number % 3]
            turned = frame[:, :: (-1) ** number]
            yield time, (turned * tint[:, None, None]).astype(np.uint8)
        time += 0.04


def test_cuts_are_found(film):
    assert list(find_cuts(scenes(film))) == pytest.approx([0.4, 0.8], abs=0.001)


def test_one_film_has_none(film):
    assert not list(find_cuts(film([0.3, 0.9], 1.2, shake=3, light=0.3)))


def test_a_flash_is_none(film):
    frames = list(film([], 1.0))
    frames[12] = (frames[12][0], np.full_like(frames[12][1], 255))
    assert not list(find_cuts(frames))


def test_neither_are_two_flashes(film):
    frames = list(film([], 1.0))
    for place in (8, 16):
        frames[place] = (frames[place][0], np.full_like(frames[place][1], 255))
    assert not list(find_cuts(frames))


def test_cuts_right_after_another_are_left_out(film):
    """A scene in 0.12 s: of 0.12, 0.24, 0.36 and 0.48 s those that are 0.2 s from the last."""
    frames = list(scenes(film, 0.12, 5))
    assert list(find_cuts(frames)) == pytest.approx([0.12, 0.36], abs=0.001)
    assert list(find_cuts(frames, CutConfig(apart=0.1))) == pytest.approx([0.12, 0.24, 0.36, 0.48], abs=0.001)


def test_black_and_single_frames():
    black = np.zeros((3, 20, 30), np.uint8)
    assert not list(find_cuts((k / 10, black) for k in range(8)))
    assert not list(find_cuts([(0.0, black)])) and not list(find_cuts([]))


def test_bad_frames():
    with pytest.raises(MediaError):
        list(find_cuts([(0.0, np.zeros((4, 4)))]))
