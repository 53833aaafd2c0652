"""The stage as a whole: test_stages.py."""

import numpy as np
import torch
from tiny import CONFIG

from foleygram.diffusion.spectral import SpectralAutoencoder
from foleygram.training.autoencoder import AutoencoderStage, AutoencoderTraining


def test_validation_runs_where_the_model_is(tmp_path, elsewhere):
    sounds = np.random.default_rng(0).integers(-3000, 3000, (2, 2, 6000), dtype=np.int16)
    training = AutoencoderTraining(seconds=0.1, envelope_directions=2)
    model = SpectralAutoencoder(CONFIG.autoencoder.replace(window=128, step=64))
    stage = AutoencoderStage(model, training, sounds, sounds, 0, tmp_path).to(elsewhere)
    with torch.no_grad():
        assert len(stage.validate()) == len(stage.validation)
