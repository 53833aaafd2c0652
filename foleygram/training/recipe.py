"""A recipe: every number of every stage in one YAML file, with the model it trains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml
from pydantic import ValidationError

from foleygram.config import Config, Seed, first_complaint, read_yaml
from foleygram.errors import RecipeError
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
    """``changes``: single fields that differ from the file, ``control.guide=onsets``; values are read as YAML.

    Raises RecipeError that names the file or the change and the first wrong field."""
    recipe = read_yaml(Recipe, path)
    for change in changes:
        recipe = changed(recipe, change)
    return recipe


def changed(recipe: Recipe, change: str) -> Recipe:
    """The recipe with one field replaced. Raises RecipeError for a field that there is not or a value that it cannot take."""
    name, equals, text = change.partition("=")
    content = recipe.model_dump()
    *path, last = name.strip().split(".")
    place = content
    for part in path:
        place = place.get(part) if isinstance(place, dict) else None
    if not equals or not isinstance(place, dict) or last not in place:
        raise RecipeError(f"--set {change}: a change is FIELD=VALUE with a field of the recipe, such as control.guide=onsets")
    try:
        place[last] = yaml.safe_load(text)
        return Recipe.model_validate(content)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {change}: not a YAML value ({' '.join(str(error).split())})") from error
    except ValidationError as error:
        raise RecipeError(f"--set {change}: {first_complaint(error)}") from error
