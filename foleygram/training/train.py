"""``foleygram train``: one stage of a recipe."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from foleygram.errors import UsageError
from foleygram.hub.folder import write_json
from foleygram.output import alone_in
from foleygram.training.checkpoint import steps_done
from foleygram.training.recipe import Recipe, read_recipe
from foleygram.training.stages import (
    train_autoencoder,
    train_control,
    train_diffusion,
    train_gram,
    train_memory,
    train_pretraining,
    train_prior,
    train_timing,
    train_vocabulary,
)

STAGES = {
    "autoencoder": train_autoencoder,
    "diffusion": train_diffusion,
    "pretraining": train_pretraining,
    "gram": train_gram,
    "vocabulary": train_vocabulary,
    "control": train_control,
    "prior": train_prior,
    "timing": train_timing,
    "memory": train_memory,
}
"""The verbs' stages in the order in which they build on each other."""

WITH_PICTURES = ("gram", "control", "prior", "timing")
"""Stages that may have to render pictures, for which they take ``textures``."""

WITHOUT_STEPS = ("prior", "memory")
"""Stages that are computed at once."""


@dataclass(frozen=True)
class TrainingReport:
    """``steps``: done in all sessions; ``seconds``: of training in all sessions; ``loss``: mean at the last log line of this
    session, None where it has none or the loss is no number any more; ``log``, ``curve``: None where the stage writes none."""

    stage: str
    out: Path
    steps: int
    seconds: float
    finished: bool
    loss: float | None
    log: Path | None
    curve: Path | None
    notes: tuple[str, ...] = ()

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2, default=str, allow_nan=False)


def train(
    stage: str,
    recipe: Path,
    data: Path | None = None,
    out: Path | None = None,
    steps: int | None = None,
    threads: int | None = None,
    textures: Path | None = None,
    changes: Sequence[str] = (),
) -> TrainingReport:
    """Trains ``stage`` of the recipe file; ``data`` and ``out`` replace the recipe's, ``steps``: leave after so many,
    ``changes``: fields that differ from the file (``read_recipe``). The recipe as it was run lies beside the log.

    Raises UsageError for an unknown stage, RecipeError, also where another run of this stage is at work in
    ``out``, DataError, ModelError where an earlier stage is missing."""
    if stage not in STAGES:
        raise UsageError(f"there is no stage '{stage}'; take one of {', '.join(STAGES)}")
    for name, number in (("--steps", steps), ("--threads", threads)):
        if number is not None and number < 1:
            raise UsageError(f"{name} is at least 1, not {number}")
    if textures is not None and stage not in WITH_PICTURES:
        raise UsageError(f"--textures is for {', '.join(WITH_PICTURES)}; leave it out")
    if steps is not None and stage in WITHOUT_STEPS:
        raise UsageError(f"{stage} takes no steps, it is computed at once; leave --steps out")
    try:
        import accelerate  # noqa: F401
    except ImportError:
        raise UsageError("training needs accelerate, which is not installed; run: pip install 'foleygram[train]'") from None
    content = read_recipe(Path(recipe), changes)
    out = Path(out or content.out)
    if threads is not None:
        torch.set_num_threads(threads)
    pictures = {"textures": textures} if stage in WITH_PICTURES else {}
    folder = out / "training" / stage
    with alone_in(folder):
        notes = changes_since(folder, stage, content)
        keep_recipe(folder, content, bool(notes))
        try:
            result = STAGES[stage](content, Path(data or content.data), out, steps, **pictures)
        except BaseException:
            if not steps_done(folder):  # what never began leaves nothing
                (folder / "recipe.json").unlink(missing_ok=True)
            raise
    loss = result.last[0] if math.isfinite(result.last[0]) else None
    log, curve = (path if path.exists() else None for path in (folder / "log.jsonl", folder / "curve.png"))
    notes += result.notes
    return TrainingReport(stage, out, result.steps, result.seconds, result.finished, loss, log, curve, notes)


def keep_recipe(folder: Path, recipe: Recipe, changed: bool) -> None:
    """Writes the recipe before the first step, so that a run that is killed tells it too: ``recipe.json`` is that of the
    beginning, ``recipe-STEP.json`` one that has other numbers and goes on from that step."""
    begun = steps_done(folder)
    name = f"recipe-{begun}.json" if changed else "recipe.json"
    if changed or not begun or not (folder / name).exists():
        write_json(folder / name, recipe.model_dump(mode="json"))


FREE = ("steps", "log_every", "validate_every", "save_minutes")
"""Numbers of a loop that a run may change when it goes on."""

MOST_NAMED = 6
"""Of the changed fields in a note."""


def changes_since(folder: Path, stage: str, recipe: Recipe) -> tuple[str, ...]:
    """A note where a run goes on by other numbers than it was begun with, which is allowed, but the result of no recipe."""
    path = folder / "recipe.json"
    if not path.exists() or not steps_done(folder):
        return ()
    before, now = json.loads(path.read_text(encoding="utf-8")), recipe.model_dump(mode="json")
    names = [name for section in (stage, "model", "seed", "towers", "base") for name in differing(section, before, now)]
    free = {f"{stage}.loop.{name}" for name in FREE}
    others = [name for name in names if name not in free]
    more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
    named = ", ".join(others[:MOST_NAMED]) + more
    return (f"this run was begun with other numbers: {named} changed since",) if others else ()


def differing(name: str, before: dict, now: dict) -> Iterator[str]:
    """Full names of the fields under ``name`` that both have and that differ."""
    key = name.rpartition(".")[2]
    old, new = before.get(key), now.get(key)
    if isinstance(old, dict) and isinstance(new, dict):
        for inner in sorted(old.keys() & new.keys()):
            yield from differing(f"{name}.{inner}", old, new)
    elif key in before and key in now and old != new:
        yield name
