"""The surfaces of MiniHits: photographs split so that no test surface was ever seen, and procedural ones.

A texture is named by its path relative to the texture folder, or ``procedural:<material>:<seed>``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from foleygram.data.manifest import SPLITS
from foleygram.data.opencv import cv2
from foleygram.data.surfaces import surface
from foleygram.errors import DataError

_HELD_OUT = {"test": 0.15, "validation": 0.10}  # shares of the asset groups of each material
_PROCEDURAL = "procedural"


def texture_split(rows: Sequence[Mapping[str, str]]) -> dict[str, list[Mapping[str, str]]]:
    """The rows of a texture manifest (``path``, ``material``, ``asset_group``) by split.

    Whole asset groups go to one split, by a hash of their name, so a growing manifest moves few of them. A material
    with at least three groups is in every split, one with two in train and test, one with a single group in train.
    Raises DataError for rows that lack a field."""
    for row in rows:
        missing = [field for field in ("path", "material", "asset_group") if not row.get(field)]
        if missing:
            raise DataError(f"a row of the texture manifest has no {missing[0]}; fill it in: {dict(row)}")
    home: dict[str, str] = {}
    for material in sorted({row["material"] for row in rows}):
        groups = {row["asset_group"] for row in rows if row["material"] == material}
        ordered = sorted(groups, key=lambda group: hashlib.sha1(group.encode()).hexdigest())
        taken = 0
        for split, least in (("test", 2), ("validation", 3)):
            count = max(round(_HELD_OUT[split] * len(ordered)), 1) if len(ordered) >= least else 0
            for group in ordered[taken : taken + count]:
                home.setdefault(group, split)
            taken += count
        for group in ordered[taken:]:
            home.setdefault(group, "train")
    result: dict[str, list[Mapping[str, str]]] = {split: [] for split in SPLITS}
    for row in rows:
        result[home[row["asset_group"]]].append(row)
    return result


def load_texture(name: str, folder: Path | None, side: int) -> np.ndarray:
    """uint8 RGB [side, side, 3] of a photograph in ``folder`` (its middle square, resized) or of
    ``procedural:<material>:<seed>``.

    Raises DataError where the name, the folder or the picture cannot be used."""
    if name.startswith(_PROCEDURAL + ":"):
        parts = name.split(":")
        if len(parts) != 3 or not parts[2].isdigit():
            raise DataError(f"a procedural texture is named procedural:<material>:<seed>, not '{name}'")
        return surface(parts[1], int(parts[2]), side)
    if folder is None:
        raise DataError(f"the texture '{name}' is a photograph; name the folder that holds it")
    path = Path(folder) / name
    if not path.is_file():
        raise DataError(f"the texture {path} does not exist; check the texture folder and its manifest")
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise DataError(f"the texture {path} is not a picture that OpenCV can read; replace it")
    high, wide = image.shape[:2]
    edge = min(high, wide)
    top, left = (high - edge) // 2, (wide - edge) // 2
    square = image[top : top + edge, left : left + edge, ::-1]
    method = cv2.INTER_AREA if edge > side else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(square, (side, side), interpolation=method))
