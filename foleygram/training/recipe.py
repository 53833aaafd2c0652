"""A recipe: every number of every stage in one YAML file, with the model it trains."""

from __future__ import annotations

from pathlib import Path

from foleygram.config import Config, read_yaml
from foleygram.pipeline import FoleyGRAMConfig
from foleygram.training.autoencoder import AutoencoderTraining
from foleygram.training.control import ControlTraining
from foleygram.training.diffusion import DiffusionTraining
from foleygram.training.gram import GramTraining
from foleygram.training.pretraining import PretrainingConfig
from foleygram.training.timing import TimingTraining


class Recipe(Config):
    """``data``: manifest of the clips; ``out``: the run's folder, which is a model folder when all stages are done;
    ``towers``: model whose frozen vision and text towers are taken."""

    data: str = "data/minihits/clips.jsonl"
    out: str = "runs/mini"
    towers: str = "mini"
    seed: int = 0
    model: FoleyGRAMConfig
    autoencoder: AutoencoderTraining = AutoencoderTraining()
    diffusion: DiffusionTraining = DiffusionTraining()
    pretraining: PretrainingConfig = PretrainingConfig()
    gram: GramTraining = GramTraining()
    control: ControlTraining = ControlTraining()
    timing: TimingTraining = TimingTraining()


def read_recipe(path: Path) -> Recipe:
    """Raises RecipeError that names the file and the first wrong field."""
    return read_yaml(Recipe, path)
