"""The frozen towers: taken from a finished model. Only the vocabulary stage trains one of them, the text tower, later."""

from __future__ import annotations

from pathlib import Path

from foleygram.gram.encoder import GramEncoder
from foleygram.hub.folder import read_tensors, write_atomically, write_tensors
from foleygram.hub.layouts import check_shapes
from foleygram.training.recipe import Recipe
from foleygram.weights import find_folder, float_state, read_tokenizer

FROZEN = ("vision", "text")


def frozen_towers(recipe: Recipe, out: Path) -> GramEncoder:
    """The GRAM encoder of the recipe with vision and text towers of ``recipe.towers``; the rest is fresh.

    Copies the towers' files and the tokenizer into ``out``, so that the run becomes a whole model folder. Raises ModelError
    for towers that are absent or of another size."""
    source = find_folder(recipe.towers)
    encoder = GramEncoder(recipe.model.gram)
    for name in FROZEN:
        path = source / f"{name}.safetensors"
        tower = getattr(encoder, name)
        tensors = {key.removeprefix(f"{name}."): value for key, value in read_tensors(path).items()}
        # a recipe without classes leaves the classifier out
        spare = {key for key in tensors if key.startswith("classifier.")} - set(tower.state_dict())
        tensors = {key: value for key, value in tensors.items() if key not in spare}
        check_shapes(f"this recipe's {name} tower ({path})", tensors, tower.state_dict())
        tower.load_state_dict(float_state(tensors))
        tower.requires_grad_(False)
        if source.resolve() != out.resolve():
            if spare:
                write_tensors(out / path.name, {f"{name}.{key}": value for key, value in tensors.items()})
            else:
                write_atomically(out / path.name, path.read_bytes())  # what lies in 8 bits stays so
    encoder.tokenizer = read_tokenizer(source / "tokenizer.json", recipe.model.gram.text)
    write_atomically(out / "tokenizer.json", (source / "tokenizer.json").read_bytes())
    return encoder.eval()
