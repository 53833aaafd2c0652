"""The video towers, frame by frame: EVA01-CLIP-g/14 (full) and EfficientNet-Lite0 (mini), and the frames they see.

Facts: ispamm/GRAM and baaivision/EVA for the first; Tan and Le (2019) and tensorflow/tpu (efficientnet lite) for the second.
"""

from typing import Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor, nn

from foleygram.config import Chance, Config, Count, Natural, check_heads
from foleygram.spread import split_indices
from foleygram.types import Video

Triple = tuple[float, float, float]


class FrameConfig(Config):
    """How a video tower wants its frames."""

    frames: Count = 8  # of a clip, evenly spread
    size: Count = 224  # pixels, height and width
    mean: Triple = (0.5, 0.5, 0.5)  # subtracted, on a scale of 0..1 for R, G, B
    std: Triple = (0.5, 0.5, 0.5)  # divided by
    antialias: bool = True  # False: plain bilinear, as tensors were resized by the torchvision that GRAM was trained with


def preprocess_frames(video: Video, config: FrameConfig) -> Float[Tensor, "frame 3 size size"]:
    """The middle frame of each of ``config.frames`` equal parts, resized (bilinear, shorter side), cropped to the centre,
    normalised. Fewer frames than parts: some come twice. One frame at a time, so a long 4K video needs little memory."""
    picked = split_indices(len(video.frames), config.frames)
    mean, std = (torch.tensor(triple)[:, None, None] for triple in (config.mean, config.std))
    shown = [_fit(torch.from_numpy(np.ascontiguousarray(video.frames[index])), config) for index in picked]
    return (torch.stack(shown) - mean) / std


def _fit(frame: Tensor, config: FrameConfig) -> Float[Tensor, "3 size size"]:
    short = min(frame.shape[-2:])
    shape = [config.size * side // short for side in frame.shape[-2:]]
    frame = F.interpolate(frame[None].float() / 255, shape, mode="bilinear", antialias=config.antialias)[0]
    top, left = (round((side - config.size) / 2) for side in shape)
    return frame[:, top : top + config.size, left : left + config.size]


class EvaConfig(FrameConfig):
    """Defaults: EVA01-CLIP-g/14 as GRAM uses it, 1,012.6 M parameters."""

    kind: Literal["eva01"] = "eva01"
    mean: Triple = (0.48145466, 0.4578275, 0.40821073)
    std: Triple = (0.26862954, 0.26130258, 0.27577711)
    patch: Count = 14  # pixels
    width: Count = 1408
    depth: Count = 40
    heads: Count = 16
    hidden: Count = 6144  # of the feed-forward part
    head: Count = 1024  # CLIP's own projection: in the checkpoint, not in the feature
    drop_path: Chance = 0.4  # of the last block, rising linearly from 0; training only

    @model_validator(mode="after")
    def sizes_fit(self) -> Self:
        check_heads(self.width, self.heads)
        if self.size % self.patch:
            raise ValueError(f"size {self.size} does not divide by patch {self.patch}")
        return self

    @property
    def features(self) -> int:
        return self.width

    @property
    def classes(self) -> int:
        """It has no classifier."""
        return 0


class EvaVisionTransformer(nn.Module):
    """Pre-norm vision transformer with learned absolute positions; LayerNorm eps 1e-6, exact GELU, no bias on the keys.

    ``head`` is loaded and never used: GRAM takes the class token after the last norm."""

    def __init__(self, config: EvaConfig):
        super().__init__()
        self.config = config
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, config.width, config.patch, config.patch)
        self.cls_token = nn.Parameter(torch.empty(1, 1, config.width).normal_(std=0.02))
        places = (config.size // config.patch) ** 2 + 1
        self.pos_embed = nn.Parameter(torch.empty(1, places, config.width).normal_(std=0.02))
        drops = torch.linspace(0, config.drop_path, config.depth, device="cpu").tolist()
        self.blocks = nn.ModuleList(_Block(config, drop) for drop in drops)
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self.head = nn.Linear(config.width, config.head)

    def forward(self, frames: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch width"]:
        x = self.patch_embed.proj(frames).flatten(2).mT
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.norm(x)[:, 0]


class _Block(nn.Module):
    def __init__(self, config: EvaConfig, drop_path: float):
        super().__init__()
        self.drop_path = drop_path
        self.norm1 = nn.LayerNorm(config.width, eps=1e-6)
        self.attn = _Attention(config.width, config.heads)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-6)
        self.mlp = nn.Module()
        self.mlp.fc1 = nn.Linear(config.width, config.hidden)
        self.mlp.fc2 = nn.Linear(config.hidden, config.width)

    def forward(self, x: Float[Tensor, "batch token width"]) -> Float[Tensor, "batch token width"]:
        x = x + self._kept(self.attn(self.norm1(x)))
        return x + self._kept(self.mlp.fc2(F.gelu(self.mlp.fc1(self.norm2(x)))))

    def _kept(self, branch: Tensor) -> Tensor:
        """Stochastic depth: in training the branch of a sample is dropped at times, otherwise scaled up to make up for it."""
        if not self.training or self.drop_path == 0:
            return branch
        keep = 1 - self.drop_path
        return branch * branch.new_empty(len(branch), 1, 1).bernoulli_(keep) / keep


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "batch token width"]) -> Float[Tensor, "batch token width"]:
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = (self.qkv(x) + bias).unflatten(-1, (3, self.heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class EfficientNetConfig(FrameConfig):
    """EfficientNet-Lite0: 3.4 M parameters, any ``size`` (trained at 224). ``classes``: 1000 with its classifier of ImageNet
    (1.3 M more), 0 without one."""

    kind: Literal["efficientnet_lite0"] = "efficientnet_lite0"
    classes: Natural = 0

    @property
    def features(self) -> int:
        return 1280


_STAGES = (  # expansion, kernel, stride, channels, blocks
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


class EfficientNetLite0(nn.Module):
    """Inverted residuals without squeeze-and-excitation, ReLU6. The batch norms of the ImageNet weights are folded into
    the convolutions (:func:`fold_lite0`): the tower has no state that training mode could change."""

    def __init__(self, config: EfficientNetConfig):
        super().__init__()
        self.config = config
        self.stem = _SameConv(3, 32, kernel=3, stride=2)
        self.blocks = nn.ModuleList()
        inner = 32
        for expansion, kernel, stride, outer, count in _STAGES:
            for index in range(count):
                self.blocks.append(_InvertedResidual(inner, outer, expansion, kernel, stride if index == 0 else 1))
                inner = outer
        self.head = _SameConv(inner, config.features, kernel=1)
        self.classifier = nn.Linear(config.features, config.classes) if config.classes else None

    def forward(self, frames: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch 1280"]:
        """The features; the classifier has no part in them."""
        x = F.relu6(self.stem(frames))
        for block in self.blocks:
            x = block(x)
        return F.relu6(self.head(x)).mean((2, 3))

    def classify(self, features: Float[Tensor, "... 1280"]) -> Float[Tensor, "... class"]:
        """How likely the frame with these features shows each class of ImageNet, 0..1; of a tower with classes."""
        return self.classifier(features).softmax(dim=-1)


class _InvertedResidual(nn.Module):
    def __init__(self, inner: int, outer: int, expansion: int, kernel: int, stride: int):
        super().__init__()
        wide = inner * expansion
        self.expand = _SameConv(inner, wide, kernel=1) if expansion > 1 else None
        self.depthwise = _SameConv(wide, wide, kernel, stride, groups=wide)
        self.project = _SameConv(wide, outer, kernel=1)
        self.shortcut = stride == 1 and inner == outer

    def forward(self, x: Float[Tensor, "batch inner height width"]) -> Float[Tensor, "batch outer h w"]:
        wide = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(wide)))
        return x + y if self.shortcut else y


class _SameConv(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding: where the padding is odd, the extra row and column come last."""

    def __init__(self, inner: int, outer: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(inner, outer, kernel, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        before_after = []
        for side in (x.shape[3], x.shape[2]):
            total = max((-(side // -stride) - 1) * stride + kernel - side, 0)
            before_after += [total // 2, total - total // 2]
        return super().forward(F.pad(x, before_after) if any(before_after) else x)


_LITE0_CONVS = {"_conv_stem": ("stem", "_bn0"), "_conv_head": ("head", "_bn1")} | {
    f"_blocks.{block}.{conv}": (f"blocks.{block}.{part}", f"_blocks.{block}.{norm}")
    for block in range(16)
    for conv, part, norm in (
        ("_expand_conv", "expand", "_bn0"),
        ("_depthwise_conv", "depthwise", "_bn1"),
        ("_project_conv", "project", "_bn2"),
    )
}


def fold_lite0(foreign: dict[str, Tensor]) -> dict[str, Tensor]:
    """State of :class:`EfficientNetLite0` with its classifier from that of ml-illustrated's PyTorch port (Apache-2.0,
    ImageNet), batch norms (eps 1e-3) folded in. Raises KeyError where a batch norm or the classifier is missing."""
    state = {f"classifier.{part}": foreign[f"_fc.{part}"] for part in ("weight", "bias")}
    for conv, (name, norm) in _LITE0_CONVS.items():
        if f"{conv}.weight" not in foreign:  # the first block does not expand
            continue
        gain = foreign[f"{norm}.weight"] / (foreign[f"{norm}.running_var"] + 1e-3).sqrt()
        state[f"{name}.weight"] = foreign[f"{conv}.weight"] * gain[:, None, None, None]
        state[f"{name}.bias"] = foreign[f"{norm}.bias"] - foreign[f"{norm}.running_mean"] * gain
    return state
