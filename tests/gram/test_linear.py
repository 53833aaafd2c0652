"""Least squares in closed form, against gradient and against what a ridge must do."""

import torch
from torch import nn

from foleygram.gram.linear import solve_linear


def points(count: int, dim: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


def test_a_linear_map_is_found_again_with_its_bias():
    x, true = points(60, 8), nn.Linear(8, 5).requires_grad_(False)
    found = nn.Linear(8, 5)
    solve_linear(found, x, true(x), 1e-9)
    torch.testing.assert_close(found.weight, true.weight, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.bias, true.bias, atol=1e-5, rtol=0)


def test_no_step_from_the_solution_makes_it_better():
    x, y, ridge = points(40, 6), points(40, 3, 1), torch.tensor([0.1, 0.1, 0.1, 2.0, 2.0, 2.0])
    linear = nn.Linear(6, 3)
    solve_linear(linear, x, y, ridge)
    loss = (linear(x) - y).square().sum() / len(x) + (ridge * linear.weight.square()).sum()
    loss.backward()
    assert linear.weight.grad.abs().max() < 1e-5 and linear.bias.grad.abs().max() < 1e-5


def test_a_coordinate_with_a_large_ridge_says_nothing():
    x, linear = points(40, 4), nn.Linear(4, 2)
    solve_linear(linear, x, points(40, 2, 1), torch.tensor([1e-6, 1e-6, 1e9, 1e9]))
    assert linear.weight[:, :2].abs().max() > 0.05 and linear.weight[:, 2:].abs().max() < 1e-6


def test_coordinates_that_are_nearly_the_same_are_told_apart():
    """In single precision the squares of these would leave no digit of the difference."""
    x, true = points(60, 8), nn.Linear(8, 5).requires_grad_(False)
    x[:, 1] = x[:, 0] + 1e-3 * x[:, 1]
    found = nn.Linear(8, 5)
    solve_linear(found, x, x.double() @ true.weight.double().T, 1e-12)
    torch.testing.assert_close(found.weight, true.weight, atol=1e-4, rtol=0)
