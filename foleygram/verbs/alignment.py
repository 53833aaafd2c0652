"""How well the modalities of a clip agree in the GRAM space: what the verb ``embed`` prints (section III-A)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path

import torch

from foleygram.errors import UsageError
from foleygram.gram.volume import volume
from foleygram.media.clip import read_clip
from foleygram.media.container import check_input
from foleygram.pipeline import FoleyGRAM
from foleygram.types import MODALITIES, Clip, Embeddings


@dataclass(frozen=True)
class Alignment:
    """One clip. ``cosines``: ("AV", cosine) for each pair of modalities; ``volume``: Eq. 2 of all of them, 0 where they
    agree and 1 where they are orthogonal, None for a single modality."""

    file: Path
    text: str | None
    seconds: float
    modalities: str
    cosines: tuple[tuple[str, float], ...]
    volume: float | None

    def cosine(self, pair: str) -> float | None:
        return dict(self.cosines).get(pair)


def align(embeddings: Embeddings) -> tuple[tuple[tuple[str, float], ...], float | None]:
    """Cosines of all pairs and the volume of all modalities of one clip (batch 1)."""
    points = {"A": embeddings.audio, "V": embeddings.video, "T": embeddings.text}
    present = {letter: points[letter][0].float() for letter in MODALITIES if points[letter] is not None}
    cosines = tuple(
        (first + second, float(torch.dot(present[first], present[second]))) for first, second in combinations(present, 2)
    )
    return cosines, float(volume(*present.values())) if len(present) > 1 else None


def embed(
    files: Sequence[Path],
    texts: Sequence[str] = (),
    model: str = "mini",
    device: str = "auto",
    dtype: str = "auto",
) -> tuple[Alignment, ...]:
    """Embeds each file alone, or with each of ``texts``: one row a pair, files outermost. Still pictures may be among them.

    Raises UsageError without files, MediaError, ModelError."""
    if not files:
        raise UsageError("there is nothing to embed; name at least one video, picture or sound file")
    if any(not text.strip() for text in texts):
        raise UsageError("a --text is empty; write what is heard, or leave the option out")
    for file in files:
        check_input(file)
    loaded = FoleyGRAM.load(model, device, dtype)
    words = [loaded.embed(Clip(text=text)).text for text in texts]
    rows = []
    for file in files:
        clip = read_clip(file, still=True)
        alone = loaded.embed(clip)
        for text, word in zip(texts, words, strict=True) if texts else [(None, None)]:
            points = replace(alone, text=word)
            rows.append(Alignment(Path(file), text, clip.seconds, points.modalities, *align(points)))
    return tuple(rows)


def as_json(rows: Sequence[Alignment]) -> str:
    """The rows as a JSON list."""
    return json.dumps([{**asdict(row), "cosines": dict(row.cosines)} for row in rows], indent=2, default=str)
