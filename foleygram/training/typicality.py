"""Which sounds are typical of their material, by their colours. Ours; it chooses what the memory keeps (training/memory.py).

Linear judges of materials read palettes. Each has missed a part of the recordings, and a sound is judged by those that missed
one of its own: nobody vouches for the only object that it knows of a kind. Typical is what they tell best from all other
materials. (Who has missed one recording of a mixture may have heard the other. To leave out all chose worse; docs/lab-notes.md,
session 12.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Bool, Float

FOLDS = 10
"""Parts of the recordings, and judges: each has heard no sound that holds anything of its part."""

RIDGE = 0.1
"""How strongly a judge's weights are held back, as a share of the mean square of what it reads."""

LOWEST = -60.0
"""dB under the loudest band of a shade; what is below is all the same."""


def colours(palettes: Float[np.ndarray, "sound shade band"]) -> Float[np.ndarray, "sound colour"]:
    """What a judge reads: dB of each shade under its loudest band, bands by twos, each in units of its spread over the
    sounds. ``palettes``: dB of shares of power (finish/palette.py)."""
    rows = palettes.astype(np.float64)
    rows = np.maximum(rows - rows.max(axis=2, keepdims=True), LOWEST)
    even = rows.shape[2] // 2 * 2
    read = rows[:, :, :even].reshape(len(rows), -1, 2).mean(axis=2)
    return (read - read.mean(axis=0)) / (read.std(axis=0) + 1e-3)


def typicality(
    read: Float[np.ndarray, "sound colour"], materials: Sequence[str], families: Sequence[Collection[str]]
) -> Float[np.ndarray, "sound"]:
    """By how much the own material of each sound lies before the best other one, as the judges see it; 0 for all where there
    is one material alone, -inf where nobody is left to judge. ``families``: recordings that each sound was made of.
    Takes several squares of the sounds in memory."""
    names = sorted(set(materials))
    if len(names) < 2:
        return np.zeros(len(read))
    own = np.array([names.index(material) for material in materials])
    wanted = np.eye(len(names))[own]
    wanted /= np.sqrt(wanted.sum(axis=0))  # few clips of a material weigh as much as many
    wanted -= wanted.mean(axis=0)
    alike = read @ read.T
    seen, times = np.zeros(wanted.shape), np.zeros(len(read))
    for part in range(FOLDS):
        missed = np.array([any(fold_of(family) == part for family in each) for each in families])
        if missed.any() and not missed.all():
            seen[missed] += judged(alike, wanted, missed)
            times[missed] += 1
    seen /= np.maximum(times, 1)[:, None]
    rivals = np.where(np.eye(len(names), dtype=bool)[own], -np.inf, seen).max(axis=1)
    return np.where(times > 0, seen[np.arange(len(seen)), own] - rivals, -np.inf)


def fold_of(family: str) -> int:
    """In which part a recording lies, by its name alone."""
    return int(hashlib.sha256(family.encode()).hexdigest(), 16) % FOLDS


def judged(
    alike: Float[np.ndarray, "sound sound"], wanted: Float[np.ndarray, "sound material"], missed: Bool[np.ndarray, "sound"]
) -> Float[np.ndarray, "missed material"]:
    """Ridge regression on the sounds that are not ``missed``, read for those that are."""
    heard = alike[np.ix_(~missed, ~missed)]
    held_back = RIDGE * np.diag(heard).mean() + np.finfo(np.float32).tiny  # there may be nothing to read
    weights = np.linalg.solve(heard + held_back * np.eye(len(heard)), wanted[~missed])
    return alike[np.ix_(missed, ~missed)] @ weights
