"""Embeddings kept on disk under what decides them: the samples, the embedder and its weights. Nothing can go stale."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np

from foleygram.errors import OutputError
from foleygram.evaluation.embedders import Embedder
from foleygram.hub.folder import write_atomically
from foleygram.output import make_folder
from foleygram.types import Audio


def content_key(audio: Audio) -> str:
    """Sha256 over rate, shape and samples, hexadecimal."""
    digest = hashlib.sha256(f"{audio.rate} {audio.samples.shape}".encode())
    digest.update(audio.samples.tobytes())
    return digest.hexdigest()


def check_cache(folder: str | Path) -> None:
    """Makes the folder in which embeddings are to be kept. Raises OutputError where that cannot be done, or nothing be written
    there: before a long work, and not at its first embedding."""
    make_folder(Path(folder))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: embeddings cannot be kept there, it may not be written to; choose another cache folder")


class CachedEmbedder:
    """An embedder that remembers. ``folder`` is made when needed; a file that cannot be read is made again."""

    def __init__(self, embedder: Embedder, folder: Path):
        self.embedder = embedder
        self.card = embedder.card
        self.logits = getattr(embedder, "logits", None)  # only judges with classes have them
        judge = hashlib.sha256(repr(embedder.card).encode()).hexdigest()[:16]
        self.folder = Path(folder) / judge

    def embed(self, audio: Audio) -> np.ndarray:
        """As the embedder inside, read from disk the second time."""
        path = self.folder / f"{content_key(audio)}.npy"
        try:
            windows = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            windows = self.embedder.embed(audio)
            self._keep(path, windows)
        return windows

    def _keep(self, path: Path, windows: np.ndarray) -> None:
        content = io.BytesIO()
        np.save(content, windows, allow_pickle=False)
        write_atomically(path, content.getvalue())
