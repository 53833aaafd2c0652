"""Stage 5: ControlNet and projections on the frozen base (end of section III-B, section IV-C); ``locked: false`` lets it learn.

The clip's GRAM embeddings take the place of the caption's states, the encoded envelope enters through the ControlNet.
A tenth of the rows lose the whole cross-attention sequence, in both networks alike; the envelope is never dropped.
Modality dropout is ours (docs/decisions.md): some rows see only a subset, so that subsets work at inference; the paper
trains with all three (``modality_dropout: 0``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from foleygram.config import NotNegative, Share
from foleygram.data.controls import Control
from foleygram.diffusion.conditioner import Conditioner
from foleygram.diffusion.control import ControlNet
from foleygram.diffusion.schedule import TimeDistribution, add_noise, v_loss, v_target
from foleygram.diffusion.transformer import Transformer
from foleygram.gram.linear import solve_linear
from foleygram.hub.folder import write_tensors
from foleygram.training.denoising import DenoisingStage, DenoisingTraining
from foleygram.training.latents import Captions, Crops
from foleygram.training.loop import LoopConfig
from foleygram.types import Embeddings

SUBSETS = ("AVT", "AV", "AT", "VT", "A", "V", "T")
"""The conditionings of Table II."""


class ControlTraining(DenoisingTraining):
    """Numbers of the control stage."""

    loop: LoopConfig = LoopConfig(steps=2500, batch=16, learning_rate=6e-4, warmup=100, decay="cosine", decay_share=0.5)
    modality_dropout: Share = 0.6  # share of rows that see a random proper subset
    embedding_noise: NotNegative = 0.0  # length of a random vector added to each embedding before it is normalised again
    times: TimeDistribution = "logit_normal"
    locked: bool = True  # the base stays as it was (the paper); False: it learns too (sd_locked of the ControlNet's code)
    guide: Control = "envelope"  # what the ControlNet is told of the timing; onsets and none: control experiments
    start: str = ""  # folder of a model whose ControlNet is gone on with; else a copy of the base's blocks
    fitted_projections: bool = False  # begin where base or start understands them (fit_projections); the paper: random
    projection_share: NotNegative = 1.0  # of the learning rate, for the three projections
    gradient_checkpointing: bool = False  # computes the blocks twice, and keeps only their inputs in memory


@dataclass(frozen=True, eq=False)
class ClipEmbeddings:
    """Points of the GRAM space: audio, video [clip, dim] of each clip, None where nothing looks at them, text [caption, dim]
    of each caption."""

    audio: np.ndarray
    video: np.ndarray | None
    text: np.ndarray


RIDGE = 1e-4
"""Of the least squares, for each clip beside the mean square of a coordinate of a point of unit length (1 / 256 in the
mini)."""


@torch.no_grad()
def caption_tokens(conditioner: Conditioner, captions: Captions, states: np.ndarray) -> ClipEmbeddings:
    """The tokens that the base knows, in the places of points: the projected state of each caption, and for sound and picture
    that of the clip's own caption. ``states``: [caption, text_dim], pooled."""
    tokens = (
        conditioner.text_projection(torch.from_numpy(states.astype(np.float32)).to(conditioner.gram_text.weight)).cpu().numpy()
    )
    of_clip = tokens[[own[0] for own in captions.of_clip]]
    return ClipEmbeddings(of_clip, of_clip, tokens)


@torch.no_grad()
def point_tokens(conditioner: Conditioner, points: ClipEmbeddings) -> ClipEmbeddings:
    """The tokens that a trained conditioner makes of points, in their places."""

    def tokens(projection: nn.Linear, known: np.ndarray) -> np.ndarray:
        return projection(torch.from_numpy(known.astype(np.float32)).to(projection.weight)).cpu().numpy()

    return ClipEmbeddings(
        tokens(conditioner.gram_audio, points.audio), tokens(conditioner.gram_video, points.video),
        tokens(conditioner.gram_text, points.text),
    )  # fmt: skip


@torch.no_grad()
def fit_projections(conditioner: Conditioner, points: ClipEmbeddings, tokens: ClipEmbeddings) -> None:
    """Sets the three projections so that each point becomes, as near as a linear map can, the token in its place.

    As they are drawn at random, tokens of points of unit length are a seventh of the captions' tokens, and the frozen base
    hardly hears them; training alone does not make them grow (docs/lab-notes.md). So they begin at the captions' tokens, or,
    where the ControlNet is one that was trained on another joint space, at the tokens that it was trained on."""
    for projection, known, wanted in (
        (conditioner.gram_audio, points.audio, tokens.audio),
        (conditioner.gram_video, points.video, tokens.video),
        (conditioner.gram_text, points.text, tokens.text),
    ):
        x, y = (torch.from_numpy(rows.astype(np.float32)).to(projection.weight) for rows in (known, wanted))
        solve_linear(projection, x, y, RIDGE)


class ControlStage(DenoisingStage):
    """v-loss of ControlNet, projections and, where it is not locked, base, under the envelope (sections III-B2, IV-C)."""

    def __init__(
        self, transformer: Transformer, control_net: ControlNet, conditioner: Conditioner, config: ControlTraining, seed: int,
        folder: Path, train: Crops, train_captions: Captions, train_embeddings: ClipEmbeddings,
        valid: Crops, valid_captions: Captions, valid_embeddings: ClipEmbeddings,
    ):  # fmt: skip
        """``train``, ``valid``: crops of (sound latents, envelope latents)."""
        super().__init__()
        self.transformer = transformer.requires_grad_(not config.locked)
        self.control_net, self.conditioner, self.config = control_net, conditioner, config
        self.seed, self.folder = seed, folder
        self.train_set = (train, train_captions, train_embeddings)
        self.valid_set = (valid, valid_captions, valid_embeddings)
        for name, parameter in conditioner.named_parameters():
            parameter.requires_grad_(name.startswith("gram_"))
        # the embedders of the copy beyond the reference's cut are used, so all of the ControlNet learns
        self.control_net.requires_grad_(True)
        transformer.gradient_checkpointing = control_net.gradient_checkpointing = config.gradient_checkpointing

    def share_of_rate(self, name: str) -> float:
        return self.config.projection_share if name.startswith("conditioner.gram_") else 1.0

    def compiled_blocks(self) -> Sequence[nn.Module]:
        return [*self.transformer.transformer_blocks, *self.control_net.transformer_blocks]

    def hidden_blocks(self) -> Sequence[nn.Module]:
        return [*self.control_net.transformer_blocks, *([] if self.config.locked else self.transformer.transformer_blocks)]

    def noised(self, point: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        point = point.astype(np.float32)
        if self.config.embedding_noise:
            step = draw.standard_normal(point.shape, dtype=np.float32)
            point = point + self.config.embedding_noise * step / np.linalg.norm(step)
            point = point / np.linalg.norm(point)
        return point

    def draw(self, data: tuple[Crops, Captions, ClipEmbeddings], step: int, row: int) -> tuple[Tensor, ...]:
        """(latent, envelope latent, audio, video, text points, start s, total s, noise, dropped) of one row."""
        crops, captions, embeddings = data
        draw = np.random.default_rng([self.seed, step, row])
        clip, start = int(draw.integers(len(crops))), crops.draw_start(draw)
        caption = captions.draw(clip, draw)
        latent, envelope = crops.at(clip, start)
        noise = torch.from_numpy(draw.standard_normal(latent.shape, dtype=np.float32))
        use = "AVT"
        if draw.random() < self.config.modality_dropout:
            use = SUBSETS[1 + draw.integers(len(SUBSETS) - 1)]
        points = []
        for letter, point in (("A", embeddings.audio[clip]), ("V", embeddings.video[clip]), ("T", embeddings.text[caption])):
            # a row of zeros is an absent modality to the conditioner
            points.append(torch.from_numpy(self.noised(point, draw) if letter in use else np.zeros(point.shape, np.float32)))
        begins, total = crops.told(start)
        return (
            latent, envelope, *points, torch.tensor(begins), torch.tensor(total), noise,
            torch.tensor(draw.random() < self.config.condition_dropout),
        )  # fmt: skip

    def forward(self, latent, envelope, audio, video, text, start, total, noise, dropped, t) -> Tensor:
        embeddings = Embeddings(video=video, text=text, audio=audio)
        condition = self.conditioner(embeddings, start.float(), total.float()).drop(dropped)
        noised = add_noise(latent, noise, t)
        residuals = self.control_net(noised, t, condition, envelope)
        prediction = self.transformer(noised, t, condition, residuals)
        return v_loss(prediction, v_target(latent, noise, t))[None]

    def export(self) -> None:
        learned = {"control_net": self.control_net, "conditioner": self.conditioner}
        if not self.config.locked:
            learned["transformer"] = self.transformer
        for name, module in learned.items():
            write_tensors(
                self.folder / f"{name}.safetensors", {key: value.half() for key, value in module.state_dict().items()}
            )
