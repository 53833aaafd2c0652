"""Which sounds are typical of their material, by their colours. Ours; it chooses what the memory keeps (training/memory.py).

A linear judge of materials reads palettes. Each sound is judged by one that heard none of its recordings, so that it
recognises the material and no object that it knows. Typical is what it tells best from all other materials.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Bool, Float

FOLDS = 10
"""Parts of the recordings. What was heard in one is judged by who heard the others."""

RIDGE = 0.1
"""How strongly a judge's weights are held back, as a share of the mean square of what it reads."""

LOWEST = -60.0
"""dB under the loudest band of a shade; what is below is all the same."""


def colours(palettes: Float[np.ndarray, "sound shade band"]) -> Float[np.ndarray, "sound colour"]:
    """What a judge reads: dB of each shade under its loudest band, bands by twos, each in units of its spread over the
    sounds. ``palettes``: dB of shares of power (palette.py)."""
    rows = palettes.astype(np.float64)
    rows = np.maximum(rows - rows.max(axis=2, keepdims=True), LOWEST)
    even = rows.shape[2] // 2 * 2
    read = rows[:, :, :even].reshape(len(rows), -1, 2).mean(axis=2)
    return (read - read.mean(axis=0)) / (read.std(axis=0) + 1e-3)


def typicality(
    read: Float[np.ndarray, "sound colour"], materials: Sequence[str], families: Sequence[Collection[str]]
) -> Float[np.ndarray, "sound"]:
    """By how much the own material of each sound lies before the best other one, as the judges see it; 0 for all where there
    is one material alone. ``families``: recordings that each sound was made of. Takes the square of the sounds in memory."""
    names = sorted(set(materials))
    if len(names) < 2:
        return np.zeros(len(read))
    own = np.array([names.index(material) for material in materials])
    wanted = np.eye(len(names))[own]
    wanted /= np.sqrt(wanted.sum(axis=0))  # few clips of a material weigh as much as many
    wanted -= wanted.mean(axis=0)
    alike = read @ read.T
    seen, times = np.zeros(wanted.shape), np.zeros((len(read), 1))
    for part in range(FOLDS):
        held = np.array([any(fold_of(family) == part for family in each) for each in families])
        if held.any() and not held.all():
            seen[held] += judged(alike, wanted, held)
            times[held] += 1
    seen /= np.maximum(times, 1)
    rivals = np.where(np.eye(len(names), dtype=bool)[own], -np.inf, seen).max(axis=1)
    return seen[np.arange(len(seen)), own] - rivals


def fold_of(family: str) -> int:
    """In which part a recording lies, by its name alone."""
    return int(hashlib.sha256(family.encode()).hexdigest(), 16) % FOLDS


def judged(
    alike: Float[np.ndarray, "sound sound"], wanted: Float[np.ndarray, "sound material"], held: Bool[np.ndarray, "sound"]
) -> Float[np.ndarray, "held material"]:
    """Ridge regression on the sounds that are not ``held``, read for those that are."""
    known = alike[np.ix_(~held, ~held)]
    weights = np.linalg.solve(known + RIDGE * np.diag(known).mean() * np.eye(len(known)), wanted[~held])
    return alike[np.ix_(held, ~held)] @ weights
