"""ControlNet: a trainable copy of the first blocks listens to the envelope's latent (section III-B2).

Reference: stable-audio-controlnet. At the start its output convolutions are zero, so the generator is bit for bit
the frozen transformer.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from foleygram.config import Config, Count
from foleygram.diffusion.transformer import Transformer, TransformerConfig, Trunk
from foleygram.types import Condition


class ControlNetConfig(Config):
    """``depth``: number of copied blocks n; the reference's depth factor 0.2 of 24 blocks gives 4."""

    depth: Count = 4


class ControlNet(Trunk):
    """``forward(x, t, condition, control)`` -> n residuals [batch, 1 + length, dim] for the transformer.

    ``control``: the encoded envelope [batch, latent_dim, length]."""

    def __init__(self, transformer: TransformerConfig, config: ControlNetConfig):
        super().__init__(transformer, config.depth)
        dim, latent = transformer.embed_dim, transformer.latent_dim
        self.conv_in = nn.Conv1d(latent, latent, 1, bias=False)
        self.conv_outs = nn.ModuleList([nn.Conv1d(dim, dim, 1, bias=False) for _ in range(config.depth)])

    def initialise(self, transformer: Transformer) -> None:
        """Copies the embedders and first blocks of ``transformer`` and zeroes the new convolutions."""
        mine = self.state_dict()
        copied = {name: tensor for name, tensor in transformer.state_dict().items() if name in mine}
        self.load_state_dict(copied, strict=False)
        nn.init.zeros_(self.conv_in.weight)
        for conv in self.conv_outs:
            nn.init.zeros_(conv.weight)

    def forward(
        self,
        x: Float[Tensor, "batch latent_dim length"],
        t: Float[Tensor, "batch"],
        condition: Condition,
        control: Float[Tensor, "batch latent_dim length"],
    ) -> tuple[Float[Tensor, "batch positions dim"], ...]:
        hidden, tokens, angles = self.embed(self.preprocess_conv(x) + x + self.conv_in(control), t, condition)
        residuals = []
        for block, conv in zip(self.transformer_blocks, self.conv_outs, strict=True):
            hidden = self.run(block, hidden, tokens, angles)
            residuals.append(conv(hidden.transpose(1, 2)).transpose(1, 2))
        return tuple(residuals)
