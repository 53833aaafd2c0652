"""Long clips: windows cover, cuts are kept apart, joints do not show, memory and takes do not depend on the length."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tiny import tiny_model

from foleygram.pipeline import take_seed
from foleygram.signal.envelope import envelope_from_hits, step_count
from foleygram.types import Audio, Clip, Envelope, sample_count
from foleygram.windows import (
    Film,
    Window,
    WindowConfig,
    decode_pieces,
    encode_envelope,
    joined,
    joint,
    plan_windows,
    shot_bounds,
    synthesise_long,
)

RATE = 44100 / 1024
CONFIG = WindowConfig(decoded=1.5, lap=0.3)


@given(st.integers(1, 3000), st.lists(st.floats(0, 70), max_size=8))
def test_windows_cover_and_do_not_grow(length, cuts):
    windows = plan_windows(length, RATE, 86, cuts)
    total = torch.zeros(length)
    for window in windows:
        assert window.length <= 86 + 2 * 3 and window.start >= 0
        assert (window.weights() > 0).all()
        total[window.start : window.end] += window.weights()
    assert (total > 0).all() and windows[0].start == 0 and windows[-1].end == length
    assert len(windows) <= 2 + length / 60 + 2 * len(cuts)  # cost is linear


def test_overlaps_share_out_evenly():
    windows = plan_windows(500, RATE, 100)  # 11.6 s
    total = torch.zeros(500)
    for window in windows:
        total[window.start : window.end] += window.weights()
    torch.testing.assert_close(total, torch.ones(500))
    assert all(before.end - after.start >= 25 for before, after in zip(windows[:-1], windows[1:], strict=True))


def test_no_window_crosses_a_cut_by_more_than_a_little():
    cut = round(5.0 * RATE)
    for window in plan_windows(600, RATE, 430, [5.0]):
        assert window.end <= cut + 4 or window.start >= cut - 4


def test_short_shots_are_joined():
    assert shot_bounds(10.0, [1.0, 2.5, 3.0, 9.0], 2.0) == [0.0, 2.5, 10.0]
    assert shot_bounds(5.0, [1, 2, 3, 4], 2.0) == shot_bounds(5.0, [4, 1, 3, 2], 2.0) == [0.0, 2, 5.0]
    assert shot_bounds(1.0, [], 2.0) == [0.0, 1.0]


def test_joint_denoising_is_the_mean_of_the_windows():
    windows = [Window(0, 6, 0, 2), Window(4, 10, 2, 0)]
    denoise = joint([lambda x, sigma: x + 1, lambda x, sigma: x + 3], windows, 10)
    result = denoise(torch.zeros(1, 2, 10), 1.0)
    assert result[0, 0].tolist() == pytest.approx([1, 1, 1, 1, 1.5, 2.5, 3, 3, 3, 3])
    same = joint([lambda x, sigma: 2 * x] * 2, windows, 10)
    x = torch.randn(1, 2, 10)
    torch.testing.assert_close(same(x, 1.0), 2 * x)


def test_joining_keeps_the_power_of_equal_and_of_independent_sounds():
    rng = np.random.default_rng(0)
    one, two = rng.standard_normal((2, 2, 4000)).astype(np.float32)
    np.testing.assert_allclose(joined(one, one, 1000), one, atol=0.45 * np.abs(one).max())
    for second in (one, two):
        blend = joined(one, second, 2000)
        assert blend.shape == one.shape and blend.std() == pytest.approx(1.0, abs=0.04)
    # the fade lies where it is quiet
    one[:, 1000:1500] = two[:, 1000:1500] = 0
    blend = joined(one, two, 100)
    assert (blend[:, :1000] == one[:, :1000]).all() and (blend[:, 1500:] == two[:, 1500:]).all()


@pytest.mark.parametrize("wrong", [{"overlap": 1.0}, {"overlap": -0.1}, {"fade": 0.0}, {"decoded": 0.0}])
def test_numbers_that_no_window_can_have(wrong):
    with pytest.raises(ValidationError):
        WindowConfig(**wrong)


def test_windows_go_on_however_much_they_overlap():
    windows = plan_windows(40, RATE, 10, (), WindowConfig(overlap=0.999))
    assert [window.start for window in windows] == list(range(31)) and windows[-1].end == 40


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def points(model):
    return model.embed(Clip(text="a person hits metal"))


def test_envelope_in_pieces_is_the_envelope_at_once(model):
    envelope = envelope_from_hits([(0.3, 0.3), (1.6, 0.2), (4.9, 0.4)], 6.0)
    pieces = encode_envelope(model, envelope, 6.0, CONFIG)
    whole = model.encode_envelope(envelope, 6.0)
    torch.testing.assert_close(pieces, whole, atol=1e-4, rtol=1e-3)


def test_a_guide_that_sounds_at_the_end_has_no_edge_there(model):
    steady = model.encode_envelope(Envelope(np.full(step_count(4.3), 0.2, np.float32)), 4.3)
    torch.testing.assert_close(steady[..., -1], steady[..., -20], atol=1e-3, rtol=1e-2)
    ended = model.encode_envelope(Envelope(np.full(step_count(3.0), 0.2, np.float32)), 4.3)
    assert not torch.allclose(ended[..., -1], steady[..., -1], atol=0.1)


def test_pieces_join_to_the_whole_length(model):
    latent = torch.randn(1, 16, 300)
    pieces = list(decode_pieces(model, latent, 3, CONFIG))
    assert sum(piece.shape[1] for piece in pieces) == 300 * model.autoencoder.hop
    assert max(piece.shape[1] for piece in pieces) <= 1.6 * 44100
    # the seams stand out no more than other places
    sound = np.concatenate(pieces, axis=1)[0].astype(np.float64)
    steps = np.abs(np.diff(sound, 2))
    seams = np.cumsum([piece.shape[1] for piece in pieces])[:-1]
    assert max(steps[seam - 40 : seam + 40].max() for seam in seams) < 3 * np.percentile(steps, 99.9)


def test_the_shortest_pieces_and_fades_go_on_to_the_end(model):
    pieces = list(decode_pieces(model, torch.randn(1, 16, 6), 3, WindowConfig(decoded=1e-6, lap=0.0, fade=1e-6)))
    assert [piece.shape[1] for piece in pieces] == [model.autoencoder.hop] * 6
    envelope = envelope_from_hits([(0.01, 0.3)], 0.1)
    short = encode_envelope(model, envelope, 0.1, WindowConfig(decoded=1e-6))
    torch.testing.assert_close(short, encode_envelope(model, envelope, 0.1, CONFIG), atol=1e-4, rtol=1e-3)


def test_a_piece_that_came_out_as_its_negative_is_turned(model, monkeypatch):
    hop, length = model.autoencoder.hop, 300
    tone = np.sin(2 * np.pi * 200 * np.arange(length * hop) / 44100).astype(np.float32)
    latent = torch.arange(length * hop).reshape(1, length, hop).transpose(1, 2)[:, :1].float()  # tells where a piece begins
    calls = []

    def decode(part, seed):
        first = int(part[0, 0, 0])
        calls.append(first)
        piece = tone[first : first + part.shape[-1] * hop] * (-1) ** (len(calls) + 1)
        return torch.from_numpy(np.stack([piece, piece]))[None]

    monkeypatch.setattr(model.autoencoder, "decode", decode)
    sound = np.concatenate(list(decode_pieces(model, latent, 3, CONFIG)), axis=1)
    assert len(calls) > 3
    np.testing.assert_allclose(sound[0], tone, atol=2e-2)


def test_a_long_clip_has_its_length_and_its_take_its_sound(model, points):
    envelope = envelope_from_hits([(k * 0.8 + 0.2, 0.3) for k in range(8)], 7.0)
    asked = []

    def embed(start, end):
        asked.append((round(start, 2), round(end, 2)))
        return points

    film = Film(embed, (3.5,))
    steps = []
    both = list(synthesise_long(model, film, envelope, 7.0, model.config.sampler, [5, 6], lambda *at: steps.append(at), CONFIG))
    alone = next(synthesise_long(model, film, envelope, 7.0, model.config.sampler, [6], None, CONFIG))
    assert (both[1].samples == alone.samples).all() and (both[0].samples != alone.samples).any()
    assert both[0].samples.shape == (2, sample_count(7.0)) and steps[-1] == (6, 6)
    assert len(asked) > 3 and max(end - start for start, end in asked) < 2.2
    assert not any(start < 3.3 and end > 3.7 for start, end in asked)


def test_the_pipeline_uses_windows_beyond_the_training_window(model):
    clip = Clip(text="a person hits metal", seconds=4.3)
    envelope = Envelope(np.full(1600, 0.1, np.float32))
    (sound,) = model.generate(clip, envelope, seed=1)
    assert isinstance(sound, Audio) and sound.samples.shape == (2, sample_count(4.3))
    (film,) = synthesise_long(model, Film(lambda *_: model.embed(clip)), envelope, 4.3, model.config.sampler, [take_seed(1, 0)])
    assert (film.samples == sound.samples).all()


def test_each_window_has_its_own_points_length_and_part_of_the_guide(model, monkeypatch):
    envelope = envelope_from_hits([(k * 0.8 + 0.2, 0.3) for k in range(6)], 5.2)
    points = [model.embed(Clip(text=text)) for text in ("a person hits metal", "a person scratches wood")]
    asked, seen = [], []

    def embed(start, end):
        asked.append((start, end))
        return points[len(asked) % 2]

    def guided(transformer, control_net, condition, control, sampler):
        seen.append((condition, control))
        return lambda x, sigma: torch.zeros_like(x)

    monkeypatch.setattr("foleygram.windows.guided", guided)
    list(synthesise_long(model, Film(embed), envelope, 5.2, model.config.sampler, [1], None, CONFIG))
    hop = model.autoencoder.hop
    whole = encode_envelope(model, envelope, 5.2, CONFIG)
    windows = plan_windows(whole.shape[-1], RATE, round(2.0 * RATE), (), CONFIG)
    assert len(seen) == len(windows) > 2 and asked[-1][1] == 5.2
    for number, (window, (condition, control)) in enumerate(zip(windows, seen, strict=True)):
        assert torch.equal(control, whole[..., window.start : window.end])
        assert asked[number] == pytest.approx((window.start / RATE, min(window.end / RATE, 5.2)))
        expected = model.condition(points[(number + 1) % 2], window.length * hop / 44100)
        assert torch.equal(condition.tokens, expected.tokens) and torch.equal(condition.global_vector, expected.global_vector)


def test_each_piece_has_noise_of_its_own_that_follows_from_the_seed(model, monkeypatch):
    drawn = []

    def decode(part, seed):
        drawn.append(seed)
        return torch.zeros(1, 2, part.shape[-1] * model.autoencoder.hop)

    monkeypatch.setattr(model.autoencoder, "decode", decode)
    latent = torch.zeros(1, 16, 300)
    seeds = []
    for seed in (3, 3, 4):
        drawn.clear()
        list(decode_pieces(model, latent, seed, CONFIG))
        seeds.append(tuple(drawn))
    assert seeds[0] == seeds[1] and not set(seeds[0]) & set(seeds[2])
    assert len(set(seeds[0])) == len(seeds[0]) > 3 and seeds[0][0] == 3


def test_steps_of_all_takes_are_counted(model, points):
    envelope, steps = envelope_from_hits([(0.2, 0.3)], 4.3), []
    film = Film(lambda *_: points)
    list(synthesise_long(model, film, envelope, 4.3, model.config.sampler, [5, 6], lambda *at: steps.append(at), CONFIG))
    assert steps == [(done, 6) for done in range(1, 7)]
