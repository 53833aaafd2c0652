import pytest
import torch

from foleygram.diffusion.control import ControlNet, ControlNetConfig
from foleygram.diffusion.transformer import Transformer, TransformerConfig

from .golden import CONTROL, TRANSFORMER, condition, control_net, inputs, transformer


@torch.no_grad()
def test_untrained_control_leaves_the_output_bit_identical():
    network, (x, t, control), steered = transformer(), inputs(), condition()
    net = ControlNet(TRANSFORMER, CONTROL).eval()
    net.initialise(network)
    residuals = net(x, t, steered, control)
    assert len(residuals) == CONTROL.depth
    assert torch.equal(network(x, t, steered), network(x, t, steered, residuals))


@torch.no_grad()
def test_initialise_copies_the_first_blocks_and_the_embedders():
    network, net = transformer(), control_net()
    net.initialise(network)
    source = network.state_dict()
    fresh = {"conv_in.weight", *(f"conv_outs.{block}.weight" for block in range(CONTROL.depth))}
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, torch.zeros_like(tensor) if name in fresh else source[name]), name


@torch.no_grad()
def test_control_enters_before_the_first_block():
    net, (x, t, control), steered = control_net(), inputs(), condition()
    with_control = net(x, t, steered, control)
    # x' = x + P x + C c through the same blocks
    shifted = net.preprocess_conv(x) + x + net.conv_in(control)
    hidden, tokens, angles = net.embed(shifted, t, steered)
    for block, conv, residual in zip(net.transformer_blocks, net.conv_outs, with_control, strict=True):
        hidden = block(hidden, tokens, angles)
        torch.testing.assert_close(residual, hidden @ conv.weight[..., 0].T, rtol=1e-4, atol=1e-5)
    assert with_control[0].shape == (2, x.shape[-1] + 1, TRANSFORMER.embed_dim)


def test_training_from_the_copy_reaches_the_zero_convolutions_first():
    """With both ends at zero the inner one has no gradient at the first step, the outer ones have."""
    network, net, (x, t, control) = transformer(), ControlNet(TRANSFORMER, CONTROL), inputs()
    net.initialise(network)
    network(x, t, condition(), net(x, t, condition(), control)).square().mean().backward()
    assert not net.conv_in.weight.grad.any()
    assert all(conv.weight.grad.any() for conv in net.conv_outs)


@pytest.mark.parametrize(("depth", "millions"), [(4, 193.0), (12, 561.2)])
def test_full_size_counts(depth, millions):
    with torch.device("meta"):
        net = ControlNet(TransformerConfig(), ControlNetConfig(depth=depth))
    # the reference builds an output projection and never uses it; its layer norms have no bias
    biases = sum(parameter.numel() for name, parameter in net.named_parameters() if "norm" in name and name.endswith("bias"))
    unused = TransformerConfig().embed_dim * TransformerConfig().latent_dim
    assert (sum(p.numel() for p in net.parameters()) - biases + unused) / 1e6 == pytest.approx(millions, abs=0.05)


def test_names_are_those_of_the_transformer():
    with torch.device("meta"):
        network, net = Transformer(TransformerConfig()), ControlNet(TransformerConfig(), ControlNetConfig())
    extra = {name for name in net.state_dict() if name not in network.state_dict()}
    assert extra == {"conv_in.weight", *(f"conv_outs.{block}.weight" for block in range(4))}
