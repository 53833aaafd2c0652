import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foleygram.diffusion.schedule import add_noise, alpha_sigma, draw_times, v_loss, v_target


@given(st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_signal_and_noise_are_recovered_exactly(t):
    t = torch.full((2,), t, dtype=torch.float64)
    z, noise = torch.randn(2, 3, 5, dtype=torch.float64), torch.randn(2, 3, 5, dtype=torch.float64)
    z_t, v = add_noise(z, noise, t), v_target(z, noise, t)
    alpha, sigma = (weight[:, None, None] for weight in alpha_sigma(t))
    torch.testing.assert_close(alpha * z_t - sigma * v, z, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(sigma * z_t + alpha * v, noise, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(alpha))


def test_edges():
    z, noise = torch.randn(2, 1, 1, 4).unbind()
    start, end = torch.zeros(1), torch.ones(1)
    assert torch.equal(add_noise(z, noise, start), z) and torch.equal(v_target(z, noise, start), noise)
    torch.testing.assert_close(add_noise(z, noise, end), noise, rtol=0, atol=1e-6)
    torch.testing.assert_close(v_target(z, noise, end), -z, rtol=0, atol=1e-6)


def test_is_the_discrete_chain_of_the_paper():
    """Eq. 7 with alpha-bar = cos^2(pi t / 2) on any grid."""
    t = torch.linspace(0, 1, 11)
    alpha, sigma = alpha_sigma(t)
    torch.testing.assert_close(alpha, torch.cos(math.pi * t / 2).square().sqrt(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(sigma, (1 - torch.cos(math.pi * t / 2).square()).sqrt(), rtol=1e-4, atol=1e-4)
    assert (alpha.diff() < 0).all()


def test_uniform_times_are_stratified():
    times = draw_times(64, "uniform", torch.Generator().manual_seed(0)).sort().values
    assert ((times * 64).floor() == torch.arange(64)).all()


def test_logit_normal_times():
    times = draw_times(20000, "logit_normal", torch.Generator().manual_seed(0))
    logits = torch.logit(times)
    assert logits.mean().item() == pytest.approx(0, abs=0.03) and logits.std().item() == pytest.approx(1, abs=0.03)


def test_times_are_a_function_of_the_generator():
    one, two = (draw_times(8, "uniform", torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two)


def test_loss_is_the_mean_square():
    prediction, target = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    torch.testing.assert_close(v_loss(prediction, target), (prediction - target).square().mean())
    assert v_loss(prediction.bfloat16(), target).dtype == torch.float32
