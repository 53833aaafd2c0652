"""Which clips a batch is made of: each once in an epoch."""

from __future__ import annotations

import numpy as np


def in_epochs(seed: int, step: int, rows: range, size: int, count: int) -> list[tuple[int, int]]:
    """(epoch, clip) of the ``rows`` of a global batch of ``size`` at ``step``: every one of ``count`` clips once in an epoch,
    in an order of its own each time. Of two rows with one clip each would be a false negative in a contrastive loss."""
    orders: dict[int, np.ndarray] = {}
    picked = []
    for row in rows:
        epoch, place = divmod(step * size + row, count)
        if epoch not in orders:
            orders[epoch] = np.random.default_rng([seed, epoch]).permutation(count)
        picked.append((epoch, int(orders[epoch][place])))
    return picked
