"""The values that travel."""

import numpy as np
import pytest

from foleygram.errors import MediaError, UsageError
from foleygram.types import Audio, Clip, Video, modality_set

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


def test_audio_refuses_arrays_that_are_no_samples():
    for array, message in (
        (np.zeros((1, 100), np.int16), "divide integers by their full scale"),
        (np.zeros((100, 2), np.float32), "transpose it"),
        (np.zeros(100, np.float32), "add the channel axis"),
    ):
        with pytest.raises(MediaError, match=message):
            Audio(array, RATE)
    assert Audio(np.zeros((2, 1), np.float64), RATE).samples.dtype == np.float32


def test_a_text_is_a_string():
    with pytest.raises(UsageError, match="a string, not int"):
        Clip(text=5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Clip(text=" "), "is empty"),
        (lambda: Clip(seconds=1e-6), "a sample at least"),
        (lambda: modality_set(["V", "T"]), "--use takes"),
    ],
)
def test_clips_and_modalities_that_cannot_be(make, words):
    with pytest.raises(UsageError, match=words):
        make()


def test_a_frame_has_pixels():
    with pytest.raises(MediaError, match="at least one pixel"):
        Video(np.zeros((1, 3, 0, 4), np.uint8), np.zeros(1), 1.0)


def test_audio_has_a_channel():
    with pytest.raises(MediaError, match="at least one channel"):
        Audio(np.zeros((0, 100), np.float32), 44100)
