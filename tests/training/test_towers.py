"""Towers that do not fit are said to. Those that do: test_stages.py."""

import pytest
import torch
from tiny import CONFIG, tiny_model

from foleygram.errors import ModelError
from foleygram.gram.encoder import GramEncoder
from foleygram.gram.vision import EfficientNetConfig
from foleygram.hub.folder import read_tensors, write_tensors
from foleygram.training.recipe import Recipe
from foleygram.training.stages import leave_unaligned
from foleygram.training.towers import frozen_towers


@pytest.fixture
def folder(tmp_path):
    return tiny_model().save(tmp_path / "towers")


def recipe(folder, **towers) -> Recipe:
    """With changed fields of single towers."""
    gram = CONFIG.gram.model_dump()
    for name, changes in towers.items():
        gram[name] |= changes
    return Recipe(model=CONFIG.replace(gram=gram), towers=str(folder))


@pytest.mark.parametrize(("tower", "changes"), [("text", {"width": 64}), ("vision", {"depth": 2})])
def test_towers_of_another_size(folder, tmp_path, tower, changes):
    with pytest.raises(ModelError, match=f"this recipe's {tower} tower .*{tower}.safetensors") as caught:
        frozen_towers(recipe(folder, **{tower: changes}), tmp_path)
    assert "\n" not in str(caught.value)


def test_towers_without_their_tokenizer(folder, tmp_path):
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="tokenizer.json: cannot be read"):
        frozen_towers(recipe(folder), tmp_path)


def test_an_audio_tower_of_another_size_is_not_left_unaligned(folder, tmp_path):
    other = recipe(folder, audio={"layers": 2})
    with pytest.raises(ModelError, match="this recipe's audio tower"):
        leave_unaligned(GramEncoder(other.model.gram), folder / "audio.safetensors", tmp_path)


def telling(folder, classes: int) -> Recipe:
    """With the small picture tower."""
    return recipe(folder).replace(
        model=CONFIG.replace(gram=CONFIG.gram.replace(vision=EfficientNetConfig(size=64, frames=3, classes=classes)))
    )


def test_a_recipe_without_classes_leaves_the_classifier_behind(folder, tmp_path):
    encoder = GramEncoder(telling(folder, 7).model.gram)
    vision = {f"vision.{key}": value for key, value in encoder.vision.state_dict().items()}
    write_tensors(folder / "vision.safetensors", vision, in_bytes=("vision.classifier.weight",))
    for classes, same in ((7, True), (0, False)):
        out = tmp_path / str(classes)
        tower = frozen_towers(telling(folder, classes), out).vision
        assert ((out / "vision.safetensors").read_bytes() == (folder / "vision.safetensors").read_bytes()) == same
        assert {f"vision.{key}" for key in tower.state_dict()} == set(read_tensors(out / "vision.safetensors"))
        torch.testing.assert_close(tower.stem.weight, encoder.vision.stem.weight)
    with pytest.raises(ModelError, match="this recipe's vision tower"):
        frozen_towers(telling(tmp_path / "0", 7), tmp_path / "other")
