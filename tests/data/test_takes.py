"""Takes: the attack is where it is said to be, one contact a take, no hiss at the end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foleygram.data.takes import LEAD, LONGEST, LOUDNESS, aligned, cut, find_attacks, level, normalised
from foleygram.types import SAMPLE_RATE


def knock(seconds: float = 0.15, decay: float = 0.03, seed: int = 0) -> np.ndarray:
    """A burst of noise that decays, float64 [sample], loud from its first sample."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return 0.5 * rng.standard_normal(len(time)) * np.exp(-time / decay)


def recording(*places: int, count: int = SAMPLE_RATE, hiss: float = 1e-4, **shape) -> np.ndarray:
    """Knocks at sample ``places`` over hiss, float32 [1, count]."""
    sound = hiss * np.random.default_rng(9).standard_normal(count)
    for number, place in enumerate(places):
        piece = knock(seed=number, **shape)[: count - place]
        sound[place : place + len(piece)] += piece
    return sound[None].astype(np.float32)


@settings(max_examples=10, deadline=None)
@given(place=st.integers(2500, 30000), seed=st.integers(0, 50))
def test_attack_is_found_within_a_millisecond(place, seed):
    found = find_attacks(recording(place) * (0.2 + seed / 60), "hit")
    assert len(found) == 1
    assert abs(found[0] - place) < 44


def test_two_knocks_are_two_takes_and_neither_holds_the_other():
    takes = cut(recording(6000, 20000), "hit")
    assert len(takes) == 2
    for samples, attack, duration in takes:
        assert attack == LEAD and duration == 0
        assert samples.shape[1] < 14100 + LEAD
        assert len(find_attacks(np.pad(samples, ((0, 0), (2205, 0))), "hit")) == 1


def test_take_has_its_loudness_and_ends_in_silence():
    [(samples, attack, _)] = cut(recording(8000, hiss=3e-4), "hit")
    assert level(samples, 441).max() == pytest.approx(LOUDNESS, rel=0.05)
    assert abs(samples[0, -1]) < 1e-5
    assert abs(samples[0, 0]) < 1e-6
    assert samples.shape[1] < 0.5 * SAMPLE_RATE  # the hiss after the knock is cut off
    assert samples.dtype == np.float32


def test_recording_that_begins_with_its_attack_is_kept():
    [(samples, attack, _)] = cut(recording(0), "hit")
    assert np.abs(samples[:, :attack]).max() < 0.01
    assert np.abs(samples[:, attack : attack + 88]).max() > 0.05


def test_slow_rise_is_no_hit_but_water_may_swell():
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    swell = np.random.default_rng(0).standard_normal(SAMPLE_RATE) * np.sin(np.pi * time) ** 4
    swell = swell[None].astype(np.float32)
    assert cut(swell, "hit") == []
    assert len(cut(swell, "hit", swelling=True)) == 1


def test_scratch_knows_its_length():
    sound = np.zeros(SAMPLE_RATE)
    sound[9000 : 9000 + 22050] = 0.3 * np.random.default_rng(0).standard_normal(22050)
    [(_, _, duration)] = cut(sound[None].astype(np.float32), "scratch")
    assert duration == pytest.approx(0.5, abs=0.03)


def test_silence_holds_no_take():
    assert cut(np.zeros((2, 20000), np.float32), "hit") == []


def test_a_contact_is_aligned_to_its_attack():
    sound = np.concatenate([np.zeros(5000), knock()])[None].astype(np.float32)
    samples, attack = aligned(sound, "hit")
    assert attack == LEAD and samples.shape[1] == pytest.approx(sound.shape[1] - 5000 + LEAD, abs=44)
    loud = np.flatnonzero(np.abs(samples[0]) > 0.1)
    assert abs(loud[0] - LEAD) < 44 and abs(samples[0, -1]) < 1e-6


def test_loudness_is_that_of_the_loudest_10_ms():
    for gain in (0.01, 1.0):
        sound = normalised(gain * recording(2000))
        assert level(sound, 441).max() == pytest.approx(LOUDNESS, rel=1e-4) and sound.dtype == np.float32


def test_a_take_ends_before_a_second_contact_within_it_and_in_time():
    """A softer knock 50 ms on is too near to count as a contact of its own."""
    sound = recording(6000, decay=0.01)
    again = 6000 + round(0.05 * SAMPLE_RATE)
    sound[0, again : again + 4000] += 0.35 * knock(decay=0.01, seed=5)[:4000].astype(np.float32)
    [(samples, attack, _)] = cut(sound, "hit")
    assert samples.shape[1] - attack <= again - 6000
    ringing = recording(6000, count=4 * SAMPLE_RATE, seconds=3.5, decay=2.0)
    [(samples, attack, _)] = cut(ringing, "hit")
    assert samples.shape[1] - attack <= LONGEST["hit"] * SAMPLE_RATE


def test_what_rumbles_below_hearing_is_taken_away():
    sound = recording(8000)
    rumble = 0.6 * np.sin(2 * np.pi * 5 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    [(plain, _, _)], [(shaken, _, _)] = cut(sound, "hit"), cut((sound + rumble).astype(np.float32), "hit")
    count = min(plain.shape[1], shaken.shape[1], 3000)
    assert np.abs(plain[0, :count] - shaken[0, :count]).max() < 0.1 * np.abs(plain).max()
