"""Numbers that cannot be are refused when they are read."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from tiny import CONFIG

from foleygram.diffusion.sampler import SamplerConfig
from foleygram.diffusion.transformer import TransformerConfig
from foleygram.errors import RecipeError
from foleygram.pipeline import FoleyGRAMConfig
from foleygram.training.recipe import read_recipe

RECIPE = Path(__file__).parents[1] / "recipes" / "mini.yaml"


def numbers(content: object, path: str = "") -> list[str]:
    """Dotted names of all numbers of a recipe."""
    if isinstance(content, dict):
        return [name for key, value in content.items() for name in numbers(value, f"{path}.{key}".lstrip("."))]
    return [path] if isinstance(content, int | float) and not isinstance(content, bool) else []


def test_a_recipe_takes_no_number_below_nothing():
    names = numbers(read_recipe(RECIPE).model_dump())
    assert len(names) > 150
    taken = []
    for name in names:
        try:
            read_recipe(RECIPE, (f"{name}=-1",))
            taken.append(name)
        except RecipeError as error:
            assert name.split(".")[-1] in str(error)
    assert not taken


@pytest.mark.parametrize(
    "change",
    ["seed=18446744073709551616", "control.loop.batch=0", "model.autoencoder.group=0", "model.sampler.steps=0", "gram.frames=0",
     "control.loop.betas=[0.9, 1.0]", "model.sampler.sigma_min=70.0", "model.transformer.head_dim=70",
     "model.transformer.embed_dim=400", "model.transformer.cross_dim=256", "model.gram.dim=128", "model.control_net.depth=7",
     "model.transformer.latent_dim=64", "model.gram.text.heads=7", "model.transformer.global_dim=64",
     "control.loop.ema=1.0", "pretraining.readers=0", "model.conditioner.token_dim=384"],
)  # fmt: skip
def test_a_recipe_takes_no_number_that_cannot_be(change):
    with pytest.raises(RecipeError, match="--set"):
        read_recipe(RECIPE, (change,))


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"gram": CONFIG.gram.replace(dim=CONFIG.gram.dim + 1)}, "gram.dim"),
        ({"control_net": CONFIG.control_net.replace(depth=CONFIG.transformer.depth + 1)}, "copies"),
    ],
)
def test_parts_of_a_model_fit_each_other(part, words):
    content = {**CONFIG.model_dump(), **{name: value.model_dump() for name, value in part.items()}}
    with pytest.raises(ValidationError, match=words):
        FoleyGRAMConfig.model_validate(content)


def test_the_papers_numbers_are_among_those_that_can_be():
    assert TransformerConfig().embed_dim == 1536 and SamplerConfig().steps == 150
