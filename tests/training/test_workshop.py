"""Where a run works: whose parts it takes, what it refuses, and what its config names."""

import json
from pathlib import Path

import pytest
from tiny import CONFIG, tiny_model

from foleygram.config import read_json
from foleygram.errors import ModelError, RecipeError
from foleygram.finish.memory import MemoryConfig
from foleygram.hub.folder import read_tensors
from foleygram.pipeline import FoleyGRAMConfig
from foleygram.training.recipe import Recipe
from foleygram.training.workshop import Workshop, forget


@pytest.fixture
def data(tmp_path) -> Path:
    """A manifest whose sounds nobody reads."""
    path = tmp_path / "clips.jsonl"
    rows = [
        {"id": split, "split": split, "audio": f"{split}.flac", "text": "wood is hit", "material": "wood", "action": "hit",
         "seconds": 2.0, "onsets": [[0.5, 1.0]]}
        for split in ("train", "validation")
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def base(tmp_path) -> Path:
    folder = tmp_path / "base"
    tiny_model().save(folder)
    return folder


RECIPE = Recipe(model=CONFIG)


def test_a_base_is_the_folder_of_another_run(data, base, tmp_path):
    for wrong in (tmp_path / "absent", data.parent, base):
        with pytest.raises(RecipeError, match="train that one first"):
            Workshop(RECIPE.replace(base=str(wrong)), data, base)


def test_parts_come_from_the_run_itself_before_its_base(data, base, tmp_path):
    out = tmp_path / "run"
    shop = Workshop(RECIPE.replace(base=str(base)), data, out)
    assert shop.find("transformer.safetensors", "diffusion").parent == base
    assert shop.cache.parent == base
    (out / "transformer.safetensors").write_bytes((base / "transformer.safetensors").read_bytes())
    assert shop.find("transformer.safetensors", "diffusion").parent == out
    with pytest.raises(ModelError, match="run first: foleygram train gram"):
        shop.find("absent.safetensors", "gram")


def test_what_is_taken_from_the_base_is_copied_and_frozen(data, base, tmp_path):
    out = tmp_path / "run"
    module = Workshop(RECIPE.replace(base=str(base)), data, out).autoencoder()
    assert not any(parameter.requires_grad for parameter in module.parameters()) and not module.training
    assert read_tensors(out / "autoencoder.safetensors").keys() == read_tensors(base / "autoencoder.safetensors").keys()


def test_projections_begin_anew_beside_another_run_alone(data, base, tmp_path):
    taught = read_tensors(base / "conditioner.safetensors")
    for folder, base_of, anew in ((tmp_path / "run", str(base), True), (base, "", False)):
        conditioner = Workshop(RECIPE.replace(base=base_of), data, folder).conditioner()
        for name, tensor in conditioner.state_dict().items():
            assert bool((tensor == taught[name].float()).all()) != (anew and name.startswith("gram_")), name


def test_the_config_names_parts_whose_weights_are_there(data, tmp_path):
    out, memory = tmp_path / "run", MemoryConfig(kinds=("wood, hit",), sounds=1)
    shop = Workshop(RECIPE, data, out)
    shop.write_config(memory=memory)
    assert read_json(FoleyGRAMConfig, out / "config.json").memory is None
    (out / "memory.safetensors").write_bytes(b"there")
    shop.write_config(memory=memory)
    Workshop(RECIPE, data, out)  # a later stage, whose recipe knows nothing of it
    assert read_json(FoleyGRAMConfig, out / "config.json").memory == memory
    (out / "prior.safetensors").write_bytes(b"there")
    shop.write_config(prior=True)
    Workshop(RECIPE, data, out)
    forget(out, "memory")
    config = read_json(FoleyGRAMConfig, out / "config.json")
    assert config.memory is None and config.prior
    assert not (out / "memory.safetensors").exists()
    forget(out)
    assert not read_json(FoleyGRAMConfig, out / "config.json").prior and not (out / "prior.safetensors").exists()
