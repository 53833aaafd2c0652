"""Stage 2: the base model, text to Foley (stands in for the pretrained Stable Audio Open of section III-B).

Caption states of the frozen text tower and the timing numbers condition the transformer; v-prediction; a tenth of the
rows lose their condition for guidance. The control stage freezes what this stage learns.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from foleygram.diffusion.conditioner import Conditioner
from foleygram.diffusion.schedule import add_noise, v_loss, v_target
from foleygram.diffusion.transformer import Transformer
from foleygram.hub.folder import write_tensors
from foleygram.training.denoising import DenoisingStage, DenoisingTraining
from foleygram.training.latents import Captions, Crops, TextStatesTable
from foleygram.training.loop import LoopConfig


class DiffusionTraining(DenoisingTraining):
    """Numbers of stage 2."""

    loop: LoopConfig = LoopConfig(steps=3000, batch=16, learning_rate=6e-4, warmup=100, decay="cosine", decay_share=0.5)
    start: str = ""  # folder of a model whose transformer and conditioner are gone on with; else from nothing


class DiffusionStage(DenoisingStage):
    """v-loss of the base, conditioned by the text encoder's states and the timing, as Stable Audio Open."""

    def __init__(
        self, transformer: Transformer, conditioner: Conditioner, config: DiffusionTraining, seed: int, folder: Path,
        train: Crops, train_captions: Captions, valid: Crops, valid_captions: Captions,
        texts: TextStatesTable, valid_texts: TextStatesTable,
    ):  # fmt: skip
        super().__init__()
        self.transformer, self.conditioner, self.config = transformer, conditioner, config
        self.seed, self.folder = seed, folder
        self.train_set = (train, train_captions, texts)
        self.valid_set = (valid, valid_captions, valid_texts)
        for name, parameter in conditioner.named_parameters():
            parameter.requires_grad_(not name.startswith("gram_"))

    def compiled_blocks(self) -> Sequence[nn.Module]:
        return list(self.transformer.transformer_blocks)

    def hidden_blocks(self) -> Sequence[nn.Module]:
        return list(self.transformer.transformer_blocks)

    def draw(self, data: tuple[Crops, Captions, TextStatesTable], step: int, row: int) -> tuple[Tensor, ...]:
        """(latent, text states, mask, start s, total s, noise, dropped) of one row."""
        crops, captions, texts = data
        draw = np.random.default_rng([self.seed, step, row])
        clip, start = int(draw.integers(len(crops))), crops.draw_start(draw)
        caption = captions.draw(clip, draw)
        (latent,) = crops.at(clip, start)
        noise = torch.from_numpy(draw.standard_normal(latent.shape, dtype=np.float32))
        begins, total = crops.told(start)
        return (
            latent, torch.from_numpy(texts.states[caption].astype(np.float32)), torch.from_numpy(texts.mask[caption]),
            torch.tensor(begins), torch.tensor(total), noise, torch.tensor(draw.random() < self.config.condition_dropout),
        )  # fmt: skip

    def forward(self, latent, states, mask, start, total, noise, dropped, t) -> Tensor:
        condition = self.conditioner.from_text(states, mask, start.float(), total.float()).drop(dropped)
        prediction = self.transformer(add_noise(latent, noise, t), t, condition)
        return v_loss(prediction, v_target(latent, noise, t))[None]

    def export(self) -> None:
        for name, module in (("transformer", self.transformer), ("conditioner", self.conditioner)):
            write_tensors(
                self.folder / f"{name}.safetensors", {key: value.half() for key, value in module.state_dict().items()}
            )
