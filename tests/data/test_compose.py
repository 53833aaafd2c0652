"""Composed sound: attacks on their sample, level, silence before, the same seed the same samples."""

from dataclasses import replace

import numpy as np
import pytest

from foleygram.data.compose import Colour, compose_scene, in_room, noise_bed, pan
from foleygram.data.scenes import Event, Scene, draw_scene
from foleygram.data.sounds import SoundBank
from foleygram.data.takes import LEAD, Take
from foleygram.types import sample_count

BANK = SoundBank()


class ClickBank:
    """A bank whose every take is one sample high."""

    def take(self, name, action):
        samples = np.zeros((1, 600), np.float32)
        samples[0, LEAD] = 1
        return Take(name, name, samples, LEAD, 0.0)


def scene(*events, **changes):
    start = Scene("s", "test", 7, 2.0, 15, 64, 48, "wood", "hit", "stick", "", "procedural:wood:1", 0, 0, 0, 0.0, events)
    return replace(start, **changes)


def hit(seconds, gain=0.5, pitch=1.0, x=0.5):
    return Event(seconds, 0.8, "hit", 0.0, x, 0.5, x, 0.5, "click", gain, pitch)


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.33333, 0.7071, 1.9999])
def test_attack_lies_on_its_sample(seconds):
    sound = compose_scene(scene(hit(seconds)), ClickBank())
    assert np.argmax(np.abs(sound.samples[0])) == sample_count(seconds)


@pytest.mark.parametrize("pitch", [0.8, 0.94, 1.06, 1.25])
def test_pitch_does_not_move_the_attack(pitch):
    sound = compose_scene(scene(hit(0.7, pitch=pitch)), ClickBank())
    assert abs(np.argmax(np.abs(sound.samples[0])) - sample_count(0.7)) <= 1


@pytest.mark.parametrize(("split", "index"), [("train", 0), ("train", 3), ("test", 1), ("validation", 2)])
def test_scene_sounds_the_same_twice_and_within_its_level(split, index):
    drawn = draw_scene(split, index, BANK, {}, seconds=4.0)
    first, second = compose_scene(drawn, BANK), compose_scene(drawn, BANK)
    np.testing.assert_array_equal(first.samples, second.samples)
    assert first.samples.shape == (2, 4 * 44100) and first.rate == 44100
    assert -12.5 < 20 * np.log10(np.abs(first.samples).max()) < -2.5
    before = first.samples[:, : sample_count(drawn.events[0].seconds) - 400]
    assert np.sqrt(np.mean(before**2)) < (2e-3 if split == "train" else 1e-9)


def test_place_is_heard():
    left, right = compose_scene(scene(hit(0.5, x=0.1), pan_width=0.8), ClickBank()).samples
    assert np.abs(left).max() > 1.5 * np.abs(right).max()
    # constant power
    for place in (-1, -0.3, 0, 0.8):
        assert np.sum(pan(np.ones((1, 1)), place) ** 2) == pytest.approx(2)
    stereo = np.array([[1.0], [0.5]])
    np.testing.assert_allclose(pan(stereo, 0), stereo)


def test_room_is_quieter_than_the_sound_and_comes_later():
    dry = np.zeros((2, 44100))
    dry[:, 1000] = 1
    wet = in_room(dry, 5)
    np.testing.assert_allclose(wet[:, :1100], dry[:, :1100], atol=1e-12)
    tail = np.sum(wet[:, 1100:] ** 2) / np.sum(dry**2)
    assert 10**-3.1 < tail < 10**-1.1
    np.testing.assert_array_equal(wet, in_room(dry, 5))


def test_colour_is_mild():
    click = np.zeros((1, 4096))
    click[0, 0] = 1
    rng = np.random.default_rng(0)
    for _ in range(20):
        response = 20 * np.log10(np.abs(np.fft.rfft(Colour.drawn(rng)(click)[0])))
        assert np.abs(response[5:1900]).max() < 9.5


def test_a_contact_is_as_loud_as_its_gain_says():
    left, _ = np.abs(compose_scene(scene(hit(0.5, gain=0.8), hit(1.0, gain=0.2)), ClickBank()).samples)
    assert left[sample_count(0.5)] / left[sample_count(1.0)] == pytest.approx(4, rel=1e-4)


def test_without_width_every_place_is_in_the_middle():
    left, right = compose_scene(scene(hit(0.5, x=0.1), pan_width=0.0), ClickBank()).samples
    np.testing.assert_array_equal(left, right)


def test_a_room_is_heard_where_the_scene_has_one():
    dry, wet = (compose_scene(scene(hit(0.5), room=room), ClickBank()).samples[0] for room in (0, 5))
    assert np.count_nonzero(dry) == 1 and np.count_nonzero(np.abs(wet) > 1e-6) > 1000


def test_only_training_is_coloured_and_has_noise_under_it():
    for split in ("test", "validation"):
        for seed in range(40):
            assert np.count_nonzero(compose_scene(scene(hit(0.5), split=split, seed=seed), ClickBank()).samples[0]) == 1
    trained = [compose_scene(scene(hit(0.5), split="train", seed=seed), ClickBank()).samples[0] for seed in range(40)]
    assert all(np.count_nonzero(samples) > 1 for samples in trained)
    assert 2 <= sum(bool(samples[:10000].any()) for samples in trained) <= 16  # a fifth of them


def test_the_bed_of_noise_is_quiet():
    for seed in range(5):
        assert -70 <= 20 * np.log10(noise_bed(20000, np.random.default_rng(seed)).std()) <= -60


def test_a_tilt_lifts_what_is_high():
    click = np.zeros((1, 4096))
    click[0, 0] = 1
    response = 20 * np.log10(np.abs(np.fft.rfft(Colour(3.0, 0.0, 1000.0)(click)[0])))
    assert response[1] == pytest.approx(-3, abs=0.2) and response[-200] == pytest.approx(3, abs=1)
    bell = 20 * np.log10(np.abs(np.fft.rfft(Colour(0.0, 4.0, 1000.0)(click)[0])))
    assert bell.max() == pytest.approx(4, abs=0.05) and bell.argmax() * 44100 / 4096 == pytest.approx(1000, abs=15)


def test_a_stereo_recording_keeps_its_sides():
    np.testing.assert_allclose(pan(np.eye(2), 0.0), np.eye(2), atol=1e-12)
