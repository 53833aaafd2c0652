"""One training loop for every stage, on Hugging Face accelerate.

A batch is a pure function of (seed, step), so a run that was killed goes on to the same numbers: only weights, EMA and
optimiser state (in fp16 the scale of the loss, too) are kept, in one safetensors file. The log is one JSON object a line;
the curve is redrawn at each save.
"""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from foleygram.config import Chance, Config, Count, Natural, NotNegative, Share
from foleygram.device import arithmetic, pick_device
from foleygram.errors import RecipeError
from foleygram.hub.folder import read_notes, read_tensors, write_atomically, write_tensors
from foleygram.output import make_folder

FINISHED = "this stage was finished already: nothing was trained; ask for more steps, or choose another --out"

STOPS = ("SIGINT", "SIGTERM", "SIGHUP")
"""Signals after which a run is saved and ends; not every system has all."""


class LoopConfig(Config):
    """Numbers of the loop; ``batch`` is the global batch over all processes."""

    steps: Count
    batch: Count
    # muon: for the matrices of the blocks (Jordan et al. 2024), AdamW for the rest
    optimizer: Literal["adamw", "muon"] = "adamw"
    learning_rate: NotNegative = 1e-4
    matrix_rate: NotNegative = 2e-3  # of Muon, whose steps are scaled to those of AdamW; same warm-up and decay
    betas: tuple[Chance, Chance] = (0.9, 0.999)
    eps: NotNegative = 1e-8
    weight_decay: NotNegative = 1e-3
    warmup: Natural = 0  # steps of linear rise
    decay: Literal["none", "linear", "cosine"] = "none"  # to zero over the last `decay_share` of the steps
    decay_share: Share = 1.0
    clip: NotNegative = 1.0  # gradient norm
    ema: Chance = 0.999  # 0 = no average
    accumulate: Count = 1  # micro-batches in a step
    # of products under autocast; auto: bf16 where the hardware has it, fp32 elsewhere, where bf16 is 20 times slower
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    save_minutes: NotNegative = 3.0
    log_every: Count = 20
    validate_every: Count = 200
    compile: bool = False  # torch.compile on the blocks: about a fifth faster on a CPU, needs a C++ compiler


def mixed_precision(precision: str) -> str:
    """What accelerate calls it on this machine."""
    if precision == "auto":
        precision = "bf16" if arithmetic(pick_device("auto"), "auto") == torch.bfloat16 else "fp32"
    return "no" if precision == "fp32" else precision


class RateGroup(TypedDict):
    """A parameter group as torch's optimisers take it; ``share``: of the loop's learning rate."""

    params: list[nn.Parameter]
    share: float


class Stage(nn.Module):
    """What is trained: every parameter with ``requires_grad``. The loop asks for ``batch`` and calls the module on it.

    ``losses``: names of the values that ``forward`` returns as a vector; the first one is minimised. ``validation``: names of
    what ``validate`` returns. ``skips``: whether a step may pass by some of the parameters, such as those of dropped layers;
    several processes then have to look which."""

    losses: Sequence[str] = ("loss",)
    validation: Sequence[str] = ()
    skips: bool = False

    def batch(self, step: int, rows: range, size: int) -> tuple[Tensor, ...]:
        """Rows ``rows`` of the global batch of ``size`` at ``step``: a pure function of the seed and its arguments."""
        raise NotImplementedError

    def check_rows(self, rows: int) -> None:
        """Raises RecipeError where micro-batches of ``rows`` rows will not do."""

    def share_of_rate(self, name: str) -> float:
        """The learning rate of the parameter ``name``, as a share of the loop's."""
        return 1.0

    def validate(self) -> Sequence[float]:
        """Values named by ``validation``, on the validation split, with the averaged weights in place."""
        return ()

    def export(self) -> None:
        """Writes the components into the run's model folder; the averaged weights are in place."""

    def compiled_blocks(self) -> Sequence[nn.Module]:
        """Blocks that torch.compile may fuse."""
        return ()

    def hidden_blocks(self) -> Sequence[nn.Module]:
        """Blocks whose matrices ``optimizer: muon`` trains; embeddings, first and last layers stay outside."""
        return ()


@dataclass(frozen=True)
class LoopResult:
    """Where a run stands; ``last``: the latest losses."""

    steps: int
    seconds: float  # of training in all sessions
    finished: bool
    last: tuple[float, ...]
    notes: tuple[str, ...] = ()  # what the user should know, one sentence each


def in_epochs(seed: int, step: int, rows: range, size: int, count: int) -> list[int]:
    """Which of ``count`` clips the rows of a global batch of ``size`` are: each once in an epoch, in an order of its own every
    time. Of two rows with one clip each would be a false negative to the other."""
    orders: dict[int, np.ndarray] = {}
    picked = []
    for row in rows:
        epoch, place = divmod(step * size + row, count)
        if epoch not in orders:
            orders[epoch] = np.random.default_rng([seed, epoch]).permutation(count)
        picked.append(int(orders[epoch][place]))
    return picked


def steps_done(folder: Path) -> int:
    """Steps behind the checkpoint of a stage's ``folder``, 0 where there is none."""
    path = folder / "checkpoint.safetensors"
    return int(read_notes(path)["step"]) if path.exists() else 0


def rate_at(step: int, config: LoopConfig, peak: float | None = None) -> float:
    """Learning rate of a step: warm-up to ``peak`` (``learning_rate``), plateau, then the fall of ``config.decay``."""
    rate = (config.learning_rate if peak is None else peak) * min(1.0, (step + 1) / max(1, config.warmup))
    if config.decay != "none":
        start = config.steps * (1 - config.decay_share)
        progress = (step - start) / max(1.0, config.steps - start)
        if progress > 0:
            progress = min(1.0, progress)
            rate *= 1 - progress if config.decay == "linear" else 0.5 * (1 + math.cos(math.pi * progress))
    return rate


def rate_groups(stage: Stage, parameters: dict[str, nn.Parameter]) -> list[RateGroup]:
    """Groups for the optimiser, one for each share of the learning rate, in the order of the parameters."""
    groups: dict[float, RateGroup] = {}
    for name, parameter in parameters.items():
        share = stage.share_of_rate(name)
        groups.setdefault(share, RateGroup(params=[], share=share))["params"].append(parameter)
    return list(groups.values())


STATES = ("step", "exp_avg", "exp_avg_sq", "momentum_buffer")
"""Names of the optimisers' tensors for one parameter."""


def build_optimizers(stage: Stage, parameters: dict[str, nn.Parameter], config: LoopConfig) -> list[torch.optim.Optimizer]:
    """AdamW for everything, or for what Muon leaves. Raises RecipeError where this torch has no Muon, and for it in fp16."""
    matrices: set[nn.Parameter] = set()
    if config.optimizer == "muon":
        if not hasattr(torch.optim, "Muon"):
            raise RecipeError("optimizer muon: needs torch 2.9 or newer; install it, or say optimizer: adamw")
        if config.precision == "fp16":  # accelerate would unscale the gradients once for each of the two optimisers
            raise RecipeError("optimizer muon: does not go with precision fp16; take bf16, or optimizer: adamw")
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


def cut_log(log: Path, step: int) -> None:
    """Drops what a killed run wrote after its last checkpoint, at ``step``: it comes again. Half a line goes too."""

    def counts(line: str) -> bool:
        try:
            return json.loads(line)["step"] <= step
        except ValueError:
            return False

    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    kept = [line for line in lines if counts(line)]
    if len(kept) < len(lines):
        write_atomically(log, "".join(f"{line}\n" for line in kept).encode())


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Within the block no other run works in ``folder``: one that was told to stop is still saving, or two were begun. Of
    several processes of one run the first one holds the place. A folder that was made for it and stays empty goes again. Raises
    RecipeError where the place is taken."""
    from filelock import FileLock, Timeout

    if os.environ.get("RANK", "0") != "0":
        yield
        return
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    make_folder(folder)
    path = folder / "lock"
    try:
        lock = FileLock(path).acquire(timeout=0)
    except Timeout as error:
        raise RecipeError(f"{folder}: another run is at work there; wait until it ends, or choose another --out") from error
    with lock:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # something was done there
                for place in made:
                    place.rmdir()


class Interrupts:
    """Within the block the signals that end a program are noted only, so that what was trained is saved first."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self.previous: dict[int, object] = {}

    def __enter__(self) -> Interrupts:
        for kind in (getattr(signal, name) for name in STOPS if hasattr(signal, name)):
            if kind == signal.SIGINT or signal.getsignal(kind) != signal.SIG_IGN:  # nohup ignores SIGHUP
                self.previous[kind] = signal.signal(kind, lambda number, _: self.received.append(number))
        return self

    def __exit__(self, *_) -> None:
        for kind, handler in self.previous.items():
            signal.signal(kind, handler)

    def pass_on(self) -> None:
        """Gives the first signal to whoever called, who may want to say which it was."""
        if self.received and callable(self.previous[self.received[0]]):
            signal.raise_signal(self.received[0])


class Journal:
    """The log of a run: losses as means since the line before, and what validation says. ``writes``: whether this process does;
    what a killed run wrote after step ``first`` is dropped."""

    def __init__(self, path: Path, stage: Stage, first: int, writes: bool):
        self.path, self.stage, self.writes = path, stage, writes
        self.sums, self.counted = torch.zeros(len(stage.losses)), 0
        self.last = tuple(float("nan") for _ in stage.losses)
        if writes:
            cut_log(path, first)

    def add(self, losses: Tensor) -> None:
        """The losses of one micro-batch, means over all processes."""
        self.sums += losses.float().cpu()
        self.counted += 1

    @property
    def finite(self) -> bool:
        return bool(self.sums.isfinite().all())

    def write_losses(self, step: int, seconds: float, rate: float) -> None:
        self.last = tuple((self.sums / self.counted).tolist())
        self.write(step=step, seconds=round(seconds, 1), rate=rate, **dict(zip(self.stage.losses, self.last, strict=True)))
        self.sums.zero_()
        self.counted = 0

    def write_validation(self, step: int, seconds: float, values: Sequence[float]) -> None:
        self.write(step=step, seconds=round(seconds, 1), **dict(zip(self.stage.validation, values, strict=True)))

    def write(self, **values: float) -> None:
        if self.writes:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\n")


def check_weights(parameters: Iterable[nn.Parameter], step: int) -> None:
    """Raises RecipeError for weights that are no numbers. A loss alone may overflow in fp16, which is made good."""
    if not all(parameter.isfinite().all() for parameter in parameters):
        raise RecipeError(
            f"step {step}: the weights are no numbers any more; the checkpoint of before is kept: lower the learning rate"
        )


def run(stage: Stage, config: LoopConfig, folder: Path, stop_after: int | None = None) -> LoopResult:
    """Trains to ``config.steps``, from the checkpoint in ``folder`` where there is one.

    Writes ``checkpoint.safetensors``, ``log.jsonl`` and ``curve.png`` there. Ctrl-C, SIGTERM and SIGHUP save first. A run that
    is at its end already is exported again and nothing else.
    ``stop_after``: leave after so many steps of this session (tests, time slices).

    Raises RecipeError where the batch does not divide among processes and micro-batches, where the checkpoint is not
    this recipe's, and where the weights are no numbers any more; the last checkpoint stays then."""
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState

    from foleygram.training.curve import draw_curve
    from foleygram.training.progress import progress_bar

    AcceleratorState._reset_state()  # else an earlier stage of this process fixes the precision of all later ones
    accelerator = Accelerator(
        mixed_precision=mixed_precision(config.precision), gradient_accumulation_steps=config.accumulate,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=stage.skips)],
    )  # fmt: skip
    parameters = {name: parameter for name, parameter in stage.named_parameters() if parameter.requires_grad}
    optimizers = build_optimizers(stage, parameters, config)
    average = {name: parameter.detach().clone().float() for name, parameter in parameters.items()} if config.ema else {}
    checkpoint = Checkpoint(folder / "checkpoint.safetensors", parameters, optimizers, accelerator.scaler)
    first, before = checkpoint.load(average)
    if config.compile:
        for block in stage.compiled_blocks():
            block.compile()
    module, *optimizers = accelerator.prepare(stage, *optimizers)  # moves what the optimisers hold too, but not the average
    average = {name: value.to(parameters[name].device) for name, value in average.items()}
    peaks = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    world, rank = accelerator.num_processes, accelerator.process_index
    seed = torch.initial_seed()
    if config.batch % (world * config.accumulate):
        raise RecipeError(f"batch {config.batch} does not divide by {world} processes x accumulate {config.accumulate}")
    share = config.batch // (world * config.accumulate)
    stage.check_rows(share)
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / "log.jsonl", stage, first, accelerator.is_main_process)
    began = saved = time.monotonic()

    def elapsed() -> float:
        return before + time.monotonic() - began

    def train_step(step: int) -> None:
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate_at(step, config, peak) * group["share"]
        # dropout too is then a function of the step, whenever the run was killed
        torch.manual_seed((seed + step * world + rank) % 2**63)
        for part in range(config.accumulate):
            begin = (part * world + rank) * share
            batch = stage.batch(step, range(begin, begin + share), config.batch)
            with accelerator.accumulate(module), accelerator.autocast():
                values = module(*(tensor.to(accelerator.device) for tensor in batch))
                accelerator.backward(values[0])
                if accelerator.sync_gradients and config.clip:
                    accelerator.clip_grad_norm_(parameters.values(), config.clip)
                for optimizer in optimizers:
                    optimizer.step()
                    optimizer.zero_grad()
            journal.add(accelerator.reduce(values.detach(), "mean"))
        keep = min(config.ema, (step + 1) / (step + 10))  # a young average forgets its random start fast
        for name, value in average.items():
            value.lerp_(parameters[name].detach().float(), 1 - keep)

    def validate() -> Sequence[float]:
        with Swapped(parameters, average), torch.no_grad():
            stage.eval()
            values = stage.validate()
            stage.train()
        return values

    def save(step: int) -> None:
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            if step > first:  # else the checkpoint is there already, perhaps with more steps than the recipe still asks for
                checkpoint.save(average, step, elapsed())
            with Swapped(parameters, average):
                stage.export()
            draw_curve(journal.path, folder / "curve.png")
        accelerator.wait_for_everyone()  # whoever goes on may read these files

    def decided(interrupted: bool) -> tuple[bool, bool]:
        """Whether to save now and whether to stop, the same in all processes: one alone would wait for the others for ever.
        The first one's clock decides, and a signal to any of them."""
        due = time.monotonic() - saved > 60 * config.save_minutes
        if world > 1:
            votes = torch.tensor([due and rank == 0, interrupted], dtype=torch.float32, device=accelerator.device)
            due, interrupted = (accelerator.reduce(votes, "sum") > 0).tolist()
        return due, interrupted

    done, stopped = first, False
    end = config.steps if stop_after is None else min(config.steps, first + stop_after)
    interrupts = Interrupts()
    with interrupts, progress_bar(accelerator.is_main_process, first, config.steps) as advance:
        stage.train()
        for step in range(first, end):
            train_step(step)
            done = step + 1
            if not journal.finite:
                check_weights(parameters.values(), done)
            if done % config.log_every == 0 or done == end:
                journal.write_losses(done, elapsed(), rate_at(step, config))
            if stage.validation and (done % config.validate_every == 0 or done == config.steps):
                journal.write_validation(done, elapsed(), validate())
            advance(done, journal.last[0])
            due, stopped = decided(bool(interrupts.received))
            if stopped:
                break
            if due:
                save(done)
                saved = time.monotonic()
    save(done)
    interrupts.pass_on()
    if stopped or interrupts.received:
        raise KeyboardInterrupt
    notes = (FINISHED,) if first >= config.steps else ()
    return LoopResult(done, elapsed(), done >= config.steps, journal.last, notes)
