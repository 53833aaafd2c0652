import math

import pytest
import torch
from pydantic import ValidationError

from foleygram.diffusion.autoencoder import OobleckAutoencoder, OobleckConfig, decoder_reach, encoder_reach

from .golden import OOBLECK, noise, oobleck, randomise
from .oracles import diffusers

FULL = OobleckConfig(kind="oobleck")


def reference(config: OobleckConfig):
    _, _, autoencoder_class, _ = diffusers()
    # the reference couples the width of the encoder's result to its first width
    assert 2 * config.latent_dim == config.width
    return autoencoder_class(
        encoder_hidden_size=config.width, downsampling_ratios=list(config.strides), channel_multiples=list(config.multiples),
        decoder_channels=config.width, decoder_input_channels=config.latent_dim, audio_channels=config.channels,
    )  # fmt: skip


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore::FutureWarning")  # its weight norm is the old one
@torch.no_grad()
def test_equals_diffusers():
    config = OOBLECK.replace(latent_dim=4, width=8)
    ours, theirs = randomise(OobleckAutoencoder(config), 12), reference(config).eval()
    theirs.load_state_dict(ours.state_dict())
    sound, latent = noise(41, 2, 2, 64 * 20), noise(42, 2, 4, 20)
    expected = theirs.encode(sound).latent_dist
    mean, deviation = ours.distribution(sound)
    torch.testing.assert_close(mean, expected.mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(deviation, expected.std, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.decode(latent), theirs.decode(latent).sample, rtol=1e-4, atol=1e-5)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_full_size_has_the_names_and_shapes_of_diffusers():
    with torch.device("meta"):
        ours, theirs = OobleckAutoencoder(FULL), reference(FULL)
    shapes = [{name: tensor.shape for name, tensor in network.state_dict().items()} for network in (ours, theirs)]
    assert shapes[0] == shapes[1]


def test_full_size_counts():
    with torch.device("meta"):
        full = OobleckAutoencoder(FULL)
    counts = [sum(p.numel() for p in part.parameters()) / 1e6 for part in (full, full.encoder, full.decoder)]
    assert counts == pytest.approx([156.1, 78.0, 78.1], abs=0.05)
    assert full.hop == 2048 and full.latent_dim == 64


def test_lengths():
    with torch.device("meta"):
        full = OobleckAutoencoder(FULL)
    assert [full.length(samples) for samples in (441000, 442368, 2097152, 2097153, 1)] == [216, 216, 1024, 1025, 1]


@torch.no_grad()
def test_sound_is_filled_up_to_whole_positions():
    codec = oobleck()
    sound = noise(1, 1, 2, codec.hop * 4 + 5)
    filled = torch.nn.functional.pad(sound, (0, codec.hop - 5))
    assert torch.equal(codec.encode(sound), codec.encode(filled))
    assert codec.encode(sound).shape == (1, 3, codec.length(sound.shape[-1]))
    assert codec.decode(codec.encode(sound)).shape == (1, 2, 5 * codec.hop)


@pytest.mark.parametrize("chunk", [1, 3, 16, 64])
@torch.no_grad()
def test_chunks_join_to_the_whole(chunk):
    whole = randomise(OobleckAutoencoder(OOBLECK.replace(chunk=1000)), 4)
    pieces = randomise(OobleckAutoencoder(OOBLECK.replace(chunk=chunk)), 4)
    sound, latent = noise(2, 1, 2, 64 * 50), noise(3, 1, 3, 50)
    torch.testing.assert_close(pieces.encode(sound), whole.encode(sound), rtol=1e-5, atol=2e-6)
    torch.testing.assert_close(pieces.decode(latent), whole.decode(latent), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("strides", [(2, 4, 8), (2, 2), (8,)])
def test_reach_covers_every_dependence(strides):
    """The gradient of one position tells what it depends on; the overlap of chunks covers it."""
    config = OOBLECK.replace(strides=strides, multiples=(1,) * len(strides))
    codec = randomise(OobleckAutoencoder(config), 5).double()
    middle, hop = 60, codec.hop
    sound = torch.randn(1, 2, 121 * hop, dtype=torch.float64, requires_grad=True)
    codec.encoder(sound)[0, :, middle].sum().backward()
    touched = sound.grad[0].abs().sum(0).nonzero()
    assert touched.min() >= (middle - encoder_reach(config)) * hop
    assert touched.max() < (middle + 1 + encoder_reach(config)) * hop
    for sample in (0, hop - 1):
        latent = torch.randn(1, 3, 121, dtype=torch.float64, requires_grad=True)
        codec.decoder(latent)[0, :, middle * hop + sample].sum().backward()
        touched = latent.grad[0].abs().sum(0).nonzero()
        assert touched.min() >= middle - decoder_reach(config)
        assert touched.max() <= middle + decoder_reach(config)


@torch.no_grad()
def test_encoding_gives_the_mean_or_a_draw_around_it():
    codec, sound = oobleck(), noise(6, 1, 2, 64 * 200)
    mean, deviation = codec.distribution(sound)
    assert torch.equal(codec.encode(sound), mean) and (deviation >= 1e-4).all()
    drawn = codec.encode(sound, seed=1)
    assert torch.equal(drawn, codec.encode(sound, seed=1)) and not torch.equal(drawn, codec.encode(sound, seed=2))
    assert ((drawn - mean) / deviation).std().item() == pytest.approx(1, abs=0.1)


def test_trains():
    """With gradients the snake takes another path; both compute the same."""
    codec, sound = oobleck(), noise(7, 1, 2, 64 * 4)
    trained = codec.encode(sound)
    with torch.no_grad():
        torch.testing.assert_close(trained, codec.encode(sound), rtol=1e-4, atol=1e-3)
    trained.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in codec.encoder.parameters())


def test_odd_strides_are_refused():
    with pytest.raises(ValidationError, match="even"):
        OobleckConfig(kind="oobleck", strides=(2, 3), multiples=(1, 2))
    with pytest.raises(ValidationError, match="one multiple"):
        OobleckConfig(kind="oobleck", strides=(2, 4), multiples=(1,))
    assert math.prod(FULL.strides) == 2048
