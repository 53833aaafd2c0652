"""The log of a run, one JSON object a line: losses as means since the line before, and what validation says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from foleygram.hub.folder import write_atomically


class Journal:
    """``losses``, ``validation``: names of the values; ``writes``: whether this process does. What a killed run wrote after
    step ``first`` is dropped."""

    def __init__(self, path: Path, losses: Sequence[str], validation: Sequence[str], first: int, writes: bool):
        self.path, self.losses, self.validation, self.writes = path, losses, validation, writes
        self.sums, self.counted = torch.zeros(len(losses)), 0
        self.last = tuple(float("nan") for _ in losses)
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
        self.write(step=step, seconds=round(seconds, 1), rate=rate, **dict(zip(self.losses, self.last, strict=True)))
        self.sums.zero_()
        self.counted = 0

    def write_validation(self, step: int, seconds: float, values: Sequence[float]) -> None:
        self.write(step=step, seconds=round(seconds, 1), **dict(zip(self.validation, values, strict=True)))

    def write(self, **values: float) -> None:
        if self.writes:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\n")


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
