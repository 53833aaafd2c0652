"""One training loop for every stage, on Hugging Face accelerate.

A batch is a pure function of (seed, step), so a run that was killed goes on to the same numbers: only weights, EMA and
optimiser state (in fp16 the scale of the loss, too) are kept, in one safetensors file. The log is one JSON object a line;
the curve is redrawn at each save.
"""

from __future__ import annotations

import math
import os
import signal
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from foleygram.config import Chance, Config, Count, Natural, NotNegative, Share
from foleygram.device import arithmetic, pick_device
from foleygram.errors import RecipeError
from foleygram.training.checkpoint import Checkpoint, Swapped
from foleygram.training.journal import Journal
from foleygram.training.optimizers import build_optimizers

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


class Interrupts:
    """Within the block the signals that end a program are noted only, so that what was trained is saved first."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self.previous: dict[int, object] = {}

    def __enter__(self) -> Interrupts:
        for kind in (getattr(signal, name) for name in STOPS if hasattr(signal, name)):
            if kind == signal.SIGINT or signal.getsignal(kind) != signal.SIG_IGN:  # nohup ignores SIGHUP
                self.previous[kind] = signal.signal(kind, self.note)
        return self

    def __exit__(self, *_) -> None:
        for kind, handler in self.previous.items():
            signal.signal(kind, handler)

    def note(self, number: int, _: object) -> None:
        """A step of a large model, or the compilation of its blocks, may take minutes: the first signal is answered."""
        if not self.received:
            os.write(2, b"stopping after this step, and saving\n")  # print is not for signal handlers
        self.received.append(number)

    def pass_on(self) -> None:
        """Gives the first signal to whoever called, who may want to say which it was."""
        if self.received and callable(self.previous[self.received[0]]):
            signal.raise_signal(self.received[0])


def not_compiled(error: Exception) -> str:
    """What to do where torch.compile fails: no compiler, or files that a killed run left half-written in its cache."""
    what = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    place = os.environ.get("TORCHINDUCTOR_CACHE_DIR") or f"{tempfile.gettempdir()}/torchinductor_USER"
    return f"the blocks could not be compiled ({what[:120]}); empty {place}, or set loop.compile=false of this stage"


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
    journal = Journal(folder / "log.jsonl", stage.losses, stage.validation, first, accelerator.is_main_process)
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
            try:
                train_step(step)
            except Exception as error:
                if type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
                    raise RecipeError(not_compiled(error)) from error
                raise
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
