"""What the GRAM stage makes of a sound before the tower hears it. The stage as a whole: test_stages.py."""

import numpy as np
import torch
from tiny import CONFIG

from foleygram.gram.audio import SILENCE
from foleygram.gram.colour import colour
from foleygram.gram.encoder import GramEncoder
from foleygram.gram.sound_net import SoundNetConfig
from foleygram.training.gram import ClipFeatures, GramStage, GramTraining, random_curve
from foleygram.training.latents import Captions

SOUND = SoundNetConfig(channels=(8, 8), width=16, mel=16, frames=100)


def stage(tmp_path, **training) -> GramStage:
    draw = np.random.default_rng(0)
    banks = draw.normal(0, 0.3, (4, 100, 16)).astype(np.float16)
    banks[:, 60:] = SILENCE
    data = ClipFeatures(
        draw.normal(size=(4, 2, 8)).astype(np.float16), banks, draw.normal(size=(4, 8)).astype(np.float16),
        Captions(tuple("abcd"), tuple((k,) for k in range(4))),
    )  # fmt: skip
    encoder = GramEncoder(CONFIG.gram.replace(audio=SOUND, colour=True))
    config = GramTraining(stored_frames=2, frames=1, **{"crop": 40, **training})
    return GramStage(encoder, config, 0, tmp_path, data, data, list("abcd"))


def test_points_have_to_tell_the_colour_of_the_crop_that_was_heard(tmp_path):
    frames, heard, texts, colours, _ = stage(tmp_path, equaliser_db=6.0).batch(0, range(32), 32)
    assert heard.shape == (32, 40, 16) and colours.shape == (32, 48)
    whole = (heard != 0).all(dim=2).all(dim=1)  # rows without a masked band
    assert 4 < whole.sum() < 28
    torch.testing.assert_close(colours[whole], colour(heard[whole]))
    assert (colours[~whole] - colour(heard[~whole])).abs().amax(dim=1).min() > 0.01


def test_an_equaliser_is_heard_and_leaves_digital_silence_alone(tmp_path):
    plain, coloured = (stage(tmp_path, gain_db=0.0, equaliser_db=value, crop=100) for value in (0.0, 6.0))
    bank = plain.train_set.banks[0]
    np.testing.assert_array_equal(plain.crop(bank, 100, np.random.default_rng(1)), bank.astype(np.float32))
    made = np.stack([coloured.crop(bank, 100, np.random.default_rng(seed)) for seed in range(40)])
    change = made - bank.astype(np.float32)
    assert (change[:, 60:] == 0).all()
    changed = np.abs(change).max((1, 2)) > 0
    assert 10 < changed.sum() < 30
    np.testing.assert_allclose(change[:, :60], np.broadcast_to(change[:, :1], change[:, :60].shape), atol=1e-5)


def test_random_equalisers_are_smooth_and_of_the_spread_they_are_asked_for():
    curves = np.stack([random_curve(96, np.random.default_rng(seed)) for seed in range(400)])
    assert abs(curves.mean()) < 0.1 and 0.6 < curves.std() < 1.3
    assert np.abs(np.diff(curves)).max() < 1


def test_whole_sounds_are_heard_in_their_share_of_the_steps(tmp_path):
    lengths = [stage(tmp_path, whole_share=0.3).batch(step, range(1), 1)[1].shape[1] for step in range(60)]
    assert set(lengths) == {40, 100} and 8 < lengths.count(100) < 30
