"""The GRAM encoder: a clip becomes one point for each of its modalities in a joint space (section III-A).

Three towers and one head each. Names follow the reference (ispamm/GRAM): ``contra_head_{t,v,a}.linear``, ``contra_temp``;
the towers are ``text``, ``vision`` and ``audio``. Training can keep the features of frozen towers and run the heads alone
(:meth:`GramEncoder.embed_features`).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from foleygram.config import Chance, Config, Count
from foleygram.errors import ModelError, UsageError
from foleygram.gram.audio import Beats, BeatsConfig, preprocess_audio
from foleygram.gram.colour import ColourReader
from foleygram.gram.loss import TEMPERATURE
from foleygram.gram.sound_net import SoundNet, SoundNetConfig
from foleygram.gram.text import Bert, BertConfig, Tokenizer, Tokens
from foleygram.gram.vision import EfficientNetConfig, EfficientNetLite0, EvaConfig, EvaVisionTransformer, preprocess_frames
from foleygram.types import Clip, Embeddings

VisionConfig = Annotated[EvaConfig | EfficientNetConfig, Field(discriminator="kind")]


class HeadConfig(Config):
    """From a tower's feature to the joint space."""

    kind: Literal["linear", "mlp"] = "linear"  # linear: GRAM; mlp: more freedom over a frozen tower
    hidden: Count = 512  # mlp only
    dropout: Chance = 0.1  # mlp only


class ContrastiveHead(nn.Module):
    """One projection without bias, in an MLP behind a norm and a hidden layer; the result has unit norm, in fp32."""

    def __init__(self, features: int, dim: int, config: HeadConfig):
        super().__init__()
        self.hidden = None
        if config.kind == "mlp":
            self.hidden = nn.Sequential(
                nn.LayerNorm(features), nn.Linear(features, config.hidden), nn.GELU(), nn.Dropout(config.dropout)
            )
            features = config.hidden
        self.linear = nn.Linear(features, dim, bias=False)

    def forward(self, feature: Float[Tensor, "batch features"]) -> Float[Tensor, "batch dim"]:
        inner = feature if self.hidden is None else self.hidden(feature)
        return F.normalize(self.linear(inner).float(), dim=-1)


class FramePoolConfig(Config):
    """How the frames of a clip become one feature: their mean (GRAM); mean and standard deviation side by side, which
    tells movement from stillness; or a mean with learned weights."""

    kind: Literal["mean", "moments", "attention"] = "mean"


class FramePool(nn.Module):
    """``features``: of a frame; ``self.features``: of the clip."""

    def __init__(self, features: int, config: FramePoolConfig):
        super().__init__()
        self.kind = config.kind
        self.features = 2 * features if config.kind == "moments" else features
        self.score = None
        if config.kind == "attention":
            self.score = nn.Linear(features, 1, bias=False)
            nn.init.zeros_(self.score.weight)  # the plain mean to begin with

    def forward(self, frames: Float[Tensor, "batch frame features"]) -> Float[Tensor, "batch pooled"]:
        if self.score is not None:
            return (frames * self.score(frames).softmax(dim=1)).sum(1)
        mean = frames.mean(1)
        if self.kind == "moments":
            return torch.cat([mean, frames.std(1, correction=0)], dim=-1)
        return mean


class GramConfig(Config):
    """Defaults: the paper's encoder, 1.21 B parameters."""

    dim: Count = 512  # of the joint space
    vision: VisionConfig = EvaConfig()
    audio: BeatsConfig | SoundNetConfig = BeatsConfig()
    text: BertConfig = BertConfig()
    head: HeadConfig = HeadConfig()
    pool: FramePoolConfig = FramePoolConfig()
    colour: bool = False  # whether a reader of the sound's colour learns beside the heads; not in the paper

    @classmethod
    def small(cls) -> "GramConfig":
        """Towers of the mini as they are published, EfficientNet-Lite0 and all of MiniLM, and a sound network that learns from
        scratch. What ships keeps four of MiniLM's layers: its numbers are in its config.json."""
        return cls(
            dim=256,
            vision=EfficientNetConfig(size=192, classes=1000),
            audio=SoundNetConfig(),
            text=BertConfig.minilm(),
            head=HeadConfig(kind="mlp"),
            pool=FramePoolConfig(kind="moments"),
            colour=True,
        )


class GramEncoder(nn.Module):
    """Towers, heads and the learned temperature. ``tokenizer``: for clips with text; not needed for tensors."""

    def __init__(self, config: GramConfig, tokenizer: Tokenizer | None = None):
        super().__init__()
        self.config = config
        self.tokenizer = tokenizer
        if isinstance(config.vision, EvaConfig):
            self.vision = EvaVisionTransformer(config.vision)
        else:
            self.vision = EfficientNetLite0(config.vision)
        self.audio = Beats(config.audio) if isinstance(config.audio, BeatsConfig) else SoundNet(config.audio)
        self.text = Bert(config.text)
        self.pool = FramePool(config.vision.features, config.pool)
        self.contra_head_t = ContrastiveHead(config.text.width, config.dim, config.head)
        self.contra_head_v = ContrastiveHead(self.pool.features, config.dim, config.head)
        self.contra_head_a = ContrastiveHead(config.audio.width, config.dim, config.head)
        self.colour = ColourReader(config.dim, config.audio.mel) if config.colour else None
        self.contra_temp = nn.Parameter(torch.tensor(TEMPERATURE))

    @property
    def drops_layers(self) -> bool:
        """Whether a step of training leaves out some layers of the audio tower, and their parameters without gradient."""
        return isinstance(self.config.audio, BeatsConfig) and self.config.audio.layer_drop > 0

    def forward(
        self,
        video: Float[Tensor, "batch frame 3 size size"] | None = None,
        audio: Float[Tensor, "batch slice frames mel"] | None = None,
        text: Tokens | None = None,
    ) -> Embeddings:
        """Prepared tensors of whichever modalities there are (``preprocess_frames``, ``preprocess_audio``,
        :meth:`tokens`), one clip a row, to points of the joint space."""
        return self.embed_features(
            video=None if video is None else self.video_features(video),
            audio=None if audio is None else self.audio_features(audio),
            text=None if text is None else self.text_features(text),
        )

    @torch.no_grad()
    def embed(self, clip: Clip) -> Embeddings:
        """The points of a clip, batch 1, without gradient. Raises UsageError for a clip without any modality, ModelError
        for a text where the model came without tokenizer."""
        if not clip.modalities:
            raise UsageError("a clip to embed has at least one of video, audio and text; give one")
        device = self.contra_temp.device
        points = self(
            audio=None if clip.audio is None else preprocess_audio(clip.audio, self.config.audio)[None].to(device),
            text=None if clip.text is None else self.tokens([clip.text]),
        )
        if clip.video is None:
            return points
        frames = self.video_features(preprocess_frames(clip.video, self.config.vision)[None].to(device))
        return replace(points, video=self.embed_features(video=frames).video, classes=self.classes(frames))

    def classes(self, frames: Float[Tensor, "batch frame features"]) -> Float[Tensor, "batch class"] | None:
        """How likely a clip shows each class that its picture tower can tell, by the mean over its frames; None for a tower
        without a classifier."""
        return self.vision.classify(frames).mean(dim=1) if self.config.vision.classes else None

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> Float[Tensor, "text dim"]:
        """The points of many texts, on the CPU, without gradient. Raises ModelError without tokenizer."""
        parts = (self.tokens(list(texts[start : start + 64])) for start in range(0, len(texts), 64))
        return torch.cat([self.embed_features(text=self.text_features(part)).text.cpu() for part in parts])

    def tokens(self, texts: list[str]) -> Tokens:
        """Word pieces of texts, on the device of the model. Raises ModelError without tokenizer."""
        if self.tokenizer is None:
            raise ModelError(
                "this encoder came without its tokenizer; put the tokenizer.json of its text tower into the model folder"
            )
        return self.tokenizer(texts).to(self.contra_temp.device)

    def video_features(self, video: Float[Tensor, "batch frame 3 size size"]) -> Float[Tensor, "batch frame features"]:
        """The tower's feature of every frame; pooling over frames belongs to the trained part."""
        return self.vision(video.flatten(0, 1)).unflatten(0, video.shape[:2])

    def audio_features(self, audio: Float[Tensor, "batch slice frames mel"]) -> Float[Tensor, "batch features"]:
        """Mean over tokens, then over slices."""
        return self.audio(audio.flatten(0, 1)).mean(1).unflatten(0, audio.shape[:2]).mean(1)

    def text_features(self, text: Tokens) -> Float[Tensor, "batch features"]:
        return self.text(text).pooled

    def embed_features(
        self,
        video: Float[Tensor, "batch frame features"] | None = None,
        audio: Float[Tensor, "batch features"] | None = None,
        text: Float[Tensor, "batch features"] | None = None,
    ) -> Embeddings:
        """Tower features to points of the joint space, each of unit norm in fp32."""
        return Embeddings(
            video=None if video is None else self.contra_head_v(self.pool(video)),
            text=None if text is None else self.contra_head_t(text),
            audio=None if audio is None else self.contra_head_a(audio),
        )
