"""GRAM at the paper's size: all three towers learn, on clips read from tar shards (sections III-A and IV-C).

The mini keeps its towers frozen and learns from cached features (training/gram.py); here every step decodes its clips,
so that nothing but the shards has to lie on the disk.
"""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from foleygram.config import Config, Count
from foleygram.data.shards import SUBSTITUTES, ShardedClips
from foleygram.errors import DataError, MediaError
from foleygram.gram.audio import preprocess_audio
from foleygram.gram.encoder import GramEncoder
from foleygram.gram.loss import GramLossConfig, gram_loss
from foleygram.gram.text import Tokens
from foleygram.gram.vision import EvaVisionTransformer, preprocess_frames
from foleygram.hub.folder import write_tensors
from foleygram.training.loop import LoopConfig, Stage
from foleygram.weights import GRAM_FILES


class PretrainingConfig(Config):
    """Defaults: the paper's numbers, one pass over 150,000 clips."""

    start: str = ""  # folder of the towers' weights to begin with; else those that lie in the run's own
    loop: LoopConfig = LoopConfig(
        steps=586, batch=256, learning_rate=1e-4, betas=(0.9, 0.98), weight_decay=0.01, warmup=58, decay="cosine", ema=0.0
    )
    learn: tuple[str, ...] = ("vision", "audio", "text")  # towers; the heads and the temperature always learn
    vision_rate: float | None = Field(None, gt=0)  # highest learning rate of the vision tower; None: the loop's
    frames: Count = 8  # of each clip
    loss: GramLossConfig = GramLossConfig()
    readers: Count = 8  # clips that are decoded at the same time
    gradient_checkpointing: bool = True  # of the vision tower's blocks, which hold most of the memory


class PretrainingStage(Stage):
    """``losses``: of Eqs. 3 and 4, and the mean cosine of text and sound of one clip."""

    losses = ("loss", "agreement")

    def __init__(self, encoder: GramEncoder, config: PretrainingConfig, clips: ShardedClips, seed: int, folder: Path):
        super().__init__()
        self.encoder, self.config, self.clips, self.seed, self.folder = encoder, config, clips, seed, folder
        for name in ("vision", "audio", "text"):
            getattr(encoder, name).requires_grad_(name in config.learn)
        if isinstance(encoder.vision, EvaVisionTransformer):
            encoder.vision.head.requires_grad_(False)  # loaded and never used
        if encoder.colour is not None:
            encoder.colour.requires_grad_(False)  # no part of this loss
        self.unreadable: set[int] = set()  # clips, of which it was said
        self.skips = "audio" in config.learn and encoder.drops_layers
        if config.gradient_checkpointing and "vision" in config.learn:
            for block in getattr(encoder.vision, "blocks", ()):
                block.forward = partial(checkpoint, block.forward, use_reentrant=False)

    def share_of_rate(self, name: str) -> float:
        """GRAM's code moves the large pretrained vision tower more slowly than the rest."""
        slower = self.config.vision_rate is not None and name.startswith("encoder.vision.")
        return self.config.vision_rate / self.config.loop.learning_rate if slower else 1.0

    def row(self, number: int, caption: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(frames, filter banks, word pieces, their mask) of a clip under one of its captions. Raises DataError, MediaError."""
        config = self.encoder.config
        clip = self.clips.clip(number, self.config.frames, config.vision.size * 8 // 7, caption)
        tokens = self.encoder.tokenizer([clip.text])
        frames = preprocess_frames(clip.video, config.vision.replace(frames=self.config.frames))
        return frames, preprocess_audio(clip.audio, config.audio), tokens.ids[0], tokens.mask[0]

    def readable_row(self, step: int, row: int, place: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The row of the clip and caption at ``place``, or of others where that cannot be read, which is said once of each
        clip. Raises DataError where they cannot be read either."""
        for number, caption in (place, *self.clips.substitutes(self.seed, step, row)):
            try:
                return self.row(number, caption)
            except (DataError, MediaError) as error:
                if number not in self.unreadable:
                    self.unreadable.add(number)
                    clip = self.clips.clips[number]
                    complaint = f"{clip.video.shard}: {clip.key}: left out, another clip takes its place ({error})"
                    warnings.warn(complaint, stacklevel=2)
                last = error
        raise DataError(f"{SUBSTITUTES + 1} clips in turn cannot be read; fetch the shards again ({last})") from last

    def batch(self, step: int, rows: range, size: int) -> tuple[Tensor, ...]:
        places = self.clips.draw(self.seed, step, rows, size)
        with ThreadPoolExecutor(self.config.readers) as readers:
            drawn = list(readers.map(partial(self.readable_row, step), rows, places))
        return tuple(torch.stack(column) for column in zip(*drawn, strict=True))

    def forward(self, frames: Tensor, banks: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        points = self.encoder(frames, banks, Tokens(ids, mask))
        loss = gram_loss(points.text, points.video, points.audio, self.encoder.contra_temp, self.config.loss)
        agreement = (points.text * points.audio).sum(-1).mean()
        return torch.stack([loss, agreement])

    def export(self) -> None:
        state = self.encoder.state_dict()
        for name, prefixes in GRAM_FILES.items():
            write_tensors(
                self.folder / f"{name}.safetensors", {key: value for key, value in state.items() if key.startswith(prefixes)}
            )
