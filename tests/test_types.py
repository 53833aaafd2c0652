"""The values that travel."""

import numpy as np
import pytest

from foleygram.types import Audio

RATE = 44100


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, RATE).astype(np.float32)


def test_a_channel_that_is_upside_down_is_turned():
    sound = noise()
    turned = Audio(np.stack([sound, -0.95 * sound]), RATE).in_phase()
    np.testing.assert_allclose(turned.mono(), 0.975 * sound, rtol=1e-5)


@pytest.mark.parametrize(
    "samples",
    [
        np.stack([noise(), noise()]),
        np.stack([noise(), noise(1)]),
        np.stack([noise(), -0.5 * noise()]),  # their mean is heard
        np.stack([noise(), np.zeros(RATE, np.float32)]),
        np.zeros((2, RATE), np.float32),
        -noise()[None],
        np.stack([noise(), -noise(), noise(1)]),
    ],
)
def test_any_other_sound_is_left_alone(samples):
    sound = Audio(samples, RATE)
    assert sound.in_phase() is sound


def test_an_offset_goes_and_silence_stays():
    sound = np.concatenate([np.zeros(1000, np.float32), noise() + np.float32(0.2)])
    centred = Audio(np.stack([sound, sound]), RATE).centred().samples
    assert not centred[:, :1000].any() and abs(centred[:, 1000:].mean()) < 1e-5
    assert not Audio(np.zeros((1, 5), np.float32), RATE).centred().samples.any()
