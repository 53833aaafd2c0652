"""The phase that belongs to a magnitude: gradient integration, then Griffin-Lim.

For a Gaussian window the phase of a short-time spectrum follows from its log magnitude: its gradient over time from the
slope over frequency, its gradient over frequency from the slope over time (Průša, Balazs and Søndergaard 2017, "A
noniterative method for reconstruction of phase from STFT magnitude"). A Hann window is near enough to one. The gradient is
summed from loud places to soft ones, as there, but along a maximum spanning tree instead of a heap: what a library does in
compiled code. So lines stay lines and attacks stay short, which Griffin-Lim from a random phase does not find.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

HANN = 0.25645
"""Time-frequency ratio of the Gaussian nearest to a Hann window, as a share of the squared window (Průša et al., table I)."""

DEPTH = 1e-4
"""What is softer than this share of the loudest magnitude keeps the phase that it has."""


def gradients(
    magnitude: Float[np.ndarray, "bin frame"], window: int, step: int
) -> tuple[Float[np.ndarray, "bin frame"], Float[np.ndarray, "bin frame"]]:
    """Phase advance in rad from a frame to the next, and from a bin to the next, at each place. Phases count from the middle of
    the window."""
    ratio = HANN * window * window
    level = np.log(np.maximum(magnitude / max(float(magnitude.max()), 1e-300), 1e-12, dtype=np.float64))
    # a real sound's spectrum is mirrored at 0 and at half the rate; what is before the first frame is not known
    level = np.pad(np.pad(level, ((1, 1), (0, 0)), mode="reflect"), ((0, 0), (1, 1)), mode="edge")
    over_bins = (level[2:, 1:-1] - level[:-2, 1:-1]) / 2
    over_frames = (level[1:-1, 2:] - level[1:-1, :-2]) / 2
    bins = np.arange(len(magnitude))[:, None]
    advance = 2 * np.pi * step * bins / window
    return advance + step * window / ratio * over_bins, -ratio / (step * window) * over_frames


def integrated_phase(
    magnitude: Float[np.ndarray, "bin frame"], window: int, step: int, first: Float[np.ndarray, "bin frame"]
) -> Float[np.ndarray, "bin frame"]:
    """Phase (rad) of a spectrum of Hann windows ``step`` samples apart, as ``torch.stft`` counts it (from the window's start).

    ``first``: phases of what is too soft to tell, and of the loudest place of each island of sound, from where its phase is
    summed up."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

    phase = np.array(first, dtype=np.float64)
    bins, frames = magnitude.shape
    turn = np.pi * np.arange(bins)[:, None]  # half a window, from its middle to its start
    loud = magnitude > DEPTH * magnitude.max()
    places = np.flatnonzero(loud)
    if not len(places):
        return phase
    node = np.full(magnitude.size, -1, np.int64)
    node[places] = np.arange(len(places))
    node = node.reshape(magnitude.shape)
    later = loud[:, :-1] & loud[:, 1:]
    higher = loud[:-1] & loud[1:]
    source = np.concatenate([node[:, :-1][later], node[:-1][higher]])
    target = np.concatenate([node[:, 1:][later], node[1:][higher]])
    level = np.log(magnitude.ravel()[places] / magnitude.max())
    count = len(places)
    # an edge is the cheaper the louder its ends are; none may cost nothing, which would be no edge
    graph = coo_array((1 - level[source] - level[target], (source, target)), shape=(count + 1, count + 1)).tocsr()
    islands, island = connected_components(graph[:count, :count], directed=False)
    peak = np.full(islands, -np.inf, level.dtype)
    np.maximum.at(peak, island, level)
    peaks = np.flatnonzero(level == peak[island])
    loudest = np.empty(islands, np.int64)
    loudest[island[peaks]] = peaks  # the last one where several are as loud
    tree = minimum_spanning_tree(graph).tocoo()
    rows, columns = np.concatenate([tree.row, loudest]), np.concatenate([tree.col, np.full(islands, count)])
    tree = coo_array((np.ones(len(rows)), (rows, columns)), shape=graph.shape).tocsr()
    _, parent = breadth_first_order(tree, count, directed=False)
    parent = parent[:count].astype(np.int64)
    over_time, over_bins = (part.ravel()[places] for part in gradients(magnitude, window, step))
    root = parent == count
    parent[root] = np.flatnonzero(root)
    distance = places - places[parent]  # +-1: from a frame to the next; +-frames: from a bin to the next
    own = np.where(np.abs(distance) == frames, over_bins + over_bins[parent], over_time + over_time[parent]) / 2
    total = np.sign(distance) * own  # from the parent; 0 for a root
    while not root[parent].all():  # each round sums twice as long a way towards the root
        total += total[parent]
        parent = parent[parent]
    turns = np.broadcast_to(turn, magnitude.shape).ravel()
    phase.ravel()[places] = total + phase.ravel()[places[parent]] + turns[places[parent]] - turns[places]
    return np.remainder(phase, 2 * np.pi)  # thousands of turns would cost a later float32 its precision
