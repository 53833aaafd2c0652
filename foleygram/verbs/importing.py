"""Foreign checkpoints become a model folder, and back: Stable Audio Open and GRAM (single towers: towers.py).

Each function reads tensors through the one door (hub/doors.py), renames them (hub/layouts.py), compares names and shapes
with the model that the config describes, and only then writes. What the checkpoints do not hold, the untrained ControlNet
and the three projections, is written as it stands before training, and its file says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from foleygram.config import first_complaint, read_json
from foleygram.diffusion.conditioner import Conditioner
from foleygram.diffusion.control import ControlNet
from foleygram.diffusion.transformer import Transformer
from foleygram.errors import ModelError, OutputError, UsageError
from foleygram.gram.encoder import GramConfig, GramEncoder
from foleygram.gram.text import Tokenizer
from foleygram.hub.doors import read_checkpoint
from foleygram.hub.fingerprint import check_sha256, unreadable
from foleygram.hub.folder import read_notes, read_tensors, write_atomically, write_json, write_tensors
from foleygram.hub.layouts import (
    GramParts,
    StableAudioParts,
    check_shapes,
    from_gram,
    from_stable_audio,
    resized_positions,
    stretched_frames,
    to_gram,
    to_stable_audio,
)
from foleygram.hub.sources import MODELS, HubSource, commit_of, fetch_file, imported_folder, is_repository
from foleygram.pipeline import FoleyGRAMConfig, build_autoencoder
from foleygram.weights import GRAM_FILES

STABLE_AUDIO = "stabilityai/stable-audio-open-1.0"
STABLE_AUDIO_LICENCE = "Stability AI Community License"
DIFFUSERS_FILES = {
    "transformer": "transformer/diffusion_pytorch_model.safetensors",
    "autoencoder": "vae/diffusion_pytorch_model.safetensors",
    "conditioner": "projection_model/diffusion_pytorch_model.safetensors",
}
WHOLE = "model"
"""Where one file holds all components."""

START = "before training"
"""What the notes of a file say that no checkpoint filled."""

PASSENGERS = "gram-passengers.safetensors"
TOKENIZER_STEPS = "for texts put the tokenizer.json (or vocab.txt) of bert-base-uncased into it, or give it with --tokenizer"


@dataclass(frozen=True)
class ImportReport:
    """``written``: (file, parameters); ``ignored``: groups of tensors that were left behind; ``open``: what is still to be
    done before the folder is a whole model."""

    folder: Path
    written: tuple[tuple[str, int], ...]
    ignored: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


def full_config() -> FoleyGRAMConfig:
    """The paper's numbers."""
    return read_json(FoleyGRAMConfig, MODELS / "full" / "config.json")


def expected(build: Callable[[], nn.Module]) -> dict[str, Tensor]:
    """Names and shapes of a module, without its memory."""
    with torch.device("meta"):
        return build().state_dict()


def import_stable_audio(
    path: str | Path, out: Path | None = None, config: FoleyGRAMConfig | None = None, revision: str | None = None,
    sha256: str | None = None, force: bool = False,
) -> ImportReport:  # fmt: skip
    """Stable Audio Open into a model folder (``out``, by default the cache of ``full``).

    ``path``: ``hub``, a repository ``user/name``, a folder of diffusers, or a checkpoint in the layout of
    stable-audio-tools (.safetensors, .ckpt); ``revision``: on the hub; ``sha256``: that a single file must have; ``force``: see
    :func:`write_parts`.
    Raises ModelError, OutputError, UsageError."""
    config = config or full_config()
    out = Path(out) if out is not None else imported_folder("full")
    several = UsageError(f"--sha256 is for a checkpoint of one file, and {path} has several; take --revision, or one file")
    with looked_up(path):
        if sha256 is not None and on_hub(path):
            raise several
        sources = stable_audio_files(path, revision)
    if sha256 is not None and WHOLE not in sources:
        raise several
    hashes = {name: check_sha256(file, sha256) for name, file in sources.items()}
    parts = read_parts(sources)
    transformer, conditioner = dict(parts.transformer), dict(parts.conditioner)
    origin = {"origin": "Stable Audio Open" if Path(path).exists() else str(path), "licence": STABLE_AUDIO_LICENCE}

    def note(name: str) -> dict[str, str]:
        name = WHOLE if WHOLE in sources else name
        return origin | notes_of_origin(sources[name], hashes[name])

    check_shapes("this transformer", transformer, expected(lambda: Transformer(config.transformer)))
    check_shapes("this autoencoder", parts.autoencoder, expected(lambda: build_autoencoder(config.autoencoder)))
    shapes = expected(lambda: Conditioner(config.conditioner))
    fresh = {name: tensor for name, tensor in shapes.items() if name.startswith("gram_")}
    trained = fresh.keys() <= conditioner.keys()
    if not trained:
        conditioner |= start_of_projections(fresh)
    check_shapes("this conditioner", conditioner, shapes)
    files: dict[str, tuple[Mapping[str, Tensor], dict[str, str]]] = {
        "transformer": (transformer, note("transformer")),
        "autoencoder": (parts.autoencoder, note("autoencoder")),
    }
    if trained or force or at_start(out / "conditioner.safetensors"):
        begun = {} if trained else {"gram projections": START, "state": START}
        files["conditioner"] = (conditioner, note("conditioner") | begun)
    if parts.control_net is not None:
        control_shapes = expected(lambda: ControlNet(config.transformer, config.control_net))
        check_shapes("this ControlNet", parts.control_net, control_shapes)
        files["control_net"] = (parts.control_net, note("transformer"))
    elif force or at_start(out / "control_net.safetensors"):
        control_shapes = expected(lambda: ControlNet(config.transformer, config.control_net))
        files["control_net"] = (start_of_control_net(transformer, control_shapes), note("transformer") | {"state": START})
    report = write_parts(out, config, files, force)
    if trained and parts.control_net is not None:
        return report
    still = "the projections and the ControlNet stand before training; train them: foleygram train control recipes/paper.yaml"
    return ImportReport(report.folder, report.written, open=(still,))


@contextmanager
def looked_up(path: str | Path) -> Iterator[None]:
    """Within the block files are looked for. Raises ModelError where a folder may not be entered, or a name cannot be."""
    try:
        yield
    except OSError as error:
        raise unreadable(Path(error.filename or path), error) from error


def on_hub(path: str | Path) -> bool:
    """Whether it names a repository and nothing on this machine."""
    return str(path) == "hub" or (is_repository(str(path)) and not Path(path).exists())


def stable_audio_files(path: str | Path, revision: str | None = None) -> dict[str, Path]:
    """The weights files of Stable Audio by component, or one of all components under the name WHOLE."""
    place = Path(path)
    if on_hub(path):
        repo, _, named = (STABLE_AUDIO if str(path) == "hub" else str(path)).partition("@")
        return {
            name: fetch_file(HubSource(kind="hub", repo=repo, path=file, revision=revision or named or "main", licence=""))
            for name, file in DIFFUSERS_FILES.items()
        }
    if revision is not None:
        raise UsageError(f"--revision is for the hub, and {path} is on this machine; leave it out")
    if not place.is_dir():
        return {WHOLE: place}
    if all((place / file).is_file() for file in DIFFUSERS_FILES.values()):
        return {name: place / file for name, file in DIFFUSERS_FILES.items()}
    single = next((place / name for name in ("model.safetensors", "model.ckpt") if (place / name).is_file()), None)
    if single is None:
        raise ModelError(
            f"{place}: holds neither transformer, vae and projection_model (diffusers) nor model.safetensors; give another"
        )
    return {WHOLE: single}


def read_parts(files: Mapping[str, Path]) -> StableAudioParts:
    """The tensors of a Stable Audio checkpoint, whole or in its diffusers files. Raises ModelError."""
    if WHOLE in files:
        return from_stable_audio(read_checkpoint(files[WHOLE]))
    return StableAudioParts(**{name: read_checkpoint(file) for name, file in files.items()})


def notes_of_origin(path: Path, sha256: str) -> dict[str, str]:
    """Which file a component was read from: its hash, and the commit where it is one of the hub."""
    commit = commit_of(path)
    return {"sha256": sha256} if commit is None else {"sha256": sha256, "revision": commit}


def start_of_projections(shapes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Linear layers as torch starts them, the same every time."""
    stream = torch.Generator().manual_seed(0)
    width = next(tensor.shape[1] for tensor in shapes.values() if tensor.ndim == 2)
    return {
        name: torch.empty(tensor.shape).uniform_(-(width**-0.5), width**-0.5, generator=stream)
        for name, tensor in sorted(shapes.items())
    }


def start_of_control_net(transformer: Mapping[str, Tensor], shapes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The copy of the first blocks with its new convolutions at zero: the transformer's output stays bit for bit."""
    return {name: transformer[name] if name in transformer else torch.zeros(tensor.shape) for name, tensor in shapes.items()}


def at_start(path: Path) -> bool:
    """Whether a file is absent or stands before training, so that nothing is lost by writing it."""
    return not path.exists() or read_notes(path).get("state") == START


def export_stable_audio(
    folder: Path, out: Path, layout: Literal["stable-audio-tools", "diffusers"] = "stable-audio-tools"
) -> Path:
    """The diffusion parts of a model folder in a layout of Stable Audio. stable-audio-tools: one safetensors file with the
    ControlNet and the projections; diffusers: its three folders, which have no place for these two, and a fourth,
    ``foleygram``, that holds them. Raises ModelError, OutputError."""
    read = {name: read_tensors(folder / f"{name}.safetensors") for name in (*DIFFUSERS_FILES, "control_net")}
    if layout == "stable-audio-tools":
        write_tensors(out, to_stable_audio(StableAudioParts(**read)))
        return out
    projections = {name: tensor for name, tensor in read["conditioner"].items() if name.startswith("gram_")}
    read["conditioner"] = {name: tensor for name, tensor in read["conditioner"].items() if name not in projections}
    for name, file in DIFFUSERS_FILES.items():
        write_tensors(out / file, read[name], {"format": "pt"})
    write_tensors(out / "foleygram" / "control_net.safetensors", read["control_net"])
    write_tensors(out / "foleygram" / "projections.safetensors", projections)
    return out


def import_gram(
    source: Path, out: Path | None = None, tokenizer: Path | None = None, keep_passengers: bool = False,
    config: FoleyGRAMConfig | None = None, sha256: str | None = None, force: bool = False,
) -> ImportReport:  # fmt: skip
    """A GRAM checkpoint folder (``ckpt/model_step_*.pt`` and ``log/hps.json``, or a file beside whose folder they lie) into a
    model folder, by default the cache of ``full``. The mel bands, the frame length and the joint space are those of hps.json.

    ``tokenizer``: tokenizer.json or vocab.txt of bert-base-uncased, which the checkpoint does not hold;
    ``keep_passengers``: also keep what FoleyGRAM does not use, so that an export is the whole checkpoint again; ``sha256``:
    that the weights file must have; ``force``: see :func:`write_parts`. Raises ModelError, OutputError."""
    full = config or full_config()
    out = Path(out) if out is not None else imported_folder("full")
    with looked_up(source):
        file, settings = find_gram_files(Path(source))
    config = with_gram(full, gram_config(full.gram, read_settings(settings), settings))
    found = check_sha256(file, sha256)
    parts = from_gram(read_checkpoint(file))
    encoder, passengers = dict(parts.encoder), dict(parts.passengers)
    shapes = expected(lambda: GramEncoder(config.gram))
    if "vision.pos_embed" in encoder and "vision.pos_embed" in shapes:
        encoder["vision.pos_embed"] = resized_positions(encoder["vision.pos_embed"], shapes["vision.pos_embed"].shape[1])
    for name, count in (("vision", getattr(config.gram.vision, "frames", 1)), ("audio", config.gram.audio.slices)):
        key = f"{name}_frame_embedding"
        if key in passengers:
            passengers[key] = stretched_frames(passengers[key], count)
    check_shapes(f"this GRAM encoder ({settings.name if settings else 'no hps.json'})", encoder, shapes)
    note = {"origin": "GRAM", "sha256": found}
    files: dict[str, tuple[Mapping[str, Tensor], dict[str, str]]] = {
        name: ({key: value for key, value in encoder.items() if key.startswith(prefixes)}, note)
        for name, prefixes in GRAM_FILES.items()
    }
    if keep_passengers:
        files[PASSENGERS.removesuffix(".safetensors")] = (passengers, note)
    still = []
    definition = None if tokenizer is None else Tokenizer(read_text(tokenizer), config.gram.text).content
    if definition is None and not (out / "tokenizer.json").exists():
        still.append(f"{out} has no tokenizer; {TOKENIZER_STEPS}")
    if differing := differing_numbers(full.gram, config.gram):
        still.append(f"hps.json differs from the recipes ({differing}); say the same under model.gram of the recipe")
    if settings is None:
        still.append("no hps.json was found; 64 mel bands were assumed, which the published checkpoints use")
    report = write_parts(out, config, files, force, definition)
    return ImportReport(report.folder, report.written, GramParts(encoder, passengers).ignored(), tuple(still))


def export_gram(folder: Path, out: Path) -> Path:
    """The GRAM encoder of a model folder under GRAM's own names, with the passengers where they were kept; safetensors."""
    encoder = {key: value for name in GRAM_FILES for key, value in read_tensors(folder / f"{name}.safetensors").items()}
    kept = folder / PASSENGERS
    write_tensors(out, to_gram(GramParts(encoder, read_tensors(kept) if kept.exists() else {})))
    return out


def find_gram_files(source: Path) -> tuple[Path, Path | None]:
    """The weights, in the order in which GRAM's own loader looks for them, and hps.json. Raises ModelError."""
    if not source.exists():
        raise ModelError(f"{source}: there is no such checkpoint; check the path")
    if source.is_file():
        file, root = source, source.parent.parent
    else:
        root = source
        found = sorted(source.glob("checkpoint-*/pytorch_model.bin"), key=number_of)
        found = found or sorted([*source.glob("ckpt/model_step_*.pt"), *source.glob("model_step_*.pt")], key=number_of)
        if not found:
            raise ModelError(
                f"{source}: holds no ckpt/model_step_*.pt; give the folder that has ckpt and log inside, or the file"
            )
        file = found[-1]
    settings = next((path for path in (root / "log" / "hps.json", file.parent / "hps.json") if path.is_file()), None)
    return file, settings


def number_of(path: Path) -> int:
    """The step in the name of a checkpoint."""
    digits = re.findall(r"\d+", "/".join(path.parts[-2:]))
    return int(digits[-1]) if digits else 0


def read_settings(path: Path | None) -> Mapping[str, Any]:
    """``model_cfg`` of hps.json, or nothing."""
    if path is None:
        return {}
    try:
        return dict(json.loads(path.read_text())["model_cfg"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: not the settings of a GRAM checkpoint (no model_cfg); fetch the folder again") from error


def gram_config(config: GramConfig, settings: Mapping[str, Any], path: Path | None) -> GramConfig:
    """The encoder's numbers with those of hps.json in place. Raises ModelError for other towers."""
    for name, ours in (("vision_encoder_type", "evaclip01_giant"), ("audio_encoder_type", "beats")):
        theirs = settings.get(name, ours)
        if theirs != ours:
            raise ModelError(f"{path}: {name} is {theirs}; FoleyGRAM has {ours} only, take such a checkpoint")
    audio = {"mel": settings.get("audio_melbins"), "frames": settings.get("audio_target_length")}
    text = {"max_length": settings.get("max_caption_len")}
    vision = {"size": settings.get("vision_resolution")}
    try:
        changes = {
            part: getattr(config, part).replace(**{k: v for k, v in values.items() if v is not None}).model_dump()
            for part, values in (("audio", audio), ("text", text), ("vision", vision))
        }
        return config.replace(dim=settings.get("contra_dim", config.dim), **changes)
    except ValidationError as error:
        raise ModelError(f"{path}: {first_complaint(error)}; fetch the folder again") from error


def with_gram(config: FoleyGRAMConfig, gram: GramConfig) -> FoleyGRAMConfig:
    """With these towers and heads, and a conditioner for points of their size."""
    conditioner = config.conditioner.replace(embedding_dim=gram.dim)
    return config.replace(gram=gram.model_dump(), conditioner=conditioner.model_dump())


def differing_numbers(usual: GramConfig, own: GramConfig) -> str:
    """``audio.mel 128, dim 256`` and the like: where ``own`` is not as usual; empty where it is."""
    found = [f"dim {own.dim}"] if own.dim != usual.dim else []
    for part in ("vision", "audio", "text"):
        before, after = getattr(usual, part).model_dump(), getattr(own, part).model_dump()
        found += [f"{part}.{name} {value}" for name, value in after.items() if value != before[name]]
    return ", ".join(found)


def write_parts(
    out: Path, config: FoleyGRAMConfig, files: Mapping[str, tuple[Mapping[str, Tensor], dict[str, str]]], force: bool = False,
    tokenizer: str | None = None,
) -> ImportReport:  # fmt: skip
    """Writes the weights files, the tokenizer's definition and the config, each of them all or nothing. What lies there is
    replaced where it stands before training or came from the same file; all else needs ``force``. Raises OutputError."""
    if not force:
        refuse_loss(out, config, {name: notes for name, (_, notes) in files.items()}, tokenizer)
    if tokenizer is not None:
        write_atomically(out / "tokenizer.json", tokenizer.encode())
    for name, (tensors, notes) in files.items():
        write_tensors(out / f"{name}.safetensors", tensors, notes)
    if (out / "config.json").exists():  # a part that was imported before may have changed its own numbers
        before = read_json(FoleyGRAMConfig, out / "config.json")
        keeps_gram = not files.keys() & {"vision", "audio", "text", "heads"}
        config = with_gram(config, before.gram) if keeps_gram else config
    write_json(out / "config.json", config.model_dump(mode="json", exclude_none=True))
    return ImportReport(
        out, tuple((f"{name}.safetensors", sum(t.numel() for t in tensors.values())) for name, (tensors, _) in files.items())
    )


def refuse_loss(out: Path, config: FoleyGRAMConfig, notes: Mapping[str, dict[str, str]], tokenizer: str | None) -> None:
    """Raises OutputError where a file of ``out`` holds what an import would take away."""
    advice = "choose another --out, or pass --force (force=True)"
    for name, own in notes.items():
        path = out / f"{name}.safetensors"
        if not at_start(path) and read_notes(path) != own:
            raise OutputError(f"{path}: holds other weights and is kept; {advice}")
    definition = out / "tokenizer.json"
    if tokenizer is not None and definition.exists() and definition.read_bytes() != tokenizer.encode():
        raise OutputError(f"{definition}: is another tokenizer and is kept; {advice}")
    if (out / "config.json").exists():
        name = read_json(FoleyGRAMConfig, out / "config.json").name
        if name != config.name:
            raise OutputError(f"{out}: is the folder of the model {name}, which is not {config.name}, and is kept; {advice}")


def read_text(path: Path) -> str:
    """A text file. Raises ModelError."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path}: cannot be read as text; give the tokenizer.json or vocab.txt of bert-base-uncased"
        ) from error
