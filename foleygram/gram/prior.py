"""The point that a sound probably has, guessed from its text and picture: unCLIP's prior (Ramesh et al. 2022) as a linear map.

Modalities of a contrastive space lie apart: in the mini the points of a caption and of its own sound have a cosine of 0.2. So
the token of a text is no stand-in for that of a sound, by which the diffusion model has learned to go most of all. Where no
sound is given, the one to be expected takes its place. Not in the paper; docs/decisions.md.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foleygram.types import Embeddings


class Prior(nn.Module):
    """``forward``: points of text, picture or both -> the expected point of the sound; one linear map for each case.

    What is expected is a mean of all that it could be: the less text and picture tell, the shorter it is."""

    def __init__(self, dim: int):
        super().__init__()
        self.from_text = nn.Linear(dim, dim)
        self.from_video = nn.Linear(dim, dim)
        self.from_both = nn.Linear(2 * dim, dim)  # text before video

    def forward(self, embeddings: Embeddings) -> Float[Tensor, "batch dim"] | None:
        """The point of ``embeddings.audio`` where that is unknown; None where nothing else is known either."""
        text, video = embeddings.text, embeddings.video
        if text is None and video is None:
            return None
        if video is None:
            return self.from_text(text)
        if text is None:
            return self.from_video(video)
        return self.from_both(torch.cat([text, video], dim=-1))
