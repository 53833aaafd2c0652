"""What the two diffusion stages share: noised crops as batches, whole lengths at the end, the loss at even noise levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from foleygram.config import Config, Positive, Share
from foleygram.device import DTYPES
from foleygram.diffusion.schedule import TimeDistribution, draw_times
from foleygram.errors import RecipeError
from foleygram.training.latents import Crops
from foleygram.training.loop import LoopConfig, Stage, mixed_precision


class DenoisingTraining(Config):
    """What the base and the control stage have in common."""

    loop: LoopConfig
    seconds: Positive = 5.0  # length of a training crop
    condition_dropout: Share = 0.1
    late_share: Share = 0.0  # of the steps, at the end: half as many rows, of ``late_seconds``, each a clip of its own
    late_seconds: tuple[Positive, ...] = (10.0, 10.0, 6.0, 3.5)  # lengths, one drawn for each step: what the model meets later
    times: TimeDistribution = "uniform"


class DenoisingStage(Stage):
    """``train_set``, ``valid_set``: crops, and what conditions them. ``forward`` takes the columns of ``draw``, then the noise
    levels t [row] in 0..1."""

    losses = ("v_mse",)
    validation = ("valid_v_mse",)
    config: DenoisingTraining
    seed: int
    train_set: tuple
    valid_set: tuple

    def check_rows(self, rows: int) -> None:
        if self.config.late_share > 0 and rows % 2:
            raise RecipeError(
                f"late_share {self.config.late_share}: its steps have half as many rows, and a micro-batch has {rows}; choose "
                "a batch that divides by twice the processes x accumulate, or late_share: 0"
            )

    def draw(self, data: tuple, step: int, row: int) -> tuple[Tensor, ...]:
        """One row of a batch; its last column tells whether its condition is dropped."""
        raise NotImplementedError

    def batch(self, step: int, rows: range, size: int) -> tuple[Tensor, ...]:
        times = draw_times(size, self.config.times, torch.Generator().manual_seed(self.seed * 1_000_003 + step))
        crops: Crops
        crops, *rest = self.train_set
        if step >= (1 - self.config.late_share) * self.config.loop.steps:
            lengths = self.config.late_seconds
            crops = crops.of(lengths[np.random.default_rng([self.seed, step]).integers(len(lengths))])
            rows = rows[::2]
        drawn = zip(*(self.draw((crops, *rest), step, row) for row in rows), strict=True)
        return (*(torch.stack(column) for column in drawn), times[rows.start : rows.stop : rows.step])

    def validate(self) -> Sequence[float]:
        """Loss of 64 crops of the validation clips, t even in 0..1, nothing dropped."""
        losses, device = [], next(self.parameters()).device
        precision = DTYPES.get(mixed_precision(self.config.loop.precision))  # as it trains; None where that is fp32
        for part in range(4):
            columns = zip(*(self.draw(self.valid_set, 0, 16 * part + row) for row in range(16)), strict=True)
            *rest, dropped = (torch.stack(column).to(device) for column in columns)
            t = ((torch.arange(16) + 0.5) / 16).to(device)
            with torch.autocast(device.type, precision, enabled=precision is not None):
                losses.append(self.forward(*rest, torch.zeros_like(dropped), t))
        return torch.stack(losses).mean(0).tolist()
