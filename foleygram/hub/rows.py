"""Weights in 8 bits: a scale for each row."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int8
from torch import Tensor


def rows_in_int8(weight: Float[Tensor, "rows columns"]) -> tuple[Int8[Tensor, "rows columns"], Float[Tensor, "rows"]]:
    """Whole numbers and scales (fp32) whose product is nearest to ``weight``."""
    weight = weight.float()
    largest = weight.abs().amax(dim=1)
    scale = torch.where(largest > 0, largest / 127, 1.0)
    return (weight / scale[:, None]).round().clamp(-127, 127).to(torch.int8), scale
