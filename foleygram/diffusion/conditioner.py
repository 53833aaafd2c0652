"""Embeddings and duration become a condition (section III-B1).

FoleyGRAM: one linear projection for each modality gives a cross-attention token, the two timing numbers give a token
each, and together the global vector. Stable Audio's own form, used to train the base model, has the states of a text
encoder in place of the three tokens.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from foleygram.config import Config, Count, Positive
from foleygram.types import Condition, Embeddings


class ConditionerConfig(Config):
    """``embedding_dim``: width of the GRAM space; ``token_dim``: width of a cross-attention token; ``text_dim``:
    width of the text encoder's states for the base model; ``longest``: seconds beyond which durations are clamped."""

    embedding_dim: Count = 512
    token_dim: Count = 768
    text_dim: Count = 768
    longest: Positive = 512.0
    frequencies: Count = 128


class PositionalEmbedding(nn.Module):
    """A number x to [x, sin(2 pi x w), cos(2 pi x w)] with learned w: [batch] -> [batch, 1 + 2 frequencies]."""

    def __init__(self, frequencies: int):
        super().__init__()
        self.weights = nn.Parameter(torch.randn(frequencies))

    def forward(self, x: Float[Tensor, "batch"]) -> Float[Tensor, "batch features"]:
        angle = 2 * math.pi * x[:, None] * self.weights[None]
        return torch.cat([x[:, None], angle.sin(), angle.cos()], dim=-1)


class NumberConditioner(nn.Module):
    """Seconds to a token: clamped to 0..longest, divided by longest, embedded. [batch] -> [batch, token_dim]."""

    def __init__(self, config: ConditionerConfig):
        super().__init__()
        self.longest = config.longest
        self.time_positional_embedding = nn.Sequential(
            PositionalEmbedding(config.frequencies), nn.Linear(1 + 2 * config.frequencies, config.token_dim)
        )

    def forward(self, seconds: Float[Tensor, "batch"]) -> Float[Tensor, "batch token_dim"]:
        x = seconds.clamp(0, self.longest) / self.longest
        return self.time_positional_embedding(x.to(self.time_positional_embedding[1].weight.dtype))


class Conditioner(nn.Module):
    """``forward(embeddings, start, total)`` is FoleyGRAM's: 3 GRAM tokens (audio, video, text) + 2 timing tokens.

    An absent modality is a zero token *after* its projection, the same null as guidance uses. ``from_text`` is the
    base model's: the text states + 2 timing tokens. Timing also gives the global vector [batch, 2 token_dim]."""

    def __init__(self, config: ConditionerConfig):
        super().__init__()
        self.config = config
        self.start_number_conditioner = NumberConditioner(config)
        self.end_number_conditioner = NumberConditioner(config)
        self.gram_audio = nn.Linear(config.embedding_dim, config.token_dim)
        self.gram_video = nn.Linear(config.embedding_dim, config.token_dim)
        self.gram_text = nn.Linear(config.embedding_dim, config.token_dim)
        same = config.text_dim == config.token_dim
        self.text_projection = nn.Identity() if same else nn.Linear(config.text_dim, config.token_dim)

    def timing(self, start: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
        """Two tokens [batch, 2, token_dim] and the global vector [batch, 2 token_dim], start before total."""
        tokens = torch.stack([self.start_number_conditioner(start), self.end_number_conditioner(total)], dim=1)
        return tokens, tokens.flatten(1)

    def forward(self, embeddings: Embeddings, start: Float[Tensor, "batch"], total: Float[Tensor, "batch"]) -> Condition:
        """``start``, ``total``: s. Rows of an embedding that are all zero count as absent (modality dropout)."""
        timing, global_vector = self.timing(start, total)
        tokens = []
        for projection, embedding in (
            (self.gram_audio, embeddings.audio),
            (self.gram_video, embeddings.video),
            (self.gram_text, embeddings.text),
        ):
            if embedding is None:
                tokens.append(torch.zeros_like(timing[:, 0]))
            else:
                present = embedding.abs().sum(-1, keepdim=True) > 0
                tokens.append(projection(embedding.to(projection.weight.dtype)) * present)
        return Condition(torch.cat([torch.stack(tokens, dim=1), timing], dim=1), global_vector)

    def from_text(
        self,
        states: Float[Tensor, "batch length text_dim"],
        mask: Bool[Tensor, "batch length"],
        start: Float[Tensor, "batch"],
        total: Float[Tensor, "batch"],
    ) -> Condition:
        """The base model's condition; padding states are zero tokens, which still take part (as in the reference)."""
        timing, global_vector = self.timing(start, total)
        tokens = self.text_projection(states) * mask[..., None]
        return Condition(torch.cat([tokens, timing], dim=1), global_vector)
