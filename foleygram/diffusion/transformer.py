"""The diffusion transformer of Stable Audio Open, with a seam for control residuals (section III-B).

Parameter names are those of the diffusers port, so that its safetensors load with no map. Differences to other
transformers: timing and noise level enter as one prepended token, rotary positions turn the first half of each head,
keys and values of the cross-attention are shared by groups of heads, attention masks are not used.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from foleygram.config import Config, Count
from foleygram.types import Condition


class TransformerConfig(Config):
    """Numbers of the transformer; the defaults are those of Stable Audio Open 1.0 (1,056.8 M parameters)."""

    latent_dim: Count = 64  # channels of the latent
    embed_dim: Count = 1536  # width; heads * head_dim
    depth: Count = 24  # blocks
    head_dim: Count = 64
    cross_dim: Count = 768  # width of the cross-attention tokens; cross_dim / head_dim key-value heads
    global_dim: Count = 1536  # width of the global (timing) vector
    time_dim: Count = 256  # Fourier features of the noise level
    ff_mult: Count = 4  # hidden width of the gated feed-forward / embed_dim

    @model_validator(mode="after")
    def heads_are_whole(self) -> TransformerConfig:
        if self.head_dim % 4:
            raise ValueError(f"head_dim is a multiple of 4, half of which is turned in pairs, not {self.head_dim}")
        for name in ("embed_dim", "cross_dim"):
            if getattr(self, name) % self.head_dim:
                raise ValueError(f"{name} {getattr(self, name)} is no whole number of heads of {self.head_dim}")
        if self.embed_dim % self.cross_dim:
            raise ValueError(f"embed_dim {self.embed_dim} is no multiple of cross_dim {self.cross_dim}")
        return self


class FourierFeatures(nn.Module):
    """Noise level t in 0..1 to cos and sin of learned frequencies: [batch] -> [batch, dim]."""

    def __init__(self, dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(dim // 2))

    def forward(self, t: Float[Tensor, "batch"]) -> Float[Tensor, "batch dim"]:
        angle = 2 * math.pi * t.float()[:, None] * self.weight.float()[None]
        return torch.cat([angle.cos(), angle.sin()], dim=-1).to(self.weight.dtype)


def rotary_angles(length: int, head_dim: int, device: torch.device) -> Float[Tensor, "length half"]:
    """Angles in fp32 for positions 0..length-1 (the prepended token has position 0); base 10000."""
    half = head_dim // 2
    frequency = 1.0 / 10000 ** (torch.arange(0, half, 2, device=device, dtype=torch.float32) / half)
    angle = torch.arange(length, device=device, dtype=torch.float32)[:, None] * frequency[None]
    return torch.cat([angle, angle], dim=-1)


def rotate(x: Float[Tensor, "batch heads length head_dim"], angles: Tensor) -> Tensor:
    """Turns the first half of the head dimensions, in fp32; the second half passes."""
    turned, passed = x.float().split([angles.shape[-1], x.shape[-1] - angles.shape[-1]], dim=-1)
    first, second = turned.chunk(2, dim=-1)
    turned = turned * angles.cos() + torch.cat([-second, first], dim=-1) * angles.sin()
    return torch.cat([turned, passed], dim=-1).to(x.dtype)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention written out: in bf16 on a CPU it takes half the time of the fused one, forwards and backwards."""
    return torch.matmul(torch.softmax(torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(-1, -2)), dim=-1), v)


class Attention(nn.Module):
    """Multi-head attention without biases; ``context_dim`` wide keys and values, grouped where they are narrower."""

    def __init__(self, dim: int, head_dim: int, context_dim: int):
        super().__init__()
        self.head_dim = head_dim
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_k = nn.Linear(context_dim, context_dim, bias=False)
        self.to_v = nn.Linear(context_dim, context_dim, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(dim, dim, bias=False)])

    def heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)

    def forward(self, x: Tensor, context: Tensor, angles: Tensor | None = None) -> Tensor:
        q, k, v = self.heads(self.to_q(x)), self.heads(self.to_k(context)), self.heads(self.to_v(context))
        if angles is not None:
            q, k = rotate(q, angles), rotate(k, angles)
        if k.shape[1] != q.shape[1]:
            share = q.shape[1] // k.shape[1]
            k, v = k.repeat_interleave(share, dim=1), v.repeat_interleave(share, dim=1)
        halved = q.device.type == "cpu" and q.dtype == torch.bfloat16
        y = attend(q, k, v) if halved else F.scaled_dot_product_attention(q, k, v)
        return self.to_out[0](y.transpose(1, 2).flatten(2))


class GatedLinear(nn.Module):
    """x -> value * SiLU(gate)."""

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.proj = nn.Linear(dim, 2 * hidden)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.silu(gate)


class FeedForward(nn.Module):
    """The gated feed-forward part of a block."""

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        # the empty place keeps the reference's key of the second layer: net.2
        self.net = nn.ModuleList([GatedLinear(dim, hidden), nn.Identity(), nn.Linear(hidden, dim)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.net:
            x = layer(x)
        return x


class Block(nn.Module):
    """Pre-norm: self-attention, cross-attention, gated feed-forward."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        dim = config.embed_dim
        self.norm1 = nn.LayerNorm(dim)
        self.attn1 = Attention(dim, config.head_dim, dim)
        self.norm2 = nn.LayerNorm(dim)
        self.attn2 = Attention(dim, config.head_dim, config.cross_dim)
        self.norm3 = nn.LayerNorm(dim)
        self.ff = FeedForward(dim, config.ff_mult * dim)

    def forward(self, x: Tensor, tokens: Tensor, angles: Tensor) -> Tensor:
        normed = self.norm1(x)
        x = x + self.attn1(normed, normed, angles)
        x = x + self.attn2(self.norm2(x), tokens)
        return x + self.ff(self.norm3(x))


def projection(source: int, target: int, bias: bool) -> nn.Sequential:
    """Two linear layers with a SiLU between them."""
    return nn.Sequential(nn.Linear(source, target, bias=bias), nn.SiLU(), nn.Linear(target, target, bias=bias))


class Trunk(nn.Module):
    """What transformer and ControlNet have in common: the embedders and a stack of blocks."""

    def __init__(self, config: TransformerConfig, depth: int):
        super().__init__()
        self.config = config
        dim = config.embed_dim
        self.time_proj = FourierFeatures(config.time_dim)
        self.timestep_proj = projection(config.time_dim, dim, bias=True)
        self.global_proj = projection(config.global_dim, dim, bias=False)
        self.cross_attention_proj = projection(config.cross_dim, config.cross_dim, bias=False)
        self.preprocess_conv = nn.Conv1d(config.latent_dim, config.latent_dim, 1, bias=False)
        self.proj_in = nn.Linear(config.latent_dim, dim, bias=False)
        self.transformer_blocks = nn.ModuleList([Block(config) for _ in range(depth)])
        self.gradient_checkpointing = False

    def embed(
        self, x: Float[Tensor, "batch latent_dim length"], t: Float[Tensor, "batch"], condition: Condition
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Latent [batch, latent_dim, length], already through ``preprocess_conv``, to hidden states with the global
        token in front [batch, 1 + length, dim], cross-attention tokens and rotary angles."""
        tokens = self.cross_attention_proj(condition.tokens)
        head = self.global_proj(condition.global_vector) + self.timestep_proj(self.time_proj(t))
        hidden = torch.cat([head[:, None], self.proj_in(x.transpose(1, 2))], dim=1)
        return hidden, tokens, rotary_angles(hidden.shape[1], self.config.head_dim, x.device)

    def run(self, block: Block, hidden: Tensor, tokens: Tensor, angles: Tensor) -> Tensor:
        if self.gradient_checkpointing and self.training:
            from torch.utils.checkpoint import checkpoint  # before torch 2.9 it brings the compiler

            return checkpoint(block, hidden, tokens, angles, use_reentrant=False)
        return block(hidden, tokens, angles)


class Transformer(Trunk):
    """Predicts v from the noised latent, its noise level and the condition (section III-B3).

    ``forward(x, t, condition, residuals)``: x [batch, latent_dim, length], t [batch] in 0..1 -> v like x. The i-th of
    ``residuals`` (from the ControlNet, [batch, 1 + length, dim]) is added before block i, also to the global token.
    """

    def __init__(self, config: TransformerConfig):
        super().__init__(config, config.depth)
        self.proj_out = nn.Linear(config.embed_dim, config.latent_dim, bias=False)
        self.postprocess_conv = nn.Conv1d(config.latent_dim, config.latent_dim, 1, bias=False)

    def initialise(self) -> None:
        """Zeroes the two convolutions around the transformer, as the reference does before training from nothing."""
        nn.init.zeros_(self.preprocess_conv.weight)
        nn.init.zeros_(self.postprocess_conv.weight)

    def forward(
        self,
        x: Float[Tensor, "batch latent_dim length"],
        t: Float[Tensor, "batch"],
        condition: Condition,
        residuals: tuple[Tensor, ...] = (),
    ) -> Float[Tensor, "batch latent_dim length"]:
        hidden, tokens, angles = self.embed(self.preprocess_conv(x) + x, t, condition)
        for index, block in enumerate(self.transformer_blocks):
            if index < len(residuals):
                hidden = hidden + residuals[index]
            hidden = self.run(block, hidden, tokens, angles)
        y = self.proj_out(hidden)[:, 1:].transpose(1, 2)
        return self.postprocess_conv(y) + y
