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
    wanted = torch.tensor(GOLDEN[name])
    # a number near 0 is a sum of large ones, whose rounding in float32 depends on the processor
    torch.testing.assert_close(shown(computed[name]), wanted, rtol=1e-4, atol=1e-5 * max(1.0, wanted.abs().max().item()))


def test_every_part_has_golden_numbers(computed):
    assert computed.keys() == GOLDEN.keys()
