"""Strokes: measured of one sound, laid at the events of another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foleygram.timing.strokes import (
    DEAD,
    MOST,
    STEPS,
    Span,
    Strokes,
    falling,
    sound_strokes,
    spans,
    strokes_of,
    tail_of,
    with_strokes,
)
from foleygram.timing.track import OnsetEvent, OnsetTrack, Shape
from foleygram.types import ENVELOPE_RATE, Audio, Envelope

TIMES = (0.5, 1.3, 2.6)


def curve(decay: float, times=TIMES, strengths=None, seconds: float = 4.0) -> Envelope:
    strengths = strengths or [0.1] * len(times)
    events = tuple(OnsetEvent(time, strength) for time, strength in zip(times, strengths, strict=True))
    return OnsetTrack(events).to_envelope(seconds, Shape(decay=decay))


def falls(strokes: Strokes, decibels: float, number: int = 0) -> float:
    """s from the peak of a stroke until it has fallen by so much."""
    levels = strokes.levels[number]
    peak = int(levels.argmax())
    return float(np.flatnonzero(levels[peak:] <= -decibels)[0] / ENVELOPE_RATE)


@pytest.mark.parametrize("decay", [0.02, 0.05, 0.15])
def test_strokes_die_away_as_the_hits_do(decay):
    strokes = strokes_of(curve(decay))
    assert strokes.levels.shape == (len(TIMES), STEPS) and (strokes.levels.max(1) == 0).all()
    assert (strokes.levels[:, -1] < DEAD + 1).all()
    for number in range(len(TIMES)):
        for decibels in (10, 20, 40):
            assert falls(strokes, decibels, number) == pytest.approx(decay * decibels / 8.686, abs=0.012)
        # beyond the next event it falls on as before
        assert falls(strokes, 80, number) == pytest.approx(decay * 80 / 8.686, rel=0.1, abs=0.01)


def test_each_stroke_keeps_its_own_shape_and_they_take_turns():
    """Two sharp hits apart from two slow ones; a guide of four hears them in their order, and a fifth the first again."""
    sharp, slow = (
        OnsetTrack(tuple(OnsetEvent(time, 0.1) for time in times)).to_envelope(4.0, Shape(attack, decay)).values
        for times, attack, decay in (((0.5, 2.5), 0.002, 0.03), ((1.5, 3.5), 0.06, 0.1))
    )
    strokes = strokes_of(Envelope(sharp + slow))
    rises = strokes.levels.argmax(1) / ENVELOPE_RATE
    assert len(strokes) == 4 and (rises[[0, 2]] < 0.02).all() and (rises[[1, 3]] > 0.04).all()
    shaped = with_strokes(curve(0.02, (0.2, 0.9, 1.6, 2.3, 3.0)), strokes)
    rises = [int(shaped.values[round((time - 0.006) * ENVELOPE_RATE) :][:60].argmax()) for time in (0.2, 0.9, 1.6, 2.3, 3.0)]
    assert [rise > 10 for rise in rises] == [False, True, False, True, False]
    later = with_strokes(curve(0.02, (0.2, 0.9)), strokes, first=1)
    assert int(later.values[round(0.194 * ENVELOPE_RATE) :][:60].argmax()) > 10


def test_roughness_within_a_stroke_is_taken():
    seconds = np.arange(round(2 * ENVELOPE_RATE)) / ENVELOPE_RATE
    rough = 0.1 * np.exp(-(seconds - 0.5) / 0.2) * (1 + 0.9 * np.sin(2 * np.pi * 40 * seconds)) * (seconds >= 0.5)
    shaped = with_strokes(curve(0.1, (1.0,)), strokes_of(Envelope(rough)))
    part = shaped.values[round(1.02 * ENVELOPE_RATE) :][:50]
    assert (np.diff(np.sign(np.diff(part))) != 0).sum() >= 8  # 40 Hz for 0.15 s
    smooth = with_strokes(curve(0.1, (1.0,)), strokes_of(curve(0.1))).values[round(1.02 * ENVELOPE_RATE) :][:50]
    assert (np.diff(smooth) <= 0).all()


@pytest.mark.parametrize("rate", [0.3, 50.0, 100.005, 200.003, 344.0, 344.53, 500.0])
def test_strokes_lie_at_any_rate(rate):
    strokes = strokes_of(curve(0.05))
    amplitudes = strokes.amplitudes(0, rate)
    assert len(amplitudes) == np.ceil(4.0 * rate) and amplitudes.max() == pytest.approx(1.0, abs=0.1)
    assert (amplitudes[len(amplitudes) // 2 :] < 1e-3).all() or rate < 1


def test_what_rang_before_is_no_part_of_a_stroke():
    strokes = strokes_of(curve(0.4, (0.2, 1.0, 1.8)))
    assert len(strokes) == 3 and (strokes.levels[:, 0] == DEAD).all()


def test_a_sound_of_many_events_lends_some_of_them():
    assert len(strokes_of(curve(0.02, tuple(0.1 + 0.15 * k for k in range(20))))) == MOST


def test_weak_events_and_the_level_do_not_matter():
    loud = strokes_of(curve(0.08))
    np.testing.assert_allclose(strokes_of(Envelope(0.01 * curve(0.08).values)).levels, loud.levels, atol=1e-3)
    mixed = strokes_of(Envelope(np.maximum(curve(0.08, (0.5, 2.6)).values, curve(0.3, (1.6,), [0.005]).values)))
    assert len(mixed) == 2
    np.testing.assert_allclose(mixed.levels[:, :150], loud.levels[[0, 2], :150], atol=0.5)


@pytest.mark.parametrize("fallen, seconds", [(40.0, 0.3), (40.0, 1.0), (13.0, 0.3), (13.0, 2.0)])
def test_a_tail_that_was_last_heard_level_falls_on(fallen, seconds):
    """At half the mean slope at least, and by 100 dB in 4 s at least."""
    heard = round(seconds * ENVELOPE_RATE)
    levels = -fallen * np.minimum(np.arange(heard) / (heard // 3), 1)
    tail = tail_of(10 ** (levels / 20), [Span(0, 0, heard, 1.0)])
    np.testing.assert_allclose(tail[:heard], levels, atol=0.2)
    beyond = np.arange(1, STEPS - heard + 1) / ENVELOPE_RATE
    slope = max(0.5 * fallen / seconds, (100 - fallen) / 4)
    np.testing.assert_allclose(tail[heard:], np.maximum(-fallen - slope * beyond, DEAD), rtol=0.01, atol=0.1)


def test_the_room_is_no_tail():
    noisy = Envelope(np.sqrt(curve(0.06).values ** 2 + 1e-4**2))  # 60 dB under the peak
    assert falls(strokes_of(noisy), 80) == pytest.approx(0.06 * 80 / 8.686, rel=0.15)


def test_what_does_not_fall_has_no_strokes():
    assert strokes_of(Envelope(np.zeros(500))) is None
    assert strokes_of(Envelope(np.full(1000, 0.1))) is None
    assert strokes_of(Envelope(np.concatenate([np.zeros(100), np.full(900, 0.1)]))) is None


def test_a_guide_keeps_its_moments_and_strengths():
    guide = curve(0.3, (0.4, 1.0, 3.0), [0.1, 0.05, 0.02])
    shaped = with_strokes(guide, strokes_of(curve(0.03)))
    assert len(shaped.values) == len(guide.values) and shaped.rate == guide.rate
    for time, strength in ((0.4, 0.1), (1.0, 0.05), (3.0, 0.02)):
        around = slice(round((time - 0.01) * ENVELOPE_RATE), round((time + 0.02) * ENVELOPE_RATE))
        assert abs(int(shaped.values[around].argmax()) - int(guide.values[around].argmax())) <= 1
        assert shaped.values[around].max() == pytest.approx(guide.values[around].max(), rel=0.02)
        assert shaped.at(time + 0.1) < 0.1 * strength  # 0.03 s to 1/e


def test_a_long_tail_rings_over_the_next_event():
    guide = curve(0.02, (0.5, 0.8), [0.1, 0.01])
    shaped = with_strokes(guide, strokes_of(curve(0.5, (0.5,))))
    assert shaped.at(0.9) == pytest.approx(guide.values.max() * np.exp(-0.39 / 0.5), rel=0.05)


def test_its_own_strokes_change_nothing_much():
    guide = curve(0.1)
    np.testing.assert_allclose(with_strokes(guide, strokes_of(guide)).values, guide.values, atol=0.004)


def test_a_scratch_is_held_as_long_as_before():
    guide = OnsetTrack((OnsetEvent(0.5, 0.1, "scratch", 0.8),)).to_envelope(3.0)
    shaped = with_strokes(guide, strokes_of(curve(0.3)))
    held = slice(round(0.55 * ENVELOPE_RATE), round(1.25 * ENVELOPE_RATE))
    np.testing.assert_allclose(shaped.values[held], guide.values[held], rtol=1e-5)
    assert shaped.at(1.6) > 3 * guide.at(1.6)


def test_of_a_held_stroke_a_scratch_takes_the_fall_alone():
    scratch = OnsetTrack((OnsetEvent(0.5, 0.1, "scratch", 0.6),)).to_envelope(3.0)
    guide = OnsetTrack((OnsetEvent(0.2, 0.1, "scratch", 1.0),)).to_envelope(3.0)
    shaped = with_strokes(guide, strokes_of(scratch))
    np.testing.assert_allclose(shaped.values, guide.values, atol=0.004)
    hit = curve(0.02, (0.2,))
    shaped = with_strokes(hit, strokes_of(scratch))  # a hit becomes the whole scratch
    assert shaped.at(0.7) == pytest.approx(hit.values.max(), rel=0.02) and shaped.at(1.1) < 0.05 * shaped.at(0.7)


def test_a_guide_without_events_stays():
    silent = Envelope(np.zeros(300))
    assert with_strokes(silent, strokes_of(curve(0.1))) is silent and spans(silent) == []


@given(st.lists(st.floats(-60, 10), min_size=1, max_size=30))
def test_falling_never_rises_and_keeps_what_falls(levels):
    row = np.array(levels)
    assert (np.diff(falling(row)) <= 1e-9).all()
    steep = np.sort(row)[::-1]
    np.testing.assert_allclose(falling(steep), steep)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=400), st.sampled_from([ENVELOPE_RATE, 100.0, 1000.0]))
def test_any_curve_has_strokes_or_none_and_takes_some(values, rate):
    guide = Envelope(np.array(values, np.float32), rate)
    found = strokes_of(guide)
    assert found is None or (found.levels.shape[1] == STEPS and (found.levels.max(1) == 0).all() and found.levels.min() >= DEAD)
    shaped = with_strokes(guide, Strokes(np.linspace(0, DEAD, STEPS)[None]))
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
    shaped = with_strokes(guide, strokes_of(curve(0.02)), track)
    for event in events:
        around = slice(max(round((event.seconds - 0.002) * ENVELOPE_RATE), 0), round((event.seconds + 0.03) * ENVELOPE_RATE))
        alone = OnsetTrack((event,)).to_envelope(3.0).values[around].max()
        assert shaped.values[around].max() > 0.8 * alone
    assert (shaped.values <= guide.values.max() * 1.001).all()
    weak = OnsetTrack((OnsetEvent(0.2, 0.3), OnsetEvent(0.3, 0.001)))
    masked = with_strokes(weak.to_envelope(3.0), strokes_of(curve(0.02)), weak)
    assert masked.at(0.31) < 0.01  # what is left of the first is not taken for the second


@pytest.mark.parametrize("silent", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("room", [1e-3, 3e-3])
def test_the_room_is_no_tail_after_digital_silence_either(silent, room):
    steps = round(silent * ENVELOPE_RATE)
    noisy = np.sqrt(curve(0.05, (0.3,), seconds=2.0).values ** 2 + room**2)
    strokes = strokes_of(Envelope(np.concatenate([np.zeros(steps), noisy])))
    assert falls(strokes, 80) == pytest.approx(0.05 * 80 / 8.686, rel=0.2)


def test_a_ring_that_was_cut_off_is_no_room():
    strokes = strokes_of(curve(0.5, (0.05,), seconds=1.2))
    assert falls(strokes, 15) == pytest.approx(0.5 * 15 / 8.686, rel=0.1)


def test_an_offset_is_no_sound():
    seconds = np.arange(44100) / 44100
    hit = 0.2 * np.random.default_rng(0).normal(size=44100) * np.exp(-seconds / 0.05)
    clean, shifted = (sound_strokes(Audio((hit + offset)[None].astype(np.float32), 44100)) for offset in (0, 0.05))
    np.testing.assert_allclose(shifted.levels, clean.levels, atol=0.5)


def test_digital_silence_around_a_noisy_sound_makes_no_tail_of_its_room():
    draw, seconds = np.random.default_rng(0), np.arange(44100) / 44100
    noisy = 0.2 * draw.normal(size=44100) * np.exp(-seconds / 0.05) + 0.006 * draw.normal(size=44100)
    bare, padded = (
        sound_strokes(Audio(sound[None].astype(np.float32), 44100))
        for sound in (np.concatenate([0.006 * draw.normal(size=9000), noisy]), np.concatenate([np.zeros(44100), noisy]))
    )
    assert falls(padded, 40) == pytest.approx(falls(bare, 40), rel=0.3) and falls(padded, 80) < 0.8


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([0.0, 1e-5, 0.01, 0.02, 0.1, 0.3]), min_size=2, max_size=60))
def test_events_that_are_the_room_itself_are_no_strokes(levels):
    """Steps of a few levels, ten at a time: rooms as loud as events, events at the start and the end."""
    found = strokes_of(Envelope(np.repeat(np.array(levels, np.float32), 10)))
    assert found is None or (found.levels.max(1) == 0).all()


def test_clicks_without_a_tail_are_strokes():
    sound = np.zeros(44100 * 2)
    for start in (10000, 40000, 70000):
        sound[start : start + 200] = np.random.default_rng(start).normal(0, 0.2, 200)
    strokes = sound_strokes(Audio(sound[None].astype(np.float32), 44100))
    assert len(strokes) == 3 and falls(strokes, 60) < 0.02


def test_what_sounds_from_the_start_or_fades_in_is_left_out_where_there_are_others():
    ringing = curve(0.3, (0.0, 1.0, 2.0))
    assert len(strokes_of(ringing)) == 2 and len(strokes_of(curve(0.1, (0.0,)))) == 1
    slow = OnsetTrack((OnsetEvent(3.0, 0.1),)).to_envelope(4.0, Shape(0.3, 0.1)).values
    assert len(strokes_of(Envelope(curve(0.05, (0.5, 1.5)).values + slow))) == 2
    assert len(strokes_of(Envelope(slow))) == 1


def test_a_long_ring_ends_softly():
    seconds = np.arange(round(8 * ENVELOPE_RATE)) / ENVELOPE_RATE
    bell = 0.1 * np.exp(-(seconds - 0.5) / 1.5) * (seconds >= 0.5)
    levels = strokes_of(Envelope(bell)).levels[0]
    audible = levels[levels > -60]
    assert levels[round(3 * ENVELOPE_RATE)] > -20 and (np.diff(audible[10:]) > -6).all() and levels[-1] == DEAD


def test_events_a_few_ms_apart_keep_the_loud_one_in_any_order():
    strokes = strokes_of(curve(0.02))
    for near in ((OnsetEvent(1.0, 0.5), OnsetEvent(1.004, 0.05)), (OnsetEvent(1.0, 0.05), OnsetEvent(1.0, 0.5))):
        for events in (near, near[::-1]):
            track = OnsetTrack((*events, OnsetEvent(2.0, 0.1)))
            guide = track.to_envelope(3.0)
            assert with_strokes(guide, strokes, track).values.max() == pytest.approx(guide.values.max(), rel=0.1)


@pytest.mark.parametrize("hit", [OnsetEvent(1.0, 0.3), OnsetEvent(0.17, 0.3), OnsetEvent(0.2, 0.05)])
def test_a_scratch_is_held_under_a_hit(hit):
    track = OnsetTrack((OnsetEvent(0.2, 0.1, "scratch", 1.6), hit))
    guide = track.to_envelope(3.0)
    shaped = with_strokes(guide, strokes_of(curve(0.02)), track)
    held = slice(round(0.5 * ENVELOPE_RATE), round(0.95 * ENVELOPE_RATE))
    late = slice(round(1.3 * ENVELOPE_RATE), round(1.75 * ENVELOPE_RATE))
    for part in (held, late):
        np.testing.assert_allclose(shaped.values[part], np.minimum(guide.values[part], 0.1), rtol=0.02)
    assert shaped.at(2.2) < 0.01
    assert shaped.values.max() == pytest.approx(guide.values.max(), rel=0.1)


def test_long_strokes_make_way_for_the_attacks_that_follow():
    scratch = strokes_of(OnsetTrack((OnsetEvent(0.5, 0.1, "scratch", 0.8),)).to_envelope(3.0))
    track = OnsetTrack(tuple(OnsetEvent(0.3 + 0.3 * k, 0.1) for k in range(8)))
    guide = track.to_envelope(3.5)
    shaped = with_strokes(guide, scratch, track)
    assert OnsetTrack.from_envelope(shaped).agreement(OnsetTrack.from_envelope(guide), 0.05).f1 == 1
    # a weak one stays covered, and the loud one is not damped for it
    pair = OnsetTrack((OnsetEvent(0.3, 0.1), OnsetEvent(0.7, 0.01)))
    assert with_strokes(pair.to_envelope(2.0), scratch, pair).at(0.9) == pytest.approx(
        pair.to_envelope(2.0).values.max(), rel=0.05
    )


@pytest.mark.parametrize("rate", [10.0, 25.0, 100.0, 1000.0])
def test_events_keep_their_strength_at_any_rate(rate):
    track = OnsetTrack(tuple(OnsetEvent(time, 0.1) for time in TIMES))
    fine = track.to_envelope(4.0)
    steps = np.arange(round(4 * rate)) / rate
    loudest = [
        fine.values[(fine.times >= step - 0.5 / rate) & (fine.times < step + 0.5 / rate + 0.003)].max() for step in steps
    ]
    guide = Envelope(np.array(loudest, np.float32), rate)
    shaped = with_strokes(guide, strokes_of(curve(0.02)), track)
    for time in TIMES:
        around = slice(int(time * rate) - 1, int(time * rate) + max(3, round(0.02 * rate)))
        assert shaped.values[around].max() == pytest.approx(guide.values[around].max(), rel=0.05)


def test_what_is_silent_in_a_stroke_is_silent_in_the_guide():
    levels = np.full((1, STEPS), DEAD)
    levels[0, :40] = np.linspace(0, -60, 40)
    shaped = with_strokes(curve(0.02, (0.5,)), Strokes(levels))
    first = round(0.5 * ENVELOPE_RATE) + 45
    assert shaped.values.max() > 0.05 and not shaped.values[first:].any()


def test_what_falls_by_a_little_has_no_strokes():
    """Bursts that fall by 9 dB and then go on as loud."""
    seconds = np.arange(round(4 * ENVELOPE_RATE)) / ENVELOPE_RATE
    since = np.where(seconds < 0.5, np.inf, (seconds - 0.5) % 1.0)
    bed = np.where(seconds < 0.5, 0.0, 0.1 * 10 ** (-9 / 20))
    assert strokes_of(Envelope(np.maximum(0.1 * np.exp(-since / 0.1), bed))) is None


def test_what_sounds_before_the_first_event_stays():
    murmur = Envelope(np.maximum(curve(0.05, (1.0,)).values, 0.003))
    shaped = with_strokes(murmur, strokes_of(curve(0.05)), OnsetTrack.at([1.0]))
    before = murmur.times < 0.98
    np.testing.assert_array_equal(shaped.values[before], murmur.values[before])
