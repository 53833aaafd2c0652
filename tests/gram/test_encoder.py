import numpy as np
import pytest
import torch

from foleygram.errors import ModelError, UsageError
from foleygram.gram.audio import preprocess_audio
from foleygram.gram.encoder import ContrastiveHead, FramePool, FramePoolConfig, GramConfig, GramEncoder, HeadConfig
from foleygram.gram.sound_net import SoundNetConfig
from foleygram.gram.text import Tokenizer
from foleygram.gram.vision import EfficientNetConfig, EfficientNetLite0, EvaConfig, EvaVisionTransformer, preprocess_frames
from foleygram.types import Audio, Clip, Video

from .golden import BEATS, BERT, EVA, noise, randomise
from .test_text import PIECES

TINY = GramConfig(
    dim=24, vision=EVA.replace(frames=3), audio=BEATS.replace(frames=64, slices=2), text=BERT.replace(vocabulary=len(PIECES))
)  # fmt: skip


@pytest.fixture
def encoder() -> GramEncoder:
    return randomise(GramEncoder(TINY, Tokenizer("\n".join(PIECES), TINY.text)), 1)


@pytest.fixture
def clip() -> Clip:
    stream = np.random.RandomState(1)
    frames = stream.randint(0, 256, (10, 3, 70, 90), dtype=np.uint8)
    sound = Audio(stream.uniform(-0.5, 0.5, (2, 44100)), 44100)
    return Clip(Video(frames, np.arange(10) / 10, 1.0), sound, "a person hits wood", 1.0)


def test_clip_becomes_unit_vectors(encoder, clip):
    embeddings = encoder.embed(clip)
    assert embeddings.modalities == "AVT"
    for point in (embeddings.video, embeddings.text, embeddings.audio):
        assert point.shape == (1, 24) and not point.requires_grad and point.dtype == torch.float32
        torch.testing.assert_close(point.norm(dim=-1), torch.ones(1))


@pytest.mark.parametrize("name", ["video", "audio", "text"])
def test_absent_modality_stays_absent_and_changes_nothing(encoder, clip, name):
    alone = encoder.embed(Clip(**{name: getattr(clip, name)}))
    assert len(alone.modalities) == 1
    torch.testing.assert_close(getattr(alone, name), getattr(encoder.embed(clip), name))


def test_clip_without_anything_is_refused(encoder):
    with pytest.raises(UsageError, match="at least one"):
        encoder.embed(Clip())


def test_text_without_tokenizer_is_refused(encoder):
    encoder.tokenizer = None
    with pytest.raises(ModelError, match="tokenizer.json"):
        encoder.embed(Clip(text="a person hits wood"))


def test_features_of_frozen_towers_can_be_kept(encoder, clip):
    """The way of the training: towers once, heads many times."""
    video = preprocess_frames(clip.video, TINY.vision)[None].repeat(2, 1, 1, 1, 1)
    audio = preprocess_audio(clip.audio, TINY.audio)[None].repeat(2, 1, 1, 1)
    text = encoder.tokens([clip.text, "wood"])
    whole = encoder(video, audio, text)
    kept = encoder.video_features(video), encoder.audio_features(audio), encoder.text_features(text)
    assert [tuple(feature.shape) for feature in kept] == [(2, 3, EVA.width), (2, BEATS.width), (2, BERT.width)]
    parts = encoder.embed_features(*kept)
    for name in ("video", "audio", "text"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name))
    torch.testing.assert_close(whole.text[:1], encoder.embed(clip).text)


@torch.no_grad()
def test_embedding_is_the_formula_of_the_reference(encoder, clip):
    """Mean of the class tokens, mean over tokens and slices, [CLS]; one projection without bias; unit norm."""
    video, audio = preprocess_frames(clip.video, TINY.vision), preprocess_audio(clip.audio, TINY.audio)
    state, embeddings = encoder.state_dict(), encoder.embed(clip)
    features = {
        "v": encoder.vision(video).mean(0),
        "a": torch.stack([encoder.audio(one[None])[0].mean(0) for one in audio]).mean(0),
        "t": encoder.text(encoder.tokens([clip.text])).states[0, 0],
    }
    for letter, point in (("v", embeddings.video), ("a", embeddings.audio), ("t", embeddings.text)):
        projected = state[f"contra_head_{letter}.linear.weight"] @ features[letter]
        torch.testing.assert_close(point[0], projected / projected.norm(), rtol=1e-4, atol=1e-5)


def test_unit_norm_under_autocast(encoder, clip):
    with torch.autocast("cpu", torch.bfloat16):
        embeddings = encoder.embed(clip)
    for point in (embeddings.video, embeddings.audio, embeddings.text):
        assert point.dtype == torch.float32
        torch.testing.assert_close(point.norm(dim=-1), torch.ones(1))


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_head(kind):
    head = ContrastiveHead(8, 4, HeadConfig(kind=kind, hidden=16))
    assert [key for key in head.state_dict() if key.startswith("linear")] == ["linear.weight"]
    assert (head.hidden is None) == (kind == "linear")
    point = head(noise(1, 3, 8))
    point[:, 0].sum().backward()
    torch.testing.assert_close(point.norm(dim=-1), torch.ones(3))
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_pools():
    frames = noise(1, 2, 5, 8)
    mean, moments, attention = (FramePool(8, FramePoolConfig(kind=kind)) for kind in ("mean", "moments", "attention"))
    torch.testing.assert_close(mean(frames), frames.mean(1))
    torch.testing.assert_close(moments(frames), torch.cat([frames.mean(1), frames.var(1, unbiased=False).sqrt()], dim=-1))
    torch.testing.assert_close(attention(frames), frames.mean(1))  # to begin with
    with torch.no_grad():
        attention.score.weight[0, 0] = 1e4
    chosen = frames[torch.arange(2), frames[..., 0].argmax(1)]
    torch.testing.assert_close(attention(frames), chosen)
    assert (mean.features, moments.features, attention.features) == (8, 16, 8)


def test_still_picture_has_a_finite_gradient():
    """The standard deviation of equal frames is 0, where a square root has no slope."""
    frames = noise(1, 2, 1, 8).expand(2, 5, 8).clone().requires_grad_()
    FramePool(8, FramePoolConfig(kind="moments"))(frames).sum().backward()
    assert torch.isfinite(frames.grad).all()


@pytest.mark.parametrize("config", [GramConfig(), GramConfig.small(), TINY])
def test_config_survives_json(config):
    assert GramConfig.model_validate_json(config.model_dump_json()) == config


def test_vision_tower_follows_its_config():
    with torch.device("meta"):
        assert isinstance(GramEncoder(TINY).vision, EvaVisionTransformer)
        assert isinstance(GramEncoder(TINY.replace(vision=EfficientNetConfig())).vision, EfficientNetLite0)


def test_a_tower_with_a_classifier_tells_what_a_clip_shows(clip):
    config = TINY.replace(vision=EfficientNetConfig(size=64, frames=3, classes=5))
    encoder = randomise(GramEncoder(config), 1)
    seen = encoder.embed(Clip(clip.video)).classes
    frames = encoder.vision(preprocess_frames(clip.video, config.vision))
    torch.testing.assert_close(seen, encoder.vision.classifier(frames).softmax(-1).mean(0, keepdim=True))
    assert seen.shape == (1, 5) and not seen.requires_grad
    assert encoder.embed(Clip(audio=clip.audio)).classes is None


def test_a_tower_without_one_does_not(encoder, clip):
    assert encoder.embed(clip).classes is None
    bare = GramEncoder(TINY.replace(vision=EfficientNetConfig(size=64, frames=3)))
    assert bare.embed(Clip(clip.video)).classes is None


def test_same_state_on_meta_as_in_memory(encoder):
    with torch.device("meta"):
        empty = GramEncoder(TINY)
    empty.load_state_dict(encoder.state_dict(), strict=True, assign=True)
    text = encoder.tokens(["a person hits wood"])
    assert torch.equal(empty.eval()(text=text).text, encoder(text=text).text)


# Structure of the full scale: names and shapes of the GRAM checkpoint, written down from the reference.


def linear(name: str, outer: int, inner: int, bias: bool = True) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outer, inner)} | ({f"{name}.bias": (outer,)} if bias else {})


def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def expected_vision() -> dict[str, tuple[int, ...]]:
    keys = {"cls_token": (1, 1, 1408), "pos_embed": (1, 257, 1408)}
    keys |= {"patch_embed.proj.weight": (1408, 3, 14, 14), "patch_embed.proj.bias": (1408,)}
    for block in (f"blocks.{index}" for index in range(40)):
        keys |= norm(f"{block}.norm1", 1408) | norm(f"{block}.norm2", 1408)
        keys |= linear(f"{block}.attn.qkv", 4224, 1408, bias=False) | linear(f"{block}.attn.proj", 1408, 1408)
        keys |= {f"{block}.attn.q_bias": (1408,), f"{block}.attn.v_bias": (1408,)}
        keys |= linear(f"{block}.mlp.fc1", 6144, 1408) | linear(f"{block}.mlp.fc2", 1408, 6144)
    return keys | norm("norm", 1408) | linear("head", 1024, 1408)


def expected_text() -> dict[str, tuple[int, ...]]:
    keys = {f"embeddings.{name}_embeddings.weight": (rows, 768) for name, rows in
            (("word", 30522), ("position", 512), ("token_type", 2))} | norm("embeddings.LayerNorm", 768)  # fmt: skip
    for layer in (f"encoder.layer.{index}" for index in range(12)):
        for projection in ("query", "key", "value"):
            keys |= linear(f"{layer}.attention.self.{projection}", 768, 768)
        keys |= linear(f"{layer}.attention.output.dense", 768, 768) | norm(f"{layer}.attention.output.LayerNorm", 768)
        keys |= linear(f"{layer}.intermediate.dense", 3072, 768)
        keys |= linear(f"{layer}.output.dense", 768, 3072) | norm(f"{layer}.output.LayerNorm", 768)
    return keys


def expected_audio() -> dict[str, tuple[int, ...]]:
    keys = {"patch_embedding.weight": (512, 1, 16, 16)} | norm("layer_norm", 512) | linear("post_extract_proj", 768, 512)
    keys |= {"encoder.pos_conv.0.bias": (768,), "encoder.pos_conv.0.weight_g": (1, 1, 128)}
    keys |= {"encoder.pos_conv.0.weight_v": (768, 48, 128)} | norm("encoder.layer_norm", 768)
    for layer in (f"encoder.layers.{index}" for index in range(12)):
        for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
            keys |= linear(f"{layer}.self_attn.{projection}", 768, 768)
        keys |= linear(f"{layer}.self_attn.grep_linear", 8, 64) | {f"{layer}.self_attn.grep_a": (1, 12, 1, 1)}
        keys |= {f"{layer}.self_attn.relative_attention_bias.weight": (320, 12)}
        keys |= norm(f"{layer}.self_attn_layer_norm", 768) | norm(f"{layer}.final_layer_norm", 768)
        keys |= linear(f"{layer}.fc1", 3072, 768) | linear(f"{layer}.fc2", 768, 3072)
    return keys


@pytest.fixture(scope="module")
def full() -> GramEncoder:
    with torch.device("meta"):
        return GramEncoder(GramConfig())


def test_full_scale_has_the_names_and_shapes_of_the_checkpoint(full):
    expected = {"contra_temp": ()}
    for tower, keys in (("vision", expected_vision()), ("text", expected_text()), ("audio", expected_audio())):
        expected |= {f"{tower}.{key}": shape for key, shape in keys.items()}
    for letter, features in (("t", 768), ("v", 1408), ("a", 768)):
        expected |= linear(f"contra_head_{letter}.linear", 512, features, bias=False)
    assert {key: tuple(tensor.shape) for key, tensor in full.state_dict().items()} == expected


@pytest.mark.parametrize("tower, millions", [("vision", 1012.6), ("text", 108.9), ("audio", 90.3)])
def test_full_scale_parameters(full, tower, millions):
    count = sum(parameter.numel() for parameter in getattr(full, tower).parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.05)


def test_mini_is_small():
    with torch.device("meta"):
        mini = GramEncoder(GramConfig.small())
    millions = {name: sum(p.numel() for p in part.parameters()) / 1e6 for name, part in mini.named_children()}
    assert millions["vision"] == pytest.approx(3.35 + 1.28, abs=0.01)  # with its classifier
    assert millions["audio"] == pytest.approx(2.14, abs=0.05)
    assert isinstance(mini.config.audio, SoundNetConfig) and not isinstance(mini.config.vision, EvaConfig)
