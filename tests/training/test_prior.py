"""The prior in closed form: what is told is found, what is not is left out."""

import numpy as np
import torch

from foleygram.gram.prior import Prior
from foleygram.training.control import ClipEmbeddings
from foleygram.training.latents import Captions
from foleygram.training.prior import PriorTraining, fit_prior, rows
from foleygram.types import Embeddings

DIM = 8


def points(count: int, seed: int, video_noise: float = 0.0) -> Embeddings:
    """Sounds that are told by texts alone; pictures that know them up to ``video_noise``."""
    draw, fixed = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(99)
    turn = torch.randn(DIM, DIM, generator=fixed)
    text = torch.randn(count, DIM, generator=draw)
    audio = text @ turn + 0.5
    return Embeddings(text=text, audio=audio, video=audio + video_noise * torch.randn(count, DIM, generator=draw))


def test_what_is_told_is_guessed():
    prior = Prior(DIM)
    fitted = fit_prior(prior, points(200, 0), points(50, 1), PriorTraining(ridges=(1e-4, 10.0)))
    assert max(fitted.text.error, fitted.video.error, fitted.both.error) < 1e-3
    assert fitted.text.text_ridge == 1e-4 and fitted.text.video_ridge is None and fitted.video.text_ridge is None
    unheard = points(20, 2)
    torch.testing.assert_close(prior(Embeddings(text=unheard.text)), unheard.audio, atol=0.02, rtol=0)
    assert fitted.sentence == "of how sounds of validation differ it knows 100% from text, 100% from picture, 100% from both"


def test_pictures_that_mislead_on_validation_are_held_back():
    """On the training clips the pictures know all, on validation next to nothing."""
    config = PriorTraining(ridges=(0.01, 1e4))
    fitted = fit_prior(Prior(DIM), points(200, 0), points(50, 1, video_noise=50.0), config)
    assert fitted.both.text_ridge == 0.01 and fitted.both.video_ridge == 1e4
    assert fitted.video.error > 0.5 and fitted.both.error < 0.1


def test_a_sound_nobody_can_tell_is_their_mean():
    train, valid = points(200, 0), points(50, 1)
    train, valid = (
        Embeddings(text=torch.randn(len(side.text), DIM), video=side.video, audio=side.audio) for side in (train, valid)
    )
    prior = Prior(DIM)
    fitted = fit_prior(prior, train, valid, PriorTraining(ridges=(1e6,)))
    assert abs(fitted.text.error - 1) < 0.02
    torch.testing.assert_close(prior(Embeddings(text=valid.text)), train.audio.mean(0).expand(50, -1), atol=0.02, rtol=0)


def test_each_caption_of_a_clip_is_a_row():
    captions = Captions(("a", "b", "c"), ((0, 1), (2,), (1,)))
    audio, video, text = (np.random.default_rng(seed).normal(size=(3, DIM)).astype(np.float16) for seed in range(3))
    found = rows(ClipEmbeddings(audio, video, text), captions)
    assert found.audio.dtype == torch.float32
    for side, known, places in (
        (found.audio, audio, [0, 0, 1, 2]),
        (found.video, video, [0, 0, 1, 2]),
        (found.text, text, [0, 1, 2, 1]),
    ):
        np.testing.assert_array_equal(side.numpy(), known[places].astype(np.float32))
