"""Onset tracks: to an envelope and back, snapping, agreement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleygram.errors import EnvelopeError, UsageError
from foleygram.signal.envelope import envelope_from_hits
from foleygram.timing.track import OnsetEvent, OnsetTrack, Shape
from foleygram.types import ENVELOPE_RATE, Envelope

TRACK = OnsetTrack((OnsetEvent(1.5, 0.1), OnsetEvent(0.25, 0.3), OnsetEvent(2.2, 0.2, "scratch", 0.4)))


def test_events_stand_in_order():
    assert TRACK.times.tolist() == [0.25, 1.5, 2.2]
    assert TRACK.strengths.tolist() == [0.3, 0.1, 0.2]
    assert TRACK.hits == [(0.25, 0.3), (1.5, 0.1), (2.2, 0.2)]


def test_hits_become_the_same_envelope_as_in_signal():
    hits = [(0.0, 0.2), (0.4013, 0.3), (0.43, 0.05), (0.999, 0.4)]
    exact = envelope_from_hits(hits, 1.0)
    ours = OnsetTrack(tuple(OnsetEvent(*hit) for hit in hits)).to_envelope(1.0)
    assert len(ours.values) == len(exact.values)
    assert np.abs(ours.values - exact.values).max() < 0.02 * exact.values.max()


def test_a_scratch_is_held():
    envelope = TRACK.to_envelope(4.0)
    assert envelope.at(np.array([2.4, 2.55])) == pytest.approx(0.2, rel=0.01)
    assert envelope.at(np.array([2.9]))[0] < 0.01


def test_envelope_and_back():
    back = OnsetTrack.from_envelope(TRACK.to_envelope(4.0, Shape(scratch_attack=0.006)))
    np.testing.assert_allclose(back.times, TRACK.times, atol=0.004)
    np.testing.assert_allclose(back.strengths, TRACK.strengths, rtol=0.15)
    assert [event.kind for event in back.events] == ["hit", "hit", "scratch"]
    assert back.events[2].duration == pytest.approx(0.4, abs=0.06)


def test_empty_track_is_a_silent_envelope():
    envelope = OnsetTrack().to_envelope(1.0)
    assert not envelope.values.any() and len(OnsetTrack.from_envelope(envelope)) == 0
    assert envelope.rate == ENVELOPE_RATE


def test_snap_shift_scale_within():
    frames = np.arange(100) / 24
    assert TRACK.snapped(frames).times == pytest.approx([6 / 24, 36 / 24, 53 / 24])
    assert TRACK.shifted(-0.5).times == pytest.approx([1.0, 1.7])
    assert TRACK.scaled(0.5).strengths == pytest.approx([0.15, 0.05, 0.1])
    assert len(TRACK.within(1.5)) == 1
    # half-way the earlier frame; no event begins before the clip, even where a frame does
    assert OnsetTrack.at([0.01, 0.75]).snapped(np.array([-0.02, 0.5, 1.0])).times.tolist() == [0.0, 0.5]
    with pytest.raises(UsageError, match="no frame"):
        TRACK.snapped(np.zeros(0))


def test_agreement_pairs_each_onset_once():
    found = TRACK.agreement([0.26, 0.27, 1.46, 3.0], 0.05)
    assert (found.hits, found.true, found.found) == (2, 3, 4)
    assert found.f1 == pytest.approx(4 / 7) and found.mean_error == pytest.approx(0.025)
    assert OnsetTrack().agreement([]).f1 == 1.0
    assert TRACK.agreement([3.0, 1.46, 0.27, 0.26], 0.05) == found  # in any order
    assert np.isnan(TRACK.agreement([3.0], 0.05).mean_error)


@given(st.integers(5, 2000), st.sampled_from([-5, 5]))
def test_onsets_just_as_far_apart_as_allowed_agree(hundredths, apart):
    """However their decimals are rounded."""
    true, found = OnsetTrack.at([hundredths / 100]), OnsetTrack.at([(hundredths + apart) / 100])
    assert true.agreement(found, 0.05).hits == 1


@given(st.lists(st.floats(0, 5), max_size=12), st.lists(st.floats(0, 5), max_size=12))
def test_agreement_is_as_large_as_the_best_pairing(first, second):
    from scipy.optimize import linear_sum_assignment

    ours = OnsetTrack.at(first).agreement(OnsetTrack.at(second), 0.3).hits
    near = np.abs(np.array(first)[:, None] - np.array(second)[None]) <= 0.3 + 1e-9
    best = 0
    if near.size:
        rows, columns = linear_sum_assignment(~near)
        best = int(near[rows, columns].sum())
    assert ours == best


@pytest.mark.parametrize(
    "event",
    [(-0.1,), (float("nan"),), (1.0, -1.0), (1.0, float("inf")), (1.0, 0.1, "thud"), (1.0, 0.1, "scratch", -1.0), (1.0, 1e7)],
)
def test_events_that_are_none(event):
    with pytest.raises(EnvelopeError):
        OnsetEvent(*event)


@pytest.mark.parametrize("seconds", [1.2, 2.4, 0.1 + 0.2, 7.0])
def test_an_event_at_the_very_end_lies_outside(seconds):
    for time in (seconds, np.nextafter(seconds, 0), np.nextafter(seconds, 9)):
        assert not OnsetTrack.at([time]).within(seconds)
        with pytest.raises(EnvelopeError, match="outside the clip"):
            OnsetTrack.at([time]).to_envelope(seconds)
    assert OnsetTrack.at([seconds - 0.001]).within(seconds).to_envelope(seconds).values.any()


def test_bad_lengths_and_shapes():
    with pytest.raises(EnvelopeError, match="outside the clip"):
        TRACK.to_envelope(2.0)
    with pytest.raises(UsageError):
        TRACK.to_envelope(0.0)
    with pytest.raises(UsageError):
        Shape(attack=0.0)


def test_a_short_scratch_is_told_from_a_hit():
    for event in (OnsetEvent(0.5, 0.1), OnsetEvent(0.5, 0.1, "scratch", 0.2)):
        (back,) = OnsetTrack.from_envelope(OnsetTrack((event,)).to_envelope(1.5, Shape(scratch_attack=0.006))).events
        assert back.kind == event.kind and back.duration == pytest.approx(event.duration, abs=0.06)


@pytest.mark.parametrize("event", [{"seconds": 1e305}, {"seconds": 1.0, "kind": "scratch", "duration": 1e305}])
def test_no_event_lies_beyond_a_day(event):
    with pytest.raises(EnvelopeError, match="0 to 86400"):
        OnsetEvent(**event)


def test_what_begins_in_the_last_moment_has_its_strength():
    values = np.zeros(400)
    values[-2:] = 0.3
    (event,) = OnsetTrack.from_envelope(Envelope(values)).events
    assert event.strength == pytest.approx(0.3)
