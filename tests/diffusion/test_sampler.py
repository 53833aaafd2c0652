import itertools
import json
import math

import pytest
import torch

from foleygram.diffusion.sampler import SamplerConfig, denoiser, guided, noise_levels, sample, takes_noise
from foleygram.types import Condition

from .golden import condition, control_net, draws, gaussian_mixture, inputs, transformer
from .oracles import k_diffusion_sampling


def levels(config: SamplerConfig) -> torch.Tensor:
    return noise_levels(config.steps, config.sigma_min, config.sigma_max)


def test_levels_fall_exponentially_to_zero():
    sigmas = noise_levels(150, 0.3, 500.0)
    assert len(sigmas) == 151 and sigmas[-1] == 0
    assert sigmas[0].item() == pytest.approx(500) and sigmas[-2].item() == pytest.approx(0.3)
    torch.testing.assert_close(sigmas[1:-1] / sigmas[:-2], (sigmas[1] / sigmas[0]).expand(149))


@pytest.mark.parametrize("steps", [2, 3, 12, 150])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("noise_scale", [1.0, 1.1])
@pytest.mark.oracle
def test_equals_k_diffusion_with_the_same_noise(steps, eta, noise_scale):
    reference = k_diffusion_sampling()
    config = SamplerConfig(steps=steps, eta=eta, noise_scale=noise_scale)
    ours = sample(gaussian_mixture, draws(5, 2, 3, 7), config)
    injected = draws(5, 2, 3, 7)
    sigmas = levels(config).float()
    theirs = reference.sample_dpmpp_3m_sde(
        lambda x, sigma: gaussian_mixture(x, float(sigma[0])), next(injected) * sigmas[0], sigmas,
        eta=eta, s_noise=noise_scale, noise_sampler=lambda *_: next(injected), disable=True,
    )  # fmt: skip
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def analytic(data_spread: float):
    """The exact denoiser of data distributed as N(0, data_spread^2)."""
    return lambda x, sigma: x * data_spread**2 / (data_spread**2 + sigma**2)


@pytest.mark.parametrize("data_spread", [0.5, 1.0, 2.0])
def test_without_noise_follows_the_exact_solution_on_a_gaussian(data_spread):
    """The probability flow of a Gaussian scales x by the ratio of the spreads."""
    config = SamplerConfig(steps=200, eta=0.0)
    x = sample(analytic(data_spread), draws(7, 1, 4, 50), config)
    start = next(draws(7, 1, 4, 50)) * config.sigma_max
    before_last = start * math.sqrt((data_spread**2 + config.sigma_min**2) / (data_spread**2 + config.sigma_max**2))
    expected = analytic(data_spread)(before_last, config.sigma_min)  # the last step jumps to the denoised
    torch.testing.assert_close(x, expected, rtol=5e-3, atol=2e-3)


def test_with_noise_the_spread_on_a_gaussian_is_right():
    """What the last step takes away is known: the denoised has spread s^2 / sqrt(s^2 + sigma_min^2)."""
    config = SamplerConfig(steps=100)
    x = sample(analytic(1.0), takes_noise((40, 1000), [1]), config)
    assert x.std().item() == pytest.approx(1 / math.sqrt(1 + 0.3**2), rel=0.02)
    assert abs(x.mean().item()) < 0.02


def test_more_noise_gives_more_spread():
    """In the limit of many steps by nearly the factor itself: the noise of the start is forgotten, all that is left was
    added."""
    wide, usual = (
        sample(analytic(1.0), takes_noise((40, 1000), [1]), SamplerConfig(steps=100, noise_scale=scale)).std().item()
        for scale in (1.2, 1.0)
    )
    assert wide / usual == pytest.approx(1.2, rel=0.02)


def test_a_take_is_the_same_alone_and_among_others():
    config = SamplerConfig(steps=6)
    together = sample(gaussian_mixture, takes_noise((2, 9), [3, 4, 5]), config)
    for place, seed in enumerate((3, 4, 5)):
        alone = sample(gaussian_mixture, takes_noise((2, 9), [seed]), config)
        assert torch.equal(together[place], alone[0])


def test_reports_every_step():
    seen = []
    sample(gaussian_mixture, draws(1, 1, 1, 2), SamplerConfig(steps=5), lambda done, total: seen.append((done, total)))
    assert seen == [(step, 5) for step in range(1, 6)]


def test_v_prediction_becomes_the_denoised():
    """For a known clean latent the perfect v gives it back at every level."""
    clean, spread = torch.randn(2, 3, 5), torch.randn(2, 3, 5)

    def perfect(z, t, _):
        alpha, sigma = torch.cos(t * math.pi / 2)[:, None, None], torch.sin(t * math.pi / 2)[:, None, None]
        return alpha * spread - sigma * clean

    for sigma in (0.01, 0.3, 1.0, 20.0):
        denoised = denoiser(perfect)(clean + sigma * spread, sigma)
        torch.testing.assert_close(denoised, clean, rtol=1e-4, atol=1e-4)


class Recorder:
    """Stands in for both networks and keeps what it was called with."""

    def __init__(self, answer):
        self.answer, self.calls = answer, []

    def __call__(self, *arguments):
        self.calls.append(arguments)
        return self.answer(*arguments)


def test_guidance_zeroes_the_whole_sequence_and_doubles_the_control():
    x, _, control = inputs()
    steered = condition()
    network = Recorder(lambda x, t, condition, residuals: x)
    net = Recorder(lambda x, t, condition, control: ())
    guided(network, net, steered, control, SamplerConfig(guidance=2.0))(x, 1.0)
    for (_, _, seen, *_), (_, _, seen_by_net, seen_control) in zip(network.calls, net.calls, strict=True):
        for both in (seen, seen_by_net):
            assert torch.equal(both.tokens[:2], steered.tokens) and not both.tokens[2:].any()
            assert torch.equal(both.global_vector, torch.cat([steered.global_vector] * 2))
        assert torch.equal(seen_control, torch.cat([control, control]))


def test_guidance_extrapolates_from_the_two_branches():
    x, t, control = inputs()
    network, net, steered = transformer(), control_net(), condition()
    sigma = 2.5
    with torch.no_grad():
        results = {s: guided(network, net, steered, control, SamplerConfig(guidance=s))(x, sigma) for s in (0.0, 1.0, 4.0)}
    torch.testing.assert_close(results[4.0], results[0.0] + 4 * (results[1.0] - results[0.0]), rtol=1e-4, atol=1e-4)


def test_one_branch_is_enough_without_guidance():
    x, _, _ = inputs()
    network = Recorder(lambda x, t, condition, residuals: x)
    guided(network, None, condition(), None, SamplerConfig(guidance=1.0))(x, 1.0)
    outside = SamplerConfig(guidance=3.0, guidance_sigma_min=0.5, guidance_sigma_max=10.0)
    guided(network, None, condition(), None, outside)(x, 20.0)
    assert [len(call[0]) for call in network.calls] == [2, 2]


@pytest.mark.parametrize("steps", [1, 2, 12, 25])
@pytest.mark.parametrize("low, high", [(0.3, 500.0), (0.5, 20.0), (0.0, 20.0), (0.5, None)])
def test_guidance_acts_at_the_levels_within_its_bounds_both_included(steps, low, high):
    network = Recorder(lambda x, t, condition, residuals: x)
    config = SamplerConfig(steps=steps, guidance=3.0, guidance_sigma_min=low, guidance_sigma_max=high)
    sample(guided(network, None, condition(), None, config), draws(3, 2, 6, 11), config)
    expected = [low <= sigma <= (high or math.inf) for sigma in levels(config)[:-1].tolist()]
    assert [len(call[0]) == 4 for call in network.calls] == expected


@pytest.mark.parametrize("sigma_max", [3.0, 20.0, 80.0, 500.0])
@pytest.mark.parametrize("sigma_min", [0.03, 0.3, 0.7])
def test_levels_begin_and_end_exactly_where_they_are_told_to(sigma_min, sigma_max):
    sigmas = noise_levels(12, sigma_min, sigma_max).tolist()
    assert (sigmas[0], sigmas[-2]) == (sigma_max, sigma_min)


def test_no_upper_bound_is_null_in_json_and_infinity_in_older_configs():
    assert SamplerConfig().model_dump_json() == SamplerConfig(guidance_sigma_max=math.inf).model_dump_json()
    assert SamplerConfig.model_validate(json.loads('{"guidance_sigma_max": Infinity}')).guidance_sigma_max is None
    network = Recorder(lambda x, t, condition, residuals: x)
    guided(network, None, condition(), None, SamplerConfig(guidance=3.0))(inputs()[0], 500.0)
    assert len(network.calls[0][0]) == 4  # both branches


def test_noise_of_takes_has_its_own_stream():
    shape = (2, 3)
    first, second = (next(takes_noise(shape, [seed]))[0] for seed in (1, 2))
    both = next(takes_noise(shape, [1, 2]))
    assert torch.equal(both, torch.stack([first, second]))
    assert not torch.equal(first, second)


def test_the_solver_asks_for_one_noise_a_step():
    count = itertools.count()
    stream = (torch.zeros(1, 1, 2) + next(count) * 0 for _ in itertools.repeat(None))
    sample(gaussian_mixture, stream, SamplerConfig(steps=7))
    assert next(count) == 7  # the start, and every step but the last


def test_null_condition_keeps_the_timing():
    steered = condition()
    null = steered.null()
    assert not null.tokens.any() and torch.equal(null.global_vector, steered.global_vector)
    assert isinstance(null, Condition)
