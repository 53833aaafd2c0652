"""Edits of envelopes, one by one and together; guides that people make."""

import numpy as np
import pytest

from foleygram.errors import EnvelopeError, UsageError
from foleygram.signal.envelope import envelope_from_hits
from foleygram.signal.onsets import envelope_onsets
from foleygram.timing import editing
from foleygram.timing.editing import EnvelopeEdits, edit, edit_track
from foleygram.timing.track import OnsetEvent, OnsetTrack
from foleygram.timing.voice import VoiceConfig, envelope_from_voice
from foleygram.types import SAMPLE_RATE, Audio, Envelope

HITS = envelope_from_hits([(0.3, 0.3), (0.8, 0.1)], 1.5)


def onset_times(envelope):
    return [time for time, _ in envelope_onsets(envelope)]


def test_nothing_changes_nothing():
    assert (edit(HITS, EnvelopeEdits()).values == HITS.values).all()


def test_scale_and_shift():
    assert editing.scale(HITS, 0.5).values == pytest.approx(HITS.values / 2)
    assert onset_times(editing.shift(HITS, 0.1)) == pytest.approx([0.4, 0.9], abs=0.003)
    assert onset_times(editing.shift(HITS, -0.25)) == pytest.approx([0.05, 0.55], abs=0.003)
    assert not editing.shift(HITS, 9.0).values.any()


def test_shift_by_frames_needs_a_picture():
    moved = edit(HITS, EnvelopeEdits(shift_frames=-2), np.arange(40) / 25)
    assert onset_times(moved) == pytest.approx([0.22, 0.72], abs=0.003)
    with pytest.raises(UsageError, match="give a video"):
        edit(HITS, EnvelopeEdits(shift_frames=1))
    with pytest.raises(UsageError, match="single frame"):
        edit(HITS, EnvelopeEdits(shift_frames=1), np.zeros(1))


def test_gate_keeps_the_attack_of_what_is_loud():
    gated = editing.gate(HITS, 0.15)
    assert onset_times(gated) == pytest.approx([0.3], abs=0.005)
    assert gated.values.max() == HITS.values.max() and gated.values[-1] == 0


def test_smooth_keeps_the_energy():
    smooth = editing.smooth(HITS, 0.05)
    assert smooth.values.max() < HITS.values.max()
    assert (smooth.values.astype(float) ** 2).sum() == pytest.approx((HITS.values.astype(float) ** 2).sum(), rel=0.01)


def test_beyond_the_ends_nothing_sounds_when_it_is_smoothed():
    ends = editing.smooth(Envelope(np.ones(200), 100.0), 0.2).values
    assert ends[100] == pytest.approx(1) and ends[[0, -1]] == pytest.approx(np.sqrt(0.5), abs=0.05)


def test_snap_puts_onsets_on_frames():
    frames = np.arange(40) / 12
    assert onset_times(editing.snap(HITS, frames)) == pytest.approx([4 / 12, 10 / 12], abs=0.004)
    silent = Envelope(np.zeros(10))
    assert editing.snap(silent, frames) is silent
    crowd = envelope_from_hits([(0.30, 0.3), (0.36, 0.3), (1.0, 0.2)], 1.5)
    assert len(onset_times(editing.snap(crowd, np.arange(4) / 2))) >= 2


def test_mute():
    quiet = editing.mute(HITS, 0.25, 0.7)
    inside = (HITS.times >= 0.25) & (HITS.times <= 0.7)
    outside = (HITS.times < 0.24) | (HITS.times > 0.71)
    assert not quiet.values[inside].any() and (quiet.values[outside] == HITS.values[outside]).all()
    with pytest.raises(UsageError, match="earlier to a later"):
        editing.mute(HITS, 1.0, 1.0)


def test_mix():
    other = envelope_from_hits([(0.55, 0.2)], 0.9)
    for how in ("power", "loudest"):
        assert onset_times(editing.mix(HITS, other, how)) == pytest.approx([0.3, 0.55, 0.8], abs=0.003)
    assert not editing.mix(HITS, other, "product").values[:180].any()
    with pytest.raises(UsageError, match="power, loudest or product"):
        editing.mix(HITS, other, "average")
    assert edit(HITS, EnvelopeEdits(mix_gain=0.0), other=other).values == pytest.approx(HITS.values)


def test_attack_and_decay():
    long = editing.shape(HITS, 0.0, 0.5)
    assert long.at(np.array([0.75]))[0] > 2 * HITS.at(np.array([0.75]))[0]
    soft = editing.shape(HITS, 0.05, 0.2)
    assert soft.values.argmax() > HITS.values.argmax()
    assert (editing.shape(HITS, 0, 0).values == HITS.values).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: editing.scale(HITS, -1), lambda: editing.scale(HITS, float("inf")), lambda: editing.gate(HITS, float("nan")),
        lambda: editing.smooth(HITS, -1), lambda: editing.shift(HITS, float("nan")),
    ],
)  # fmt: skip
def test_numbers_out_of_range(call):
    with pytest.raises(UsageError, match="at least"):
        call()


def test_all_at_once():
    edits = EnvelopeEdits(
        snap=True, shift_ms=20, gate=0.02, attack_ms=2, decay_ms=80, smooth_ms=10, scale=0.8, mute=((1.2, 1.5),), mix="loudest"
    )  # fmt: skip
    result = edit(HITS, edits, np.arange(60) / 30, HITS)
    assert len(result.values) == len(HITS.values) and result.rate == HITS.rate


def test_claps_in_a_noisy_room_become_hits(clicks):
    sound = clicks(2.0, [0.4, 1.0, 1.5])
    noise = np.random.default_rng(0).standard_normal(sound.samples.shape).astype(np.float32) * 0.003
    envelope = envelope_from_voice(Audio((sound.samples + noise) * 0.2, sound.rate))
    assert onset_times(envelope) == pytest.approx([0.4, 1.0, 1.5], abs=0.012)
    assert envelope.values.max() == pytest.approx(0.1, rel=0.01) and envelope.at(np.array([0.2]))[0] == 0


def test_a_hum_is_smooth():
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    hum = np.sign(np.sin(2 * np.pi * 110 * time)) * np.sin(np.pi * time) ** 2 * 0.1
    values = envelope_from_voice(Audio(hum[None].astype(np.float32), SAMPLE_RATE), VoiceConfig(expand=1.0)).values
    expected = np.sin(np.pi * np.arange(len(values)) * 128 / SAMPLE_RATE) ** 2 * values.max()
    assert np.abs(values - expected)[40:300].max() < 0.06 * values.max()


def test_guides_without_a_guide():
    noise = np.random.default_rng(0).standard_normal((1, SAMPLE_RATE)).astype(np.float32) * 0.01
    for samples in (np.zeros((1, 4410), np.float32), noise):
        with pytest.raises(EnvelopeError, match="record it again"):
            envelope_from_voice(Audio(samples, SAMPLE_RATE))


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        (EnvelopeEdits(shift_ms=30), editing.shift(HITS, 0.03)),
        (EnvelopeEdits(gate=0.15), editing.gate(HITS, 0.15)),
        (EnvelopeEdits(attack_ms=20), editing.shape(HITS, 0.02, 0)),
        (EnvelopeEdits(decay_ms=300), editing.shape(HITS, 0, 0.3)),
        (EnvelopeEdits(smooth_ms=40), editing.smooth(HITS, 0.04)),
        (EnvelopeEdits(scale=0.5), editing.scale(HITS, 0.5)),
        (EnvelopeEdits(mute=((0.2, 0.4), (0.7, 0.9))), editing.mute(editing.mute(HITS, 0.2, 0.4), 0.7, 0.9)),
        (
            EnvelopeEdits(shift_ms=30, decay_ms=300, scale=2.0),
            editing.scale(editing.shape(editing.shift(HITS, 0.03), 0, 0.3), 2),
        ),
    ],
)
def test_each_edit_does_what_it_is_called_in_its_unit(edits, expected):
    np.testing.assert_array_equal(edit(HITS, edits).values, expected.values)
    assert not np.array_equal(expected.values, HITS.values)


def test_amplitudes_that_are_mixed():
    one, two = Envelope(np.array([0.3, 0.4, 0.0])), Envelope(np.array([0.4, 0.3, 0.2]))
    for how, values in (("power", [0.5, 0.5, 0.2]), ("loudest", [0.4, 0.4, 0.2]), ("product", [0.3, 0.3, 0.0])):
        assert editing.mix(one, two, how).values == pytest.approx(values)
    assert edit(one, EnvelopeEdits(mix="loudest", mix_gain=0.5), other=two).values == pytest.approx([0.3, 0.4, 0.1])


def test_a_gate_keeps_rise_and_fall_and_lets_the_rest_die():
    values = np.full(60, 0.04)
    values[20:24] = 0.06, 0.2, 0.1, 0.06
    gated = editing.gate(Envelope(values, 100.0), 0.1, release=0.05).values
    assert not gated[:20].any() and gated[20:24] == pytest.approx(values[20:24])
    assert gated[24:30] == pytest.approx(0.04 * np.exp(-np.arange(1, 7) / 5)) and not gated[50:].any()


def test_of_two_onsets_at_one_frame_the_stronger_one_moves_there():
    crowd = envelope_from_hits([(0.30, 0.05), (0.36, 0.3), (1.1, 0.1)], 1.5)
    loudest = max(envelope_onsets(editing.snap(crowd, np.arange(4) / 2)), key=lambda onset: onset[1])
    assert loudest[0] == pytest.approx(0.5, abs=0.004)


def test_the_frame_step_is_the_usual_one():
    assert editing.frame_step(np.array([0.0, 0.04, 0.08, 0.12, 2.0])) == pytest.approx(0.04)


def test_attack_and_decay_are_times_to_1_over_e():
    step = Envelope(np.repeat([0.0, 1.0, 0.0], 50), 100.0)
    grown = 1 - np.exp(-np.arange(1, 51) / 10)
    assert editing.shape(step, 0.1, 0).values == pytest.approx(np.concatenate([np.zeros(50), grown, np.zeros(50)]), abs=1e-6)
    fallen = np.exp(-np.arange(1, 51) / 20)
    assert editing.shape(step, 0, 0.2).values == pytest.approx(np.concatenate([np.zeros(50), np.ones(50), fallen]), abs=1e-6)


def test_what_is_muted_fades_outside_of_the_range():
    quiet = editing.mute(Envelope(np.ones(1000), 1000.0), 0.3, 0.5, fade=0.01)
    assert quiet.at([0.285, 0.295, 0.3, 0.5, 0.505, 0.515]) == pytest.approx([1, 0.5, 0, 0, 0.5, 1], abs=1e-6)


def test_events_follow_the_rules_of_the_curve():
    track = OnsetTrack((OnsetEvent(0.5, 0.1), OnsetEvent(1.0, 0.2, "scratch", 0.6), OnsetEvent(2.0, 0.05)))
    assert edit_track(track, EnvelopeEdits(gate=0.1)).times.tolist() == [0.5, 1.0]
    assert edit_track(track, EnvelopeEdits(mute=((0.5, 1.0),))).times.tolist() == [1.0, 2.0]
    muted = edit_track(track, EnvelopeEdits(mute=((1.4, 2.0),)))
    assert muted.times.tolist() == [0.5, 1.0, 2.0] and muted.events[1].duration == pytest.approx(0.4)
    mixed = edit_track(track, EnvelopeEdits(scale=3.0, mix_gain=0.5), other=OnsetTrack.at([0.7], 0.4))
    assert mixed.strengths == pytest.approx([0.3, 0.2, 0.6, 0.15])


def test_of_two_events_as_strong_the_first_list_s_stays():
    first, second = OnsetEvent(0.5, 0.1), OnsetEvent(0.505, 0.1)
    for one, two in ((first, second), (second, first)):
        assert editing.louder([one], [two]) == [one]
    assert len(editing.louder([first], [OnsetEvent(0.52, 0.2)])) == 2  # apart


def test_the_room_of_a_recording_is_not_heard(clicks):
    """29 dB under the loudest: by itself loud enough to count."""
    sound = clicks(2.0, [0.4, 1.0, 1.5])
    noise = np.random.default_rng(0).standard_normal(sound.samples.shape).astype(np.float32) * 0.01
    envelope = envelope_from_voice(Audio(sound.samples + noise, sound.rate))
    assert not envelope.at(np.linspace(0.05, 0.35, 50)).any()
    assert onset_times(envelope) == pytest.approx([0.4, 1.0, 1.5], abs=0.012)


def test_soft_sounds_grow_softer(clicks):
    sound = clicks(1.0, [0.2, 0.6])
    sound.samples[:, 22050:] *= 0.3
    plain, wide = (envelope_from_voice(sound, VoiceConfig(expand=expand)).values / 0.1 for expand in (1.0, 2.0))
    np.testing.assert_allclose(wide, plain**2, atol=1e-6)
    assert 0.05 < plain[200:].max() < 0.5
