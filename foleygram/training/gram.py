"""Stage 3: the GRAM space (section III-A; order of section IV-C).

First the conventional pairwise contrastive loss, then the GRAM loss (Eqs. 3 and 4), then fine-tuning with it on the
template captions alone. Vision and text towers stay as published, so their features are computed once; the audio tower,
the pooling and the heads learn. Sounds are shifted, scaled and masked, frames are drawn from more than are used.
The paper's audio tower comes with AudioSet behind it; the mini's starts from nothing, so its points also have to tell the
sound's colour (``colour_weight``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from foleygram.config import Config, Count, Natural, NotNegative, Share
from foleygram.data.epochs import in_epochs
from foleygram.gram.audio import SILENCE
from foleygram.gram.colour import NATS, colour
from foleygram.gram.encoder import GramEncoder
from foleygram.gram.loss import CosineLossConfig, GramLossConfig, cosine_loss, gram_loss
from foleygram.hub.folder import write_tensors
from foleygram.training.latents import Captions
from foleygram.training.loop import LoopConfig, Stage
from foleygram.types import Embeddings
from foleygram.weights import GRAM_FILES


class GramTraining(Config):
    """Numbers of the GRAM stage."""

    loop: LoopConfig = LoopConfig(steps=1500, batch=64, learning_rate=5e-4, warmup=100, decay="cosine", weight_decay=0.02)
    start: str = ""  # folder of a model whose audio tower and heads are gone on with; else they begin as drawn at random
    contrastive_share: Share = 0.35  # of the steps, with the pairwise loss
    finetune_share: Share = 0.2  # of the steps at the end, on template captions
    alignment: Literal["gram", "cosine", "none"] = "gram"  # cosine and none: control experiments
    frames: Count = 8  # of each clip at a step
    stored_frames: Count = 12  # frames behind the cached features
    gram: GramLossConfig = GramLossConfig(label_smoothing=0.1)
    contrastive_weight: NotNegative = 0.0  # of the pairwise loss beside the GRAM loss; 0 = the paper
    cosine: CosineLossConfig = CosineLossConfig(pairs="all", label_smoothing=0.1)
    crop: Count = 512  # fbank frames (10 ms each) of a training sound; the loudest of three random places
    whole_share: Share = 0.0  # of the steps, with whole sounds instead of crops
    gain_db: NotNegative = 10.0  # random gain of a sound, +-
    equaliser_db: NotNegative = 0.0  # random equaliser on half the sounds: standard deviation of its tilt, of each of two bells
    masked_bands: Natural = 11  # at most, of neighbouring bands at the mean on half of the sounds; 0 = none
    feature_noise: NotNegative = 0.0  # relative length of a random vector added to frame and text features
    colour_weight: NotNegative = 0.0  # of reading the sound's colour off its point; the paper's BEATs knows it already


@dataclass(frozen=True, eq=False)
class ClipFeatures:
    """``frames`` [clip, stored, features] fp16, None where nothing looks at the pictures, ``banks`` [clip, time, mel] fp16
    (normalised), ``texts`` [caption, width]."""

    frames: np.ndarray | None
    banks: np.ndarray
    texts: np.ndarray
    captions: Captions


def colours(banks: np.ndarray) -> Tensor:
    """Colour (gram/colour.py) of each sound [clip, 3 mel] from its normalised bank [clip, time, mel]."""
    parts = (torch.from_numpy(banks[start : start + 64].astype(np.float32)) for start in range(0, len(banks), 64))
    return torch.cat([colour(part) for part in parts])


def random_curve(bands: int, draw: np.random.Generator) -> np.ndarray:
    """A random equaliser, dB at each band [bands]: a tilt and two bells, each of standard deviation 1."""
    place = np.linspace(-1, 1, bands)
    curve = draw.standard_normal() * place
    for _ in range(2):
        curve += draw.standard_normal() * np.exp(-(((place - draw.uniform(-1, 1)) / draw.uniform(0.1, 0.5)) ** 2))
    return curve.astype(np.float32)


@torch.no_grad()
def embed_clips(encoder: GramEncoder, data: ClipFeatures) -> Embeddings:
    """Points of all clips (text: of all captions), without augmentation; numpy rows as tensors in fp32."""
    encoder.eval()
    audio, video, device = [], [], encoder.contra_temp.device

    def part(rows: np.ndarray, start: int) -> Tensor:
        return torch.from_numpy(rows[start : start + 32].astype(np.float32)).to(device)

    for start in range(0, len(data.banks), 32):
        banks = part(data.banks, start)
        audio.append(encoder.embed_features(audio=encoder.audio_features(banks[:, None])).audio)
        if data.frames is not None:
            video.append(encoder.embed_features(video=part(data.frames, start)).video)
    text = encoder.embed_features(text=torch.from_numpy(data.texts.astype(np.float32)).to(device)).text
    return Embeddings(video=torch.cat(video).cpu() if video else None, text=text.cpu(), audio=torch.cat(audio).cpu())


def export_space(encoder: GramEncoder, folder: Path) -> None:
    """Writes what the stage trains: audio tower and heads, in fp16."""
    state = encoder.state_dict()
    for name in ("audio", "heads"):
        tensors = {key: value.half() for key, value in state.items() if key.startswith(GRAM_FILES[name])}
        write_tensors(folder / f"{name}.safetensors", tensors)


class GramStage(Stage):
    """The joint space on cached features: pairwise loss, GRAM loss (Eqs. 3 and 4), fine-tuning on template captions."""

    losses = ("loss", "agreement", "colour")
    validation = ("valid_colour", "valid_volume_gap", "valid_text_to_audio", "valid_video_to_audio", "valid_text_to_video")

    def __init__(
        self, encoder: GramEncoder, config: GramTraining, seed: int, folder: Path, train: ClipFeatures, valid: ClipFeatures,
        valid_labels: Sequence[str],
    ):  # fmt: skip
        super().__init__()
        self.encoder, self.config, self.seed, self.folder = encoder, config, seed, folder
        self.train_set, self.valid_set, self.valid_labels = train, valid, np.asarray(valid_labels)
        encoder.vision.requires_grad_(False)
        encoder.text.requires_grad_(False)
        self.skips = encoder.drops_layers
        self.colours, self.valid_colours = colours(train.banks), colours(valid.banks)
        if encoder.colour is not None:
            encoder.colour.fit(self.colours)

    def train(self, mode: bool = True) -> GramStage:
        super().train(mode)
        self.encoder.vision.eval()
        self.encoder.text.eval()
        return self

    def phase(self, step: int) -> str:
        steps = self.config.loop.steps
        if self.config.alignment == "cosine" or step < self.config.contrastive_share * steps:
            return "contrastive"
        return "finetune" if step >= (1 - self.config.finetune_share) * steps else "gram"

    def whole(self, step: int) -> bool:
        """Whether the rows of this step are whole sounds; one draw a step, since rows of a batch are of one length."""
        return np.random.default_rng([self.seed, step]).random() < self.config.whole_share

    def crop(self, bank: np.ndarray, crop: int, draw: np.random.Generator) -> np.ndarray:
        """A crop [crop, mel] of a log-mel slice [frame, mel] at another level and of another colour; values are in units of 2
        std (BEATs)."""
        crop = min(crop, len(bank))
        starts = draw.integers(len(bank) - crop + 1, size=3)
        start = max(starts, key=lambda place: float(bank[place : place + crop].astype(np.float32).mean()))
        bank = bank[start : start + crop].astype(np.float32)
        change = draw.uniform(-self.config.gain_db, self.config.gain_db)
        if self.config.equaliser_db and draw.random() < 0.5:
            change = change + self.config.equaliser_db * random_curve(bank.shape[1], draw)
        # digital silence stays what it is
        return np.where(bank > SILENCE + 1e-3, bank + np.float32(change * math.log(10) / 10 / NATS), bank)

    def masked(self, bank: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """The bank [frame, mel], every other time with up to ``masked_bands`` neighbouring bands at the mean (0)."""
        if draw.random() < 0.5:  # the other half keeps its whole colour
            low = draw.integers(bank.shape[1])
            bank = bank.copy()
            bank[:, low : low + draw.integers(self.config.masked_bands + 1)] = 0.0
        return bank

    def draw(self, clip: int, step: int, row: int) -> tuple[Tensor, ...]:
        data, config = self.train_set, self.config
        draw = np.random.default_rng([self.seed, step, row])
        caption = data.captions.of_clip[clip][0] if self.phase(step) == "finetune" else data.captions.draw(clip, draw)
        chosen = np.sort(draw.permutation(config.stored_frames)[: config.frames])
        frames, text = data.frames[clip, chosen].astype(np.float32), data.texts[caption].astype(np.float32)
        if config.feature_noise:
            for feature in (frames, text):
                noise = draw.standard_normal(feature.shape, dtype=np.float32)
                feature += config.feature_noise * noise * np.linalg.norm(feature) / np.linalg.norm(noise)
        sound = self.crop(data.banks[clip], len(data.banks[clip]) if self.whole(step) else config.crop, draw)
        heard = self.masked(sound, draw)
        return tuple(torch.from_numpy(part) for part in (frames, heard, text, sound))

    def batch(self, step: int, rows: range, size: int) -> tuple[Tensor, ...]:
        """Frames, banks as heard, texts and the colours that the points have to tell: those of the very crops."""
        places = in_epochs(self.seed, step, rows, size, len(self.train_set.frames))
        draws = (self.draw(clip, step, row) for (_, clip), row in zip(places, rows, strict=True))
        frames, heard, texts, sounds = (torch.stack(column) for column in zip(*draws, strict=True))
        return frames, heard, texts, colour(sounds), torch.tensor(self.phase(step) == "contrastive")

    def forward(self, frames: Tensor, banks: Tensor, texts: Tensor, colours: Tensor, contrastive: Tensor) -> Tensor:
        points = self.points(frames, banks, texts)
        temperature = self.encoder.contra_temp
        if bool(contrastive):
            loss = cosine_loss(points.text, points.video, points.audio, temperature, self.config.cosine)
        else:
            loss = gram_loss(points.text, points.video, points.audio, temperature, self.config.gram)
            if self.config.contrastive_weight:
                # a volume is small already where two of three agree; this keeps the third from drifting away
                pairs = cosine_loss(points.text, points.video, points.audio, temperature, self.config.cosine)
                loss = loss + self.config.contrastive_weight * pairs
        agreement = (points.text * points.audio).sum(-1).mean()
        reader = self.encoder.colour
        error = loss.new_zeros(()) if reader is None else reader.error(points.audio, colours)
        return torch.stack([loss + self.config.colour_weight * error, agreement, error])

    def points(self, frames: Tensor, banks: Tensor, texts: Tensor) -> Embeddings:
        encoder = self.encoder
        return encoder.embed_features(video=frames, audio=encoder.audio_features(banks[:, None]), text=texts)

    def validate(self) -> Sequence[float]:
        """Volume of mismatched minus matched triples; share of clips whose nearest neighbour across modalities has
        the same label (material and action)."""
        from foleygram.gram.volume import volume

        points = embed_clips(self.encoder, self.valid_set)
        text = points.text[[captions[0] for captions in self.valid_set.captions.of_clip]]
        matched = volume(text, points.video, points.audio).mean()
        mismatched = volume(text, points.video.roll(1, 0), points.audio.roll(2, 0)).mean()

        def nearest(queries: Tensor, keys: Tensor) -> float:
            found = (queries @ keys.T).argmax(-1).numpy()
            return float((self.valid_labels[found] == self.valid_labels).mean())

        reader, device = self.encoder.colour, self.encoder.contra_temp.device
        error = 0.0 if reader is None else float(reader.error(points.audio.to(device), self.valid_colours.to(device)))
        return (
            error, float(mismatched - matched), nearest(text, points.audio), nearest(points.video, points.audio),
            nearest(text, points.video),
        )  # fmt: skip

    @torch.no_grad()
    def solve_reader(self) -> None:
        """The colour reader for the points as they came out: gradients leave it behind them."""
        points = embed_clips(self.encoder, self.train_set).audio.to(self.encoder.contra_temp.device)
        self.encoder.colour.solve(points, self.colours.to(points.device))

    def export(self) -> None:
        export_space(self.encoder, self.folder)
