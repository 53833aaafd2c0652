"""What is computed once of the training sounds."""

import numpy as np

from foleygram.palette import SHADES, band_centres, palette
from foleygram.training.latents import sound_palettes
from foleygram.types import SAMPLE_RATE, Audio


def test_palettes_are_levels_of_shares_and_nothing_where_nothing_sounds(tmp_path):
    draw = np.random.default_rng(0)
    sounds = (draw.normal(0, 3000, (3, 2, SAMPLE_RATE // 2)) * np.exp(-np.arange(SAMPLE_RATE // 2) / 4000)).astype(np.int16)
    sounds[1] = 0
    found = sound_palettes(sounds, tmp_path)
    assert found.shape == (3, SHADES, len(band_centres(SAMPLE_RATE))) and np.isnan(found[1]).all()
    heard = palette(Audio(sounds[0].astype(np.float32) / 32768, SAMPLE_RATE))
    np.testing.assert_allclose(found[0], 10 * np.log10(np.maximum(heard, 1e-9)), atol=0.05)
    sound_palettes(sounds, tmp_path)
    assert len(list(tmp_path.glob("palettes-*.npy"))) == 1
    sounds[1] = sounds[0]
    assert not np.isnan(sound_palettes(sounds, tmp_path)[1]).any(), "another clip between the same ends"
