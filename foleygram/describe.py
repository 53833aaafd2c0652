"""What a model is made of, where its weights come from, and how much memory it will need: without loading it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from foleygram.config import read_json
from foleygram.hub.doors import sha256_of
from foleygram.hub.folder import read_notes
from foleygram.hub.sources import HubSource, SuppliedSource, WeightsSource, local_weights
from foleygram.pipeline import DTYPES, HALVED, MODELS, FoleyGRAM, FoleyGRAMConfig, arithmetic, find_folder, pick_device

GIB = 2**30
WORKING_GIB = 1.5  # interpreter, libraries and the widest layers of the autoencoder; measured by benchmarks/full_scale.py
PARTS = ("vision", "audio", "text", "heads", "conditioner", "autoencoder", "transformer", "control_net")
"""What every model has; some predict timing too."""


@dataclass(frozen=True)
class ComponentReport:
    """``name``: of its weights file; ``kind``: class; ``parameters``: count; ``source``: where the weights come from, or how to
    get them; ``present``: on this machine; ``sha256``: of the file where it is present, else the one it must have."""

    name: str
    kind: str
    parameters: int
    source: str
    licence: str
    present: bool
    path: str | None
    sha256: str | None
    notes: Mapping[str, str]


@dataclass(frozen=True)
class ModelReport:
    name: str
    folder: str
    components: tuple[ComponentReport, ...]
    parameters: int
    memory_gib: Mapping[str, float]  # expected peak while generating, by --dtype

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2)


def describe_model(source: str | Path, hashes: bool = True) -> ModelReport:
    """Every component of a model, shipped or in a folder. ``hashes``: read the weights files for their sha256.

    Raises ModelError where there is no such model."""
    folder = find_folder(source)
    config = read_json(FoleyGRAMConfig, folder / "config.json")
    components = tuple(
        describe_component(folder, name, part, getattr(config.weights, name), hashes) for name, part in parts_of(config).items()
    )
    counts = {component.name: component.parameters for component in components}
    memory = {dtype: round(expected_gib(counts, kind), 1) for dtype, kind in DTYPES.items()}
    return ModelReport(config.name, str(folder), components, sum(counts.values()), memory)


def parts_of(config: FoleyGRAMConfig) -> dict[str, nn.Module]:
    """The components on the meta device, by the name of their weights file."""
    with torch.device("meta"):
        model = FoleyGRAM(config)
    gram = model.gram
    heads = nn.ModuleList([gram.contra_head_t, gram.contra_head_v, gram.contra_head_a, gram.pool])
    heads.temperature = gram.contra_temp
    return {"vision": gram.vision, "audio": gram.audio, "text": gram.text, "heads": heads} | model.components()


def describe_component(folder: Path, name: str, part: nn.Module, source: WeightsSource | None, hashes: bool) -> ComponentReport:
    path = local_weights(folder, name)
    notes = read_notes(path) if path else {}
    return ComponentReport(
        name=name,
        kind="ContrastiveHead" if name == "heads" else type(part).__name__,
        parameters=sum(parameter.numel() for parameter in part.parameters()),
        source=described(source, name, notes),
        licence=source.licence if source else notes.get("licence", "unknown"),
        present=path is not None,
        path=str(path) if path else None,
        sha256=sha256_of(path) if path and hashes else source.sha256 if source else None,
        notes=notes,
    )


def described(source: WeightsSource | None, name: str, notes: Mapping[str, str]) -> str:
    """One line on where the weights come from."""
    if isinstance(source, HubSource):
        gate = ", gated" if source.gated else ""
        return f"hub: {source.repo}@{source.revision}/{source.path}{gate}"
    if isinstance(source, SuppliedSource):
        return f"supply it: {source.steps}"
    origin = source.origin if source else notes.get("origin", "")
    return f"file: {name}.safetensors" + (f" ({origin})" if origin else "")


def expected_gib(counts: Mapping[str, int], kind: torch.dtype) -> float:
    """Peak while generating: the weights as they are computed with, and the widest layers."""
    total = sum(count * (kind.itemsize if name in HALVED else 4) for name, count in counts.items())
    return total / GIB + min(WORKING_GIB, 0.5 + total / GIB)


def expected_memory(source: str | Path, device: str = "auto", dtype: str = "auto") -> float:
    """GiB that loading and generating will need at most, for a line before the loading. Raises ModelError."""
    config = read_json(FoleyGRAMConfig, find_folder(source) / "config.json")
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in parts_of(config).items()}
    return expected_gib(counts, arithmetic(pick_device(device), dtype))


def describe_shipped(hashes: bool = False) -> tuple[ModelReport, ...]:
    """All models that come with the package."""
    return tuple(describe_model(path.parent.name, hashes) for path in sorted(MODELS.glob("*/config.json")))
