"""The training loop on a stage of one small layer. Several processes: test_distributed.py; whole stages: test_stages.py."""

import pytest
import torch
from torch import Tensor, nn

from foleygram.training import curve
from foleygram.training.loop import Checkpoint, LoopConfig, Stage, run

LOOP = LoopConfig(steps=4, batch=2, learning_rate=1e-2, precision="no", log_every=1)


class Line(Stage):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 1)
        self.exports = 0

    def batch(self, step: int, rows: range, size: int) -> tuple[Tensor, ...]:
        draws = [torch.Generator().manual_seed(step * size + row) for row in rows]
        return (torch.stack([torch.randn(3, generator=draw) for draw in draws]),)

    def forward(self, x: Tensor) -> Tensor:
        return (self.layer(x)[:, 0] - x.sum(1)).square().mean()[None]

    def export(self) -> None:
        self.exports += 1


@pytest.fixture(autouse=True)
def no_curve(monkeypatch):
    monkeypatch.setattr(curve, "draw_curve", lambda *_: None)  # slower than all the steps


def test_a_run_on_another_device_has_everything_there_and_goes_on(elsewhere, monkeypatch, tmp_path):
    from accelerate import PartialState

    PartialState()
    monkeypatch.setitem(PartialState._shared_state, "device", elsewhere)
    # as on a GPU, a parameter that is moved stays the same object
    monkeypatch.setattr(torch.__future__, "get_swap_module_params_on_conversion", lambda: True)
    plain, places = Checkpoint.save, set()

    def save(checkpoint: Checkpoint, average: dict[str, Tensor], *place) -> None:
        states = [
            state[key]
            for optimizer in checkpoint.optimizer_of.values()
            for state in optimizer.state.values()
            for key in ("exp_avg", "exp_avg_sq")
        ]
        assert average and states
        places.update(tensor.device for tensor in (*average.values(), *states, *checkpoint.parameters.values()))
        plain(checkpoint, average, *place)

    monkeypatch.setattr(Checkpoint, "save", save)
    run(Line(), LOOP, tmp_path, stop_after=2)
    assert run(Line(), LOOP, tmp_path).finished and places == {elsewhere}
