"""Palettes: measured without time, laid on another sound, piece by piece as at once."""

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt

import foleygram.finish.palette
from foleygram.finish.palette import (
    BORDER,
    COLOURS,
    PARTIALS,
    SILENT,
    Measured,
    Shading,
    band_centres,
    band_matrices,
    fitted_gains,
    hats,
    known_shades,
    measured_gains,
    nearest,
    palette,
    repainted,
)
from foleygram.media.audio import read_audio
from foleygram.signal.envelope import envelope_from_hits, extract_envelope
from foleygram.types import ENVELOPE_RATE, Audio, Envelope

RATE = 44100
MOMENTS, STRENGTHS, SHADES, STEP, WINDOW = COLOURS.moments, COLOURS.strengths, COLOURS.shades, COLOURS.step, COLOURS.window
COUNT = len(band_centres(RATE))
ATTACK = MOMENTS.index(0.006) * len(STRENGTHS)  # the loudest shade just after an attack
DYING = MOMENTS.index(0.25) * len(STRENGTHS) + 1  # and one of what rings on
STRONG = [moment * len(STRENGTHS) for moment in range(2, 8)] + [moment * len(STRENGTHS) + 1 for moment in range(8, 12)]
"""Shades that strokes go through."""


def strokes(seed: int = 0, times: tuple[float, ...] = (0.3, 1.1, 2.0), bright: bool = False, seconds: float = 3.0):
    """Float32 [2, sample]: bursts of noise that die away; ``bright``: highs die four times as fast, as in things that ring."""
    draw = np.random.default_rng(seed)
    count = round(seconds * RATE)
    time = np.arange(count) / RATE
    noise = draw.normal(0, 0.1, (2, count))
    low = sosfilt(butter(4, 3000, fs=RATE, output="sos"), noise, axis=1)
    parts = [(low, 0.2), (noise - low, 0.05 if bright else 0.2)]
    shapes = [sum(np.where(time >= start, np.exp(-(time - start) / decay), 0) for start in times) for _, decay in parts]
    return sum(part * shape for (part, _), shape in zip(parts, shapes, strict=True)).astype(np.float32)


def painted(pieces: list[np.ndarray], truth: np.ndarray, limit: float = 30.0) -> np.ndarray:
    guide = extract_envelope(Audio(np.concatenate(pieces, axis=1), RATE))
    gains = measured_gains(pieces, RATE, guide, palette(Audio(truth, RATE)), limit)
    return np.concatenate(list(repainted(pieces, RATE, guide, gains)), axis=1)


def distance(sound: np.ndarray, truth: np.ndarray) -> float:
    """Mean difference of two palettes in the stronger shades (dB)."""
    a, b = (10 * np.log10(palette(Audio(part, RATE)) + 1e-6) for part in (sound, truth))
    return float(np.abs(a - b)[STRONG].mean())


def test_a_palette_has_a_share_for_each_band_of_each_shade_and_knows_neither_level_nor_time():
    own = palette(Audio(strokes(), RATE))
    assert own.shape == (SHADES, COUNT) and COUNT <= COLOURS.bands and own.dtype == np.float32
    np.testing.assert_allclose(own.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(palette(Audio(0.1 * strokes(), RATE)), own, rtol=1e-3, atol=1e-6)
    shifted = np.roll(strokes(), 40 * STEP, axis=1)
    assert distance(shifted, strokes()) < 1.0
    assert palette(Audio(np.zeros((2, RATE), np.float32), RATE)) is None
    faint = 0.9 * SILENT * strokes() / np.abs(strokes()).max()
    assert palette(Audio(faint, RATE)) is None and palette(Audio(1.2 * faint, RATE)) is not None


def test_what_rings_is_brighter_when_struck_than_as_it_dies():
    own = palette(Audio(strokes(bright=True), RATE))
    highs = own[:, COUNT // 2 :].sum(axis=1)
    assert highs[ATTACK] > 2 * highs[DYING]


def test_a_sound_takes_the_palette_of_another():
    truth, made = strokes(bright=True), strokes(1, (0.5, 1.0, 2.2))
    result = painted([made], truth)
    assert result.shape == made.shape and result.dtype == np.float32
    assert distance(made, truth) > 3 and distance(result, truth) < 0.4 * distance(made, truth)


def test_bands_that_a_palette_does_not_tell_of_get_the_gain_of_the_highest_that_it_does():
    sound, told = strokes(), COUNT - 40
    wanted = palette(Audio(sound, RATE)) * np.geomspace(1, 30, COUNT)
    wanted[:, told:] = np.nan
    gains = measured_gains([sound], RATE, extract_envelope(Audio(sound, RATE)), wanted, 30.0)
    border = gains[:, told - BORDER : told].mean(axis=1, keepdims=True)
    assert np.abs(border).min() > 1
    np.testing.assert_allclose(gains[:, told:], np.repeat(border, 40, axis=1), rtol=1e-6)


def test_more_rounds_come_nearer(monkeypatch):
    truth, sound = strokes(1, bright=True), strokes(2)
    far = []
    for rounds in (1, foleygram.finish.palette.ROUNDS):
        monkeypatch.setattr(foleygram.finish.palette, "ROUNDS", rounds)
        far.append(distance(painted([sound], truth), truth))
    assert far[1] < 0.95 * far[0]


def test_its_own_palette_changes_nothing_much():
    sound = strokes()
    apart = np.linalg.norm(painted([sound], sound) - sound) / np.linalg.norm(sound)
    assert apart < 0.12


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 3 * RATE - 1), max_size=4, unique=True), st.sampled_from([COLOURS, PARTIALS]))
def test_pieces_are_painted_as_the_whole_is(cuts, grain):
    sound = strokes(1)
    guide = extract_envelope(Audio(sound, RATE))
    gains = np.random.default_rng(0).normal(0, 6, (grain.shades, len(band_centres(RATE, grain))))
    whole = np.concatenate(list(repainted([sound], RATE, guide, gains, grain)), axis=1)
    parts = np.concatenate(list(repainted(np.split(sound, sorted(cuts), axis=1), RATE, guide, gains, grain)), axis=1)
    assert parts.shape == sound.shape
    np.testing.assert_allclose(parts, whole, atol=1e-6)


@pytest.mark.parametrize("grain", [COLOURS, PARTIALS])
@pytest.mark.parametrize("count", [1, 100, STEP, 1024, 5000])
def test_no_gain_gives_back_the_sound_of_any_length(count, grain):
    sound = np.random.default_rng(0).normal(0, 0.1, (2, count)).astype(np.float32)
    guide = envelope_from_hits([(0.0, 0.3)], max(count / RATE, 0.01))
    gains = np.zeros((grain.shades, len(band_centres(RATE, grain))))
    same = np.concatenate(list(repainted([sound], RATE, guide, gains, grain)), axis=1)
    np.testing.assert_allclose(same, sound, atol=1e-6)


def test_a_band_that_is_lifted_comes_out_louder_by_that():
    time = np.arange(RATE) / RATE
    tone = 0.1 * np.sin(2 * np.pi * 5000 * time)[None].repeat(2, axis=0).astype(np.float32)
    guide = extract_envelope(Audio(tone, RATE))
    louder = np.concatenate(list(repainted([tone], RATE, guide, np.full((SHADES, COUNT), 6.0))), axis=1)
    np.testing.assert_allclose(louder[:, 2000:-2000], tone[:, 2000:-2000] * 10 ** (6 / 20), atol=1e-4)


def test_bands_are_even_in_mel_but_no_narrower_than_a_bin():
    centres, (filters, spread) = band_centres(RATE), band_matrices(RATE, COLOURS)
    apart = np.diff(centres)
    assert centres[0] == 0 and COUNT < COLOURS.bands and apart.min() == pytest.approx(RATE / WINDOW)
    # as wide as whole bins allow, bands grow with frequency
    assert apart[-10:].mean() > 3 * apart[:10].mean() and (np.diff(apart) > -1.5 * RATE / WINDOW).all()
    assert filters.shape == (COUNT, WINDOW // 2 + 1) and spread.shape == (WINDOW // 2 + 1, COUNT)
    np.testing.assert_allclose(filters.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(spread.sum(axis=1), 1, rtol=1e-5)


@given(st.lists(st.floats(-2, 5), min_size=1, max_size=5))
def test_a_place_belongs_to_the_two_knots_beside_it(places):
    grid = np.array([0.0, 1.0, 3.0])
    shares = hats(np.array(places), grid)
    np.testing.assert_allclose(shares.sum(axis=0), 1)
    np.testing.assert_allclose(grid @ shares, np.clip(places, 0, 3))


def test_shades_share_each_moment_out_and_part_by_part_as_at_once():
    shading = Shading(extract_envelope(Audio(strokes(), RATE)), RATE, COLOURS)
    whole = shading.of(-1, 500)
    np.testing.assert_allclose(whole.sum(axis=0), 1, rtol=1e-5)
    np.testing.assert_array_equal(np.concatenate([shading.of(-1, 200), shading.of(199, 300)], axis=1), whole)
    moments = whole.reshape(len(MOMENTS), len(STRENGTHS), -1).sum(axis=1)
    struck = round(0.3 * RATE / STEP) + 1  # frame -1 is the first
    assert moments[MOMENTS.index(0.0), struck] > 0.7 and moments[MOMENTS.index(0.25), struck + round(0.25 * RATE / STEP)] > 0.9
    assert moments[-1, : struck - 4].min() > 0.99 and moments[:2, struck - 2].sum() > 0.99  # long after one; just ahead of one


def test_a_moment_belongs_to_the_two_strengths_beside_its_level():
    """So the strengths weighted by what belongs to them are the level again, from the loudest to the softest one."""
    decibels = -np.linspace(0, 60, round(2 * ENVELOPE_RATE))
    shading = Shading(Envelope(0.3 * 10 ** (decibels / 20)), RATE, COLOURS)
    count = round(1.9 * RATE / STEP)
    strengths = shading.of(0, count).reshape(len(MOMENTS), len(STRENGTHS), -1).sum(axis=0)
    expected = np.interp(np.arange(count) * STEP / RATE, shading.guide.times, decibels)
    np.testing.assert_allclose(np.array(STRENGTHS) @ strengths, np.maximum(expected, STRENGTHS[-1]), atol=0.01)
    assert ((strengths > 1e-6).sum(axis=0) <= 2).all()


def test_a_shade_is_known_by_half_a_frame_with_power():
    powers, weights = np.ones((4, 3)), np.array([0.49, 0.51, 3.0, 3.0])
    powers[3] = 0
    assert known_shades(weights, powers).tolist() == [False, True, True, False]
    assert known_shades(0.1 * weights, powers).tolist() == [False, False, True, False]  # less in all: the most there is


def test_what_has_no_attack_is_long_after_one():
    shading = Shading(extract_envelope(Audio(np.zeros((2, RATE), np.float32), RATE)), RATE, COLOURS)
    whole = shading.of(0, 50).reshape(len(MOMENTS), len(STRENGTHS), -1)
    assert not len(shading.attacks) and (whole[-1].sum(axis=0) == 1).all() and not whole[:-1].any()


def test_an_unknown_shade_has_the_colour_of_the_nearest():
    rows = np.arange(SHADES, dtype=float)[:, None].repeat(2, axis=1)
    known, wide = np.zeros(SHADES, bool), len(STRENGTHS)
    known[[0, 3 * wide, 3 * wide + 2]] = True
    filled = nearest(rows, known, COLOURS)[:, 0].reshape(len(MOMENTS), wide)
    assert (filled[0] == 0).all() and filled[1].tolist() == [0, 0, 3 * wide + 2, 3 * wide + 2]
    assert (filled[4:, 0] == 3 * wide).all() and (filled[4:, 3] == 3 * wide + 2).all()
    known[3 * wide + 2] = False
    assert nearest(rows, known, COLOURS)[-1, 0] == 3 * wide


def test_gains_have_a_limit_and_silence_none():
    guide = extract_envelope(Audio(strokes(), RATE))
    wanted = np.zeros((SHADES, COUNT))
    wanted[:, 5] = 1.0
    gains = measured_gains([strokes()], RATE, guide, wanted, 12.0)
    assert np.abs(gains).max() == pytest.approx(12.0)
    assert np.abs(measured_gains([strokes()], RATE, guide, wanted, 20.0)).max() == pytest.approx(20.0)
    silent = Measured(COLOURS)
    silent.add(np.zeros((2, 50, WINDOW), np.float32), Shading(guide, RATE, COLOURS).of(0, 50), RATE)
    assert not fitted_gains(silent, wanted, 12.0).any()
    assert not measured_gains([], RATE, guide, wanted, 12.0).any() and list(repainted([], RATE, guide, gains)) == []


@pytest.mark.parametrize("count", [2, 100, 2000])
def test_a_very_short_reference_has_a_palette(count):
    own = palette(Audio(np.random.default_rng(0).normal(0, 0.1, (2, count)).astype(np.float32), RATE))
    np.testing.assert_allclose(own.sum(axis=1), 1, rtol=1e-5)


def test_one_stroke_tells_what_four_do():
    one, four = strokes(2, (0.3,), bright=True, seconds=1.0), strokes(2, (0.3, 1.3, 2.3, 3.3), bright=True, seconds=4.3)
    a, b = (10 * np.log10(palette(Audio(sound, RATE)) + 1e-6) for sound in (one, four))
    # an average of four spectra of noise is smoother, so octaves are compared
    bright = [
        rows[:, : COUNT // 8 * 8].reshape(SHADES, 8, -1).mean(axis=2)[[ATTACK, ATTACK + len(STRENGTHS)]] for rows in (a, b)
    ]
    assert np.abs(bright[0] - bright[1]).mean() < 2


def test_a_sound_that_begins_at_once_has_an_attack():
    sound = strokes(bright=True)[:, round(0.3 * RATE) :]
    highs = palette(Audio(sound, RATE))[:, COUNT // 2 :].sum(axis=1)
    assert highs[ATTACK] > 2 * highs[DYING]


@pytest.mark.parametrize("silent", [0, 3 * RATE])
def test_an_offset_is_no_sound_and_comes_into_no_silence(silent):
    sound = strokes() + np.random.default_rng(1).normal(0, 1e-4, strokes().shape)  # nowhere silent itself
    sound -= sound.mean(axis=1, keepdims=True)
    clean, shifted = (np.pad(sound + offset, ((0, 0), (0, silent))).astype(np.float32) for offset in (0, 0.02))
    np.testing.assert_allclose(palette(Audio(shifted, RATE)), palette(Audio(clean, RATE)), rtol=1e-2, atol=1e-4)
    assert palette(Audio(np.full((2, 5000), 0.1, np.float32), RATE)) is None


def test_what_a_reference_cannot_tell_goes_on_as_it_was(tmp_path):
    """A file of 16 kHz tells nothing of what lies above 7.2 kHz, where its resampler begins to fall: white hits stay white."""

    def white(rate: int) -> np.ndarray:
        time, draw = np.arange(2 * rate) / rate, np.random.default_rng(rate)
        decay = sum(np.where(time >= start, np.exp(-(time - start) / 0.05), 0.0) for start in (0.2, 0.8, 1.3))
        return 0.1 * draw.standard_normal((1, len(time))) * decay

    sf.write(tmp_path / "dull.wav", white(16000).T, 16000)
    reference, sound = read_audio(tmp_path / "dull.wav"), Audio(white(RATE), RATE)
    assert reference.rate == RATE and reference.lowest_rate == 16000
    for grain in (COLOURS, PARTIALS):
        wanted = palette(reference.stereo().loudest(1.5), grain)
        known = band_centres(RATE, grain) < 7200
        assert (np.isfinite(wanted) == known).all()
        np.testing.assert_allclose(np.nansum(wanted, axis=1), 1, rtol=1e-5)
        gains = measured_gains([sound.samples], RATE, extract_envelope(sound), wanted, 40.0, grain)
        last = np.flatnonzero(known)[-1]
        assert (gains[:, last + 1 :] == gains[:, last + 1 :][:, :1]).all()
        assert np.abs(gains[:, last + 1 :]).max() < 6


def test_of_a_long_sound_fewer_frames_are_held(monkeypatch):
    truth, sound = palette(Audio(strokes(bright=True), RATE)), strokes(1)
    guide = extract_envelope(Audio(sound, RATE))
    pieces = np.split(sound, 6, axis=1)
    whole = measured_gains(pieces, RATE, guide, truth, 30.0)
    monkeypatch.setattr("foleygram.finish.palette.HELD", 200 * STEP)
    fewer = measured_gains(pieces, RATE, guide, truth, 30.0)
    assert not (fewer == whole).all() and np.abs(fewer - whole)[STRONG].mean() < 3


def test_frames_that_are_passed_over_count(monkeypatch):
    part, belongs = np.zeros((2, 40, WINDOW), np.float32), np.random.default_rng(0).random((SHADES, 40)).astype(np.float32)
    monkeypatch.setattr("foleygram.finish.palette.HELD", 100 * STEP)
    measured = Measured(COLOURS)
    for _ in range(20):
        measured.add(part, belongs, RATE)
    assert measured.apart > 2 and measured.count <= 100
    assert measured.weights().sum() == pytest.approx(20 * belongs.sum(), rel=0.1)


def test_little_sounds_before_its_cause():
    """More than 12 ms before an attack, half a window, next to nothing is heard, whatever the gains."""
    sound = np.zeros((2, RATE), np.float32)
    sound[:, 20000:] = strokes(3, (0.0,), seconds=1.0)[:, : RATE - 20000]
    guide = extract_envelope(Audio(sound, RATE))
    gains = np.random.default_rng(0).normal(0, 10, (SHADES, COUNT))
    made = np.concatenate(list(repainted([sound], RATE, guide, gains)), axis=1)
    assert not made[:, : 20000 - WINDOW].any()
    parts = made[:, 20000 - WINDOW : 20000 - 530], made[:, 20000:20441]
    ahead, after = (np.square(part, dtype=np.float64).mean() for part in parts)
    assert 10 * np.log10(ahead / after) < -25


def chime(lines: tuple[float, ...], seed: int = 0) -> np.ndarray:
    """Float32 [2, sample]: strokes of noise on something that rings at these Hz for a while."""
    time, draw = np.arange(3 * RATE) / RATE, np.random.default_rng(seed)
    ring = sum(np.sin(2 * np.pi * line * time + draw.uniform(0, 6)) for line in lines) / len(lines)
    made = 0.3 * strokes(seed) + 0.002 * draw.normal(size=(2, len(time)))
    for start in (0.3, 1.1, 2.0):
        made = made + 0.1 * ring * np.where(time >= start, np.exp(-np.maximum(time - start, 0) / 0.3), 0)
    return made.astype(np.float32)


def test_partials_tell_lines_apart_that_colours_cannot():
    """Two lines 108 Hz apart: between them colours have no band to themselves."""
    sound = Audio(chime((2000.0, 2108.0)), RATE)
    ringing = PARTIALS.moments.index(0.2) * len(PARTIALS.strengths) + 1
    lines = palette(sound, grain=PARTIALS)[ringing]
    centres = band_centres(RATE, PARTIALS)
    assert len(centres) == 343 == len(lines)
    first, between, second = (int(np.argmin(np.abs(centres - hertz))) for hertz in (2000, 2054, 2108))
    assert min(lines[first], lines[second]) > 4 * lines[between]
    ringing = MOMENTS.index(0.25) * len(STRENGTHS) + 1
    colours, centres = palette(sound)[ringing], band_centres(RATE)
    inside = colours[(centres > 1990) & (centres < 2118)]
    assert inside.max() < 4 * inside.min()  # one hill


def test_noise_gets_the_lines_of_a_reference_between_its_attacks():
    truth, made = chime((3000.0, 7100.0)), strokes(1, (0.5, 1.4, 2.3))
    guide, wanted = extract_envelope(Audio(made, RATE)), palette(Audio(truth, RATE), grain=PARTIALS)
    gains = measured_gains([made], RATE, guide, wanted, 40.0, PARTIALS)
    result = np.concatenate(list(repainted([made], RATE, guide, gains, PARTIALS)), axis=1)

    def far(sound: np.ndarray) -> float:
        there = palette(Audio(sound, RATE), grain=PARTIALS)
        shade = PARTIALS.moments.index(0.2) * len(PARTIALS.strengths) + 1
        return float(np.abs(10 * np.log10((there[shade] + 1e-7) / (wanted[shade] + 1e-7))).mean())

    assert far(result) < 0.5 * far(made)


def test_the_room_between_hits_is_not_painted_like_the_late_ring():
    """A chime in a room that hisses 77 dB under it: by the strengths of the colours alone the room would ring."""
    time = np.arange(3 * RATE) / RATE
    ring = np.sin(2 * np.pi * 3000 * time) * np.where(time >= 0.1, np.exp(-np.maximum(time - 0.1, 0) / 0.05), 0)
    room = 1e-4 * np.random.default_rng(0).normal(size=(2, len(time)))
    lines = palette(Audio((0.9 * ring + room).astype(np.float32), RATE), grain=PARTIALS)
    late = lines.reshape(len(PARTIALS.moments), len(PARTIALS.strengths), -1)[-1]
    line = int(np.argmin(np.abs(band_centres(RATE, PARTIALS) - 3000)))
    assert max(late[-2:, line]) < 0.1 < 0.5 < late[len(COLOURS.strengths) - 1, line]


def test_partials_keep_clear_of_attacks():
    """Within 30 ms of one no frame counts, from 50 ms on all of it does."""
    guide = envelope_from_hits([(0.5, 0.3), (1.0, 0.3)], 2.0)
    shading = Shading(guide, RATE, PARTIALS)
    whole = shading.of(0, round(1.9 * RATE / PARTIALS.step)).sum(axis=0)
    times = np.arange(len(whole)) * PARTIALS.step / RATE
    apart = np.abs(times[:, None] - shading.attacks).min(axis=1)
    assert len(shading.attacks) == 2 and not whole[apart <= 0.03].any()
    np.testing.assert_allclose(whole[apart >= 0.05], 1, rtol=1e-5)
    assert ((whole > 0) & (whole < 1)).any()
