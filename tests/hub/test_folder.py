"""Files of a model folder: what was written comes back."""

import pytest
import torch
from safetensors import safe_open

from foleygram.hub.folder import SCALE, read_notes, read_tensors, write_tensors


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return {"table": torch.randn(7, 5, generator=draw), "table.bias": torch.randn(5, generator=draw).half()}


def test_tensors_and_notes_come_back(tmp_path, tensors):
    write_tensors(tmp_path / "a.safetensors", tensors, {"origin": "here"})
    read = read_tensors(tmp_path / "a.safetensors")
    assert read.keys() == tensors.keys() and all(torch.equal(read[name], tensor) for name, tensor in tensors.items())
    assert read_notes(tmp_path / "a.safetensors") == {"origin": "here"}


def test_a_table_in_bytes_comes_back_to_half_a_step(tmp_path, tensors):
    tensors["table"][3] = 0
    write_tensors(tmp_path / "a.safetensors", tensors, in_bytes=("table",))
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        assert file.get_tensor("table").dtype == torch.int8 and file.get_tensor("table" + SCALE).shape == (7,)
    read = read_tensors(tmp_path / "a.safetensors")
    assert read.keys() == tensors.keys() and read["table"].dtype == torch.float32
    off = (read["table"] - tensors["table"]).abs().amax(1)
    assert (off <= tensors["table"].abs().amax(1) / 254 + 1e-6).all() and off.max() > 0
    assert torch.equal(read["table.bias"], tensors["table.bias"])


def test_a_scale_of_its_own_is_a_tensor_as_any_other(tmp_path):
    write_tensors(tmp_path / "a.safetensors", {"noise.scale": torch.ones(2)})
    assert read_tensors(tmp_path / "a.safetensors")["noise.scale"].tolist() == [1, 1]
