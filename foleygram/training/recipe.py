"""A recipe: every number of every stage in one YAML file, with the model it trains."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import yaml
from pydantic import ValidationError

from foleygram.config import Config, Seed, first_complaint, read_yaml
from foleygram.errors import RecipeError, UsageError
from foleygram.pipeline import FoleyGRAMConfig
from foleygram.training.autoencoder import AutoencoderTraining
from foleygram.training.control import ControlTraining
from foleygram.training.diffusion import DiffusionTraining
from foleygram.training.gram import GramTraining
from foleygram.training.memory import MemoryTraining
from foleygram.training.pretraining import PretrainingConfig
from foleygram.training.prior import PriorTraining
from foleygram.training.timing import TimingTraining
from foleygram.training.vocabulary import VocabularyTraining


class Recipe(Config):
    """``data``: manifest of the clips; ``out``: the run's folder, which is a model folder when all stages are done;
    ``towers``: model whose frozen vision and text towers are taken; ``base``: another run of the same sizes, whose finished
    stages and cached features serve where this run has none of its own (control experiments)."""

    data: str = "data/minihits/clips.jsonl"
    out: str = "runs/mini"
    towers: str = "mini"
    base: str = ""
    seed: Seed = 0
    model: FoleyGRAMConfig
    autoencoder: AutoencoderTraining = AutoencoderTraining()
    diffusion: DiffusionTraining = DiffusionTraining()
    pretraining: PretrainingConfig = PretrainingConfig()
    gram: GramTraining = GramTraining()
    vocabulary: VocabularyTraining = VocabularyTraining()
    control: ControlTraining = ControlTraining()
    prior: PriorTraining = PriorTraining()
    timing: TimingTraining = TimingTraining()
    memory: MemoryTraining = MemoryTraining()


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """``changes``: single fields that differ from the file, ``control.guide=onsets``; values are read as YAML. Fields that have
    to agree may be changed together.

    Raises RecipeError that names the file or the change and the first wrong field, UsageError for a change of no field."""
    recipe = read_yaml(Recipe, path)
    if not changes:
        return recipe
    content, given = recipe.model_dump(), {}
    for change in changes:
        name, value = replaced(content, change)
        if name in given:
            raise UsageError(f"--set {change}: {name} is set twice ({given[name]}); it takes one value, so give one")
        given[name] = value
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise RecipeError(f"--set {', '.join(changes)}: {first_complaint(error)}") from error


def replaced(content: dict, change: str) -> tuple[str, str]:
    """Replaces one field of a recipe's ``content``; its name, and the value as it was given. Raises UsageError for a field that
    there is not."""
    name, equals, text = (part.strip() for part in change.partition("="))
    if not equals:
        raise UsageError(f"--set {change}: a change is FIELD=VALUE, such as control.guide=onsets")
    place: object = content
    *path, last = name.split(".")
    for depth, part in enumerate([*path, last]):
        if not isinstance(place, dict) or part not in place:
            fields = sorted(place) if isinstance(place, dict) else []
            near = get_close_matches(part, fields, 1)
            where = ".".join(path[:depth]) or "the recipe"
            meant = f"perhaps {near[0]} is meant" if near else f"it has {', '.join(fields)}" if fields else "it has no fields"
            raise UsageError(f"--set {change}: {where} has no field '{part}'; {meant}")
        if depth < len(path):
            place = place[part]
    try:
        place[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {change}: not a YAML value ({' '.join(str(error).split())})") from error
    return name, text
