import pytest
import torch

from foleygram.diffusion.spectral import SpectralAutoencoder, SpectralAutoencoderConfig

CONFIG = SpectralAutoencoderConfig(window=256, step=64, latent_dim=24, hidden=16, blocks=1, phase_iterations=4)


@pytest.fixture(scope="module")
def codec() -> SpectralAutoencoder:
    torch.manual_seed(1)
    return SpectralAutoencoder(CONFIG).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def sound() -> torch.Tensor:
    torch.manual_seed(2)
    return 0.1 * torch.randn(2, 2, CONFIG.hop * 20)


def test_spectrum_and_waveform_are_inverse(codec, sound):
    again = codec.waveform(codec.spectrum(sound), sound.shape[-1])
    edge = CONFIG.window
    torch.testing.assert_close(again[..., edge:-edge], sound[..., edge:-edge], rtol=1e-4, atol=1e-5)


def test_shapes_and_lengths(codec, sound):
    latent = codec.encode(sound[..., : -CONFIG.hop // 2])
    assert latent.shape == (2, CONFIG.latent_dim, 20) and codec.length(sound.shape[-1]) == 20
    assert codec.decode(latent).shape == sound.shape
    assert codec.hop == CONFIG.hop and codec.latent_dim == CONFIG.latent_dim


def test_encoding_is_the_same_every_time(codec, sound):
    assert torch.equal(codec.encode(sound), codec.encode(sound))


def test_decoding_depends_on_the_seed_alone(codec, sound):
    latent = codec.encode(sound)
    assert torch.equal(codec.decode(latent, seed=3), codec.decode(latent, seed=3))
    assert not torch.equal(codec.decode(latent, seed=3), codec.decode(latent, seed=4))


def test_predicted_spread_is_positive(codec, sound):
    mean, spread = codec.predict(codec.encode(sound))
    assert mean.shape == spread.shape and (spread > 0).all()


def test_computed_buffers_are_not_stored(codec):
    assert "hann" not in codec.state_dict()
