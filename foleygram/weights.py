"""A model's files: which folder it is, which file holds what, and how tensors come into a module that has no memory yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from foleygram.errors import ModelError
from foleygram.gram.text import BertConfig, Tokenizer
from foleygram.hub.folder import each_tensor
from foleygram.hub.rows import rows_in_int8
from foleygram.hub.sources import MODELS, fetch_folder, find_weights, is_repository, local_weights
from foleygram.quantisation import int8_weights

if TYPE_CHECKING:
    from foleygram.pipeline import FoleyGRAMConfig

M = TypeVar("M", bound=nn.Module)

GRAM_FILES = {"vision": "vision.", "audio": "audio.", "text": "text.", "heads": ("contra_", "pool.", "colour.")}
"""Which parameters of the GRAM encoder lie in which file."""

WEIGHTS_FILES = (*GRAM_FILES, "conditioner", "autoencoder", "transformer", "control_net")
"""Without which a model is not whole."""


def find_folder(source: str | Path) -> Path:
    """The folder of a model: shipped by name, a path, or ``user/repository`` on the hub, which is fetched.

    Raises ModelError that lists the choices."""
    folder = Path(source)
    shipped = ", ".join(sorted(path.parent.name for path in MODELS.glob("*/config.json"))) or "none"
    if not str(source):
        raise ModelError(f"the name of the model is empty; shipped: {shipped}; or give the path of a model folder")
    try:
        if (MODELS / str(source) / "config.json").is_file():
            return MODELS / str(source)
        if folder.is_dir():
            return folder
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise ModelError(f"{source}: cannot be looked up ({error.strerror}); check the name of the model") from error
    if is_repository(str(source)) and not folder.parent.exists():
        return fetch_folder(str(source))
    raise ModelError(f"{source}: no such model; shipped: {shipped}; or give the path of a model folder, or user/repository")


def more_files(config: FoleyGRAMConfig) -> tuple[str, ...]:
    """The weights files that only some models have."""
    return tuple(name for name in ("prior", "timing", "memory") if getattr(config, name))


def weights_files(folder: Path, config: FoleyGRAMConfig) -> dict[str, Path]:
    """The weights file of every component, before any of them is read. Raises ModelError where one cannot be had."""
    names = (*WEIGHTS_FILES, *more_files(config))
    files = {name: find_weights(folder, name, getattr(config.weights, name)) for name in names}
    for path in files.values():
        if not path.is_file():
            raise ModelError(f"{path}: this weights file is absent; train or import the model again")
    return files


def deciding_files(folder: Path, config: FoleyGRAMConfig) -> list[Path]:
    """All files that decide what a model does, wherever they lie. Raises ModelError where a weights file cannot be had."""
    definition = local_weights(folder, "tokenizer.json")
    return [folder / "config.json", *weights_files(folder, config).values(), *([definition] if definition else [])]


def read_tokenizer(path: Path, config: BertConfig) -> Tokenizer:
    """The tokenizer in a ``tokenizer.json`` or ``vocab.txt``. Raises ModelError that names the file."""
    try:
        return Tokenizer(path.read_text(encoding="utf-8"), config)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); restore the file from its source") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: is no text; restore the tokenizer.json of this model") from error
    except ModelError as error:
        raise ModelError(f"{path}: {' '.join(str(error).split())}") from error
    except TypeError as error:
        raise ModelError(f"{path}: has no word piece [PAD]; restore the tokenizer.json of this model") from error


class _NothingDrawn(TorchFunctionMode):
    """Nothing is drawn at random. The meta device draws no numbers anyway, but it imports torch's compiler first, a second."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(function, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        if function in (torch.randn, torch.rand, torch.zeros, torch.ones):  # the last two: before torch 2.9
            function = torch.empty
        if function in (torch.arange, torch.hann_window):
            return function(*args, **{**kwargs, "device": "cpu"}).to("meta")
        return function(*args, **kwargs)


def unloaded(name: str, build: Callable[[], M]) -> M:
    """A module on the meta device: names and shapes without memory. Raises ModelError for numbers that make none."""
    try:
        with torch.device("meta"), _NothingDrawn():
            return build()
    except (ValueError, RuntimeError, ArithmeticError, LookupError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"{name}: its config describes no model ({reason}); export the model again") from error


def float_state(state: dict[str, torch.Tensor], dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """The tensors in ``dtype``; whole numbers stay."""
    return {key: value.to(dtype) if value.is_floating_point() else value for key, value in state.items()}


def assign(module: nn.Module, *paths: Path, dtype: torch.dtype = torch.float32) -> None:
    """Loads weights files into a module built on the meta device: every key must be there, none may be left over."""
    state: dict[str, torch.Tensor] = {}
    small = int8_weights(module)
    for path in paths:
        for key, value in each_tensor(path):  # one by one, so that the memory never holds a file beside its copy
            if key in small and value.ndim == 2:
                state[key], state[f"{key.removesuffix('weight')}scale"] = rows_in_int8(value)
            else:
                # always a copy: where a tensor lies in a file decides how the processor rounds its sums, and the same weights
                # shall give the same bytes
                state[key] = value.to(dtype if value.is_floating_point() else value.dtype, copy=True)
    names = " + ".join(path.name for path in paths)
    expected = module.state_dict()
    missing, unexpected = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    if missing or unexpected:
        what = ", ".join([f"missing {key}" for key in missing[:3]] + [f"unexpected {key}" for key in unexpected[:3]])
        raise ModelError(f"{names} in {paths[0].parent}: not the weights of this config ({what}); import or train them again")
    for key, value in state.items():
        if value.shape != expected[key].shape:
            raise ModelError(
                f"{names} in {paths[0].parent}: {key} is {tuple(value.shape)}, the config says {tuple(expected[key].shape)}"
            )
    module.load_state_dict(state, strict=True, assign=True)
    restore_buffers(module)


def restore_buffers(module: nn.Module) -> None:
    """Non-persistent buffers are computed, not stored; after the meta device they are made anew."""
    for part in module.modules():
        make = getattr(part, "make_buffers", None)
        if make is not None:
            make()
