"""Where the stages of a run work: its folder, its data, and what earlier stages left there."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from foleygram.config import read_json
from foleygram.data.features import read_scenes
from foleygram.data.manifest import ClipRecord, read_manifest
from foleygram.device import pick_device
from foleygram.diffusion.autoencoder import OobleckAutoencoder
from foleygram.diffusion.conditioner import Conditioner
from foleygram.diffusion.spectral import SpectralAutoencoder
from foleygram.errors import ModelError, RecipeError
from foleygram.finish.memory import MemoryConfig
from foleygram.gram.encoder import GramEncoder
from foleygram.hub.folder import read_tensors, write_atomically, write_json, write_tensors
from foleygram.pipeline import FoleyGRAMConfig, build_autoencoder
from foleygram.timing.network import TimingConfig
from foleygram.training.gram import ClipFeatures
from foleygram.training.guides import guide_latents
from foleygram.training.latents import (
    Captions,
    TextStatesTable,
    clip_sounds,
    frame_features,
    sound_banks,
    sound_latents,
    text_states,
)
from foleygram.training.recipe import Recipe
from foleygram.training.vocabulary import LEARNS
from foleygram.weights import assign

BEFORE = Path("training", "vocabulary", "before.safetensors")
"""In a run's folder: the text side as the vocabulary stage found it."""


ABSENT = {"timing": None, "memory": None, "prior": False}
"""Parts that a model may do without, and what its config says then."""


def forget(out: Path, *parts: Literal["memory", "prior"]) -> None:
    """Takes away what earlier stages knew of a joint space that is learned anew; ``parts``: these alone."""
    path, parts = out / "config.json", parts or ("memory", "prior")
    if path.exists():  # a model that names a part without weights cannot be loaded
        config = read_json(FoleyGRAMConfig, path).replace(**{name: ABSENT[name] for name in parts})
        write_json(path, config.model_dump(mode="json"))
    for name in parts:
        (out / f"{name}.safetensors").unlink(missing_ok=True)


def forget_words(out: Path) -> None:
    """Takes away what the vocabulary stage taught, with the joint space that it belonged to."""
    for name in (BEFORE, BEFORE.with_name("checkpoint.safetensors")):
        (out / name).unlink(missing_ok=True)


class Workshop:
    """A run's folder and data, and the frozen parts that earlier stages left there, or in the run that it is based on."""

    def __init__(self, recipe: Recipe, data: Path, out: Path):
        self.recipe, self.out = recipe, out
        self.base = Path(recipe.base) if recipe.base else None
        if self.base is not None and (self.base.resolve() == out.resolve() or not (self.base / "config.json").is_file()):
            raise RecipeError(f"base {self.base}: is not the folder of another run; train that one first, or leave base out")
        self.cache = (self.base or out) / "cache"
        self.train = read_manifest(data, "train")
        self.valid = read_manifest(data, "validation")
        self.scenes = read_scenes(data.parent / "scenes.jsonl")
        # a run on another's stages is a control experiment, which is always told the timing: it has no predictor's weights
        self.write_config()

    def write_config(self, timing: TimingConfig | None = None, memory: MemoryConfig | None = None, prior: bool = False) -> None:
        """The model's config. It names predictor, memory and prior from when their weights are there, so that a run without
        them is a model all the same, and a later stage does not lose what was made without being in the recipe."""
        path, model = self.out / "config.json", self.recipe.model
        parts = {"timing": timing or model.timing, "memory": memory or model.memory, "prior": prior or model.prior}
        for name, part in parts.items():
            there = (self.out / f"{name}.safetensors").exists()
            if there and not part and path.exists():
                part = getattr(read_json(FoleyGRAMConfig, path), name)
            parts[name] = part if there else ABSENT[name]
        known, told = getattr(parts["memory"], "classes", 0), model.gram.vision.classes
        if known not in (0, told):
            raise RecipeError(f"{path}: its memory knows {known} classes by name; set model.gram.vision.classes to {known}")
        write_json(path, model.replace(**parts).model_dump(mode="json"))

    def sounds(self, records: Sequence[ClipRecord]):
        return clip_sounds(records, self.cache, self.recipe.model.seconds)

    def trained(self, module, stage: str, *names: str, keep: bool = True):
        """A module with the weights that ``stage`` exported here, or in the base run, from where ``keep`` copies them."""
        paths = [self.find(f"{name}.safetensors", stage) for name in names]
        assign(module, *paths)
        for path in paths:
            if keep and path.parent != self.out:
                write_atomically(self.out / path.name, path.read_bytes())
        return module.eval().requires_grad_(False)

    def find(self, name: str, stage: str) -> Path:
        for folder in (self.out, self.base):
            if folder is not None and (folder / name).exists():
                return folder / name
        raise ModelError(f"{self.out / name}: absent; run first: foleygram train {stage} with this recipe and --out")

    def conditioner(self) -> Conditioner:
        """The base model's. The control stage of another run has taught its projections, so there they begin anew."""
        taught = not (self.out / "conditioner.safetensors").exists()
        # not copied: a copy would be taken for this run's own after an interruption
        module = self.trained(Conditioner(self.recipe.model.conditioner), "diffusion", "conditioner", keep=False)
        if taught:
            for projection in (module.gram_audio, module.gram_video, module.gram_text):
                projection.reset_parameters()
        return module

    def autoencoder(self) -> SpectralAutoencoder | OobleckAutoencoder:
        model = build_autoencoder(self.recipe.model.autoencoder)
        return self.trained(model, "autoencoder", "autoencoder").to(pick_device("auto"))

    def latents(self, records: Sequence[ClipRecord], envelope: bool = False):
        return sound_latents(self.autoencoder(), self.sounds(records), self.cache, envelope)

    def guides(self, records: Sequence[ClipRecord]):
        """Latents of what the control stage is told of the timing."""
        guide = self.recipe.control.guide
        if guide == "envelope":
            return self.latents(records, envelope=True)
        return guide_latents(self.autoencoder(), records, guide, self.recipe.model.seconds, self.cache)

    def encoder(self, anew: bool = False) -> GramEncoder:
        """With the towers of this run where it has a joint space, else the base's, else the recipe's; audio tower and heads are
        fresh. ``anew``: of the base or the recipe, without the words that a vocabulary stage has taught, here or there."""
        from foleygram.training.towers import FROZEN, frozen_towers

        own = all((self.out / f"{name}.safetensors").exists() for name in (*FROZEN, "heads"))
        towers = self.out if own and not anew else self.base
        # in full: a run may bear the name of a model that ships
        recipe = self.recipe if towers is None else self.recipe.replace(towers=str(towers.absolute()))
        encoder = frozen_towers(recipe, self.out).to(pick_device("auto"))
        if anew and self.unteach(encoder):
            path = self.out / "text.safetensors"
            kept = read_tensors(path)
            write_tensors(
                path, kept | {key: encoder.state_dict()[key].half() for key in kept if key.startswith(LEARNS["text"])}
            )
        return encoder

    def unteach(self, encoder: GramEncoder) -> bool:
        """Gives the text tower the weights from before the vocabulary stage of this run or its base; whether there was one."""
        for folder in (self.out, self.base):
            before = None if folder is None else folder / BEFORE
            if before is not None and before.exists():
                text = {key: value for key, value in read_tensors(before).items() if key.startswith(LEARNS["text"])}
                encoder.load_state_dict(encoder.state_dict() | text)
                return True
        return False

    def captions_as_read(self, encoder: GramEncoder, captions: Captions) -> TextStatesTable:
        """States of captions as the base model reads them, by a text tower that was taught no words."""
        reader = copy.deepcopy(encoder)
        self.unteach(reader)
        return text_states(reader, captions, self.cache)

    def check_aligned(self) -> None:
        """Raises ModelError in a control experiment whose GRAM stage is still to come: the heads of the base would be taken
        silently, and they are aligned by volume."""
        if self.recipe.gram.alignment != "gram" and not (self.out / "heads.safetensors").exists():
            raise ModelError(
                f"{self.out / 'heads.safetensors'}: absent; run first: foleygram train gram with this recipe and --out"
            )

    def features(
        self, encoder: GramEncoder, records: Sequence[ClipRecord], textures: Path | None, pictures: bool = True
    ) -> ClipFeatures:
        """What the GRAM stage learns from; the frozen towers run once. ``pictures``: whether somebody looks at them."""
        captions, frames = Captions.of(records), None
        if pictures:
            frames = frame_features(encoder, records, self.recipe.gram.stored_frames, self.scenes, textures, self.cache)
        banks = sound_banks(encoder, self.sounds(records), self.cache)
        return ClipFeatures(frames, banks, text_states(encoder, captions, self.cache).pooled, captions)
