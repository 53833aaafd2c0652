"""Files of a model folder: what was written comes back."""

import pytest
import torch
from safetensors import safe_open

from foleygram.errors import ModelError
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


def test_weights_without_permission_are_not_called_absent_or_damaged(tmp_path, tensors, shut):
    path = tmp_path / "a.safetensors"
    write_tensors(path, tensors)
    for read in (read_tensors, read_notes):
        with pytest.raises(ModelError, match="b.safetensors: this weights file is absent"):
            read(tmp_path / "b.safetensors")
    shut(path)
    for read in (read_tensors, read_notes):
        with pytest.raises(ModelError, match="a.safetensors: cannot be read .Permission denied.; check its"):
            read(path)
    shut(tmp_path)
    with pytest.raises(ModelError, match="b.safetensors: cannot be read .Permission denied."):
        read_tensors(tmp_path / "b.safetensors")


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
    own = {"noise": torch.ones(2, 3), "noise.scale": torch.full((2,), 2.0), "other.scale": torch.ones(1)}
    write_tensors(tmp_path / "a.safetensors", own)
    read = read_tensors(tmp_path / "a.safetensors")
    assert read.keys() == own.keys() and all(torch.equal(read[name], tensor) for name, tensor in own.items())


def test_a_scale_that_fits_no_rows_is_said_to_be_wrong(tmp_path):
    write_tensors(tmp_path / "a.safetensors", {"table": torch.ones(2, 3, dtype=torch.int8), "table.scale": torch.ones(3)})
    with pytest.raises(ModelError, match="one number for each row"):
        read_tensors(tmp_path / "a.safetensors")
