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


def test_the_linear_solution_of_other_sounds_or_another_recipe_is_not_taken(tmp_path):
    draw = np.random.default_rng(0)
    first, other = (draw.integers(-3000, 3000, (2, 2, 6000), dtype=np.int16) for _ in range(2))
    training = AutoencoderTraining(seconds=0.1, envelope_directions=2)

    def code(sounds: np.ndarray, config: AutoencoderTraining, folder) -> torch.Tensor:
        model = SpectralAutoencoder(CONFIG.autoencoder.replace(window=128, step=64))
        return AutoencoderStage(model, config, sounds, first, 0, folder).model.to_latent.weight.clone()

    begun = code(first, training, tmp_path / "run")
    assert torch.equal(code(first, training, tmp_path / "run"), begun)  # what an interrupted run finds again
    for sounds, config in ((other, training), (first, training.replace(whitening=0.9))):
        assert torch.equal(code(sounds, config, tmp_path / "run"), code(sounds, config, tmp_path / "fresh"))
        (tmp_path / "fresh" / "training" / "autoencoder" / "linear.safetensors").unlink()
