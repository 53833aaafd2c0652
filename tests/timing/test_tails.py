"""Tails: measured of one sound, laid after the events of another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foleygram.timing.tails import DEAD, LONGEST, Tail, falling, sound_tail, spans, tail_of, with_tail
from foleygram.timing.track import OnsetEvent, OnsetTrack, Shape
from foleygram.types import ENVELOPE_RATE, Audio, Envelope

TIMES = (0.5, 1.3, 2.6)


def curve(decay: float, times=TIMES, strengths=None, seconds: float = 4.0) -> Envelope:
    strengths = strengths or [0.1] * len(times)
    events = tuple(OnsetEvent(time, strength) for time, strength in zip(times, strengths, strict=True))
    return OnsetTrack(events).to_envelope(seconds, Shape(decay=decay))


@pytest.mark.parametrize("decay", [0.02, 0.05, 0.15])
def test_the_tail_of_hits_is_their_decay(decay):
    tail = tail_of(curve(decay))
    assert tail.levels[0] == 0 and (np.diff(tail.levels) <= 0).all() and tail.levels[-1] == DEAD
    for decibels in (10, 20, 40):
        assert tail.falls(decibels) == pytest.approx(decay * decibels / 8.686, abs=0.01)
    # beyond the next event it falls on as before
    assert tail.falls(80) == pytest.approx(decay * 80 / 8.686, rel=0.1, abs=0.01)


def test_weak_events_and_the_level_do_not_matter():
    loud = tail_of(curve(0.08))
    np.testing.assert_allclose(tail_of(Envelope(0.01 * curve(0.08).values)).levels, loud.levels, atol=1e-3)
    mixed = Envelope(np.maximum(curve(0.08, (0.5, 2.6)).values, curve(0.3, (1.6,), [0.005]).values))
    np.testing.assert_allclose(tail_of(mixed).levels[:150], loud.levels[:150], atol=0.5)


def test_the_room_is_no_tail():
    noisy = Envelope(np.sqrt(curve(0.06).values ** 2 + 1e-4**2))  # 60 dB under the peak
    assert tail_of(noisy).falls(80) == pytest.approx(0.06 * 80 / 8.686, rel=0.15)


def test_what_does_not_fall_has_no_tail():
    assert tail_of(Envelope(np.zeros(500))) is None
    assert tail_of(Envelope(np.full(1000, 0.1))) is None
    assert tail_of(Envelope(np.concatenate([np.zeros(100), np.full(900, 0.1)]))) is None


def test_a_guide_takes_the_tail_and_keeps_its_attacks():
    guide = curve(0.3, (0.4, 1.0, 3.0), [0.1, 0.05, 0.02])
    shaped = with_tail(guide, tail_of(curve(0.03)))
    assert len(shaped.values) == len(guide.values) and shaped.rate == guide.rate
    for time, strength in ((0.4, 0.1), (1.0, 0.05), (3.0, 0.02)):
        first = round((time - 0.005) * ENVELOPE_RATE)
        rise = slice(first, first + int(guide.values[first : first + 20].argmax()))
        np.testing.assert_allclose(shaped.values[rise], guide.values[rise], atol=0.02 * strength)
        assert shaped.at(time + 0.1) < 0.1 * strength  # 0.03 s to 1/e
    assert tail_of(shaped).falls(30) == pytest.approx(tail_of(curve(0.03)).falls(30), abs=0.012)


def test_a_long_tail_rings_over_the_next_event():
    guide = curve(0.02, (0.5, 0.8), [0.1, 0.01])
    shaped = with_tail(guide, tail_of(curve(0.5, (0.5,))))
    assert shaped.at(0.9) == pytest.approx(guide.values.max() * np.exp(-0.39 / 0.5), rel=0.05)


def test_its_own_tail_changes_nothing_much():
    guide = curve(0.1)
    np.testing.assert_allclose(with_tail(guide, tail_of(guide)).values, guide.values, atol=0.004)


def test_a_scratch_is_held_as_long_as_before():
    guide = OnsetTrack((OnsetEvent(0.5, 0.1, "scratch", 0.8),)).to_envelope(3.0)
    shaped = with_tail(guide, tail_of(curve(0.3)))
    held = slice(round(0.55 * ENVELOPE_RATE), round(1.25 * ENVELOPE_RATE))
    np.testing.assert_allclose(shaped.values[held], guide.values[held], rtol=1e-5)
    assert shaped.at(1.6) > 3 * guide.at(1.6)


def test_a_guide_without_events_stays():
    silent = Envelope(np.zeros(300))
    assert with_tail(silent, tail_of(curve(0.1))) is silent and spans(silent) == []


@given(st.lists(st.floats(-60, 10), min_size=1, max_size=30))
def test_falling_never_rises_and_keeps_what_falls(levels):
    row = np.array(levels)
    assert (np.diff(falling(row)) <= 1e-9).all()
    steep = np.sort(row)[::-1]
    np.testing.assert_allclose(falling(steep), steep)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=400), st.sampled_from([ENVELOPE_RATE, 100.0, 1000.0]))
def test_any_curve_has_a_tail_or_none_and_takes_one(values, rate):
    guide = Envelope(np.array(values, np.float32), rate)
    tail = tail_of(guide)
    assert tail is None or (len(tail.levels) == round(LONGEST * ENVELOPE_RATE) and (np.diff(tail.levels) <= 1e-9).all())
    shaped = with_tail(guide, Tail(np.linspace(0, DEAD, round(LONGEST * ENVELOPE_RATE))))
    assert len(shaped.values) == len(values) and shaped.values.max() <= max(values) + 1e-6


@pytest.mark.parametrize(
    "events",
    [
        tuple(OnsetEvent(0.2 + 0.1 * k, 0.3 * 0.85**k) for k in range(8)),
        (OnsetEvent(0.2, 0.3), OnsetEvent(0.35, 0.15)),
        tuple(OnsetEvent(0.2 + 0.03 * k, 0.2) for k in range(10)),
        (OnsetEvent(0.2, 0.3), OnsetEvent(0.5, 0.03, "scratch", 1.0)),
        (OnsetEvent(0.2, 0.5), OnsetEvent(1.5, 0.004)),
        (OnsetEvent(0.0, 0.2), OnsetEvent(2.95, 0.1)),
    ],
)
def test_no_event_that_is_known_is_lost_or_grows(events):
    """Hits in the tails of others are not seen in the curve; the list knows them."""
    track = OnsetTrack(events)
    guide = track.to_envelope(3.0)
    shaped = with_tail(guide, tail_of(curve(0.02)), track)
    for event in events:
        around = slice(max(round((event.seconds - 0.002) * ENVELOPE_RATE), 0), round((event.seconds + 0.03) * ENVELOPE_RATE))
        alone = OnsetTrack((event,)).to_envelope(3.0).values[around].max()
        assert shaped.values[around].max() > 0.8 * alone
    assert (shaped.values <= guide.values.max() * 1.001).all()
    weak = OnsetTrack((OnsetEvent(0.2, 0.3), OnsetEvent(0.3, 0.001)))
    masked = with_tail(weak.to_envelope(3.0), tail_of(curve(0.02)), weak)
    assert masked.at(0.31) < 0.01  # what is left of the first is not taken for the second


@pytest.mark.parametrize("silent", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("room", [1e-3, 3e-3])
def test_the_room_is_no_tail_after_digital_silence_either(silent, room):
    steps = round(silent * ENVELOPE_RATE)
    noisy = np.sqrt(curve(0.05, (0.3,), seconds=2.0).values ** 2 + room**2)
    tail = tail_of(Envelope(np.concatenate([np.zeros(steps), noisy])))
    assert tail.falls(80) == pytest.approx(0.05 * 80 / 8.686, rel=0.2)


def test_a_ring_that_was_cut_off_is_no_room():
    tail = tail_of(curve(0.5, (0.05,), seconds=1.2))
    assert tail.falls(15) == pytest.approx(0.5 * 15 / 8.686, rel=0.1)


def test_an_offset_is_no_sound():
    seconds = np.arange(44100) / 44100
    hit = 0.2 * np.random.default_rng(0).normal(size=44100) * np.exp(-seconds / 0.05)
    clean, shifted = (sound_tail(Audio((hit + offset)[None].astype(np.float32), 44100)) for offset in (0, 0.05))
    np.testing.assert_allclose(shifted.levels, clean.levels, atol=0.5)
