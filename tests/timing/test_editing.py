"""Edits of envelopes, one by one and together; guides that people make."""

import numpy as np
import pytest

from foleygram.errors import EnvelopeError, UsageError
from foleygram.signal.envelope import envelope_from_hits
from foleygram.signal.onsets import envelope_onsets
from foleygram.timing import editing
from foleygram.timing.editing import EnvelopeEdits, edit
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
    "call", [lambda: editing.scale(HITS, -1), lambda: editing.gate(HITS, float("nan")), lambda: editing.smooth(HITS, -1)]
)
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
