"""The weights of the judges that do not ship with any package: which file, from where, and where it must lie.

Nothing is downloaded here. A judge whose file is absent, or another one than it should be, says so, and its scores stay empty.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from foleygram.errors import ModelError
from foleygram.hub.doors import read_checkpoint
from foleygram.hub.fingerprint import sha256_of
from foleygram.hub.folder import check_readable
from foleygram.hub.layouts import check_shapes
from foleygram.hub.sources import cache_folder, closed_cache

FOLDER = "evaluators"


@dataclass(frozen=True)
class EvaluatorFile:
    """``name``: of the file as its authors publish it; ``judge``: what it serves; ``origin``: page to get it from;
    ``licence``: as stated there, as far as known."""

    name: str
    judge: str
    origin: str
    licence: str


MS_CLAP = EvaluatorFile("CLAP_weights_2023.pth", "MS-CLAP 2023", "https://huggingface.co/microsoft/msclap", "MIT")
LAION_CLAP = EvaluatorFile("630k-audioset-best.pt", "LAION-CLAP", "https://huggingface.co/lukewys/laion_clap", "see its page")
LAION_CLAP_MUSIC = EvaluatorFile(
    "music_audioset_epoch_15_esc_90.14.pt", "LAION-CLAP music", "https://huggingface.co/lukewys/laion_clap", "see its page"
)
VGGISH = EvaluatorFile("vggish-10086976.pth", "VGGish", "https://github.com/harritaylor/torchvggish/releases", "Apache-2.0")
VGGISH_PCA = EvaluatorFile(
    "vggish_pca_params.npz", "VGGish, PCA", "https://github.com/amazon-science/avgen-eval-toolkit", "Apache-2.0"
)
I3D_RGB = EvaluatorFile("i3d_rgb.pt", "I3D, RGB", "https://github.com/v-iashin/video_features", "see its page")
I3D_FLOW = EvaluatorFile("i3d_flow.pt", "I3D, flow", "https://github.com/v-iashin/video_features", "see its page")


def evaluator_path(file: EvaluatorFile) -> Path:
    """Where the file belongs: ``$FOLEYGRAM_CACHE/evaluators`` or the same in the user's cache folder."""
    return cache_folder() / FOLDER / file.name


def find_evaluator(file: EvaluatorFile) -> Path:
    """The file's path. Raises ModelError that tells where to get it and where to put it, or why nobody can see it."""
    if closed := closed_cache(FOLDER):
        raise ModelError(f"no weights for {file.judge}: {closed}")
    path = evaluator_path(file)
    if not path.is_file():
        raise ModelError(f"no weights for {file.judge}: get {file.name} from {file.origin} and put it into {path.parent}")
    return path


def load_evaluator(file: EvaluatorFile) -> tuple[dict[str, Tensor], str]:
    """Tensors by name, and the sha256 of the file. Raises ModelError where it is absent, broken or holds code."""
    path = find_evaluator(file)
    with torch.serialization.safe_globals(plain_numbers()):
        return read_checkpoint(path), sha256_of(path)


def load_vggish_pca() -> tuple[np.ndarray, np.ndarray]:
    """Eigenvectors in rows, float32 [128, 128], and means [128]. Raises ModelError where the file is absent or broken."""
    path = find_evaluator(VGGISH_PCA)
    check_readable(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            vectors, means = content["pca_eigen_vectors"], content["pca_means"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: not the PCA of VGGish; get it again from {VGGISH_PCA.origin}") from error
    return vectors.astype(np.float32), means.reshape(-1).astype(np.float32)


def fill(network: nn.Module, tensors: Mapping[str, Tensor], file: EvaluatorFile) -> None:
    """Puts ``tensors``, by the names of ``network``, into it. Raises ModelError where they are not this judge's: some missing,
    unknown or of another shape."""
    own = network.state_dict()
    # Checkpoints from before torch 0.4.1 do not hold how many batches a norm saw, which only training reads.
    counts = {name: value for name, value in own.items() if name.endswith("num_batches_tracked")}
    check_shapes(f"{file.judge} ({evaluator_path(file)}, from {file.origin})", counts | dict(tensors), own)
    network.load_state_dict(counts | dict(tensors))


def plain_numbers() -> list:
    """What older checkpoints hold besides tensors: numbers of numpy, under their names of numpy 1 and 2."""
    core = getattr(np, "_core", None) or np.core
    return [
        (core.multiarray.scalar, "numpy.core.multiarray.scalar"),
        (core.multiarray.scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        np.dtypes.Int64DType,
        np.dtypes.Float32DType,
        np.dtypes.Float64DType,
    ]
