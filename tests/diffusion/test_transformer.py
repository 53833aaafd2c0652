import pytest
import torch

from foleygram.diffusion.transformer import Transformer, TransformerConfig, attend, rotary_angles, rotate
from foleygram.types import Condition

from .golden import TRANSFORMER, condition, inputs, randomise, transformer
from .oracles import diffusers


def counted(module: torch.nn.Module) -> float:
    """Parameters in millions."""
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def reference(config: TransformerConfig):
    """diffusers' port with the same numbers and a function that runs it, rotary angles included."""
    network_class, _, _, rotary = diffusers()
    heads = config.embed_dim // config.head_dim
    network = network_class(
        in_channels=config.latent_dim, out_channels=config.latent_dim, num_layers=config.depth,
        attention_head_dim=config.head_dim, num_attention_heads=heads, time_proj_dim=config.time_dim,
        num_key_value_attention_heads=config.cross_dim // config.head_dim, cross_attention_dim=config.cross_dim,
        global_states_input_dim=config.global_dim, cross_attention_input_dim=config.cross_dim,
    )  # fmt: skip

    def run(x, t, condition):
        angles = rotary(config.head_dim // 2, x.shape[-1] + 1, use_real=True, repeat_interleave_real=False)
        return network(
            x, t, encoder_hidden_states=condition.tokens, global_hidden_states=condition.global_vector[:, None],
            rotary_embedding=angles, return_dict=False,
        )[0]  # fmt: skip

    return network, run


@pytest.mark.oracle
@pytest.mark.parametrize(
    "config",
    [TRANSFORMER, TransformerConfig(latent_dim=4, embed_dim=256, depth=2, cross_dim=128, global_dim=64, time_dim=32)],
)
@torch.no_grad()
def test_equals_diffusers(config):
    ours = randomise(Transformer(config), 9)
    theirs, run = reference(config)
    theirs.load_state_dict(ours.state_dict())  # the same names, strictly
    stream = torch.Generator().manual_seed(0)
    x = torch.randn(3, config.latent_dim, 37, generator=stream)
    steered = Condition(
        torch.randn(3, 5, config.cross_dim, generator=stream), torch.randn(3, config.global_dim, generator=stream)
    )
    t = torch.tensor([0.0, 0.4, 1.0])
    for given in (steered, steered.null()):
        torch.testing.assert_close(ours.eval()(x, t, given), run(x, t, given), rtol=1e-4, atol=1e-5)


@pytest.mark.oracle
def test_full_size_has_the_names_and_shapes_of_diffusers():
    with torch.device("meta"):
        ours = Transformer(TransformerConfig())
        theirs, _ = reference(TransformerConfig())
    shapes = [{name: tensor.shape for name, tensor in network.state_dict().items()} for network in (ours, theirs)]
    assert shapes[0] == shapes[1]


def test_full_size_counts():
    with torch.device("meta"):
        network = Transformer(TransformerConfig())
    # 24 blocks and the rest of the reference, whose layer norms have a buffer of zeros where these have a bias
    biases = sum(
        parameter.numel() for name, parameter in network.named_parameters() if "norm" in name and name.endswith("bias")
    )
    assert counted(network) * 1e6 - biases == pytest.approx(24 * 43_665_408 + 8_858_752, abs=0.5)
    block = network.transformer_blocks[0]
    assert sum(p.numel() for p in block.parameters()) - 3 * 1536 == 43_665_408


def test_rotary_turns_half_of_a_head_and_keeps_lengths():
    x = torch.randn(2, 3, 9, 64)
    turned = rotate(x, rotary_angles(9, 64, x.device))
    assert torch.equal(turned[..., 32:], x[..., 32:]) and torch.equal(turned[:, :, 0], x[:, :, 0])
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))


def test_rotary_scores_depend_on_distances_only():
    q, k = torch.randn(1, 1, 1, 64).expand(1, 1, 12, 64), torch.randn(1, 1, 1, 64).expand(1, 1, 12, 64)
    angles = rotary_angles(12, 64, q.device)
    scores = (rotate(q, angles) @ rotate(k, angles).mT)[0, 0]
    torch.testing.assert_close(scores[:-1, :-1], scores[1:, 1:], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_residuals_enter_before_their_block_with_the_prepended_token():
    network, (x, t, _), steered = transformer(), inputs(), condition()
    seen = []
    for block in network.transformer_blocks:
        block.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0].clone()))
    plain = network(x, t, steered)
    residual = torch.randn(2, x.shape[-1] + 1, TRANSFORMER.embed_dim)
    changed = network(x, t, steered, (residual,))
    torch.testing.assert_close(seen[3], seen[0] + residual)
    assert not torch.allclose(plain, changed)


@torch.no_grad()
def test_untrained_ends_are_transparent():
    network = Transformer(TRANSFORMER)
    network.initialise()
    assert not network.preprocess_conv.weight.any() and not network.postprocess_conv.weight.any()


def test_checkpointing_changes_neither_loss_nor_gradient():
    x, t, _ = inputs()
    gradients = []
    for saving in (False, True):
        network = transformer().train()
        network.gradient_checkpointing = saving
        network(x, t, condition()).square().mean().backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
    for plain, saved in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, saved)


def test_attention_written_out_is_the_fused_one():
    """In bf16 on a CPU it takes its place."""
    q, k, v = torch.randn(3, 2, 3, 9, 16, dtype=torch.float64)
    torch.testing.assert_close(attend(q, k, v), torch.nn.functional.scaled_dot_product_attention(q, k, v))
