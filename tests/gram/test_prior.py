"""The prior: which map answers to what is known."""

import torch

from foleygram.gram.prior import Prior
from foleygram.types import Embeddings

DIM = 6


def test_each_case_has_its_map():
    prior = Prior(DIM)
    text, video = torch.randn(2, DIM), torch.randn(2, DIM)
    torch.testing.assert_close(prior(Embeddings(text=text)), prior.from_text(text))
    torch.testing.assert_close(prior(Embeddings(video=video)), prior.from_video(video))
    torch.testing.assert_close(prior(Embeddings(text=text, video=video)), prior.from_both(torch.cat([text, video], 1)))
    assert not torch.allclose(prior(Embeddings(text=text, video=video)), prior(Embeddings(text=video, video=text)))


def test_from_nothing_comes_nothing():
    assert Prior(DIM)(Embeddings()) is None
