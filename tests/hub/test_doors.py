import pickle

import pytest
import torch

from foleygram.errors import ModelError
from foleygram.hub.doors import read_checkpoint
from foleygram.hub.folder import write_tensors

TENSORS = {"a.weight": torch.arange(6.0).view(2, 3), "b": torch.tensor(3)}


def same(state):
    assert state.keys() == TENSORS.keys() and all(torch.equal(state[name], TENSORS[name]) for name in TENSORS)


@pytest.mark.parametrize(
    "content",
    [TENSORS, {"state_dict": TENSORS, "epoch": 3}, {"model": TENSORS, "cfg": {"layers": 12}}, {"model": {"module": TENSORS}}],
)
@pytest.mark.parametrize("new", [True, False])
def test_reads_plain_and_wrapped_states(tmp_path, content, new):
    path = tmp_path / "model.pt"
    torch.save(content, path, _use_new_zipfile_serialization=new)
    same(read_checkpoint(path))


def test_reads_safetensors(tmp_path):
    write_tensors(tmp_path / "model.safetensors", TENSORS)
    same(read_checkpoint(tmp_path / "model.safetensors"))


def test_a_checkpoint_without_permission_is_not_called_damaged(tmp_path, shut):
    torch.save(TENSORS, tmp_path / "model.pt")
    shut(tmp_path / "model.pt")
    with pytest.raises(ModelError, match="model.pt: cannot be read .Permission denied."):
        read_checkpoint(tmp_path / "model.pt")


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize(("by_torch", "protocol"), [(True, 2), (False, 2), (False, 4)])
def test_code_in_a_pickle_does_not_run(tmp_path, by_torch, protocol):
    path, mark = tmp_path / "model.pt", tmp_path / "it-ran"
    if by_torch:
        torch.save({"weight": torch.zeros(2), "bomb": Bomb(mark)}, path)
    else:
        path.write_bytes(pickle.dumps({"bomb": Bomb(mark)}, protocol=protocol))
    with pytest.raises(ModelError, match="holds code .*not run|not a checkpoint") as caught:
        read_checkpoint(path)
    assert not mark.exists() and "\n" not in str(caught.value)


def test_a_whole_pickled_network_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "model.pt")
    with pytest.raises(ModelError, match="holds code .*Linear"):
        read_checkpoint(tmp_path / "model.pt")


@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_one_line(tmp_path, name, share):
    path = tmp_path / name
    if name.endswith(".pt"):
        torch.save(TENSORS, path)
    else:
        write_tensors(path, TENSORS)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelError, match="again") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"<html>not found</html>", b"\x89PNG\r\n", b"{}"])
def test_something_else_is_one_line(tmp_path, content):
    path = tmp_path / "model.ckpt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not a checkpoint"):
        read_checkpoint(path)


def test_a_checkpoint_without_weights(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "model.pt")
    with pytest.raises(ModelError, match="holds no weights"):
        read_checkpoint(tmp_path / "model.pt")


@pytest.mark.parametrize("name", ["absent.pt", "absent.safetensors"])
def test_an_absent_file(tmp_path, name):
    with pytest.raises(ModelError, match="absent|no such"):
        read_checkpoint(tmp_path / name)
