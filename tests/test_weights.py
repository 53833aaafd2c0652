"""A model's files: found by name, named where they are broken, loaded key by key."""

import subprocess
import sys

import pytest
import torch
from tiny import CONFIG, PIECES, tiny_model
from torch import nn

from foleygram.diffusion.conditioner import Conditioner, ConditionerConfig
from foleygram.errors import ModelError
from foleygram.gram.text import Tokenizer
from foleygram.hub.folder import write_tensors
from foleygram.hub.sources import MODELS
from foleygram.pipeline import FoleyGRAM, load_predictor
from foleygram.weights import assign, find_folder, float_state, read_tokenizer, unloaded, weights_files


def test_a_shipped_model_comes_before_a_folder_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "mine").mkdir()
    assert find_folder("full") == MODELS / "full"
    assert str(find_folder("mine")) == "mine"


@pytest.mark.parametrize("name", ["nonsense", "no/such/folder", "x" * 300])
def test_no_model_is_one_line(name):
    with pytest.raises(ModelError, match=f"{name}: .*; ") as caught:
        find_folder(name)
    assert "\n" not in str(caught.value)


def test_every_weights_file_is_asked_for(tiny_folder):
    files = weights_files(tiny_folder, CONFIG)
    assert {path.parent for path in files.values()} == {tiny_folder} and len(files) == 8
    with pytest.raises(ModelError, match="absent; train or import"):
        weights_files(tiny_folder.parent, CONFIG)


def test_a_tokenizer_is_read_from_either_file(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(PIECES))
    tokenizer = read_tokenizer(path, CONFIG.gram.text)
    (tmp_path / "tokenizer.json").write_text(tokenizer.content)
    again = read_tokenizer(tmp_path / "tokenizer.json", CONFIG.gram.text)
    assert torch.equal(again(["a person hits metal"]).ids, tokenizer(["a person hits metal"]).ids)


WITHOUT_PADDING = Tokenizer("\n".join(PIECES), CONFIG.gram.text).content.replace("[PAD]", "[GAP]")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"version": 1}', "not a tokenizer.json"), (b"{", "not a tokenizer.json"), (b"", "lacks"), (b"a\nb\n", "lacks"),
        (b"\xff\xfe\x00\x01", "no text"), ("\n".join([*PIECES, "more"]).encode(), "word pieces"),
        (WITHOUT_PADDING.encode(), r"\[PAD\]"),
    ],
)  # fmt: skip
def test_a_broken_tokenizer_names_its_file(tmp_path, content, message):
    folder = tiny_model().save(tmp_path / "tiny")
    path = folder / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        FoleyGRAM.load(folder, "cpu", "fp32")
    line = str(caught.value)
    assert line.startswith(f"{path}: ") and line.count(str(path)) == 1 and "\n" not in line


def test_numbers_that_make_no_module_are_one_line():
    with pytest.raises(ModelError, match="odd: its config describes no model"):
        unloaded("odd", lambda: nn.Linear(-1, 2))
    assert unloaded("even", lambda: nn.Linear(1, 2)).weight.is_meta


def test_a_predictor_of_impossible_numbers_is_one_line(tmp_path):
    folder = tiny_model(timing=True).save(tmp_path / "tiny")
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"hidden": 8', '"hidden": -8'))
    with pytest.raises(ModelError):
        load_predictor(folder, "cpu")


def test_weights_fit_or_are_named(tmp_path):
    path = tmp_path / "part.safetensors"
    write_tensors(path, {"weight": torch.ones(2, 1), "bias": torch.zeros(2)})
    layer = unloaded("layer", lambda: nn.Linear(1, 2))
    assign(layer, path, dtype=torch.bfloat16)
    assert layer.weight.dtype == torch.bfloat16 and layer.weight.tolist() == [[1.0], [1.0]]
    with pytest.raises(ModelError, match="missing weight|unexpected"):
        assign(unloaded("other", lambda: nn.Sequential(nn.Linear(1, 2))), path)
    with pytest.raises(ModelError, match="bias is .2,., the config says .3,."):
        assign(unloaded("wide", lambda: nn.Linear(1, 3)), path)


def test_whole_numbers_keep_their_kind():
    state = float_state({"count": torch.tensor(3), "weight": torch.ones(2, dtype=torch.float16)})
    assert state["count"].dtype == torch.int64 and state["weight"].dtype == torch.float32


def test_a_model_is_loaded_without_the_compiler():
    """torch's compiler takes longer to import than the mini to load; the meta device would import it."""
    code = (
        "import sys, foleygram; foleygram.load('mini'); "
        "print(sorted({'torch._dynamo', 'sympy', 'scipy.signal'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_module_on_the_meta_device_has_the_shapes_of_a_real_one():
    def build() -> Conditioner:
        return Conditioner(ConditionerConfig())

    real, empty = build(), unloaded("x", build)
    shapes, wanted = ({key: value.shape for key, value in each.state_dict().items()} for each in (empty, real))
    assert shapes == wanted
    assert all(value.is_meta for value in [*empty.parameters(), *empty.buffers()])
