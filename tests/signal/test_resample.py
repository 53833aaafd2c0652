"""Changing the rate changes neither length nor place."""

import numpy as np
import pytest

from foleygram.errors import UsageError
from foleygram.signal.resample import resample
from foleygram.types import Audio


@pytest.mark.parametrize("rate", [16000, 22050, 48000])
def test_a_tone_stays_what_it_was(rate):
    time = np.arange(44100) / 44100
    there = resample(Audio(np.sin(2 * np.pi * 440 * time)[None], 44100), rate)
    assert there.rate == rate and there.samples.shape == (1, rate)
    middle = slice(rate // 10, -rate // 10)
    np.testing.assert_allclose(there.samples[0, middle], np.sin(2 * np.pi * 440 * np.arange(rate) / rate)[middle], atol=1e-4)


def test_the_right_rate_changes_nothing():
    sound = Audio(np.ones((2, 10)), 44100)
    assert resample(sound, 44100) is sound
    with pytest.raises(UsageError, match="positive"):
        resample(sound, 0)


def test_the_lowest_rate_of_all_is_remembered():
    sound = Audio(np.zeros((1, 4800)), 48000)
    assert resample(sound, 44100).lowest_rate == 44100
    assert resample(resample(sound, 8000), 44100).lowest_rate == 8000
