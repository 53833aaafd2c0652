import pytest
import torch

from foleygram.gram.audio import SILENCE, preprocess_audio
from foleygram.gram.colour import DEPTH, colour
from foleygram.gram.sound_net import SoundNet, SoundNetConfig
from foleygram.signal.mel import kaldi_centres
from foleygram.signal.resample import resample
from foleygram.types import Audio

SMALL = SoundNetConfig(mel=16, channels=(8, 8), width=12)


def bank(seed: int = 0, frames: int = 60, mel: int = 16) -> torch.Tensor:
    return torch.randn(2, frames, mel, generator=torch.Generator().manual_seed(seed)) * 0.3


def test_colour_ignores_the_level():
    torch.testing.assert_close(colour(bank() + 0.7), colour(bank()), atol=1e-4, rtol=0)


def test_colour_tells_a_brighter_sound():
    bright = bank()
    bright[..., 12:] += 0.4
    power, attacks, _ = (colour(bright) - colour(bank())).unflatten(-1, (3, 16)).unbind(1)
    for curve in (power, attacks):  # 0.4 more in a quarter of the bands is 0.3 above the mean there and 0.1 under it elsewhere
        assert (curve[:, 12:].mean(1) > 0.15).all() and (curve[:, :12].mean(1) < -0.05).all()


def test_colour_of_attacks_does_not_depend_on_how_often_it_sounds():
    """Twice the same stroke and silence between, against one: only the mean logarithm, which is of the silence, may change."""
    once, twice = torch.full((1, 80, 16), SILENCE), torch.full((1, 80, 16), SILENCE)
    stroke = torch.linspace(0.5, -0.5, 16)
    once[:, 10:20] = twice[:, 10:20] = twice[:, 50:60] = stroke
    # the silence lies 80 dB deep, not endlessly: that much of it is in the mean power
    torch.testing.assert_close(colour(once)[:, :32], colour(twice)[:, :32], atol=5e-3, rtol=0)
    assert (colour(twice)[:, 32:] > colour(once)[:, 32:] + 0.02).all()


def test_colour_of_silence_and_of_deep_tails_is_finite():
    silence = colour(torch.full((1, 50, 16), SILENCE))
    assert silence.isfinite().all() and (silence.abs() <= DEPTH).all()


def test_colour_reaches_the_feature():
    torch.manual_seed(0)
    tower = SoundNet(SMALL).eval()
    with torch.no_grad():
        tower.project.weight[:, : -3 * SMALL.mel] = 0  # the maps are not heard
        bright = bank()
        bright[..., 12:] += 0.4
        assert not torch.allclose(tower(bright), tower(bank()), atol=1e-3)
        torch.testing.assert_close(tower(bank() + 0.5), tower(bank()), atol=1e-4, rtol=0)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_hears_up_to_half_the_rate(rate):
    """A tone of 12 kHz is heard at 44.1 kHz, and cannot be at 16."""
    time = torch.arange(44100) / 44100
    tone = Audio((0.3 * torch.sin(2 * torch.pi * 12000 * time)).numpy()[None], 44100)
    heard = preprocess_audio(tone, SoundNetConfig(rate=rate, frames=96))[0, :90]
    assert (heard.amax() > 0.3) == (rate == 44100)


def test_pads_with_silence():
    sound = Audio(torch.randn(1, 22050, generator=torch.Generator().manual_seed(1)).numpy() * 0.1, 44100)
    slices = preprocess_audio(sound, SoundNetConfig(frames=64))
    torch.testing.assert_close(slices[0, 50:], torch.full_like(slices[0, 50:], SILENCE))
    assert (slices[0, :48] > SILENCE + 0.5).all()


def test_what_a_sound_of_a_lower_rate_does_not_tell_is_not_silent():
    noise = Audio(0.1 * torch.randn(1, 44100, generator=torch.Generator().manual_seed(0)).numpy(), 44100)
    dull = resample(resample(noise, 16000), 44100)
    config = SoundNetConfig(frames=100)
    whole, guessed = (preprocess_audio(sound, config)[0, :90] for sound in (noise, dull))
    known = torch.from_numpy(kaldi_centres(config.mel, 44100) < 7200)
    torch.testing.assert_close(guessed[:, known].mean(0), whole[:, known].mean(0), atol=0.05, rtol=0)
    assert (guessed[:, ~known] == guessed[:, ~known][:, :1]).all()
    assert (guessed[:, ~known].mean() - whole[:, ~known].mean()).abs() < 0.2  # silence would be 1.5 lower
    plain = preprocess_audio(dull, config.replace(extend=False))[0, :90]
    assert plain[:, ~known][:, 8:].mean() < whole[:, ~known].mean() - 0.5
    # what is recorded at the tower's own rate is read as it is
    full = resample(noise, 48000)
    torch.testing.assert_close(
        preprocess_audio(resample(full, 44100), config), preprocess_audio(resample(full, 44100), config.replace(extend=False))
    )
