"""Linear maps that need no training: the least squared error in closed form."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


@torch.no_grad()
def solve_linear(
    linear: nn.Linear, points: Float[Tensor, "clip dim"], wanted: Float[Tensor, "clip out"], ridge: float | Float[Tensor, "dim"]
) -> None:
    """Sets the layer to the map with the least squared error plus ``ridge`` times the squared weights for each clip, in
    double precision; the bias is free. ``ridge``: beside the mean square of a coordinate, which is 1 / dim where points have
    unit length; one for all coordinates or one for each."""
    x, y = points.double(), wanted.double()
    centre, mean = x.mean(0), y.mean(0)
    x = x - centre
    penalty = len(x) * torch.eye(x.shape[1], dtype=x.dtype, device=x.device) * ridge
    solution = torch.linalg.solve(x.T @ x + penalty, x.T @ (y - mean))
    linear.weight.copy_(solution.T)
    linear.bias.copy_(mean - centre @ solution)
