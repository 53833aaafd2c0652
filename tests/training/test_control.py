import numpy as np
import pytest
import torch

from foleygram.diffusion.conditioner import Conditioner, ConditionerConfig
from foleygram.diffusion.control import ControlNet, ControlNetConfig
from foleygram.diffusion.transformer import Transformer, TransformerConfig
from foleygram.hub.folder import read_tensors
from foleygram.training.control import (
    ClipEmbeddings,
    ControlStage,
    ControlTraining,
    caption_tokens,
    fit_projections,
    point_tokens,
)
from foleygram.training.latents import Captions, Crops
from foleygram.training.loop import LoopConfig, run
from foleygram.types import Embeddings
from tests.training.muon import needs_muon

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


@pytest.mark.parametrize("locked", [True, False])
@pytest.mark.parametrize(
    "optimizer",
    [
        "adamw",
        pytest.param("muon", marks=needs_muon),
    ],
)
def test_the_base_learns_where_it_is_not_locked(tmp_path, locked, optimizer):
    torch.manual_seed(0)
    shape = TransformerConfig(latent_dim=4, embed_dim=32, depth=2, head_dim=16, cross_dim=16, global_dim=32, time_dim=8)
    transformer, net = Transformer(shape), ControlNet(shape, ControlNetConfig(depth=1))
    net.initialise(transformer)
    conditioner = Conditioner(ConditionerConfig(embedding_dim=24, token_dim=16, text_dim=16, frequencies=4))
    draw = np.random.default_rng(1)
    crops = Crops([draw.standard_normal((8, 4, 12)).astype(np.float16) for _ in range(2)], 0.01, 50)
    data = crops, CAPTIONS, ClipEmbeddings(*(draw.standard_normal((8, 24)).astype(np.float32) for _ in range(3)))
    loop = LoopConfig(steps=2, batch=4, optimizer=optimizer, learning_rate=1e-2, matrix_rate=1e-2, precision="fp32", ema=0.0)
    before = {key: value.clone() for key, value in transformer.state_dict().items()}
    stage = ControlStage(transformer, net, conditioner, ControlTraining(loop=loop, locked=locked), 0, tmp_path, *data, *data)
    run(stage, loop, tmp_path / "log")
    moved = {key for key, value in transformer.state_dict().items() if not torch.equal(value, before[key])}
    written = tmp_path / "transformer.safetensors"
    if locked:
        assert not moved and not written.exists()
    else:
        assert {"transformer_blocks.0", "transformer_blocks.1"} <= {".".join(key.split(".")[:2]) for key in moved}
        assert {key: value.shape for key, value in read_tensors(written).items()} == {k: v.shape for k, v in before.items()}
