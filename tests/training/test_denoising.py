"""What the diffusion stages share. The stages as a whole: test_stages.py."""

import pytest
import torch
from torch import nn

from foleygram.errors import RecipeError
from foleygram.training.denoising import DenoisingStage, DenoisingTraining
from foleygram.training.loop import LoopConfig, run


class OneLayer(DenoisingStage):
    def __init__(self, config: DenoisingTraining):
        super().__init__()
        self.layer, self.config = nn.Linear(1, 1), config

    def batch(self, step: int, rows: range, size: int) -> tuple[torch.Tensor, ...]:
        return (torch.ones(len(rows), 1),)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x).square().mean()[None]

    def validate(self) -> tuple[float]:
        return (0.0,)


@pytest.mark.parametrize(("batch", "accumulate", "late"), [(3, 1, 0.5), (6, 2, 0.5), (6, 2, 0.0), (6, 1, 0.5)])
def test_micro_batches_that_have_no_half(monkeypatch, tmp_path, batch, accumulate, late):
    monkeypatch.setattr("foleygram.training.curve.draw_curve", lambda *_: None)
    loop = LoopConfig(steps=1, batch=batch, accumulate=accumulate, precision="fp32")
    stage, folder = OneLayer(DenoisingTraining(loop=loop, late_share=late)), tmp_path / "run"
    if late and batch // accumulate % 2:
        with pytest.raises(RecipeError, match="half as many rows, and a micro-batch has 3"):
            run(stage, loop, folder)
        assert not folder.exists()
    else:
        assert run(stage, loop, folder).finished
