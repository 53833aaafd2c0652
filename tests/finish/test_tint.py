"""Tints: measured without time and level, laid on what a sampler believes, in pieces as at once."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt

import foleygram.finish.tint
from foleygram.diffusion.spectral import SpectralAutoencoder, SpectralAutoencoderConfig
from foleygram.finish.matching import FinishConfig
from foleygram.finish.palette import FEWEST
from foleygram.finish.tint import FEWEST_LENT, LIMIT, MOMENTS, STRENGTHS, UNTIL, as_strong, shading, shifts, tint, tinted
from foleygram.signal.envelope import envelope_from_hits, extract_envelope
from foleygram.types import Audio, Clip, Envelope
from tests.finish.test_palette import strokes
from tests.tiny import tiny_model

RATE = 44100
BINS = 129


@pytest.fixture(scope="module")
def codec() -> SpectralAutoencoder:
    """A code that keeps everything: as many directions as magnitudes, turned at random; silence is not at its zero."""
    config = SpectralAutoencoderConfig(window=256, step=64, latent_dim=2 * BINS * 4, hidden=16, blocks=1)
    torch.manual_seed(1)
    made = SpectralAutoencoder(config)
    turned, _ = torch.linalg.qr(torch.randn(config.latent_dim, config.latent_dim))
    silent = torch.randn(config.latent_dim)
    made.to_latent.weight.data, made.to_latent.bias.data = turned.contiguous(), silent
    made.to_magnitude.weight.data, made.to_magnitude.bias.data = turned.T.contiguous(), -turned.T @ silent
    return made.eval().requires_grad_(False)


def latent_of(codec: SpectralAutoencoder, sound: np.ndarray) -> torch.Tensor:
    return codec.encode(torch.from_numpy(np.ascontiguousarray(sound))[None])


def tint_of(codec: SpectralAutoencoder, sound: np.ndarray) -> torch.Tensor:
    return tint(latent_of(codec, sound), Audio(sound, RATE), codec)


def dull(sound: np.ndarray) -> np.ndarray:
    return sosfilt(butter(2, 1500, fs=RATE, output="sos"), sound, axis=1).astype(np.float32)


def known(*tints: torch.Tensor) -> torch.Tensor:
    return torch.stack([each.isfinite().all(1) for each in tints]).all(0)


def loudness(codec: SpectralAutoencoder, latent: torch.Tensor) -> torch.Tensor:
    return codec.frames(latent)[0].norm(dim=(0, 2))


def moved_to(codec, latent: torch.Tensor, wanted: torch.Tensor, guide: Envelope, **options) -> torch.Tensor:
    return tinted(lambda x, sigma: latent, codec, wanted, guide, **options)(latent, UNTIL)


def test_a_tint_knows_neither_level_nor_time(codec):
    sound = strokes()
    own = tint_of(codec, sound)
    assert own.shape == (len(MOMENTS) * len(STRENGTHS), codec.latent_dim) and known(own).sum() > 10
    for other in (0.2 * sound, np.roll(sound, 40 * codec.hop, axis=1)):
        there = tint_of(codec, np.ascontiguousarray(other))
        both = known(own, there)
        assert both.sum() > 10
        assert (there - own)[both].norm() < 0.1 * own[both].norm()


def test_silence_and_sounds_that_do_not_tell_their_highs_have_no_tint(codec):
    sound = strokes()
    assert tint_of(codec, np.zeros((2, RATE), np.float32)) is None
    low = dataclasses.replace(Audio(sound, RATE), recorded=32000)
    assert low.known_hz < RATE / 2
    assert tint(latent_of(codec, sound), low, codec) is None


def test_shades_that_a_sound_does_not_go_through_lend_nothing(codec):
    stroke = known(tint_of(codec, strokes(times=(0.3,), seconds=0.45))).view(len(MOMENTS), len(STRENGTHS))
    assert not stroke[-1, :-1].any() and stroke[1, 0]  # nothing sounds half a second after its attack


def test_a_shade_lends_what_it_has_of_a_whole_position(codec):
    sound = strokes()
    latent = latent_of(codec, sound)
    weights = shading(extract_envelope(Audio(sound, RATE)), codec).of(0, latent.shape[-1]).sum(axis=1)
    assert np.array_equal(known(tint_of(codec, sound)), weights >= FEWEST_LENT)
    assert ((weights > 0) & (weights < FEWEST_LENT)).sum() > 3
    moment = np.ascontiguousarray(sound[:, round(0.3 * RATE) :][:, :64])
    assert latent_of(codec, moment).shape[-1] == 1 and tint_of(codec, moment) is None  # one position in several shades


@given(st.integers(0, 2**20), st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_shifts_move_the_mean_of_each_known_shade_to_the_wanted_one(seed, shades):
    draw = torch.Generator().manual_seed(seed)
    belongs = torch.eye(shades)[:, torch.arange(40) % shades] + 0.05 * torch.rand(shades, 40, generator=draw)
    belongs = belongs / belongs.sum(0)
    positions, wanted = torch.rand(40, 7, generator=draw), torch.rand(shades, 7, generator=draw)
    weights = belongs.sum(1, keepdim=True)
    mean, mixed = belongs @ positions / weights, belongs @ belongs.T / weights
    there = torch.rand(shades, generator=draw) < 0.8
    found = shifts(mean, mixed, wanted, there)
    after = belongs @ (positions + belongs.T @ found) / weights
    assert not found[~there].any()
    assert (after - wanted)[there].norm() <= 0.1 * (mean - wanted)[there].norm() + 1e-6


@pytest.mark.parametrize("gain", [1.0, 0.25])
def test_an_estimate_takes_the_tint_at_the_level_of_its_guide(codec, gain, monkeypatch):
    wanted, other = tint_of(codec, strokes(seed=1)), gain * dull(strokes())
    guide = extract_envelope(Audio(other, RATE))
    latent = latent_of(codec, other)

    def after(share: float) -> torch.Tensor:
        now = tint(moved_to(codec, latent, wanted, guide, share=share), Audio(other, RATE), codec)
        both = known(wanted, now)
        assert both.sum() > 10
        return now[both], wanted[both]

    def apart(share: float) -> float:
        """Of directions: each frame keeps its strength."""
        return float((1 - torch.nn.functional.cosine_similarity(*after(share))).mean())

    assert apart(1.0) < 0.4 * apart(0.0) and apart(1.0) < apart(0.5) < 0.7 * apart(0.0)
    monkeypatch.setattr(foleygram.finish.tint, "as_strong", lambda moved, before, autoencoder: moved)
    now, there = after(1.0)
    assert (now - there).norm() < 0.1 * there.norm()


def test_shades_that_an_estimate_hardly_goes_through_are_left_alone(codec, monkeypatch):
    sound, asked = strokes(), []
    latent, guide = latent_of(codec, sound), extract_envelope(Audio(sound, RATE))
    weights = shading(guide, codec).of(0, latent.shape[-1]).sum(axis=1)
    assert ((weights > 0) & (weights < FEWEST)).sum() > 3

    def shifts(mean, mixed, wanted, known):
        asked.append(known)
        return torch.zeros_like(mean)

    monkeypatch.setattr(foleygram.finish.tint, "shifts", shifts)
    moved_to(codec, latent, torch.ones(len(weights), codec.latent_dim), guide)
    assert np.array_equal(asked[0], weights >= FEWEST)


def test_each_frame_keeps_its_strength(codec):
    sound = dull(strokes())
    latent = latent_of(codec, sound)
    was = loudness(codec, latent)
    heard = was > 0.3 * was.max()
    moved = moved_to(codec, latent, tint_of(codec, strokes(bright=True)), extract_envelope(Audio(sound, RATE)))
    assert heard.sum() > 100 and (moved - latent).abs().max() > 0.1
    torch.testing.assert_close(loudness(codec, moved)[heard], was[heard], rtol=0.02, atol=1e-3)


def test_strengths_are_restored_within_a_limit_and_frame_by_frame(codec):
    latent = latent_of(codec, strokes())
    was = loudness(codec, latent)
    factors = torch.tensor([0.1, 2.0, 0.5, 10.0]).repeat(latent.shape[-1])
    louder = codec.shifted(latent, codec.frames(latent) * (factors - 1)[:, None])
    torch.testing.assert_close(loudness(codec, louder), factors * was, rtol=1e-3, atol=1e-4)
    now = loudness(codec, as_strong(louder, latent, codec))
    for changed, left in ((0.1, 0.1 * LIMIT), (2.0, 1.0), (0.5, 1.0), (10.0, 10 / LIMIT)):
        there = factors == changed
        torch.testing.assert_close(now[there], left * was[there], rtol=1e-3, atol=1e-3)


def test_frames_of_no_strength_stay_so(codec):
    code, nothing = copy.deepcopy(codec), torch.zeros(1, codec.latent_dim, 8)
    code.to_magnitude.bias.zero_()
    assert not code.frames(nothing).any() and torch.equal(as_strong(nothing, nothing, code), nothing)


def test_low_noise_levels_and_silent_guides_are_left_alone(codec):
    latent = latent_of(codec, dull(strokes()))
    wanted, guide = tint_of(codec, strokes(bright=True)), extract_envelope(Audio(dull(strokes()), RATE))
    estimate = tinted(lambda x, sigma: latent, codec, wanted, guide)
    assert estimate(latent, 0.99 * UNTIL) is latent and not torch.equal(estimate(latent, UNTIL), latent)
    silent = envelope_from_hits([], 3.0)
    assert torch.equal(moved_to(codec, latent, wanted, silent), latent)
    nothing = torch.full_like(wanted, torch.nan)
    torch.testing.assert_close(moved_to(codec, latent, nothing, guide), latent, rtol=1e-4, atol=1e-4)


def test_frames_of_a_long_estimate_are_looked_at_in_pieces(codec, monkeypatch):
    sound = dull(strokes())
    latent, guide = latent_of(codec, sound), extract_envelope(Audio(sound, RATE))
    wanted = tint_of(codec, strokes(bright=True))
    whole = moved_to(codec, latent, wanted, guide)
    monkeypatch.setattr(foleygram.finish.tint, "PIECE", 37)
    torch.testing.assert_close(moved_to(codec, latent, wanted, guide), whole, atol=1e-4, rtol=1e-4)


def test_a_model_tints_where_it_has_a_finish_unless_raw():
    model, clip = tiny_model(), Clip(audio=Audio(strokes(seconds=1.5, times=(0.3, 0.9)), RATE))
    model.config = model.config.replace(finish=FinishConfig())
    points, guide = model.references(clip), extract_envelope(clip.audio)
    assert points.tint.shape == (1, len(MOMENTS) * len(STRENGTHS), model.autoencoder.latent_dim)
    assert points.only("A").tint is points.tint

    def steered(share: float | None, raw: bool = False, lent=points) -> bool:
        model.config = model.config.replace(finish=None if share is None else FinishConfig(tint=share))

        def denoise(x, sigma):
            return x

        with model.sampling(denoise, guide, [lent], raw) as found:
            return found is not denoise

    assert steered(1.0) and steered(0.5)
    assert not steered(0.0) and not steered(None) and not steered(1.0, raw=True)
    assert not steered(1.0, lent=dataclasses.replace(points, tint=None))


@pytest.mark.parametrize("seconds", [1.5, 3.5])  # at once, and in windows
def test_the_tint_is_heard(seconds):
    model = tiny_model()
    clip = Clip(audio=Audio(strokes(seconds=seconds, times=(0.3, 0.9, seconds - 0.4)), RATE))
    guide = extract_envelope(clip.audio)
    sounds = []
    for share in (0.0, 1.0, 1.0):
        model.config = model.config.replace(finish=FinishConfig(tint=share))
        sounds.append(model.generate(clip, guide)[0].samples)
    assert np.array_equal(sounds[1], sounds[2]) and np.abs(sounds[1] - sounds[0]).max() > 1e-3


def test_with_offload_the_autoencoder_is_there_while_estimates_take_a_tint(moves):
    model, clip = tiny_model(), Clip(audio=Audio(strokes(seconds=1.5, times=(0.3, 0.9)), RATE))
    model.config = model.config.replace(finish=FinishConfig())
    guide = extract_envelope(clip.audio)
    (expected,) = model.generate(clip, guide)
    model.place("cpu", "fp32", offload=True)
    model.working_device = torch.device("cpu", 0)  # tells the two apart, and is the same memory
    (sound,) = model.generate(clip, guide)
    assert np.array_equal(sound.samples, expected.samples)
    there = [(name, "cpu:0") for name in ("Transformer", "ControlNet", "SpectralAutoencoder")]
    start = moves.index(there[0])
    assert moves[start : start + 6] == there + [(name, "cpu") for name, _ in there]
