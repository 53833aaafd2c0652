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

from foleygram.config import Config
from foleygram.diffusion.conditioner import Conditioner
from foleygram.diffusion.schedule import TimeDistribution, add_noise, draw_times, v_loss, v_target
from foleygram.diffusion.transformer import Transformer
from foleygram.hub.folder import write_tensors
from foleygram.training.latents import Captions, Crops, TextStatesTable
from foleygram.training.loop import LoopConfig, Stage


class DiffusionTraining(Config):
    loop: LoopConfig = LoopConfig(steps=3000, batch=16, learning_rate=6e-4, warmup=100, decay="cosine", decay_share=0.5)
    seconds: float = 5.0  # length of a training crop
    condition_dropout: float = 0.1
    late_share: float = 0.0  # of the steps, at the end: half as many rows, of ``late_seconds``, each a clip of its own
    late_seconds: tuple[float, ...] = (10.0, 10.0, 6.0, 3.5)  # lengths, one drawn for each step: what the model meets later
    times: TimeDistribution = "uniform"


class DiffusionStage(Stage):
    losses = ("v_mse",)
    validation = ("valid_v_mse",)

    def __init__(
        self, transformer: Transformer, conditioner: Conditioner, config: DiffusionTraining, seed: int, folder: Path,
        train: Crops, train_captions: Captions, valid: Crops, valid_captions: Captions, texts: TextStatesTable, valid_texts: TextStatesTable,
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

    def batch(self, step: int, rows: range, size: int) -> tuple[Tensor, ...]:
        times = draw_times(size, self.config.times, torch.Generator().manual_seed(self.seed * 1_000_003 + step))
        crops, *rest = self.train_set
        if step >= (1 - self.config.late_share) * self.config.loop.steps:
            lengths = self.config.late_seconds
            crops = crops.of(lengths[np.random.default_rng([self.seed, step]).integers(len(lengths))])
            rows = rows[::2]
        drawn = zip(*(self.draw((crops, *rest), step, row) for row in rows), strict=True)
        return (*(torch.stack(column) for column in drawn), times[rows.start : rows.stop : rows.step])

    def forward(self, latent, states, mask, start, total, noise, dropped, t) -> Tensor:
        condition = self.conditioner.from_text(states, mask, start.float(), total.float()).drop(dropped)
        prediction = self.transformer(add_noise(latent, noise, t), t, condition)
        return v_loss(prediction, v_target(latent, noise, t))[None]

    def validate(self) -> Sequence[float]:
        losses, device = [], next(self.transformer.parameters()).device
        for part in range(4):
            columns = zip(*(self.draw(self.valid_set, 0, 16 * part + row) for row in range(16)), strict=True)
            latent, states, mask, start, total, noise, _ = (torch.stack(column).to(device) for column in columns)
            t = ((torch.arange(16) + 0.5) / 16).to(device)
            with torch.autocast(device.type, torch.bfloat16):
                losses.append(self.forward(latent, states, mask, start, total, noise, torch.zeros(16, dtype=torch.bool, device=device), t))
        return torch.stack(losses).mean(0).tolist()

    def export(self) -> None:
        for name, module in (("transformer", self.transformer), ("conditioner", self.conditioner)):
            write_tensors(self.folder / f"{name}.safetensors", {key: value.half() for key, value in module.state_dict().items()})
