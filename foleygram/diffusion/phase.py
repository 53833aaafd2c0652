"""The phase that belongs to a magnitude: gradient integration, then Griffin-Lim.

For a Gaussian window the phase of a short-time spectrum follows from its log magnitude: its gradient over time from the
slope over frequency, its gradient over frequency from the slope over time (Průša, Balazs and Søndergaard 2017, "A
noniterative method for reconstruction of phase from STFT magnitude"). A Hann window is near enough to one. The gradient is
summed from loud places to soft ones, as there, but along a maximum spanning forest instead of a heap: its rounds are sums of
whole arrays. So lines stay lines and attacks stay short, which Griffin-Lim from a random phase does not find.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

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


def heights(
    source: Int[np.ndarray, "edge"], target: Int[np.ndarray, "edge"], climb: Float[np.ndarray, "edge"], count: int
) -> tuple[Int[np.ndarray, "node"], Float[np.ndarray, "node"]]:
    """Which island each node 0..count-1 lies on, and its height above a place that its island has in common, where edge i
    leads from ``source[i]`` up to ``target[i]`` by ``climb[i]``; edges come strongest first.

    The heights are summed along a maximum spanning forest (Borůvka 1926): every node joins the one beyond its strongest edge,
    and what has joined counts as one node from there on."""
    if not len(source):
        return np.arange(count), np.zeros(count)
    own = np.arange(count)
    strongest = np.full(count, len(source))
    for end in (source, target):
        np.minimum.at(strongest, end, np.arange(len(source)))
    joins = np.flatnonzero(strongest < len(source))
    edge = strongest[joins]
    from_below = source[edge] == joins
    other, above = own.copy(), np.zeros(count)  # the node that is joined, and the height above it
    other[joins] = np.where(from_below, target[edge], source[edge])
    above[joins] = np.where(from_below, -climb[edge], climb[edge])
    root = (other == own) | (other[other] == own) & (own < other)  # of two that join each other the first one stays
    other[root], above[root] = own[root], 0.0
    while not root[other].all():  # each round looks twice as far towards the root
        above += above[other]
        other = other[other]
    number = (np.cumsum(root) - 1)[other]
    climb = climb + above[source] - above[target]  # from root to root
    source, target = number[source], number[target]
    apart = source != target
    island, height = heights(source[apart], target[apart], climb[apart], int(root.sum()))
    return island[number], above + height[number]


def integrated_phase(
    magnitude: Float[np.ndarray, "bin frame"], window: int, step: int, first: Float[np.ndarray, "bin frame"]
) -> Float[np.ndarray, "bin frame"]:
    """Phase (rad) of a spectrum of Hann windows ``step`` samples apart, as ``torch.stft`` counts it (from the window's start).

    ``first``: phases of what is too soft to tell, and of the loudest place of each island of sound, from where its phase is
    summed up."""
    phase = np.array(first, dtype=np.float64)
    loud = magnitude > DEPTH * magnitude.max()
    places = np.flatnonzero(loud)
    if not len(places):
        return phase
    node = (np.cumsum(loud) - 1).reshape(loud.shape)
    later, higher = loud[:, :-1] & loud[:, 1:], loud[:-1] & loud[1:]
    source = np.concatenate([node[:, :-1][later], node[:-1][higher]])
    target = np.concatenate([node[:, 1:][later], node[1:][higher]])
    over_time, over_bins = (part.ravel()[places] for part in gradients(magnitude, window, step))
    along_time = np.arange(len(source)) < np.count_nonzero(later)
    climb = np.where(along_time, over_time[source] + over_time[target], over_bins[source] + over_bins[target]) / 2
    level = np.log(magnitude.ravel()[places] / magnitude.max())
    order = np.argsort(-level[source] - level[target], kind="stable")
    island, height = heights(source[order], target[order], climb[order], len(places))
    peak = np.full(island.max() + 1, -np.inf, level.dtype)
    np.maximum.at(peak, island, level)
    peaks = np.flatnonzero(level == peak[island])
    loudest = peaks[np.unique(island[peaks], return_index=True)[1]][island]  # the first one where several are as loud
    turns = np.pi * (places // magnitude.shape[1])  # half a window, from its middle to its start
    own = phase.ravel()[places[loudest]] + turns[loudest]
    phase.ravel()[places] = own + height - height[loudest] - turns
    return np.remainder(phase, 2 * np.pi)  # thousands of turns would cost a later float32 its precision
