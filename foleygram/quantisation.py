"""Weights in 8 bits, for machines with little memory: half the size of bf16, a quarter of fp32.

Only the weights are rounded, one scale for each output row (absmax); the arithmetic stays that of the input. Nothing is
calibrated, so any model can be loaded this way.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from foleygram.hub.rows import rows_in_int8

LEAST = 256
"""Rows and columns of the smallest layer that is worth it; narrow ones carry little and lose most."""


class Int8Linear(nn.Module):
    """A linear layer with whole numbers -127..127 as weights, times the scale of their row.

    A weight is off by at most half a step, 1/254 of the largest weight of its row. The numbers are exact in bf16 and fp32; in
    fp16 the sums before scaling could overflow."""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        if linear.weight.is_meta:
            weight = torch.empty_like(linear.weight, dtype=torch.int8)
            scale = torch.empty_like(linear.weight[:, 0], dtype=torch.float32)
        else:
            weight, scale = rows_in_int8(linear.weight.detach())
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)
        self.bias = linear.bias

    def forward(self, x: Float[Tensor, "... columns"]) -> Float[Tensor, "... rows"]:
        y = F.linear(x, self.weight.to(x.dtype)) * self.scale.to(x.dtype)
        return y if self.bias is None else y + self.bias


def large_layers(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
    """(parent, name in it, layer) of every linear layer that is large enough."""
    for parent in module.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.Linear) and min(child.weight.shape) >= LEAST:
                yield parent, name, child


def to_int8(module: nn.Module) -> None:
    """Exchanges the large linear layers within ``module``, also on the meta device before its weights are loaded."""
    for parent, name, layer in list(large_layers(module)):
        setattr(parent, name, Int8Linear(layer))


def int8_weights(module: nn.Module) -> set[str]:
    """Names of the weights that lie in 8 bits."""
    return {f"{name}.weight" for name, part in module.named_modules() if isinstance(part, Int8Linear)}
