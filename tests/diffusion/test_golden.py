import json

import pytest
import torch

from .golden import FILE, outputs, shown

GOLDEN = json.loads(FILE.read_text())


@pytest.fixture(scope="module")
def computed() -> dict[str, torch.Tensor]:
    return outputs()


@pytest.mark.parametrize("name", GOLDEN)
def test_part_gives_the_numbers_of_its_reference(computed, name):
    """golden.json was compared once with the reference implementations; golden.py says which."""
    torch.testing.assert_close(shown(computed[name]), torch.tensor(GOLDEN[name]), rtol=1e-4, atol=1e-5)


def test_every_part_has_golden_numbers(computed):
    assert computed.keys() == GOLDEN.keys()
