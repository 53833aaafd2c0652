"""The shipped model folders: strict JSON, and everything said about every component."""

import json

import numpy as np
import pytest
import torch

import foleygram
from foleygram.hub.sources import MODELS
from foleygram.pipeline import FoleyGRAM
from foleygram.verbs.describe import PARTS, describe_model

SHIPPED = sorted(path.parent.name for path in MODELS.glob("*/config.json"))


def refuse(word: str):
    raise AssertionError(f"{word} is not JSON")


@pytest.mark.parametrize("path", sorted(MODELS.rglob("*.json")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_shipped_json_is_strict(path):
    assert json.loads(path.read_text(), parse_constant=refuse)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_component_says_what_it_is_and_may(name):
    report = describe_model(name)
    assert {part.name for part in report.components} >= set(PARTS)
    for part in report.components:
        assert part.kind and part.source and part.licence not in ("", "unknown"), part.name
        assert part.parameters > 0 or part.name == "memory", part.name  # that was measured, not trained
        assert bool(part.sha256) == part.present and bool(part.unknown) == (not part.present), part.name


def test_the_minis_autoencoder_keeps_attacks_sharp():
    """Ahead of a burst of noise, 14 to 6 ms, the decoded sound lies more than 45 dB under it; without ``sharpened`` 26."""
    autoencoder = foleygram.load("mini").autoencoder
    rng = np.random.default_rng(0)
    sound = np.zeros((1, 2, 44032), np.float32)
    sound[..., 20000:] = rng.standard_normal(24032) * 0.1 * np.exp(-np.arange(24032) / 3000)
    decoded = autoencoder.decode(autoencoder.encode(torch.from_numpy(sound)))[0].numpy()
    ahead, attack = (float(np.square(decoded[:, part]).mean()) for part in (slice(19400, 19735), slice(20000, 20441)))
    assert 10 * np.log10(ahead / attack) < -45


def test_the_mini_is_free_and_says_whose_towers_it_has():
    parts = {part.name: part for part in describe_model("mini", hashes=False).components}
    assert {part.licence for part in parts.values()} == {"Apache-2.0"} and all(part.present for part in parts.values())
    assert "all-MiniLM-L6-v2" in parts["text"].source and "EfficientNet-Lite0" in parts["vision"].source
    assert all("CC-BY" in parts[name].source for name in ("transformer", "control_net", "audio", "autoencoder"))


def test_the_mini_reads_what_is_done():
    mini = foleygram.load("mini")
    for said, texts in (
        ("hit", ("a stick hits a metal railing", "footsteps", "knock on a door")),
        ("scratch", ("someone scrapes metal", "rubbing wood", "dragging a stick over gravel")),
        (None, ("a metal fence", "metal", "dry leaves", "a person hits and scratches metal")),
    ):
        assert {mini.kind_said(text) for text in texts} == {said}


def test_every_parameter_is_of_a_component():
    model = FoleyGRAM.outline("mini")
    assert describe_model("mini", hashes=False).parameters == sum(parameter.numel() for parameter in model.parameters())
