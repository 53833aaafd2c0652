"""Curves become events and events an envelope: what a perfect network would say comes out as it was."""

from dataclasses import replace

import numpy as np
import pytest

from foleygram.timing.decoding import BLUR, FALL, LEAD, RISE, Reading, confidence, read_track, render
from foleygram.timing.network import TimingConfig
from foleygram.timing.track import OnsetEvent, OnsetTrack
from foleygram.types import ENVELOPE_RATE

RATE = TimingConfig().rate


def reading_of(times, seconds=2.0, strengths=None, scratch=0.0, level=None):
    """What a perfect network would say of onsets at ``times``."""
    grid = np.arange(int(seconds * RATE) + 2) / RATE
    gaps = np.array(times, dtype=float)[None] - grid[:, None]
    nearest = gaps[np.arange(len(grid)), np.abs(gaps).argmin(axis=1)] if len(times) else np.full(len(grid), 9.0)
    onset = np.exp(-0.5 * (nearest * RATE / 1.5) ** 2)
    db = np.zeros(len(grid)) if strengths is None else np.array(strengths)[np.abs(gaps).argmin(axis=1)]
    if level is None:
        level = np.full(len(grid), 0.3)
    rows = (np.asarray(row, np.float32) for row in (level, onset, nearest, db, np.full(len(grid), scratch)))
    return Reading(*rows, RATE, seconds)


def test_onsets_are_read_between_the_steps():
    times = [0.2503, 0.8127, 1.4444]
    track = read_track(reading_of(times, strengths=[0.0, -20.0, -6.0]), 0.5, 0.09, 0.2)
    np.testing.assert_allclose(track.times, times, atol=1e-3)
    np.testing.assert_allclose(track.strengths, [0.2, 0.02, 0.1], rtol=0.02)
    assert confidence(reading_of(times).onset).max() == pytest.approx(1.0, abs=0.02)


def test_the_envelope_rises_where_the_onset_is():
    reading = reading_of([0.5, 1.2], strengths=[0.0, -6.0], level=np.full(int(2 * RATE) + 2, 0.1))
    track = read_track(reading, 0.5, 0.09, 0.2)
    back = OnsetTrack.from_envelope(render(track, reading, 0.2))
    np.testing.assert_allclose(back.times, [0.5, 1.2], atol=0.006)
    np.testing.assert_allclose(back.strengths, [0.2, 0.1], rtol=0.25)


def test_a_scratch_lasts_as_long_as_its_level():
    grid = np.arange(int(2 * RATE) + 2) / RATE
    track = read_track(reading_of([0.5], scratch=0.9, level=np.where((grid > 0.5) & (grid < 0.9), 0.5, 0.0)), 0.5, 0.09, 0.2)
    assert track.events[0].kind == "scratch" and track.events[0].duration == pytest.approx(0.4, abs=0.03)
    envelope = render(track, reading_of([0.5], scratch=0.9, level=np.where((grid > 0.5) & (grid < 0.9), 0.5, 0.0)), 0.2)
    assert envelope.at(np.array([0.8]))[0] > 0.05 and envelope.at(np.array([1.5]))[0] < 0.01


def test_an_event_is_a_scratch_from_a_probability_of_its_own():
    for sure, least, kind in ((0.6, 0.5, "scratch"), (0.4, 0.5, "hit"), (0.85, 0.9, "hit"), (0.95, 0.9, "scratch")):
        (event,) = read_track(reading_of([0.5], scratch=sure), 0.5, 0.09, 0.2, scratch=least).events
        assert event.kind == kind


def test_what_is_faint_dies_away():
    reading = reading_of([0.5], level=np.full(int(2 * RATE) + 2, 0.02))
    values = render(read_track(reading, 0.5, 0.09, 0.2), reading, 0.2).values
    start = int(0.5 * ENVELOPE_RATE)
    assert values[start + 30] > 0
    assert values[start + 300] < 1e-3 * values[start : start + 30].max()  # 60 dB down, though the level never says silence


def test_no_event_is_silence():
    reading = reading_of([])
    track = read_track(reading, 0.5, 0.09, 0.2)
    assert not len(track) and not render(track, reading, 0.2).values.any()


@pytest.mark.parametrize("loud, expected", [(20.0, 0.2), (0.0, 0.2), (-20.0, 0.02)])
def test_no_event_is_stronger_than_full_strength(loud, expected):
    track = read_track(reading_of([0.5], strengths=[loud]), 0.5, 0.09, 0.2)
    assert track.strengths == pytest.approx([expected], rel=1e-4)


def test_of_two_onsets_too_near_to_each_other_the_surer_one_stays():
    reading = reading_of([0.5, 0.65])
    late = np.arange(len(reading.onset)) / RATE > 0.575
    reading = replace(reading, onset=np.where(late, 0.8, 1.0) * reading.onset)
    np.testing.assert_allclose(read_track(reading, 0.5, 0.2, 0.2).times, [0.5], atol=1e-3)
    np.testing.assert_allclose(read_track(reading, 0.5, 0.1, 0.2).times, [0.5, 0.65], atol=1e-3)


@pytest.mark.parametrize("decay", [0.1, 0.3])
def test_a_scratch_ends_where_its_level_has_fallen_to_a_third(decay):
    since = np.arange(int(2 * RATE) + 2) / RATE - 0.5
    level = np.where(since >= 0, np.exp(-since / decay), 0.0)
    (event,) = read_track(reading_of([0.5], scratch=1.0, level=level), 0.5, 0.09, 0.2).events
    assert event.duration == pytest.approx(decay * np.log(3), abs=1.5 / RATE)


def test_a_level_that_rises_just_ahead_of_an_onset_belongs_to_that():
    """As the network does where it is unsure of the moment: the scratch before is held as it was, and is no longer for it."""
    grid = np.arange(int(2 * RATE) + 2) / RATE
    falling, rising = (grid > 0.5) & (grid < 0.8), (grid > 1.15) & (grid < 1.2)
    held, ended = (np.select([rising, falling], [1.0, 0.3], rest) for rest in (0.2, 0.05))
    for level, duration in ((held, 1.2 - BLUR - 0.5), (ended, 0.3)):
        reading = reading_of([0.5, 1.2], scratch=1.0, level=level)
        track = read_track(reading, 0.5, 0.09, 0.2)
        assert track.events[0].duration == pytest.approx(duration, abs=1.5 / RATE)
    reading = reading_of([0.5, 1.2], scratch=1.0, level=held)
    values = render(read_track(reading, 0.5, 0.09, 0.2), reading, 0.2)
    just_before = values.at(np.arange(1.15, 1.2 - LEAD, 0.005))
    assert (just_before <= values.at(1.1) * 1.001).all() and values.at(1.25) > 2 * values.at(1.1)


@pytest.mark.parametrize("kind", ["hit", "scratch"])
def test_without_a_level_an_event_falls_as_its_kind_does(kind):
    reading = reading_of([0.5], scratch=float(kind == "scratch"), level=np.zeros(int(2 * RATE) + 2))
    envelope = render(read_track(reading, 0.5, 0.09, 0.2), reading, 0.2)
    peak = 0.5 + RISE[kind]
    assert envelope.at(peak) == pytest.approx(0.2, rel=0.1)
    for part in (0.5, 1.0, 2.0):
        assert envelope.at(peak + part * FALL[kind]) == pytest.approx(0.2 * np.exp(-part), rel=0.03)


@pytest.mark.parametrize("kind", ["hit", "scratch"])
@pytest.mark.parametrize("following", ["hit", "scratch"])
def test_what_is_left_of_an_event_falls_under_the_next_one_as_its_own_kind_does(kind, following):
    reading = reading_of([])
    reading = replace(reading, level=np.where(np.arange(len(reading.level)) < RATE, 0.8, 0.0))  # louder than the event
    track = OnsetTrack((OnsetEvent(0.5, 0.1, kind, 0.5), OnsetEvent(1.0, 1e-4, following, 0.1)))
    envelope = render(track, reading, 0.2)
    begins = np.ceil((1.0 - LEAD) * ENVELOPE_RATE) / ENVELOPE_RATE
    left = envelope.at(begins - 1 / ENVELOPE_RATE)
    assert left == pytest.approx(0.1, rel=0.01)
    for later in (0.01, 0.03, 0.09):
        assert envelope.at(begins + later) == pytest.approx(left * np.exp(-later / FALL[kind]), rel=0.1)


def test_a_doubtful_onset_beside_a_surer_one_is_its_rebound():
    """Alone it counts, and so does a sure one: quick players are not cut."""
    onset = np.maximum(reading_of([0.5, 2.0], 4.0).onset, 0.3 * reading_of([0.8, 3.0], 4.0).onset)
    reading = replace(reading_of([0.5, 0.8, 2.0, 3.0], 4.0), onset=onset.astype(np.float32))
    np.testing.assert_allclose(read_track(reading, 0.1, 0.09, 0.2).times, [0.5, 0.8, 2.0, 3.0], atol=2e-3)
    np.testing.assert_allclose(read_track(reading, 0.1, 0.09, 0.2, sure=0.4, near=0.4).times, [0.5, 2.0, 3.0], atol=2e-3)
    quick = reading_of([0.5, 0.8, 2.0, 3.0], 4.0)
    assert len(read_track(quick, 0.1, 0.09, 0.2, sure=0.4, near=0.4)) == 4
