import pytest
import small
import torch

from foleygram.errors import ModelError
from foleygram.hub.layouts import (
    INVERSE_FREQUENCIES,
    TRANSFORMER,
    from_gram,
    from_stable_audio,
    gram_key,
    resized_positions,
    stretched_frames,
    to_gram,
    to_stable_audio,
)


@pytest.fixture(scope="module")
def whole():
    return small.model()


def same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


@pytest.mark.parametrize("foleygram", [False, True])
def test_stable_audio_there_and_back_is_the_same(whole, foleygram):
    state = small.stable_audio(whole, foleygram)
    parts = from_stable_audio(state)
    same(dict(parts.transformer), whole.transformer.state_dict())
    same(dict(parts.autoencoder), whole.autoencoder.state_dict())
    same(to_stable_audio(parts), state)
    assert (parts.control_net is not None) == foleygram


def test_stable_audio_has_the_keys_and_shapes_of_its_authors(whole):
    """Of section 2 of the published state dict, with this model's numbers."""
    state = small.stable_audio(whole)
    for key, shape in {
        "model.model.timestep_features.weight": (8, 1),
        "model.model.to_timestep_embed.0.bias": (64,),
        "model.model.transformer.layers.2.pre_norm.gamma": (64,),
        "model.model.transformer.layers.0.cross_attend_norm.beta": (64,),
        "model.model.transformer.layers.0.self_attn.to_qkv.weight": (192, 64),
        "model.model.transformer.layers.0.cross_attn.to_kv.weight": (128, 64),
        "model.model.transformer.layers.0.ff.ff.0.proj.weight": (512, 64),
        "model.model.transformer.rotary_pos_emb.inv_freq": (16,),
        "pretransform.model.encoder.layers.0.weight_v": (4, 2, 7),
        "pretransform.model.encoder.layers.1.layers.0.layers.0.alpha": (4,),
        "pretransform.model.encoder.layers.2.layers.4.weight_g": (8, 1, 1),
        "pretransform.model.encoder.layers.4.bias": (12,),
        "pretransform.model.decoder.layers.1.layers.1.weight_g": (8, 1, 1),
        "pretransform.model.decoder.layers.4.weight_v": (2, 4, 7),
        "conditioner.conditioners.seconds_total.embedder.embedding.0.weights": (8,),
    }.items():
        assert tuple(state[key].shape) == shape, key
    assert "pretransform.model.decoder.layers.4.bias" not in state


def test_fused_projections_are_taken_apart_in_order(whole):
    state = small.stable_audio(whole)
    block = whole.transformer.transformer_blocks[1]
    fused = state["model.model.transformer.layers.1.self_attn.to_qkv.weight"]
    assert torch.equal(fused[64:128], block.attn1.to_k.weight)
    assert torch.equal(state["model.model.transformer.layers.1.cross_attn.to_kv.weight"][64:], block.attn2.to_v.weight)


def test_new_names_of_weight_norm_are_understood(whole):
    state = small.stable_audio(whole)
    for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
        state = {key.replace(old, f"parametrizations.weight.{new}"): tensor for key, tensor in state.items()}
    same(dict(from_stable_audio(state).autoencoder), whole.autoencoder.state_dict())


def test_reference_control_net_may_bring_its_unused_output(whole):
    state = small.stable_audio(whole, foleygram=True)
    state["model.controlnet.transformer.project_out.weight"] = torch.zeros(6, 64)
    same(dict(from_stable_audio(state).control_net), whole.control_net.state_dict())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("model.model.to_cond_embed.0.weight"), "missing to_cond_embed.0.weight"),
        (lambda state: state.update({"model.model.to_prepend_embed.0.weight": torch.zeros(2)}), "unknown to_prepend_embed"),
        (lambda state: state.update({"optimizer.step": torch.zeros(2)}), "unknown optimizer.step"),
        (lambda state: [state.pop(key) for key in list(state) if key.startswith("pretransform")], "missing"),
        (
            lambda state: state.update({"model.model.transformer.layers.0.self_attn.to_qkv.weight": torch.zeros(191, 64)}),
            "is not 3 parts|not 3 parts",
        ),
    ],
)
def test_what_does_not_fit_is_listed_and_refused(whole, change, message):
    state = small.stable_audio(whole)
    change(state)
    with pytest.raises(ModelError, match=message) as caught:
        from_stable_audio(state)
    assert "\n" not in str(caught.value)


def test_computed_frequencies_are_those_of_the_reference(whole):
    state = small.stable_audio(whole)
    expected = 10000.0 ** (-torch.arange(0, 32, 2) / 32)
    torch.testing.assert_close(state[TRANSFORMER + INVERSE_FREQUENCIES], expected)


def test_gram_there_and_back_is_the_same(whole):
    state = small.gram(whole)
    parts = from_gram(state)
    same(dict(parts.encoder), whole.gram.state_dict())
    same(to_gram(parts), state)
    assert "CLIP text tower (2)" in parts.ignored() and len(parts.ignored()) == 7


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        ("module.video_encoder.visual.cls_token", "vision_encoder.visual.cls_token"),
        ("evaclip_model.visual.norm.weight", "vision_encoder.visual.norm.weight"),
        ("clip_model.visual.norm.weight", "vision_encoder.visual.norm.weight"),
        ("contra_head_t.module.linear.weight", "contra_head_t.linear.weight"),
        ("video_frame_embedding", "vision_frame_embedding"),
    ],
)
def test_gram_prefixes(foreign, ours):
    assert gram_key(foreign) == ours


def test_gram_in_half_precision_becomes_single(whole):
    state = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in small.gram(whole).items()}
    assert all(tensor.dtype == torch.float32 for tensor in from_gram(state).encoder.values())


def test_gram_lists_missing_heads_and_unknown_tensors(whole):
    state = small.gram(whole)
    del state["contra_head_v.linear.weight"]
    with pytest.raises(ModelError, match="missing contra_head_v.linear.weight"):
        from_gram(state)
    with pytest.raises(ModelError, match="unknown surprise"):
        from_gram(small.gram(whole) | {"surprise": torch.zeros(1)})
    without_depth = {key: tensor for key, tensor in small.gram(whole).items() if "contra_head_d" not in key}
    assert from_gram(without_depth).encoder.keys() == whole.gram.state_dict().keys()


def test_frame_embeddings_are_stretched_by_nearest_neighbour():
    embedding = torch.arange(4.0)[None, :, None]
    assert stretched_frames(embedding, 8)[0, :, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert stretched_frames(embedding, 2)[0, :, 0].tolist() == [0, 2]
    assert stretched_frames(embedding, 4) is embedding


def test_positions_are_resized_on_their_grid():
    grid = torch.arange(3.0)[None, :].expand(3, 3).reshape(1, 9, 1)
    positions = torch.cat([torch.full((1, 1, 1), 7.0), grid], dim=1)
    resized = resized_positions(positions, 1 + 36)
    assert resized.shape == (1, 37, 1) and resized[0, 0, 0] == 7
    torch.testing.assert_close(resized[0, 1:, 0].view(6, 6)[:, ::5], torch.tensor([0.0, 2.0]).expand(6, 2))
    with pytest.raises(ModelError, match="square grid"):
        resized_positions(positions[:, :-1], 37)
