"""The optimisers of a run: AdamW, or Muon for the matrices of the blocks and AdamW for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import torch
from torch import nn

from foleygram.errors import RecipeError

if TYPE_CHECKING:
    from foleygram.training.loop import LoopConfig, Stage


class RateGroup(TypedDict):
    """A parameter group as torch's optimisers take it; ``share``: of the loop's learning rate."""

    params: list[nn.Parameter]
    share: float


def rate_groups(stage: Stage, parameters: dict[str, nn.Parameter]) -> list[RateGroup]:
    """Groups for the optimiser, one for each share of the learning rate, in the order of the parameters."""
    groups: dict[float, RateGroup] = {}
    for name, parameter in parameters.items():
        share = stage.share_of_rate(name)
        groups.setdefault(share, RateGroup(params=[], share=share))["params"].append(parameter)
    return list(groups.values())


def build_optimizers(stage: Stage, parameters: dict[str, nn.Parameter], config: LoopConfig) -> list[torch.optim.Optimizer]:
    """AdamW for everything, or for what Muon leaves. Raises RecipeError where this torch has no Muon, and for it in fp16."""
    matrices: set[nn.Parameter] = set()
    if config.optimizer == "muon":
        if config.precision == "fp16":  # accelerate would unscale the gradients once for each of the two optimisers
            raise RecipeError("optimizer muon: does not go with precision fp16; take bf16, or optimizer: adamw")
        if not hasattr(torch.optim, "Muon"):
            raise RecipeError("optimizer muon: needs torch 2.9 or newer; install it, or say optimizer: adamw")
        inside = {parameter for block in stage.hidden_blocks() for parameter in block.parameters()}
        matrices = {parameter for parameter in parameters.values() if parameter.ndim == 2 and parameter in inside}
    rest = rate_groups(stage, {name: parameter for name, parameter in parameters.items() if parameter not in matrices})
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, lr=config.learning_rate, betas=config.betas, eps=config.eps, weight_decay=config.weight_decay)
    ]
    if matrices:
        ordered = rate_groups(stage, {name: parameter for name, parameter in parameters.items() if parameter in matrices})
        optimizers.append(
            torch.optim.Muon(ordered, lr=config.matrix_rate, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw")
        )
    return optimizers
