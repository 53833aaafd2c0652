"""The training loop on a stage of one small layer. Several processes: test_distributed.py; whole stages: test_stages.py."""

import json
import signal

import pytest
import torch
from torch import Tensor, nn

from foleygram.errors import RecipeError
from foleygram.hub.folder import read_notes, read_tensors
from foleygram.training import curve
from foleygram.training.checkpoint import Checkpoint, Swapped
from foleygram.training.journal import Journal
from foleygram.training.loop import (
    FINISHED,
    LoopConfig,
    Stage,
    mixed_precision,
    rate_at,
    run,
)
from tests.training.muon import needs_muon

LOOP = LoopConfig(steps=4, batch=2, learning_rate=1e-2, precision="fp32", log_every=1)


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


class Hidden(Line):
    def hidden_blocks(self) -> list[nn.Module]:
        return [self.layer]


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


def logged(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_recipe_with_fewer_steps_leaves_the_checkpoint_alone(tmp_path):
    run(Line(), LOOP, tmp_path)
    before = (tmp_path / "checkpoint.safetensors").stat()
    stage = Line()
    result = run(stage, LOOP.replace(steps=2), tmp_path)
    assert result.steps == 4 and result.finished and stage.exports == 1
    assert (tmp_path / "checkpoint.safetensors").stat().st_mtime_ns == before.st_mtime_ns
    assert read_notes(tmp_path / "checkpoint.safetensors")["step"] == "4"
    assert run(Line(), LOOP.replace(steps=6), tmp_path).steps == 6
    assert read_notes(tmp_path / "checkpoint.safetensors")["step"] == "6"
    assert [line["step"] for line in logged(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_the_log_of_a_killed_run_has_each_step_once(tmp_path):
    class Killed(Line):
        def batch(self, step: int, rows: range, size: int) -> tuple[Tensor, ...]:
            if step == 3:
                raise MemoryError
            return super().batch(step, rows, size)

    run(Line(), LOOP, tmp_path / "straight")
    run(Line(), LOOP, tmp_path / "killed", stop_after=1)
    with pytest.raises(MemoryError):
        run(Killed(), LOOP, tmp_path / "killed")
    with (tmp_path / "killed" / "log.jsonl").open("a") as log:
        log.write('{"step": 4, "sec')
    run(Line(), LOOP, tmp_path / "killed")
    straight, killed = ([{**line, "seconds": 0} for line in logged(tmp_path / name)] for name in ("straight", "killed"))
    assert killed == straight and [line["step"] for line in killed] == [1, 2, 3, 4]
    for name, value in read_tensors(tmp_path / "straight" / "checkpoint.safetensors").items():
        assert torch.equal(read_tensors(tmp_path / "killed" / "checkpoint.safetensors")[name], value)
    (tmp_path / "killed" / "checkpoint.safetensors").unlink()
    run(Line(), LOOP, tmp_path / "killed", stop_after=2)  # anew
    assert [line["step"] for line in logged(tmp_path / "killed")] == [1, 2]


def test_the_scale_of_the_loss_goes_on_after_a_kill(monkeypatch, tmp_path):
    """As in fp16 on a GPU. The first steps overflow, and each halves the scale; then it grows with every second step."""
    import accelerate

    class Scaled(accelerate.Accelerator):
        def __init__(self, **options):
            super().__init__(**options)
            self.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=2)

    monkeypatch.setattr(accelerate, "Accelerator", Scaled)
    config, scales = LOOP.replace(steps=8), {}
    for name, sessions in (("straight", (None,)), ("killed", (5, 2, None))):
        for stop_after in sessions:
            run(Line(), config, tmp_path / name, stop_after)
        scales[name] = json.loads(read_notes(tmp_path / name / "checkpoint.safetensors")["scaler"])
    straight, killed = (read_tensors(tmp_path / name / "checkpoint.safetensors") for name in scales)
    assert scales["straight"] == scales["killed"] and scales["straight"]["scale"] < 2.0**127
    assert 0 < straight["step.layer.weight"] < 8
    assert all(torch.equal(value, killed[key]) for key, value in straight.items())


def test_a_checkpoint_of_other_settings_is_named(tmp_path):
    run(Line(), LOOP.replace(ema=0), tmp_path / "plain", stop_after=2)
    with pytest.raises(RecipeError, match="was begun without an average; set ema to 0"):
        run(Line(), LOOP, tmp_path / "plain")
    assert run(Line(), LOOP.replace(ema=0), tmp_path / "plain").finished


@needs_muon
def test_a_checkpoint_of_another_optimizer_is_named(tmp_path):
    run(Hidden(), LOOP.replace(optimizer="muon"), tmp_path, stop_after=2)
    with pytest.raises(RecipeError, match="was begun with optimizer muon"):
        run(Hidden(), LOOP, tmp_path)
    assert run(Hidden(), LOOP.replace(optimizer="muon"), tmp_path).finished


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_is_told_to_the_caller_after_the_run_is_saved(name, monkeypatch, tmp_path):
    number = getattr(signal, name, None) or pytest.skip("not a signal of this system")
    told = []

    def handler(*_) -> None:
        told.append((tmp_path / "checkpoint.safetensors").is_file())
        raise KeyboardInterrupt

    draw = Line.batch

    def batch(stage: Line, step: int, *rows) -> tuple[Tensor, ...]:
        if step == 1:
            signal.raise_signal(number)
        return draw(stage, step, *rows)

    before = signal.signal(number, handler)
    try:
        monkeypatch.setattr(Line, "batch", batch)
        with pytest.raises(KeyboardInterrupt):
            run(Line(), LOOP, tmp_path)
        assert told == [True]
        monkeypatch.setattr(Line, "batch", draw)
        assert run(Line(), LOOP, tmp_path).steps == 4
        assert [line["step"] for line in logged(tmp_path) if "loss" in line] == [1, 2, 3, 4]
    finally:
        signal.signal(number, before)


def test_rates_rise_and_fall():
    config = LoopConfig(steps=100, batch=1, learning_rate=2.0, warmup=10, decay="linear", decay_share=0.9)
    rates = [rate_at(step, config) for step in range(101)]
    assert rates[:11] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.0])
    assert rates[10:] == pytest.approx([2.0 * (100 - step) / 90 for step in range(10, 101)])
    cosine, late = config.replace(decay="cosine"), config.replace(decay_share=0.5)
    assert rate_at(55, cosine) == pytest.approx(1.0) and rate_at(32, cosine) > rate_at(32, config)
    assert rate_at(50, late) == 2.0 and rate_at(75, late) == pytest.approx(1.0)
    assert rate_at(100, config.replace(decay="none")) == 2.0 and rate_at(75, late, peak=4.0) == pytest.approx(2.0)


def test_muon_is_refused_where_torch_has_none(monkeypatch, tmp_path):
    monkeypatch.delattr(torch.optim, "Muon", raising=False)
    with pytest.raises(RecipeError, match="muon: needs torch 2.9 or newer; install it, or say optimizer: adamw"):
        run(Line(), LOOP.replace(optimizer="muon"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_muon_is_refused_in_fp16(tmp_path):
    with pytest.raises(RecipeError, match="muon: does not go with precision fp16"):
        run(Line(), LOOP.replace(optimizer="muon", precision="fp16"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_precision_is_what_the_hardware_multiplies_unless_it_is_named(monkeypatch):
    """bf16 by hand is slower than fp32 by twenty times: nobody's first training may be that."""
    monkeypatch.setattr("foleygram.training.loop.pick_device", lambda _: torch.device("cpu"))
    assert LoopConfig(steps=1, batch=1).precision == "auto"
    for fast, expected in ((True, "bf16"), (False, "no")):
        monkeypatch.setattr("foleygram.device.has_fast_bf16", lambda device, fast=fast: fast)
        assert mixed_precision("auto") == expected
        assert [mixed_precision(name) for name in ("fp32", "bf16", "fp16")] == ["no", "bf16", "fp16"]


class Broken(Line):
    """Its loss is no number in the third step."""

    def batch(self, step: int, rows: range, size: int) -> tuple[Tensor, ...]:
        (x,) = super().batch(step, rows, size)
        return (x * float("nan") if step == 2 else x,)


def test_weights_that_are_no_numbers_leave_the_checkpoint_of_before(tmp_path):
    run(Broken(), LOOP, tmp_path, stop_after=2)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(RecipeError, match="no numbers"):
        run(Broken(), LOOP, tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


def test_a_finished_run_says_so(tmp_path):
    assert not run(Line(), LOOP, tmp_path).notes
    assert run(Line(), LOOP, tmp_path).notes == (FINISHED,)


def test_blocks_that_cannot_be_compiled_say_what_to_do(tmp_path, monkeypatch):
    failure = type("InductorError", (RuntimeError,), {"__module__": "torch._inductor.exc"})

    def batch(*_):
        raise failure("\nOSError: a.so: file too short\nmore")

    monkeypatch.setattr(Line, "batch", batch)
    with pytest.raises(RecipeError, match=r"could not be compiled .OSError: a.so: file too short.; empty .*loop.compile=false"):
        run(Line(), LOOP, tmp_path)


def test_a_line_of_the_log_holds_means_since_the_line_before(tmp_path):
    journal = Journal(tmp_path / "log.jsonl", ("loss",), ("score",), 0, True)
    for step, losses in ((2, (1.0, 2.0)), (4, (5.0, 6.0))):
        for loss in losses:
            journal.add(torch.tensor([loss]))
        journal.write_losses(step, step + 0.26, 0.1)
    journal.write_validation(4, 5.26, [0.25])
    assert logged(tmp_path) == [
        {"step": 2, "seconds": 2.3, "rate": 0.1, "loss": 1.5},
        {"step": 4, "seconds": 4.3, "rate": 0.1, "loss": 5.5},
        {"step": 4, "seconds": 5.3, "score": 0.25},
    ]
    assert journal.last == (5.5,)


def test_a_checkpoint_of_another_network_is_named_and_the_time_goes_on(tmp_path):
    path, net = tmp_path / "checkpoint.safetensors", nn.Linear(3, 1)
    Checkpoint(path, dict(net.named_parameters()), [torch.optim.AdamW(net.parameters())]).save({}, 7, 12.25)
    for other, told in (
        (nn.Linear(3, 1), None),
        (nn.Linear(4, 1), "sizes differ from the recipe's"),
        (nn.Linear(3, 1, bias=False), "belongs to another recipe"),
    ):
        checkpoint = Checkpoint(path, dict(other.named_parameters()), [torch.optim.AdamW(other.parameters())])
        if told is None:
            assert checkpoint.load({}) == (7, pytest.approx(12.25, abs=0.06)) and torch.equal(other.weight, net.weight)
            continue
        with pytest.raises(RecipeError, match=told):
            checkpoint.load({})


def test_averaged_weights_are_lent_and_given_back():
    net = nn.Linear(3, 1)
    average, own = {"weight": torch.ones(1, 3)}, net.weight.detach().clone()
    with Swapped(dict(net.named_parameters()), average):
        assert (net.weight == 1).all()
    assert torch.equal(net.weight, own) and (average["weight"] == 1).all()
