"""The audio tower BEATs (Chen et al., 2022) and the filter bank it hears.

Parameter names, sizes and the training-only details are those of BEATs_iter3_plus_AS2M (microsoft/unilm); GRAM fine-tunes
it on 64 mel bands instead of 128, which fits the same weights.
"""

import math
from dataclasses import replace
from typing import Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import model_validator
from torch import Tensor, nn

from foleygram.config import Chance, Config, Count, Share, check_heads
from foleygram.signal.mel import FBANK_RATE, LOG_FLOOR, fbank, kaldi_centres
from foleygram.signal.resample import resample
from foleygram.spread import split_indices
from foleygram.types import Audio

FULL_SCALE = 2**15  # the filter bank expects samples on the scale of 16-bit integers
FBANK_MEAN, FBANK_STD = 15.41663, 6.55582  # of log mel energies over AudioSet (BEATs)
BORDER = 4  # of the highest bands that a sound of a lower rate tells of, whose mean stands in those above
SILENCE = (math.log(LOG_FLOOR) - FBANK_MEAN) / (2 * FBANK_STD)  # digital silence in a normalised bank


class BankConfig(Config):
    """How an audio tower wants its filter banks."""

    rate: Count = FBANK_RATE  # Hz; half of it is the highest that is heard
    mel: Count = 64  # bands
    pad: Literal["mean", "silence"] = "mean"  # what fills the last slice; the mean of AudioSet: GRAM
    frames: Count = 1024  # of one slice, 10 ms each
    slices: Count = 1  # of a clip, evenly spread
    extend: bool = False  # whether bands that a sound of a lower rate does not tell of are guessed; GRAM: not


class BeatsConfig(BankConfig):
    """Defaults: BEATs_iter3_plus_AS2M in GRAM, 90.3 M parameters. ``mel`` and ``frames`` are multiples of ``patch``."""

    kind: Literal["beats"] = "beats"
    patch: Count = 16
    embed: Count = 512  # of a patch
    width: Count = 768
    layers: Count = 12
    heads: Count = 12
    hidden: Count = 3072  # of the feed-forward part
    conv_kernel: Count = 128  # tokens, of the convolutional positions
    conv_groups: Count = 16
    buckets: Count = 320  # of relative positions, half for each direction
    max_distance: Count = 800  # tokens, from which on all distances share a bucket
    dropout: Chance = 0.0  # training only, as the two below
    layer_drop: Chance = 0.05  # probability that a layer is skipped for the batch
    gradient_decay: Share = 0.6  # of the gradient at the entry of each layer

    @model_validator(mode="after")
    def parts_are_whole(self) -> Self:
        check_heads(self.width, self.heads)
        if self.mel % self.patch or self.frames % self.patch:
            raise ValueError(f"{self.frames} frames of {self.mel} bands are no whole patches of {self.patch}")
        return self


def preprocess_audio(audio: Audio, config: BankConfig) -> Float[Tensor, "slice frames mel"]:
    """Log mel slices of the mono mix at ``config.rate``: normalised first and padded after it; GRAM pads with zeros, so that
    a pad is the mean of AudioSet and not silence. Longer sound: the middle slice of each of ``config.slices`` parts."""
    waveform = torch.from_numpy(resample(replace(audio, samples=audio.mono()[None]), config.rate).mono())
    bank = (fbank(waveform * FULL_SCALE, config.mel, config.rate) - FBANK_MEAN) / (2 * FBANK_STD)
    if config.extend and audio.known_hz < config.rate / 2:
        bank = extended(bank, kaldi_centres(config.mel, config.rate) < audio.known_hz)
    # a sound of a whole number of slices is followed by an empty one, as in the reference
    count = max(config.slices, len(bank) // config.frames + 1)
    bank = F.pad(bank, (0, 0, 0, count * config.frames - len(bank)), value=0.0 if config.pad == "mean" else SILENCE)
    return bank.view(count, config.frames, config.mel)[torch.as_tensor(split_indices(count, config.slices))]


def extended(bank: Float[Tensor, "frame mel"], known: np.ndarray) -> Float[Tensor, "frame mel"]:
    """The bank of a sound of a lower rate, with the mean of the highest ``known`` bands in those above: unknown is not silent,
    and a tower that learned from whole sounds would hear a dull one."""
    bank = bank.clone()
    last = max(int(known.sum()), 1)
    bank[:, last:] = bank[:, max(last - BORDER, 0) : last].mean(dim=1, keepdim=True)
    return bank


class Beats(nn.Module):
    """Transformer over patches of a spectrogram: deep norm, convolutional and gated relative positions, no last norm."""

    def __init__(self, config: BeatsConfig):
        super().__init__()
        self.config = config
        self.patch_embedding = nn.Conv2d(1, config.embed, config.patch, config.patch, bias=False)
        self.layer_norm = nn.LayerNorm(config.embed)
        self.post_extract_proj = nn.Linear(config.embed, config.width)
        self.encoder = _Encoder(config)

    def forward(self, bank: Float[Tensor, "batch frames mel"]) -> Float[Tensor, "batch token width"]:
        """``bank``: as of :func:`preprocess_audio`, a multiple of the patch in both directions. Tokens run through the
        bands of a moment before they go on in time."""
        patches = self.patch_embedding(bank[:, None]).flatten(2).mT
        return self.encoder(self.post_extract_proj(self.layer_norm(patches)))


class _Encoder(nn.Module):
    def __init__(self, config: BeatsConfig):
        super().__init__()
        self.config = config
        self.pos_conv = nn.ModuleList([_PositionConv(config)])
        self.layer_norm = nn.LayerNorm(config.width)
        # one table for all layers; its key repeats under each of them, as in the checkpoint
        table = nn.Embedding(config.buckets, config.heads)
        nn.init.xavier_normal_(table.weight)
        self.layers = nn.ModuleList(_Layer(config, table) for _ in range(config.layers))
        self.register_state_dict_post_hook(_part_repeated_keys)

    def forward(self, x: Float[Tensor, "batch token width"]) -> Float[Tensor, "batch token width"]:
        x = self.layer_norm(x + self.pos_conv[0](x))
        x = F.dropout(x, self.config.dropout, self.training)
        bias = self.layers[0].self_attn.position_bias(x.shape[1])
        for layer in self.layers:
            if self.training:
                x = _Decay.apply(x, self.config.gradient_decay)
                if torch.rand(()) < self.config.layer_drop:
                    continue
            x = layer(x, bias)
        return x


def _part_repeated_keys(encoder: nn.Module, state: dict[str, Tensor], prefix: str, _) -> None:
    """The repeated table is a copy in a state: safetensors writes no tensors that share memory."""
    for index in range(1, len(encoder.layers)):
        key = f"{prefix}layers.{index}.self_attn.relative_attention_bias.weight"
        state[key] = state[key].clone()


class _PositionConv(nn.Module):
    """Grouped convolution over time with weight norm along its kernel (one gain for each tap, old key names)."""

    def __init__(self, config: BeatsConfig):
        super().__init__()
        width, groups, kernel = config.width, config.conv_groups, config.conv_kernel
        self.groups = groups
        self.bias = nn.Parameter(torch.zeros(width))
        self.weight_v = nn.Parameter(torch.empty(width, width // groups, kernel).normal_(std=2 / math.sqrt(kernel * width)))
        self.weight_g = nn.Parameter(self.weight_v.detach().norm(dim=(0, 1), keepdim=True))

    def forward(self, x: Float[Tensor, "batch token width"]) -> Float[Tensor, "batch token width"]:
        weight = self.weight_v * (self.weight_g / self.weight_v.norm(dim=(0, 1), keepdim=True))
        y = F.conv1d(x.mT, weight, self.bias, padding=weight.shape[-1] // 2, groups=self.groups)
        return F.gelu(y[..., : x.shape[1]]).mT  # an even kernel gives one token too many


class _Layer(nn.Module):
    """Post-norm with deep norm: the residual is scaled by (2 layers)^(1/4)."""

    def __init__(self, config: BeatsConfig, table: nn.Embedding):
        super().__init__()
        self.dropout = config.dropout
        self.alpha = (2 * config.layers) ** 0.25
        self.self_attn = _Attention(config, table)
        self.self_attn_layer_norm = nn.LayerNorm(config.width)
        self.fc1 = nn.Linear(config.width, config.hidden)
        self.fc2 = nn.Linear(config.hidden, config.width)
        self.final_layer_norm = nn.LayerNorm(config.width)
        beta = (8 * config.layers) ** -0.25  # deep norm: what lies on the value path starts smaller
        for projection in (self.self_attn.v_proj, self.self_attn.out_proj, self.fc1, self.fc2):
            nn.init.xavier_normal_(projection.weight, gain=beta)
        for projection in (self.self_attn.q_proj, self.self_attn.k_proj):
            nn.init.xavier_normal_(projection.weight)

    def forward(self, x: Float[Tensor, "batch token width"], bias: Float[Tensor, "heads token token"]) -> Tensor:
        x = self.self_attn_layer_norm(self.alpha * x + self._dropped(self.self_attn(x, bias)))
        return self.final_layer_norm(self.alpha * x + self._dropped(self.fc2(F.gelu(self.fc1(x)))))

    def _dropped(self, branch: Tensor) -> Tensor:
        return F.dropout(branch, self.dropout, self.training)


class _Attention(nn.Module):
    """Attention with a bias by relative position that each query scales with a gate of its own."""

    def __init__(self, config: BeatsConfig, table: nn.Embedding):
        super().__init__()
        self.heads, self.max_distance = config.heads, config.max_distance
        self.q_proj = nn.Linear(config.width, config.width)
        self.k_proj = nn.Linear(config.width, config.width)
        self.v_proj = nn.Linear(config.width, config.width)
        self.out_proj = nn.Linear(config.width, config.width)
        self.grep_linear = nn.Linear(config.width // config.heads, 8)
        self.grep_a = nn.Parameter(torch.ones(1, config.heads, 1, 1))
        self.relative_attention_bias = table

    def forward(self, x: Float[Tensor, "batch token width"], bias: Float[Tensor, "heads token token"]) -> Tensor:
        query, key, value = (
            projection(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=(self._gate(query) * bias).to(query.dtype))
        return self.out_proj(mixed.transpose(1, 2).flatten(2))

    def _gate(self, query: Float[Tensor, "batch heads token size"]) -> Float[Tensor, "batch heads token 1"]:
        """Two sigmoids, each of a sum of four outputs, on the query before its scaling."""
        first, second = self.grep_linear(query).unflatten(-1, (2, 4)).sum(-1, keepdim=True).sigmoid().unbind(-2)
        return first * (second * self.grep_a - 1) + 2

    def position_bias(self, tokens: int) -> Float[Tensor, "heads token token"]:
        place = torch.arange(tokens, device=self.relative_attention_bias.weight.device)
        offset = place[None, :] - place[:, None]  # key minus query
        buckets = position_bucket(offset, self.relative_attention_bias.num_embeddings, self.max_distance)
        return self.relative_attention_bias(buckets).permute(2, 0, 1)


def position_bucket(offset: Int[Tensor, "*shape"], buckets: int, max_distance: int) -> Int[Tensor, "*shape"]:
    """Number of the bucket of an offset (key minus query, in tokens), as in T5 without its causal half: a quarter of the
    buckets for the small offsets of one direction, a quarter spaced logarithmically up to ``max_distance``."""
    half, exact = buckets // 2, buckets // 4
    distance = offset.abs()
    position = (distance.clamp(min=1).float() / exact).log() / math.log(max_distance / exact)
    far = (exact + (position * (half - exact)).long()).clamp(max=half - 1)
    return torch.where(distance < exact, distance, far) + half * (offset > 0)


class _Decay(torch.autograd.Function):
    """Identity that scales the gradient."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.factor, None
