import numpy as np
import pytest
import torch

from foleygram.config import Config


def _randomise(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Fills every tensor, zero-initialised ones too, from a stream of numbers that no torch version changes; norms stay
    near 1 and matrices keep the scale of their input, so that a deep model neither dies out nor overflows."""
    stream = np.random.RandomState(seed)
    with torch.no_grad():
        for name, tensor in dict(module.named_parameters()).items():
            scale = 0.1 if tensor.ndim == 1 else tensor[0].numel() ** -0.5
            centre = 1.0 if tensor.ndim == 1 and name.endswith("weight") else 0.0
            tensor.copy_(torch.from_numpy(centre + scale * stream.standard_normal(tuple(tensor.shape))))
    return module.eval()


@pytest.fixture
def randomise():
    return _randomise


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def shapes(module: torch.nn.Module) -> dict[str, list[int]]:
    return {key: list(tensor.shape) for key, tensor in module.state_dict().items()}


def on_meta(build, config: Config) -> torch.nn.Module:
    with torch.device("meta"):
        return build(config)
