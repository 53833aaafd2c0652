"""Colour and level of the decoded sound: what is asked for comes out, piece by piece as in one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.signal import butter, sosfilt
from tiny import CONFIG, tiny_model

from foleygram.diffusion.sampler import SamplerConfig
from foleygram.finish.matching import FinishConfig, finished, matching_gains, mean_power
from foleygram.finish.palette import COLOURS, PARTIALS, band_centres, palette
from foleygram.gram.audio import preprocess_audio
from foleygram.gram.colour import NATS, colour
from foleygram.gram.sound_net import SoundNetConfig
from foleygram.pipeline import FoleyGRAM
from foleygram.signal.envelope import envelope_from_hits, extract_envelope
from foleygram.types import KNOWN, Audio, Clip

RATE = 44100
BANK = SoundNetConfig(mel=48, frames=300)
CONFIG_ALL = FinishConfig()


def strokes(seed: int = 0, seconds: float = 3.0) -> np.ndarray:
    """Three bursts of noise that die away, stereo; silence between is digital."""
    draw = np.random.default_rng(seed)
    count = round(seconds * RATE)
    time = np.arange(count) / RATE
    shape = sum(np.where(time >= start, np.exp(-(time - start) / 0.05), 0) for start in (0.3, 1.1, 2.0))
    shape[shape < 1e-4] = 0
    return (draw.normal(0, 0.1, (2, count)) * shape).astype(np.float32)


def darker(sound: np.ndarray) -> np.ndarray:
    """What a model might make of it: 6 dB an octave less above 2 kHz, half as loud."""
    return (0.5 * sosfilt(butter(1, 2000, fs=RATE, output="sos"), sound, axis=1)).astype(np.float32)


def colour_of(sound: np.ndarray, bank: SoundNetConfig = BANK) -> np.ndarray:
    return colour(preprocess_audio(Audio(sound, RATE), bank).flatten(0, 1)[None])[0, : bank.mel].numpy()


def finish(pieces, truth: np.ndarray, config: FinishConfig = CONFIG_ALL, told: bool = True) -> np.ndarray:
    guide = extract_envelope(Audio(truth, RATE))
    parts = finished(lambda: iter(pieces), RATE, guide, None, None, colour_of(truth) if told else None, BANK, config)
    return np.concatenate(list(parts), axis=1)


def test_measures_as_the_tower_does():
    own = mean_power([strokes()], RATE, BANK.mel)
    np.testing.assert_allclose(own - own.mean(), colour_of(strokes()), atol=0.01)
    np.testing.assert_allclose(mean_power([strokes(), strokes()], RATE, BANK.mel), own)


def test_a_darker_softer_sound_gets_colour_and_level_back():
    truth, made = strokes(), darker(strokes(1))
    before, after = (
        np.abs(colour_of(sound) - colour_of(truth)).mean() * NATS * 10 / np.log(10) for sound in (made, finish([made], truth))
    )
    assert before > 4 and after < 1.2  # dB
    levels = [np.sqrt((sound**2).mean()) for sound in (finish([made], truth), truth)]
    assert 20 * np.log10(levels[0] / levels[1]) == pytest.approx(0, abs=0.5)


def test_without_reference_the_colour_stays():
    truth, made = strokes(), darker(strokes(1))
    np.testing.assert_allclose(colour_of(finish([made], truth, told=False)), colour_of(made), atol=0.02)


@pytest.mark.parametrize("told", [True, False])
def test_a_palette_that_is_not_asked_for_is_as_none(told):
    truth, made = strokes(), [darker(strokes(1))]
    guide, wanted = extract_envelope(Audio(truth, RATE)), palette(Audio(truth, RATE))

    def result(palette, config) -> np.ndarray:
        parts = finished(lambda: iter(made), RATE, guide, palette, None, colour_of(truth) if told else None, BANK, config)
        return np.concatenate(list(parts), axis=1)

    without = result(None, CONFIG_ALL)
    np.testing.assert_array_equal(result(wanted, CONFIG_ALL.replace(palette_db=0.0)), without)
    assert not np.array_equal(result(wanted, CONFIG_ALL), without)


@pytest.mark.parametrize("cuts", [(44100,), (30000, 31000, 90000)])
def test_pieces_are_finished_as_the_whole_is(cuts):
    truth, made = strokes(), darker(strokes(1))
    config = CONFIG_ALL.replace(colour_db=0.0)
    np.testing.assert_allclose(finish(np.split(made, cuts, axis=1), truth, config), finish([made], truth, config), atol=1e-6)


def test_a_short_sound_is_made_once_and_a_long_one_twice_alike(monkeypatch):
    sound, made = darker(strokes()), []

    def pieces():
        made.append(1)
        return iter(np.split(sound, 4, axis=1))

    def result() -> np.ndarray:
        made.clear()
        guide = extract_envelope(Audio(strokes(), RATE))
        return np.concatenate(list(finished(pieces, RATE, guide, None, None, colour_of(strokes()), BANK, CONFIG_ALL)), axis=1)

    short = result()
    assert len(made) == 1
    monkeypatch.setattr("foleygram.finish.matching.HELD", sound.size // 2)
    np.testing.assert_array_equal(result(), short)
    assert len(made) == 2


def test_little_smears_ahead_of_an_attack(monkeypatch):
    """A sound with noise ahead of its strokes, that the guide's gain alone would leave: its window reaches as far ahead."""
    truth = strokes()
    ahead = np.zeros(truth.shape[1])
    for start in (0.3, 1.1, 2.0):
        place = round(start * RATE)
        ahead[place - 500 : place] = np.sin(np.linspace(0, np.pi / 2, 500)) ** 2
    smeared = truth + (np.random.default_rng(5).normal(0, 0.03, truth.shape) * ahead).astype(np.float32)
    result = finish([smeared], truth, told=False)
    monkeypatch.setattr("foleygram.finish.matching.sharpened_pieces", lambda pieces, rate: pieces)
    by_gain_alone = finish([smeared], truth, told=False)
    early = [slice(round(start * RATE) - 400, round(start * RATE) - 150) for start in (0.3, 1.1, 2.0)]
    left, wanted = (np.mean([np.square(part[:, s]).mean() for s in early]) for part in (by_gain_alone, result))
    assert wanted < 0.2 * left


def test_silence_stays_silent_and_finite():
    assert not finish([np.zeros((2, RATE), np.float32)], strokes()).any()
    assert mean_power([np.zeros((2, 100), np.float32)], RATE, BANK.mel) is None
    assert mean_power([np.zeros((2, RATE), np.float32), 1e-6 * strokes()], RATE, BANK.mel) is None  # under a step of 16 bits


def test_gains_are_bounded_and_keep_the_loudness():
    own = np.linspace(0, -1, 48)
    assert np.allclose(matching_gains(own, own + 0.3, 15), 1)
    gains = matching_gains(own, own[::-1], 15)
    assert 20 * np.log10(gains.max()) <= 15 + 1e-9 and 20 * np.log10(gains.min()) >= -15 - 1e-9
    mild = matching_gains(own, own + 0.05 * np.sin(np.arange(48)), 15)
    power = np.exp(own * NATS)
    assert (power * mild**2).sum() == pytest.approx(power.sum())
    spike = np.log(matching_gains(np.zeros(48), 0.1 * np.eye(48)[20], 15))
    np.testing.assert_allclose((spike - spike[0])[18:23] / (spike - spike[0])[20], [0, 0.5, 1, 0.5, 0], atol=1e-6)  # not a line


@pytest.fixture(scope="module")
def model() -> FoleyGRAM:
    gram = CONFIG.gram.replace(audio=SoundNetConfig(channels=(8, 8), width=16, mel=16, frames=200).model_dump(), colour=True)
    plain = tiny_model()
    config = plain.config.replace(gram=gram.model_dump(), finish=FinishConfig().model_dump())
    with torch.random.fork_rng():
        torch.manual_seed(1)
        finishing = FoleyGRAM(config, plain.gram.tokenizer)
    state = {
        name: value for name, value in plain.state_dict().items() if name in finishing.state_dict() and "gram.audio" not in name
    }
    own = finishing.state_dict()
    finishing.load_state_dict(own | {name: value for name, value in state.items() if value.shape == own[name].shape})
    return finishing.eval().requires_grad_(False)


@pytest.mark.parametrize("seconds", [1.5, 5.0])
def test_a_model_finishes_what_it_made_and_raw_leaves_it(model, seconds):
    """Short clips and long ones, which are made of windows."""
    sound = Audio(strokes(seconds=seconds), RATE)
    guide = envelope_from_hits([(0.3, 0.2), (0.9, 0.1)], seconds)
    clip = Clip(audio=sound, seconds=seconds)
    (made,), (raw,) = model.generate(clip, guide, seed=1), model.generate(clip, guide, seed=1, raw=True)
    assert made.samples.shape == raw.samples.shape
    assert not made.samples[:, : round(0.25 * RATE)].any() and raw.samples[:, : round(0.25 * RATE)].any()
    own = extract_envelope(made).values[: len(guide.values)]
    loud = guide.values > 0.02
    assert np.abs(np.median(20 * np.log10(own[loud] / guide.values[loud]))) < 3
    (plain,) = FoleyGRAM.generate(_without_finish(model), clip, guide, seed=1)
    assert plain.samples.tobytes() == raw.samples.tobytes()


def test_the_palette_is_measured_of_the_reference_and_goes_where_its_point_goes(model):
    sound = Audio(strokes(seconds=1.5), RATE)
    points = model.references(Clip(audio=sound, text="a stroke"))
    np.testing.assert_allclose(points.palette[0], palette(sound), rtol=1e-4, atol=1e-6)
    assert points.only("A").palette is points.palette and points.only("T").palette is None
    assert points.detail.shape == (1, 4) and points.only("T").detail is None
    straight = Audio(np.repeat(sound.samples[:1], 2, axis=0), RATE)
    twisted = model.references(Clip(audio=Audio(straight.samples * np.array([[1], [-1]], np.float32), RATE)))
    np.testing.assert_allclose(twisted.palette, model.references(Clip(audio=straight)).palette, rtol=1e-5, atol=1e-8)
    silent = model.references(Clip(audio=Audio(np.zeros((2, RATE), np.float32), RATE)))
    assert silent.palette is None and silent.detail is None
    assert _without_finish(model).references(Clip(audio=sound)).palette is None
    guide = envelope_from_hits([(0.3, 0.2)], 1.5)
    pieces = [darker(strokes(seconds=1.5, seed=3))]

    def gap(embeddings) -> float:
        made = np.concatenate(list(model.finish(lambda: pieces, guide, [embeddings])), axis=1)
        return np.abs(colour_of(made) - colour_of(sound.samples)).mean()

    read = replace(points, palette=None)  # a reader that was never trained knows nothing
    assert gap(points) < 0.5 * gap(read)
    assert gap(points) == gap(replace(points, audio=None))


def test_few_steps_do_where_the_finish_has_measured_colours_to_give(model, monkeypatch):
    quick = SamplerConfig(steps=2, eta=0.0)
    monkeypatch.setattr(model, "config", model.config.replace(few_step_sampler=quick.model_dump()))
    known = Clip(audio=Audio(strokes(seconds=1.0), RATE), text="a stroke", seconds=1.0)
    guide = envelope_from_hits([(0.3, 0.2)], 1.0)

    def steps(**options) -> int:
        told = []
        model.generate(known, guide, on_step=lambda done, total: told.append(total), **options)
        return told[-1]

    assert CONFIG.sampler.steps == 3
    assert (steps(), steps(use="A"), steps(use="T"), steps(raw=True)) == (2, 2, 3, 3)
    assert steps(steps=5) == steps(use="T", steps=5) == 5
    said = model.sampler_for(model.references(known)).chosen(5, None)
    assert said == quick.replace(steps=5)
    plain = model.config.replace(finish=None)
    monkeypatch.setattr(model, "config", plain)
    assert steps() == 3
    monkeypatch.setattr(model, "config", plain.replace(finish=FinishConfig().model_dump(), few_step_sampler=None))
    assert steps() == 3


def test_no_offset_of_a_reference_comes_into_its_silence(model):
    sound = strokes(seconds=0.6) + np.random.default_rng(1).normal(0, 1e-4, (2, round(0.6 * RATE)))  # nowhere silent
    sound -= sound.mean(axis=1, keepdims=True)
    clean, shifted = (
        model.references(Clip(audio=Audio(np.pad(sound + offset, ((0, 0), (RATE // 2, 0))), RATE))) for offset in (0, 0.05)
    )
    for measured in ("palette", "detail"):
        torch.testing.assert_close(getattr(shifted, measured), getattr(clean, measured), rtol=1e-2, atol=1e-4)


def test_of_a_long_reference_the_loudest_part_is_heard_and_of_a_dull_one_what_it_can_tell(model):
    quiet = np.zeros((2, round(1.2 * model.config.seconds) * RATE), np.float32)
    long = Audio(np.concatenate([strokes(), quiet, quiet], axis=1), RATE)
    told = model.references(Clip(audio=long, seconds=long.seconds))
    alone = model.references(Clip(audio=Audio(long.samples[:, : round(model.config.seconds * RATE)], RATE)))
    assert torch.equal(told.palette, alone.palette) and torch.equal(told.detail, alone.detail)
    low = model.references(Clip(audio=Audio(strokes()[:, ::4], RATE // 4)))
    centres = band_centres(RATE)
    assert (np.isnan(low.palette[0].numpy()).all(axis=0) == (centres >= KNOWN * RATE / 8)).all()


def test_the_latent_gets_the_detail_of_the_reference(model):
    points = model.references(Clip(audio=Audio(strokes(seconds=1.5), RATE), seconds=1.5))
    latent = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (1, model.autoencoder.latent_dim, 40)).astype(np.float32))
    wanted = replace(points, detail=1.2 * model.autoencoder.detail(latent))
    made = model.detailed(latent, [wanted, wanted])  # as of two windows
    first = model.autoencoder.octaves()[0]
    silent = model.autoencoder.to_latent.bias[:, None]
    torch.testing.assert_close((made - silent)[:, first], 1.2 * (latent - silent)[:, first], rtol=1e-4, atol=1e-5)
    assert model.detailed(latent, [points.only("A"), replace(points, detail=None)]) is not latent
    assert model.detailed(latent, [replace(points, detail=None)]) is latent
    assert _without_finish(model).detailed(latent, [wanted]) is latent


def _without_finish(model: FoleyGRAM) -> FoleyGRAM:
    import copy

    other = copy.copy(model)
    other.config = model.config.replace(finish=None)
    return other


def test_the_gain_may_lift_alone_or_lower_alone():
    truth = strokes()
    for factor in (0.5, 2.0):
        for name in ("boost_db", "cut_db"):
            config = CONFIG_ALL.replace(colour_db=0.0, palette_db=0.0, **{name: 0.0})
            wanted = 1.0 if (factor < 1) == (name == "cut_db") else factor
            result = finish([(factor * truth).astype(np.float32)], truth, config)
            assert result.std() / truth.std() == pytest.approx(wanted, rel=0.03)


def test_partials_come_after_the_palette_and_are_as_none_where_they_are_not_asked_for(monkeypatch):
    truth, made = strokes(), [darker(strokes(1))]
    guide = extract_envelope(Audio(truth, RATE))
    colours, lines = palette(Audio(truth, RATE)), palette(Audio(truth, RATE), grain=PARTIALS)

    def result(partials, config=CONFIG_ALL, colours=colours) -> np.ndarray:
        return np.concatenate(list(finished(lambda: iter(made), RATE, guide, colours, partials, None, BANK, config)), axis=1)

    without = result(None)
    np.testing.assert_array_equal(result(lines, CONFIG_ALL.replace(partials_db=0.0)), without)
    np.testing.assert_array_equal(result(lines, colours=None), result(None, colours=None))

    def far(sound: np.ndarray) -> float:
        apart = 10 * np.log10((palette(Audio(sound, RATE), grain=PARTIALS) + 1e-7) / (lines + 1e-7))
        strengths = np.abs(apart).reshape(len(PARTIALS.moments), len(PARTIALS.strengths), -1)
        return float(strengths[:, :3].mean())  # these strokes die away at once: what is fainter is no sound

    assert far(result(lines)) < 0.9 * far(without)
    turns = []

    def painted(pieces, rate, guide, wanted, limit, grain):
        turns.append((wanted is lines, limit, grain))
        return pieces

    monkeypatch.setattr("foleygram.finish.matching.painted", painted)
    result(lines)
    assert turns == [(False, CONFIG_ALL.palette_db, COLOURS), (True, CONFIG_ALL.partials_db, PARTIALS)]


def test_a_long_sound_is_made_once_more_for_each_palette(monkeypatch):
    truth, sound, made = Audio(strokes(), RATE), darker(strokes(1)), []

    def pieces():
        made.append(1)
        return iter(np.split(sound, 4, axis=1))

    def result() -> np.ndarray:
        made.clear()
        known = palette(truth), palette(truth, grain=PARTIALS)
        return np.concatenate(list(finished(pieces, RATE, extract_envelope(truth), *known, None, BANK, CONFIG_ALL)), axis=1)

    short = result()
    assert len(made) == 1
    monkeypatch.setattr("foleygram.finish.matching.HELD", sound.size // 2)
    np.testing.assert_array_equal(result(), short)
    assert len(made) == 3
