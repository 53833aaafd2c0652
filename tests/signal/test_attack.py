"""What lies ahead of an attack goes, all else stays."""

import numpy as np
import pytest
import torch

from foleygram.signal.attack import REACH, levels, sharpened, sharpened_pieces

RATE = 44100
START = 22050  # sample of the attack


def struck(level_db: float = -20.0) -> torch.Tensor:
    """[1, 2, RATE]: a decaying noise from START on, its right channel softer."""
    rng = np.random.default_rng(0)
    burst = rng.standard_normal(RATE - START) * np.exp(-np.arange(RATE - START) / 4000) * 10 ** (level_db / 20)
    return torch.tensor(np.stack([np.pad(burst, (START, 0)), 0.5 * np.pad(burst, (START, 0))])[None], dtype=torch.float32)


def smeared(sound: torch.Tensor, reach: float = REACH, top_db: float = -14.0) -> torch.Tensor:
    """With noise that grows like a Hann window ahead of the attack."""
    count = round(reach * RATE)
    rise = np.sin(np.linspace(0, np.pi / 2, count)) ** 2 * 10 ** ((top_db - 20) / 20)
    noise = torch.tensor(np.random.default_rng(1).standard_normal(count) * rise, dtype=torch.float32)
    sound = sound.clone()
    sound[..., START - count : START] += noise
    return sound


def power_db(sound: torch.Tensor) -> float:
    return 10 * float(sound.double().square().mean().log10())


def before(sound: torch.Tensor, first: float = 0.011, last: float = 0.001) -> torch.Tensor:
    """What sounds from ``first`` to ``last`` seconds ahead of the attack."""
    return sound[..., START - round(first * RATE) : START - round(last * RATE)]


def test_a_smear_goes_and_the_attack_stays():
    sound = smeared(struck())
    sharp = sharpened(sound, RATE)
    assert power_db(before(sharp)) < power_db(before(sound)) - 4
    early = before(sharp, 0.011, 0.006)
    assert power_db(early) < power_db(before(sound, 0.011, 0.006)) - 12
    torch.testing.assert_close(sharp[..., START + 100 :], sound[..., START + 100 :], rtol=0, atol=0)


def test_one_gain_for_all_channels():
    sound = smeared(struck())
    sharp = sharpened(sound, RATE)
    there = before(sound)[0].abs() > 1e-6
    gains = before(sharp)[0] / before(sound)[0]
    torch.testing.assert_close(gains[0][there[0] & there[1]], gains[1][there[0] & there[1]], rtol=1e-4, atol=1e-6)
    assert gains[there].max() <= 1 + 1e-6


@pytest.mark.parametrize("sound", ["noise", "silence", "clean", "slow"])
def test_what_has_no_smear_stays(sound):
    rng = np.random.default_rng(2)
    if sound == "noise":
        given = torch.tensor(rng.standard_normal((1, 2, RATE)) * 0.1, dtype=torch.float32)
    elif sound == "silence":
        given = torch.zeros(1, 2, RATE)
    elif sound == "clean":
        given = struck()
    else:  # 60 dB in 300 ms: a scratch that grows
        given = torch.tensor(rng.standard_normal((1, 2, RATE)) * 10 ** (np.linspace(-200, 0, RATE).clip(-60) / 20) * 0.1)
        given = given.float()
    torch.testing.assert_close(sharpened(given, RATE), given, rtol=0, atol=0)


def test_never_under_what_was_there_before():
    bed = torch.tensor(np.random.default_rng(3).standard_normal((1, 2, RATE)) * 1e-3, dtype=torch.float32)
    sound = smeared(struck()) + bed
    sharp = sharpened(sound, RATE)
    for first, last in ((0.012, 0.008), (0.008, 0.004)):
        assert power_db(before(sharp, first, last)) > power_db(bed) - 1.5
    early = START - round(0.03 * RATE)
    torch.testing.assert_close(sharp[..., :early], sound[..., :early], rtol=0, atol=0)


def test_a_gain_goes_through():
    sound = smeared(struck())
    torch.testing.assert_close(sharpened(sound * 0.25, RATE), sharpened(sound, RATE) * 0.25, rtol=1e-4, atol=1e-7)


def test_rows_do_not_depend_on_each_other():
    one, two = smeared(struck()), torch.zeros(1, 2, RATE)
    both = sharpened(torch.cat([one, two]), RATE)
    torch.testing.assert_close(both[:1], sharpened(one, RATE), rtol=0, atol=0)
    torch.testing.assert_close(both[1:], two, rtol=0, atol=0)


@pytest.mark.parametrize("samples", [0, 1, 31, 500, 33_001])
def test_any_length(samples):
    for rate in (RATE, 1000):  # at which a reach is less than a step
        assert sharpened(torch.ones(1, 2, samples), rate).shape == (1, 2, samples)


def test_an_attack_at_the_very_beginning_stays():
    sound = struck()[..., START:]
    torch.testing.assert_close(sharpened(sound, RATE), sound, rtol=0, atol=0)


def test_before_the_sound_it_is_silent():
    """A smear at the very beginning has nothing before it that it could be."""
    sound = smeared(struck())[..., START - 600 :]
    sharp = sharpened(sound, RATE)
    assert power_db(sharp[..., 100:400]) < power_db(sound[..., 100:400]) - 12


def test_the_level_is_the_mean_power_of_the_channels():
    sound = torch.tensor([0.5, 0.1])[None, :, None].expand(1, 2, 1000)
    torch.testing.assert_close(levels(sound)[..., 2:-2], torch.full((1, 1, 28), 10 * np.log10(0.13)), check_dtype=False)


@pytest.mark.parametrize("cuts", [(), (7,), (START - 300, START + 1), tuple(range(1000, RATE, 1000)), (1, 2, 3, START - 40)])
def test_piece_by_piece_as_at_once(cuts):
    sound = torch.cat([smeared(struck()), smeared(struck(-30))], dim=2)
    pieces = np.split(sound[0].numpy(), cuts, axis=1)
    joined = np.concatenate(list(sharpened_pieces(pieces, RATE)), axis=1)
    np.testing.assert_array_equal(joined, sharpened(sound, RATE)[0].numpy())


def test_no_piece_gives_none():
    assert list(sharpened_pieces([], RATE)) == []
