"""Onsets are where something begins."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foleygram.errors import UsageError
from foleygram.signal.envelope import envelope_from_hits, extract_envelope
from foleygram.signal.onsets import detect_onsets, envelope_onsets, running_median
from foleygram.types import SAMPLE_RATE, Audio, Envelope

EVENTS = st.lists(st.integers(20, 180), min_size=1, max_size=8, unique=True).map(
    lambda hundredths: sorted({h // 12 * 12 / 100 + 0.0173 for h in hundredths})
)


@settings(max_examples=40)
@given(EVENTS, st.floats(0, 0.003))
def test_impulses_are_found_to_3_milliseconds(events, jitter):
    """Single samples in silence, at least 0.12 s apart."""
    events = [time + jitter for time in events]
    samples = np.zeros((1, 2 * SAMPLE_RATE + 4410), np.float32)
    for time in events:
        samples[0, round(time * SAMPLE_RATE)] = 0.9
    found = envelope_onsets(extract_envelope(Audio(samples, SAMPLE_RATE)))
    assert len(found) == len(events)
    np.testing.assert_allclose([time for time, _ in found], events, atol=0.003)


@settings(max_examples=40)
@given(EVENTS, st.floats(0, 0.003), st.sampled_from([0.0, 0.001, 0.003]))
def test_noise_bursts_over_a_noise_floor(events, jitter, floor):
    events = [time + jitter for time in events]
    random = np.random.default_rng(len(events))
    samples = floor * random.standard_normal(2 * SAMPLE_RATE + 8820)
    for time in events:
        start = round(time * SAMPLE_RATE)
        samples[start : start + 4410] += 0.2 * random.standard_normal(4410) * np.exp(-np.arange(4410) / 900)
    onsets = envelope_onsets(extract_envelope(Audio(samples[None], SAMPLE_RATE)))
    found = [time for time, _ in onsets if time > 0.02]  # the floor itself begins at 0
    assert len(found) == len(events)
    np.testing.assert_allclose(found, events, atol=0.003)


def test_hits_drawn_are_hits_found():
    hits = [(0.2, 0.3), (0.6, 0.05), (1.1, 0.2)]
    found = envelope_onsets(envelope_from_hits(hits, 2.0))
    np.testing.assert_allclose([time for time, _ in found], [time for time, _ in hits], atol=0.003)
    np.testing.assert_allclose([strength for _, strength in found], [strength for _, strength in hits], rtol=0.1)
    assert all(type(value) is float for onset in found for value in onset)


def test_nothing_begins_in_silence_or_in_a_swell():
    assert envelope_onsets(Envelope(np.zeros(1000))) == []
    assert envelope_onsets(Envelope(np.linspace(0.01, 0.5, 1000)))[1:] == []  # only its beginning
    assert len(envelope_onsets(Envelope(np.ones(100)))) == 1


def test_what_ends_far_below_the_loudest_is_no_onset():
    envelope = envelope_from_hits([(0.2, 0.5), (1.4, 0.002)], 2.0)  # 48 dB apart
    assert len(envelope_onsets(envelope)) == 1
    assert len(envelope_onsets(envelope, floor=60.0)) == 2


def test_what_rises_all_the_time_is_rough_and_no_onset():
    rough = np.tile(np.repeat([0.1, 0.25], 4), 60)  # 8 dB up and down again
    assert len(envelope_onsets(Envelope(rough))) == 1  # its beginning
    rough[244:248] = 5.0
    assert [time for time, _ in envelope_onsets(Envelope(rough))][1:] == pytest.approx([244 / Envelope(rough).rate], abs=0.01)


def test_the_strength_of_an_onset_is_that_of_its_next_30_ms():
    onsets = envelope_onsets(envelope_from_hits([(0.2, 0.05), (0.26, 0.3)], 1.0))
    assert [strength for _, strength in onsets] == pytest.approx([0.05, 0.3], rel=0.1)


def test_librosa_detector(clicks):
    librosa = pytest.importorskip("librosa")
    sound = clicks(1.5, [0.2, 0.7, 1.1])
    found = detect_onsets(sound)
    np.testing.assert_allclose(found, [0.2, 0.7, 1.1], atol=0.02)
    expected = librosa.onset.onset_detect(y=sound.mono(), sr=44100, hop_length=256, units="time")
    np.testing.assert_array_equal(found, expected)
    assert detect_onsets(Audio(np.zeros((2, 44100)), 44100)).shape == (0,)


def test_without_librosa(monkeypatch, clicks):
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(UsageError, match=r"pip install 'foleygram\[eval\]'"):
        detect_onsets(clicks(0.2, [0.1]))


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=60), st.integers(0, 6), st.integers(1, 70))
def test_a_running_median_is_the_same_in_blocks(values, around, block):
    row = np.array(values)
    padded = np.pad(row, around)
    one_by_one = [np.median(padded[k : k + 2 * around + 1]) for k in range(len(row))]
    np.testing.assert_array_equal(running_median(row, around, block), one_by_one)
