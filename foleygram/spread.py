"""Which frames or slices stand for the equal parts of a whole."""

from __future__ import annotations

import numpy as np

from foleygram.errors import UsageError


def split_indices(total: int, parts: int) -> np.ndarray:
    """The indices that stand for ``parts`` equal parts of ``total`` items, int64 [parts]: of each part of np.array_split
    the item at (len + 1) // 2 - 1, as the reference code of GRAM picks in evaluation. With fewer items than parts they
    repeat. Raises UsageError for a total or a number of parts below 1."""
    if total < 1 or parts < 1:
        raise UsageError(f"at least 1 item and 1 part are needed, not {total} and {parts}")
    if total < parts:
        return np.arange(parts) * total // parts
    return np.array([part[(len(part) + 1) // 2 - 1] for part in np.array_split(np.arange(total), parts)])
