import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_model
from torch import nn

from foleygram import quantisation
from foleygram.errors import UsageError
from foleygram.pipeline import FoleyGRAM
from foleygram.quantisation import Int8Linear, int8_weights, to_int8
from foleygram.types import Audio, Clip, Envelope


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 70), st.floats(-6, 6), st.booleans())
def test_a_result_is_off_by_at_most_half_a_step_for_each_weight(seed, rows, columns, size, bias):
    stream = torch.Generator().manual_seed(seed)
    layer = nn.Linear(columns, rows, bias=bias).requires_grad_(False)
    layer.weight.copy_(torch.randn(rows, columns, generator=stream) * 10**size)
    layer.weight[0] = 0
    x = torch.randn(5, columns, generator=stream)
    small = Int8Linear(layer)
    exact = torch.nn.functional.linear(x.double(), layer.weight.double(), None if layer.bias is None else layer.bias.double())
    half_steps = x.abs().sum(-1, keepdim=True) * layer.weight.abs().amax(1) / 254
    assert ((small(x) - exact).abs() <= half_steps * 1.001 + 1e-5 * (1 + exact.abs())).all()


def test_of_random_weights_a_percent_is_lost():
    stream = torch.Generator().manual_seed(0)
    layer = nn.Linear(512, 384)
    nn.init.normal_(layer.weight, std=0.02, generator=stream)
    x = torch.randn(64, 512, generator=stream)
    with torch.no_grad():
        error = Int8Linear(layer)(x) - layer(x)
        assert error.norm() / layer(x).norm() < 0.012
        assert Int8Linear(layer).bfloat16()(x.bfloat16()).dtype == torch.bfloat16


def test_only_large_layers_change_and_only_once():
    module = nn.Sequential(nn.Linear(256, 300), nn.Linear(300, 8), nn.ModuleList([nn.Linear(512, 256, bias=False)]))
    to_int8(module)
    first = module[0]
    to_int8(module)
    assert module[0] is first and int8_weights(module) == {"0.weight", "2.0.weight"} and type(module[1]) is nn.Linear


@pytest.fixture
def narrow(monkeypatch):
    """Lets the layers of the tiny model count as large."""
    monkeypatch.setattr(quantisation, "LEAST", 16)


def test_a_model_loaded_in_int8_is_that_one_moved_to_int8(narrow, tiny_folder, tmp_path):
    random = np.random.default_rng(0)
    clip = Clip(audio=Audio(random.uniform(-0.3, 0.3, (2, 44100)), 44100), text="a person hits metal .", seconds=0.5)
    envelope = Envelope(np.abs(np.sin(np.arange(170) / 20)) * 0.2)
    loaded = FoleyGRAM.load(tiny_folder, "cpu", "int8")
    moved = tiny_model().place("cpu", "int8")
    exact = FoleyGRAM.load(tiny_folder, "cpu", "auto")
    assert loaded.dtype == moved.dtype == "int8" and exact.dtype != "int8"
    assert loaded.precision == exact.precision
    names = int8_weights(loaded)
    assert any(name.startswith("gram.vision") for name in names) and any(name.startswith("control_net") for name in names)
    assert not any(name.startswith(("autoencoder", "conditioner")) for name in names)
    near, true = loaded.embed(clip).text, exact.embed(clip).text
    assert not torch.equal(near, true) and float((near * true).sum()) > 0.99
    takes = [model.generate(clip, envelope)[0].samples for model in (loaded, moved)]
    assert takes[0].tobytes() == takes[1].tobytes()
    with pytest.raises(UsageError, match="int8 are rounded and not saved"):
        loaded.save(tmp_path / "out")
    assert not (tmp_path / "out").exists()
