"""What this installation can do: versions, devices, codecs, models, and what each command still lacks."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from foleygram.errors import ModelError
from foleygram.hub.aisfx import INSTALL as AISFX_INSTALL
from foleygram.hub.aisfx import find_aisfx_checkpoint
from foleygram.hub.sources import HubSource, SuppliedSource, cache_folder, closed_cache

LIBRARIES = (
    "torch", "numpy", "scipy", "safetensors", "huggingface_hub", "tokenizers", "av", "soxr", "soundfile",
    "pydantic", "accelerate", "opencv-python-headless", "librosa", "transformers",
)  # fmt: skip
NEEDS = {  # what a command needs besides the core: (import name, how to install)
    "prepare minihits": (("cv2", "pip install 'foleygram[train]'"),),
    "prepare greatest-hits": (),
    "train": (("accelerate", "pip install 'foleygram[train]'"),),
    "evaluate": (("librosa", "pip install 'foleygram[eval]'"),),
    "benchmark": (("librosa", "pip install 'foleygram[eval]'"),),
}
GIB = 2**30


@dataclass(frozen=True)
class Device:
    """What torch can compute on."""

    name: str
    memory_gib: float
    bf16: bool  # multiplies bf16 in hardware


@dataclass(frozen=True)
class ModelState:
    """``missing``: components without weights on this machine, and how to get them."""

    name: str
    licences: tuple[str, ...]
    present: tuple[str, ...]
    missing: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class DoctorReport:
    """What ``doctor`` found."""

    python: str
    system: str
    versions: dict[str, str]  # "" where a library is absent
    devices: tuple[Device, ...]
    memory_gib: float
    disk_free_gib: float  # of the cache folder
    cache: str  # "" where it has no place
    closed: str  # why the cache cannot be looked into, and what to do; "" where it can
    imported: tuple[str, ...]  # folders that ``foleygram import`` filled there
    ffmpeg: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    lacks: tuple[str, ...]  # codecs
    models: tuple[ModelState, ...]
    verbs: dict[str, tuple[str, ...]]  # command: what it lacks, nothing where it is ready

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    def lines(self) -> list[str]:
        """The report for people, without colour."""
        lines = [f"Python {self.python} on {self.system}, {self.memory_gib:.1f} GiB of memory"]
        lines += [
            f"device {device.name}: {device.memory_gib:.1f} GiB" + (", fast bf16" if device.bf16 else "")
            for device in self.devices
        ]
        lines.append("libraries: " + ", ".join(f"{name} {version or 'absent'}" for name, version in self.versions.items()))
        lines.append(
            f"codecs (libavcodec {self.ffmpeg}): "
            + (f"lacks {', '.join(self.lacks)}" if self.lacks else "all that foleygram uses")
        )
        free = f"{self.cache}, {self.disk_free_gib:.1f} GiB free" + "".join(f"; {name}" for name in self.imported)
        lines.append(f"cache: {self.closed or free}")
        for model in self.models:
            lines.append(
                f"model {model.name}: {len(model.present)} of {len(model.present) + len(model.missing)} weights files here"
            )
            lines += [f"  licence: {licence}" for licence in model.licences]
            for how in dict.fromkeys(steps for _, steps in model.missing):  # several are often to be had by one step
                lines.append(f"  {', '.join(name for name, steps in model.missing if steps == how)}: {how}")
        lines += [f"{verb}: " + ("ready" if not lacks else "; ".join(lacks)) for verb, lacks in self.verbs.items()]
        return lines


def doctor() -> DoctorReport:
    """Looks at this machine. Loads no weights and asks no network."""
    import torch

    from foleygram.media.codecs import available_codecs

    codecs = available_codecs()
    models = model_states()
    closed, cache, free = closed_cache(), "", 0
    with suppress(ModelError):  # it has no place, as ``closed`` says
        place = cache_folder()
        # os.path: a folder within one that may not be entered is not there, instead of an error
        existing = next(path for path in (place, *place.parents) if os.path.exists(path))
        cache, free = str(place), shutil.disk_usage(existing).free
    return DoctorReport(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        versions={name: version_of(name) for name in LIBRARIES},
        devices=devices(torch),
        memory_gib=round(machine_memory() / GIB, 1),
        disk_free_gib=round(free / GIB, 1),
        cache=cache,
        closed=closed,
        imported=() if closed else imported_folders(),
        ffmpeg=codecs.version,
        reads=codecs.reads,
        writes=codecs.writes,
        lacks=codecs.lacks,
        models=models,
        verbs=lacks_of_verbs(models),
    )


def version_of(name: str) -> str:
    """The installed version of a library; empty where it is absent."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def devices(torch) -> tuple[Device, ...]:
    """The CPU first, then what torch sees besides."""
    from foleygram.device import has_fast_bf16

    found = [Device("cpu", round(machine_memory() / GIB, 1), has_fast_bf16(torch.device("cpu")))]
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(index)
        found.append(
            Device(f"cuda:{index} ({properties.name})", round(properties.total_memory / GIB, 1), torch.cuda.is_bf16_supported())
        )
    if torch.backends.mps.is_available():
        found.append(Device("mps", round(machine_memory() / GIB, 1), False))
    return tuple(found)


def machine_memory() -> int:
    """Bytes of memory; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def model_states() -> tuple[ModelState, ...]:
    """Which weights of the shipped models are on this machine."""
    from foleygram.config import read_json
    from foleygram.hub.folder import read_notes
    from foleygram.hub.sources import MODELS, present_weights
    from foleygram.pipeline import FoleyGRAMConfig
    from foleygram.verbs.describe import PARTS
    from foleygram.weights import more_files

    states = []
    for path in sorted(MODELS.glob("*/config.json")):
        folder = path.parent
        config = read_json(FoleyGRAMConfig, path)
        weights = config.weights
        present, missing, licences = [], [], []
        for name in (*PARTS, *more_files(config)):
            source = getattr(weights, name)
            path, closed = present_weights(folder, name, source)
            licence = source.licence if source else read_notes(path).get("licence", "") if path else ""
            licences += [licence] if licence and licence not in licences else []
            if path is not None:
                present.append(name)
            elif closed:
                missing.append((name, closed))
            elif isinstance(source, SuppliedSource):
                missing.append((name, source.steps))
            elif isinstance(source, HubSource):
                gate = ", after its licence was accepted there (hf auth login)" if source.gated else ""
                missing.append((name, f"is fetched from {source.repo} when it is first used{gate}"))
            else:
                missing.append((name, f"{name}.safetensors is absent; install the package again"))
        states.append(ModelState(folder.name, tuple(licences), tuple(present), tuple(missing)))
    return tuple(states)


def imported_folders() -> tuple[str, ...]:
    """Folders that ``foleygram import`` made in the cache, and their size."""
    cache = cache_folder()
    if not cache.is_dir():
        return ()
    found = []
    for folder in sorted(path.parent for path in cache.glob("*/config.json")):
        found.append(f"{folder.name} ({size_of(folder) / GIB:.1f} GiB)")
    return tuple(found)


def size_of(folder: Path) -> int:
    """Bytes of its files; of a link that leads nowhere, and in a folder that may not be listed, none."""
    total = 0
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):
                total += path.stat().st_size
    return total


def lacks_of_verbs(models: tuple[ModelState, ...]) -> dict[str, tuple[str, ...]]:
    """What each command still lacks, in words."""
    ready = {model.name: not model.missing for model in models}
    verbs: dict[str, tuple[str, ...]] = {"generate --model mini": (), "generate --model full": (), "envelope": (), "embed": ()}
    for verb, name in (("generate --model mini", "mini"), ("generate --model full", "full")):
        if name not in ready:
            verbs[verb] = (f"the model {name} is not in this installation",)
        elif not ready[name]:
            verbs[verb] = (f"weights of {name} are missing: foleygram models {name}",)
    for verb, needs in NEEDS.items():
        verbs[verb] = tuple(f"{name} is absent: {how}" for name, how in needs if importlib.util.find_spec(name) is None)
    if find_aisfx_checkpoint() is None:
        for verb in ("evaluate", "benchmark"):
            verbs[verb] += (f"the judge AISFX is absent: {AISFX_INSTALL}",)
    return verbs
