import numpy as np
import pytest
import torch
import torch.nn.functional as F

from foleygram.gram.vision import (
    EfficientNetConfig,
    EfficientNetLite0,
    EvaConfig,
    EvaVisionTransformer,
    FrameConfig,
    fold_lite0,
    preprocess_frames,
)
from foleygram.types import Video

from .golden import EVA, noise, randomise


def video(frames: np.ndarray) -> Video:
    return Video(frames, np.arange(len(frames)) / 25, len(frames) / 25)


def test_frames_are_the_middle_of_equal_parts_and_normalised():
    values = np.arange(20, dtype=np.uint8)
    frames = np.broadcast_to(values[:, None, None, None], (20, 3, 30, 40))
    config = FrameConfig(frames=4, size=16, mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3))
    shown = preprocess_frames(video(frames), config)
    assert shown.shape == (4, 3, 16, 16)
    for channel, (mean, std) in enumerate(zip(config.mean, config.std, strict=True)):
        expected = (torch.tensor([2, 7, 12, 17]) / 255 - mean) / std
        torch.testing.assert_close(shown[:, channel], expected[:, None, None].expand(-1, 16, 16))


def test_short_video_repeats_frames():
    frames = np.arange(2, dtype=np.uint8)[:, None, None, None] + np.zeros((2, 3, 8, 8), np.uint8)
    shown = preprocess_frames(video(frames), FrameConfig(frames=4, size=8, mean=(0, 0, 0), std=(1, 1, 1)))
    assert (shown[:, 0, 0, 0] * 255).round().tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("height, width", [(60, 90), (90, 60), (64, 64), (100, 333)])
def test_shorter_side_is_resized_and_the_centre_kept(height, width):
    """A picture with a ramp along its longer side: the crop is its middle."""
    ramp = np.linspace(0, 255, max(height, width))
    plane = np.broadcast_to(ramp if width >= height else ramp[:, None], (height, width)).astype(np.uint8)
    shown = preprocess_frames(
        video(np.broadcast_to(plane, (1, 3, height, width))), FrameConfig(frames=1, size=32, mean=(0, 0, 0), std=(1, 1, 1))
    )[0, 0]
    along = shown.mean(0 if width >= height else 1)
    part = min(height, width) / max(height, width)
    assert shown.shape == (32, 32)
    assert along[16:].mean() + along[:16].mean() == pytest.approx(1.0, abs=0.03)
    assert along[-1] - along[0] == pytest.approx(part, abs=0.05)


def test_antialias_is_a_choice():
    lines = np.zeros((1, 3, 64, 64), np.uint8)
    lines[..., ::2] = 255
    config = FrameConfig(frames=1, size=21, mean=(0, 0, 0), std=(1, 1, 1))
    smooth, rough = preprocess_frames(video(lines), config), preprocess_frames(video(lines), config.replace(antialias=False))
    assert smooth.std() < 0.5 * rough.std()


def test_eva_has_no_bias_on_its_keys():
    """A constant added to every key moves no softmax; that is why the checkpoint has none."""
    eva = randomise(EvaVisionTransformer(EVA), 1)
    keys = eva.state_dict().keys()
    assert {"blocks.0.attn.q_bias", "blocks.0.attn.v_bias"} <= keys and "blocks.0.attn.k_bias" not in keys


def test_eva_head_is_not_in_the_feature():
    eva, frames = randomise(EvaVisionTransformer(EVA), 1), noise(2, 1, 3, EVA.size, EVA.size)
    before = eva(frames)
    torch.nn.init.zeros_(eva.head.weight)
    assert before.shape == (1, EVA.width) and torch.equal(before, eva(frames))


def test_drop_path_keeps_the_mean_and_spares_the_first_block():
    eva = EvaVisionTransformer(EVA).train()
    assert [block.drop_path for block in eva.blocks] == pytest.approx([0, 0.2, 0.4])
    branch = eva.blocks[2]._kept(torch.ones(20000, 1, 1))
    assert branch.unique().tolist() == pytest.approx([0, 1 / 0.6])
    assert branch.mean() == pytest.approx(1, abs=0.03)
    assert torch.equal(eva.eval().blocks[2]._kept(branch), branch)


FOREIGN = {"expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1"), "project": ("_project_conv", "_bn2")}


def foreign_names(name: str) -> tuple[str, str]:
    """Convolution and batch norm in ml-illustrated's port for a convolution of ours."""
    match name.split("."):
        case ["stem"]:
            return "_conv_stem", "_bn0"
        case ["head"]:
            return "_conv_head", "_bn1"
        case [_, index, part]:
            return tuple(f"_blocks.{index}.{foreign}" for foreign in FOREIGN[part])


def test_folded_batch_norms_change_nothing():
    """The other route: convolutions without bias, each followed by its batch norm."""
    unfolded = randomise(EfficientNetLite0(EfficientNetConfig(classes=7)), 1)
    foreign = {f"_fc.{part}": tensor.detach() for part, tensor in unfolded.classifier.named_parameters()}
    for name, module in unfolded.named_modules():
        if not isinstance(module, torch.nn.Conv2d):
            continue
        torch.nn.init.zeros_(module.bias)
        conv, norm = foreign_names(name)
        weight, bias, mean, var = (torch.rand(module.out_channels) + shift for shift in (0.5, -0.5, -0.5, 0.5))
        foreign |= {f"{conv}.weight": module.weight.detach(), f"{norm}.weight": weight, f"{norm}.bias": bias}
        foreign |= {f"{norm}.running_mean": mean, f"{norm}.running_var": var}
        module.register_forward_hook(lambda _, __, x, norm=(mean, var, weight, bias): F.batch_norm(x, *norm, eps=1e-3))
    folded = EfficientNetLite0(EfficientNetConfig(classes=7))
    folded.load_state_dict(fold_lite0(foreign))
    frames = noise(2, 2, 3, 64, 64)
    features = folded(frames)
    torch.testing.assert_close(features, unfolded(frames), rtol=1e-4, atol=1e-5)
    logits = features @ foreign["_fc.weight"].T + foreign["_fc.bias"]
    torch.testing.assert_close(folded.classify(features[:, None]), logits.exp()[:, None] / logits.exp().sum(1)[:, None, None])


@pytest.mark.parametrize("size", [64, 65, 96])
def test_same_padding_gives_one_position_for_each_stride(size):
    """TensorFlow's rule: ceil(size / stride) positions, the odd pixel of padding at the end."""
    tower = EfficientNetLite0(EfficientNetConfig())
    assert tower.stem(noise(1, 1, 3, size, size)).shape[-1] == -(size // -2)
    assert tower(noise(1, 1, 3, size, size)).shape == (1, 1280)
    corner = torch.zeros(1, 3, 64, 64)
    corner[..., -1, -1] = 1
    with torch.no_grad():
        tower.stem.weight.fill_(1)
        tower.stem.bias.zero_()
        assert tower.stem(corner)[0, 0].nonzero().tolist() == [[31, 31]]  # padded at the end, the last window still sees it
        assert tower.stem(corner.flip(2, 3))[0, 0].nonzero().tolist() == [[0, 0]]  # nothing before the first pixel


def test_training_mode_changes_nothing_in_lite0():
    tower, frames = randomise(EfficientNetLite0(EfficientNetConfig()), 1), noise(2, 2, 3, 64, 64)
    assert torch.equal(tower(frames), tower.train()(frames))


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
def test_eva_equals_timm():
    eva_of_timm = pytest.importorskip("timm.models.eva")
    config = EvaConfig(size=56, width=176, depth=2, heads=2, hidden=768, head=24)
    ours = randomise(EvaVisionTransformer(config), 1)
    theirs = eva_of_timm.Eva(
        img_size=config.size, patch_size=config.patch, embed_dim=config.width, depth=config.depth, num_heads=config.heads,
        mlp_ratio=config.hidden / config.width, global_pool="token", num_classes=config.head,
    ).eval()  # fmt: skip
    theirs.load_state_dict(ours.state_dict())
    frames = noise(2, 2, 3, 56, 56)
    torch.testing.assert_close(ours(frames), theirs.forward_features(frames)[:, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("size", [96, 75])
def test_lite0_equals_timm(size):
    timm = pytest.importorskip("timm")
    theirs = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    ours, state = randomise(EfficientNetLite0(EfficientNetConfig()), 4, gain=1.25), theirs.state_dict()
    # both list their convolutions in the order of the data; batch norms of timm become the identity plus our bias
    convs = [key for key, tensor in state.items() if tensor.ndim == 4]
    norms = [key.removesuffix(".running_var") for key in state if key.endswith(".running_var")]
    names = [name for name, module in ours.named_modules() if isinstance(module, torch.nn.Conv2d)]
    for conv, norm, name in zip(convs, norms, names, strict=True):
        state[conv], state[f"{norm}.bias"] = ours.get_parameter(f"{name}.weight"), ours.get_parameter(f"{name}.bias")
        state[f"{norm}.running_var"] = torch.full_like(state[f"{norm}.running_var"], 1 - 1e-3)
    theirs.load_state_dict(state)
    frames = noise(2, 2, 3, size, size)
    expected = theirs.forward_head(theirs.forward_features(frames), pre_logits=True)
    torch.testing.assert_close(ours(frames), expected, rtol=1e-4, atol=1e-5)
