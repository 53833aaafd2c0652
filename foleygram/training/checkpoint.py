"""What a run goes on from: weights, their average and the optimisers' state in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from foleygram.errors import RecipeError
from foleygram.hub.folder import read_notes, read_tensors, write_tensors

STATES = ("step", "exp_avg", "exp_avg_sq", "momentum_buffer")
"""Names of the optimisers' tensors for one parameter."""


class Checkpoint:
    """Weights, average and optimiser state of one stage in one safetensors file. ``scaler``: of the loss in fp16, whose scale
    follows what overflowed before; a note in the header."""

    def __init__(
        self, path: Path, parameters: dict[str, nn.Parameter], optimizers: Sequence[torch.optim.Optimizer],
        scaler: torch.amp.GradScaler | None = None,
    ):  # fmt: skip
        self.path = path
        self.scaler = scaler
        self.parameters = parameters
        self.optimizer_of = {
            parameter: optimizer
            for optimizer in optimizers
            for group in optimizer.param_groups
            for parameter in group["params"]
        }

    def save(self, average: dict[str, Tensor], step: int, seconds: float) -> None:
        tensors: dict[str, Tensor] = {}
        for name, parameter in self.parameters.items():
            tensors[f"weight.{name}"] = parameter
            if name in average:
                tensors[f"average.{name}"] = average[name]
            for key, value in self.optimizer_of[parameter].state.get(parameter, {}).items():
                tensors[f"{key}.{name}"] = torch.as_tensor(value)
        notes = {"step": str(step), "seconds": f"{seconds:.1f}"}
        if self.scaler is not None:
            notes["scaler"] = json.dumps(self.scaler.state_dict())
        write_tensors(self.path, tensors, notes)

    def load(self, average: dict[str, Tensor]) -> tuple[int, float]:
        """Restores in place; returns the next step and the seconds trained so far."""
        if not self.path.exists():
            return 0, 0.0
        tensors, notes = read_tensors(self.path), read_notes(self.path)
        if {f"weight.{name}" for name in self.parameters} != {key for key in tensors if key.startswith("weight.")}:
            raise RecipeError(f"{self.path}: belongs to another recipe; choose another --out or delete it to start anew")
        for name, parameter in self.parameters.items():
            if tensors[f"weight.{name}"].shape != parameter.shape:
                raise RecipeError(f"{self.path}: sizes differ from the recipe's; choose another --out or delete it")
            parameter.data.copy_(tensors[f"weight.{name}"])
            if name in average:
                if f"average.{name}" not in tensors:
                    raise RecipeError(f"{self.path}: was begun without an average; set ema to 0, or choose another --out")
                average[name].copy_(tensors[f"average.{name}"])
            state = {key: tensors[f"{key}.{name}"] for key in STATES if f"{key}.{name}" in tensors}
            if state:
                if isinstance(self.optimizer_of[parameter], torch.optim.AdamW) and "exp_avg" not in state:
                    raise RecipeError(f"{self.path}: was begun with optimizer muon; keep that, or choose another --out")
                self.optimizer_of[parameter].state[parameter] = state
        scale = json.loads(notes.get("scaler", "{}"))
        if self.scaler is not None and scale:
            self.scaler.load_state_dict(scale)
        return int(notes["step"]), float(notes["seconds"])


class Swapped:
    """Within the block the module has its averaged weights."""

    def __init__(self, parameters: dict[str, nn.Parameter], average: dict[str, Tensor]):
        self.parameters, self.average = parameters, average

    def exchange(self) -> None:
        for name, value in self.average.items():
            data = self.parameters[name].data
            kept = data.clone()
            data.copy_(value)
            value.copy_(kept)

    def __enter__(self) -> None:
        self.exchange()

    def __exit__(self, *_) -> None:
        self.exchange()


def steps_done(folder: Path) -> int:
    """Steps behind the checkpoint of a stage's ``folder``, 0 where there is none."""
    path = folder / "checkpoint.safetensors"
    return int(read_notes(path)["step"]) if path.exists() else 0
