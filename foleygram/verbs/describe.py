"""What a model is made of, where its weights come from, and how much memory it will need: without loading it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from foleygram.device import DTYPES, INT8, arithmetic, pick_device
from foleygram.hub.fingerprint import sha256_of
from foleygram.hub.folder import read_notes
from foleygram.hub.sources import MODELS, HubSource, SuppliedSource, WeightsSource, commit_of, present_weights
from foleygram.pipeline import HALVED, SHRUNK, FoleyGRAM
from foleygram.quantisation import large_layers
from foleygram.weights import find_folder

GIB = 2**30
WORKING_GIB = 1.5  # interpreter, libraries and the widest layers of the autoencoder; measured by benchmarks/full_scale.py
PARTS = ("vision", "audio", "text", "heads", "conditioner", "autoencoder", "transformer", "control_net")
"""What every model has; some predict timing too, or remember."""


@dataclass(frozen=True)
class ComponentReport:
    """``name``: of its weights file; ``kind``: class; ``parameters``: count; ``source``: where the weights come from, or how to
    get them; ``present``: on this machine; ``revision``: commit or tag on the hub; ``sha256``: of the file where it is present,
    else the one it must have; ``unknown``: why these two are None, and how to fix them to a value that one trusts."""

    name: str
    kind: str
    parameters: int
    source: str
    licence: str
    present: bool
    path: str | None
    revision: str | None
    sha256: str | None
    unknown: str
    notes: Mapping[str, str]


@dataclass(frozen=True)
class ModelReport:
    """A model: its components, ``parameters`` in all."""

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
    model = FoleyGRAM.outline(folder)
    config, parts = model.config, parts_of(model)
    components = tuple(
        describe_component(folder, name, part, getattr(config.weights, name), hashes) for name, part in parts.items()
    )
    memory = {dtype: round(expected_gib(parts, pick_device("auto"), dtype), 1) for dtype in (*DTYPES, INT8)}
    return ModelReport(config.name, str(folder), components, sum(part.parameters for part in components), memory)


def parts_of(model: FoleyGRAM) -> dict[str, nn.Module]:
    """The components by the name of their weights file."""
    gram = model.gram
    heads = nn.ModuleList([gram.contra_head_t, gram.contra_head_v, gram.contra_head_a, gram.pool])
    if gram.colour is not None:
        heads.append(gram.colour)
    heads.temperature = gram.contra_temp
    return {"vision": gram.vision, "audio": gram.audio, "text": gram.text, "heads": heads} | model.components()


def describe_component(folder: Path, name: str, part: nn.Module, source: WeightsSource | None, hashes: bool) -> ComponentReport:
    """One weights file: whether it is here, whence it comes, its licence and, with ``hashes``, its SHA-256."""
    path, closed = present_weights(folder, name, source)
    notes = read_notes(path) if path and path.suffix == ".safetensors" else {}
    revision = revision_of(path, source, notes)
    sha256 = sha256_of(path) if path and hashes else source.sha256 if source else None
    return ComponentReport(
        name=name,
        kind="ContrastiveHead" if name == "heads" else type(part).__name__,
        parameters=sum(parameter.numel() for parameter in part.parameters()),
        source=described(source, name, notes),
        licence=source.licence if source else notes.get("licence", "unknown"),
        present=path is not None,
        path=str(path) if path else None,
        revision=revision,
        sha256=sha256,
        unknown="" if path else closed or unknown(source, revision, sha256),
        notes=notes,
    )


def revision_of(path: Path | None, source: WeightsSource | None, notes: Mapping[str, str]) -> str | None:
    """Of the file that is here, else the one that would be fetched; None of a file that is not of the hub, and where the
    config names only a branch."""
    found = notes.get("revision") or (commit_of(path) if path else None)
    return found or (source.revision if isinstance(source, HubSource) and source.revision != "main" else None)


def unknown(source: WeightsSource | None, revision: str | None, sha256: str | None) -> str:
    """What cannot be said of a file that is not here, and how to pin it."""
    if sha256 is not None:
        return ""
    if isinstance(source, HubSource):
        moving = "main is a branch that moves, and " if revision is None else ""
        gate = "behind its gate" if source.gated else "before it is fetched"
        return (
            f"{moving}its hash cannot be read {gate}; what is fetched is compared with the hash that the hub states; "
            "to pin it: foleygram import stable-audio hub --revision COMMIT, "
            "or revision and sha256 in the config of a model folder"
        )
    if isinstance(source, SuppliedSource):
        return "nobody states its hash; foleygram import keeps the hash of what it read, and refuses another than --sha256 HEX"
    return "the file is absent"


def described(source: WeightsSource | None, name: str, notes: Mapping[str, str]) -> str:
    """One line on where the weights come from."""
    if isinstance(source, HubSource):
        gate = ", gated" if source.gated else ""
        return f"hub: {source.repo}@{source.revision}/{source.path}{gate}"
    if isinstance(source, SuppliedSource):
        return f"supply it: {source.steps}"
    origin = source.origin if source else notes.get("origin", "")
    return f"file: {name}.safetensors" + (f" ({origin})" if origin else "")


def expected_gib(parts: Mapping[str, nn.Module], device: torch.device, dtype: str) -> float:
    """Peak while generating: the weights as they are computed with, and the widest layers."""
    kind = arithmetic(device, dtype)
    total = 0
    for name, part in parts.items():
        size = kind.itemsize if name in HALVED else 4
        total += size * sum(parameter.numel() for parameter in part.parameters())
        if dtype == INT8 and name in SHRUNK:
            weights = [layer.weight for _, _, layer in large_layers(part)]
            total -= sum((size - 1) * weight.numel() - size * len(weight) for weight in weights)  # a byte each, and the scales
    return total / GIB + min(WORKING_GIB, 0.5 + total / GIB)


def expected_memory(model: FoleyGRAM, device: str = "auto", dtype: str = "auto") -> float:
    """GiB that loading and generating will need at most, of an outline, for a line before the weights are read."""
    return expected_gib(parts_of(model), pick_device(device), dtype)


def describe_shipped(hashes: bool = False) -> tuple[ModelReport, ...]:
    """All models that come with the package."""
    return tuple(describe_model(path.parent.name, hashes) for path in sorted(MODELS.glob("*/config.json")))
