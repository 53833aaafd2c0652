import numpy as np
import torch

from foleygram.diffusion.conditioner import Conditioner, ConditionerConfig
from foleygram.training.control import ClipEmbeddings, caption_tokens, fit_projections, point_tokens
from foleygram.training.latents import Captions
from foleygram.types import Embeddings

CAPTIONS = Captions(tuple("abcdefgh"), tuple((k, (k + 1) % 8) for k in range(8)))


def points_of(states: np.ndarray, seed: int, dim: int = 24) -> np.ndarray:
    """Points of unit length that a rotation of their own makes of the states."""
    turned = states @ np.random.default_rng(seed).normal(size=(states.shape[1], dim)).astype(np.float32)
    return turned / np.linalg.norm(turned, axis=1, keepdims=True)


def test_projections_begin_at_the_tokens_that_the_base_knows():
    torch.manual_seed(0)
    conditioner = Conditioner(ConditionerConfig(embedding_dim=24, token_dim=16, text_dim=12, longest=64.0, frequencies=8))
    states = np.random.default_rng(0).normal(size=(8, 12)).astype(np.float32)
    points = ClipEmbeddings(points_of(states, 1), points_of(states, 2), points_of(states, 3))
    embeddings = Embeddings(*(torch.from_numpy(side) for side in (points.video, points.text, points.audio)))
    wanted = conditioner.text_projection(torch.from_numpy(states))

    def error() -> torch.Tensor:
        tokens = conditioner(embeddings, torch.zeros(8), torch.full((8,), 10.0)).tokens[:, :3]
        return (tokens - wanted[:, None]).square().mean((0, 2)) / wanted.var()

    assert (error() > 0.5).all()
    fit_projections(conditioner, points, caption_tokens(conditioner, CAPTIONS, states))
    assert (error() < 0.02).all()


def test_projections_of_a_new_space_begin_at_the_tokens_of_the_old_one():
    torch.manual_seed(0)
    config = ConditionerConfig(embedding_dim=24, token_dim=16, text_dim=12, longest=64.0, frequencies=8)
    old, new = Conditioner(config), Conditioner(config)
    states = np.random.default_rng(0).normal(size=(8, 12)).astype(np.float32)
    before, after = (ClipEmbeddings(*(points_of(states, seed + side) for side in range(3))) for seed in (1, 4))
    wanted = point_tokens(old, before)
    torch.testing.assert_close(torch.from_numpy(wanted.video), old.gram_video(torch.from_numpy(before.video)))
    assert all(np.square(a - b).mean() > 0.5 * b.var() for a, b in pairs(point_tokens(new, after), wanted))
    fit_projections(new, after, wanted)
    assert all(np.square(a - b).mean() < 0.02 * b.var() for a, b in pairs(point_tokens(new, after), wanted))


def pairs(first: ClipEmbeddings, second: ClipEmbeddings) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(first.audio, second.audio), (first.video, second.video), (first.text, second.text)]
