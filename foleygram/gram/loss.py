"""Contrastive losses of the joint space: GRAM (section III-A, Eqs. 3 and 4) and the pairwise cosine baseline.

With more than one process K is the batch of all of them, B that of one; the mean over processes of loss and gradient is
then that of a single process with the joint batch. All processes bring batches of one size.
"""

from typing import Literal

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from foleygram.config import Chance, Config, NotNegative
from foleygram.gram.volume import EPS, pairwise_volume

TEMPERATURE = 0.07
"""First value of the learned temperature, of the reference (ispamm/GRAM), which learns it directly, not its logarithm."""


class GramLossConfig(Config):
    """Options of the GRAM loss; the defaults are Eqs. 3 and 4 as printed, :meth:`reference` is the published code."""

    label_smoothing: Chance = 0.0
    detach: bool = False  # no gradient into the gathered side, so that Eq. 4 moves only text, Eq. 3 only video and audio
    eps: NotNegative = EPS  # floor of the squared volume; 0: sqrt(|det|)

    @classmethod
    def reference(cls) -> "GramLossConfig":
        """What ispamm/GRAM trains with: label smoothing 0.1, gathered operands without gradient, sqrt(|det|)."""
        return cls(label_smoothing=0.1, detach=True, eps=0.0)


def gram_loss(
    text: Float[Tensor, "batch dim"],
    video: Float[Tensor, "batch dim"],
    audio: Float[Tensor, "batch dim"],
    temperature: Float[Tensor, ""] | float = TEMPERATURE,
    config: GramLossConfig | None = None,
) -> Float[Tensor, ""]:
    """Mean of L_AV2T (Eq. 3) and L_T2AV (Eq. 4), in nats. Row i of the three is one clip; all have unit norm."""
    config = config or GramLossConfig()
    every_text, every_video, every_audio = (gathered(side, config.detach) for side in (text, video, audio))
    t2av = pairwise_volume(text, every_video, every_audio, config.eps)
    av2t = pairwise_volume(every_text, video, audio, config.eps).T
    return _contrast(-t2av, -av2t, temperature, config.label_smoothing)


class CosineLossConfig(Config):
    """Options of the pairwise baseline that GRAM is compared with."""

    pairs: Literal["anchor", "all"] = "anchor"  # anchor: text-video and text-audio; all: video-audio as well
    label_smoothing: Chance = 0.0
    detach: bool = False  # as in GramLossConfig


def cosine_loss(
    text: Float[Tensor, "batch dim"],
    video: Float[Tensor, "batch dim"],
    audio: Float[Tensor, "batch dim"],
    temperature: Float[Tensor, ""] | float = TEMPERATURE,
    config: CosineLossConfig | None = None,
) -> Float[Tensor, ""]:
    """InfoNCE on cosines, both directions, mean over the pairs of modalities, in nats: CLIP's loss with text as anchor."""
    config = config or CosineLossConfig()
    pairs = [(text, video), (text, audio)] + ([(video, audio)] if config.pairs == "all" else [])
    losses = []
    for left, right in pairs:
        with torch.autocast(left.device.type, enabled=False):
            left, right = left.float(), right.float()
            rows = left @ gathered(right, config.detach).T
            columns = right @ gathered(left, config.detach).T
        losses.append(_contrast(rows, columns, temperature, config.label_smoothing))
    return torch.stack(losses).mean()


def _contrast(
    rows: Float[Tensor, "batch global_batch"],
    columns: Float[Tensor, "batch global_batch"],
    temperature: Tensor | float,
    label_smoothing: float,
) -> Float[Tensor, ""]:
    """Mean cross entropy of two directions; the match of row i stands at i plus the offset of this process."""
    match = torch.arange(len(rows), device=rows.device) + (dist.get_rank() * len(rows) if _spread() else 0)
    first, second = (
        F.cross_entropy(scores / temperature, match, label_smoothing=label_smoothing) for scores in (rows, columns)
    )
    return (first + second) / 2


def gathered(local: Float[Tensor, "batch dim"], detach: bool = False) -> Float[Tensor, "global_batch dim"]:
    """The rows of all processes in order of rank, or ``local`` itself in a single process. ``detach``: without gradient,
    also in a single process, as the reference does; otherwise the gradients of all processes come back to each row."""
    if detach:
        local = local.detach()
    return _Gather.apply(local) if _spread() else local


def _spread() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


class _Gather(torch.autograd.Function):
    """all_gather whose backward pass is the sum over processes. torch.distributed.nn offers the same but is not stable."""

    @staticmethod
    def forward(ctx, local):
        parts = [torch.empty_like(local) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, local.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx, gradient):
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        return gradient.chunk(dist.get_world_size())[dist.get_rank()]
