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


@pytest.mark.parametrize("window, step", [(256, 64), (96, 48)])
def test_the_waveform_is_the_one_torch_finds(window, step):
    codec = SpectralAutoencoder(CONFIG.replace(window=window, step=step))
    torch.manual_seed(3)
    spectrum = torch.randn(2, 2, window // 2 + 1, 40, dtype=torch.complex64)
    spectrum[..., [0, -1], :] = spectrum[..., [0, -1], :].real + 0j
    and_silence = torch.nn.functional.pad(spectrum.flatten(0, 1), (0, 1))
    for samples in (40 * step, 37 * step + 5):
        expected = torch.istft(and_silence, window, step, window=codec.hann * (2 / window), center=True, length=samples)
        torch.testing.assert_close(codec.waveform(spectrum, samples).flatten(0, 1), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("step", [60, 256])
def test_windows_that_do_not_overlap_by_whole_steps_are_refused(step):
    with pytest.raises(ValueError, match="overlap"):
        CONFIG.replace(step=step)


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


def test_the_phase_fits_the_magnitudes_better_than_noises(codec):
    """A click and a line, which noise's phase smears: 4 steps of Griffin-Lim from there stay behind."""
    count = CONFIG.hop * 40
    sound = 0.3 * torch.sin(torch.arange(count) * 0.3)[None, None]
    sound[..., count // 2 + 20] += 1.0
    magnitude = codec.spectrum(sound).abs()
    noise = codec.spectrum(torch.randn(1, 1, count, generator=torch.Generator().manual_seed(0))).angle()

    def mismatch(unit: torch.Tensor) -> float:
        return ((codec.spectrum(codec.waveform(magnitude * unit, count)).abs() - magnitude).norm() / magnitude.norm()).item()

    found = codec.find_phase(magnitude, magnitude, noise, count)
    torch.testing.assert_close(found.abs(), torch.ones_like(magnitude))
    assert mismatch(found) < 0.5 * mismatch(torch.polar(torch.ones_like(magnitude), noise.expand_as(magnitude)))
    none = SpectralAutoencoder(CONFIG.replace(phase_iterations=0))
    assert mismatch(found) < mismatch(none.find_phase(magnitude, magnitude, noise, count)) < 0.2


def test_grain_that_was_drawn_is_not_read_as_slopes():
    codec = SpectralAutoencoder(CONFIG.replace(phase_iterations=0))
    count, draw = CONFIG.hop * 40, torch.Generator().manual_seed(0)
    sound = 0.3 * torch.sin(torch.arange(count) * 0.3)[None, None]
    expected = codec.spectrum(sound).abs()
    grained = expected * (0.3 * torch.randn(expected.shape, generator=draw)).exp()
    first = torch.rand(expected.shape, generator=draw)

    def mismatch(unit: torch.Tensor) -> float:
        return (codec.spectrum(codec.waveform(expected * unit, count)).abs() - expected).norm().item()

    smooth, rough = (mismatch(codec.find_phase(grained, slopes, first, count)) for slopes in (expected, grained))
    assert smooth < 0.5 * rough


def test_decoded_magnitudes_have_the_predicted_mean_and_spread_and_the_phase_is_that_of_the_mean(monkeypatch):
    codec, seen, made = SpectralAutoencoder(CONFIG), [], []
    power = torch.rand(1, 40, CONFIG.frame_dim // 2, generator=torch.Generator().manual_seed(0)).repeat(1, 1, 2)
    monkeypatch.setattr(codec, "predict", lambda latent: (1.0 + power, 0.2 * (1.0 + power)))
    monkeypatch.setattr(codec, "find_phase", lambda *arguments: seen.append(arguments) or torch.ones((), dtype=torch.complex64))
    monkeypatch.setattr(codec, "waveform", lambda spectrum, samples: made.append(spectrum.real) or torch.zeros(1, 2, samples))
    for seed in (3, 4):
        codec.decode(torch.zeros(1, CONFIG.latent_dim, 40), seed)
    predicted = (1.0 + power).unflatten(-1, (2, -1, CONFIG.group)).permute(0, 2, 3, 1, 4).flatten(3)
    drawn = torch.cat(made) ** CONFIG.compression / predicted
    assert drawn.mean().item() == pytest.approx(1, abs=0.01) and drawn.std().item() == pytest.approx(0.2, abs=0.01)
    for (magnitude, expected, _, _), spectrum in zip(seen, made, strict=True):
        torch.testing.assert_close(magnitude, spectrum.mean(1, keepdim=True))
        torch.testing.assert_close(expected, predicted[:, :1] ** (1 / CONFIG.compression))


def test_both_channels_have_one_phase_and_rows_of_a_batch_are_those_alone(codec, sound):
    latent = codec.encode(sound)
    made = codec.decode(latent, seed=3)
    left, right = codec.spectrum(made).unbind(1)
    strong = (left.abs() > 0.3 * left.abs().amax()) & (right.abs() > 0.1 * right.abs().amax())
    assert strong.sum() > 10 and (left / right).angle()[strong].abs().median() < 0.2
    magnitude = codec.spectrum(sound)[:, :1].abs()
    first = torch.rand(1, 1, *magnitude.shape[2:])
    together = codec.find_phase(magnitude, magnitude, first, sound.shape[-1])
    alone = codec.find_phase(magnitude[1:], magnitude[1:], first, sound.shape[-1])
    torch.testing.assert_close(alone, together[1:], rtol=1e-3, atol=1e-3)


def test_predicted_spread_is_positive(codec, sound):
    mean, spread = codec.predict(codec.encode(sound))
    assert mean.shape == spread.shape and (spread > 0).all()


def test_computed_buffers_are_not_stored(codec):
    assert "hann" not in codec.state_dict()


def test_detail_knows_neither_level_nor_how_long_it_is_silent(codec, sound):
    own = codec.detail(codec.encode(sound))
    torch.testing.assert_close(codec.detail(codec.encode(0.1 * sound)), own, rtol=1e-3, atol=1e-4)
    longer = torch.nn.functional.pad(sound, (10 * CONFIG.hop, 30 * CONFIG.hop))
    torch.testing.assert_close(codec.detail(codec.encode(longer)), own, rtol=0.1, atol=1e-3)
    assert (codec.detail(codec.encode(torch.zeros_like(sound))) < 1e-3).all()


def test_the_latent_is_stretched_to_the_wanted_detail_and_no_further(codec, sound):
    latent = codec.encode(sound)
    own = codec.detail(latent)
    octaves = codec.octaves()
    for factor, limit, expected in ((1.3, 2.0, 1.3), (0.7, 2.0, 0.7), (3.0, 1.5, 1.5), (0.1, 1.5, 1 / 1.5)):
        made = codec.with_detail(latent, factor * own, limit)
        for octave in octaves:
            ratio = (made - codec.to_latent.bias[:, None])[:, octave] / (latent - codec.to_latent.bias[:, None])[:, octave]
            torch.testing.assert_close(ratio, torch.full_like(ratio, expected), rtol=1e-2, atol=1e-3)
        torch.testing.assert_close(made[:, : octaves[0].start], latent[:, : octaves[0].start])
        assert made.shape == latent.shape
    torch.testing.assert_close(codec.with_detail(latent, own, 2.0), latent)


def test_attacks_of_what_is_decoded_are_sharpened(codec, sound, monkeypatch):
    heard = []
    monkeypatch.setattr("foleygram.diffusion.spectral.sharpened", lambda made, rate: heard.append(rate) or 2 * made)
    latent = codec.encode(sound)
    doubled = codec.decode(latent, seed=3)
    monkeypatch.setattr("foleygram.diffusion.spectral.sharpened", lambda made, rate: made)
    assert heard == [CONFIG.rate] and torch.equal(doubled, 2 * codec.decode(latent, seed=3))


def test_without_speckle_the_expected_magnitudes_are_decoded(monkeypatch):
    codec, made = SpectralAutoencoder(CONFIG.replace(speckle=0.0)), []
    mean = torch.linspace(0.5, 1, 40)[None, :, None] * torch.linspace(-1, 1, CONFIG.frame_dim)  # what is below zero is silent
    monkeypatch.setattr(codec, "predict", lambda latent: (mean, 0.5 * torch.ones_like(mean)))
    monkeypatch.setattr(codec, "find_phase", lambda *arguments: torch.ones((), dtype=torch.complex64))
    monkeypatch.setattr(codec, "waveform", lambda spectrum, samples: made.append(spectrum.real) or torch.zeros(1, 2, samples))
    codec.decode(torch.zeros(1, CONFIG.latent_dim, 40))
    expected = mean.unflatten(-1, (2, -1, CONFIG.group)).permute(0, 2, 3, 1, 4).flatten(3).clamp(min=0)
    torch.testing.assert_close(made[0], expected ** (1 / CONFIG.compression))


@pytest.mark.parametrize(("mean", "finite"), [(0.0, True), (1e4, True), (1e6, False), (float("inf"), False)])
def test_magnitudes_beyond_the_squares_of_fp32_are_no_sound(monkeypatch, mean, finite):
    codec = SpectralAutoencoder(CONFIG)
    magnitudes = torch.full((1, 40, CONFIG.frame_dim), mean)
    monkeypatch.setattr(codec, "predict", lambda latent: (magnitudes, torch.zeros_like(magnitudes)))
    assert codec.decode(torch.zeros(1, CONFIG.latent_dim, 40)).isfinite().all().item() == finite


def test_frames_are_what_the_linear_code_says_of_the_spectrum(sound):
    # with as many directions as magnitudes the linear code loses nothing
    config = CONFIG.replace(window=64, step=16)
    config = config.replace(latent_dim=config.frame_dim)
    whole = SpectralAutoencoder(config).requires_grad_(False)
    turned, _ = torch.linalg.qr(torch.randn(config.latent_dim, config.latent_dim))
    whole.to_latent.weight.data, whole.to_magnitude.weight.data = turned.contiguous(), turned.T.contiguous()
    whole.to_magnitude.bias.data = -turned.T @ whole.to_latent.bias
    latent = whole.encode(sound)
    frames = whole.frames(latent)
    expected = whole.spectrum(sound).abs() ** config.compression  # batch channel bin frame
    torch.testing.assert_close(frames, expected.mT, rtol=1e-3, atol=1e-4)
    change = torch.randn_like(frames)
    torch.testing.assert_close(whole.frames(whole.shifted(latent, change)), frames + change, rtol=1e-3, atol=1e-3)
