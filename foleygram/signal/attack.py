"""Attacks made sharp again: what a code of whole windows smears ahead of an attack is taken away.

A decoder of spectra puts some of an attack's power where its window reaches ahead of it, and the magnitudes of the frames
before are never quite silent. Perceptual codecs know that as pre-echo and rein it in by a gain before the attack (gain control
of MPEG-2 AAC, Bosi et al. 1997); so does this, from the decoded sound alone. Ours, not in the paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

STEP = 32  # samples between levels, 0.7 ms at 44.1 kHz
STEPS = 3  # that a level is the mean of
REACH = 0.012  # s that a smear reaches ahead of its attack: half of a window of 1024 samples at 44.1 kHz
RISE = (18.0, 24.0)
"""dB within two reaches from where a rise begins to count as an attack, and from where it wholly does."""

KEPT = 10.0  # dB under the attack down to which all stays as it is
SLOPE = 2.0  # dB of gain down for each dB below that
SILENT = 1e-14  # power that counts as none (-140 dBFS)


def sharpened(sound: Float[Tensor, "batch channel sample"], rate: int) -> Float[Tensor, "batch channel sample"]:
    """The sound with the smear ahead of its attacks lowered, never under what was there before; one gain for all channels.
    ``rate``: Hz. What has no steep attack within ``REACH`` after it stays the same to the bit."""
    samples = sound.shape[-1]
    if not samples:
        return sound
    level = levels(sound)
    reach = reach_in_steps(rate)
    ahead = F.max_pool1d(F.pad(level, (0, reach), mode="replicate"), reach + 1, 1)
    # the loudest of one reach, one reach ago: before any smear of the attack that comes; before the sound it is silent
    before = F.pad(level, (2 * reach - 1, 0), value=10 * math.log10(SILENT))
    before = F.max_pool1d(before, reach, 1)[..., : level.shape[-1]]
    steep = ((ahead - before - RISE[0]) / (RISE[1] - RISE[0])).clamp(0, 1)
    down = SLOPE * (ahead - KEPT - level).clamp(min=0)
    gain = -steep * torch.minimum(down, (level - before).clamp(min=0))
    if not gain.any():
        return sound
    gain = F.interpolate(gain, size=level.shape[-1] * STEP, mode="linear")[..., :samples]
    return sound * (10 ** (gain / 20)).to(sound)


def reach_in_steps(rate: int) -> int:
    """``REACH`` in steps of ``STEP`` samples at ``rate`` Hz, at least one."""
    return max(1, round(REACH * rate / STEP))


def levels(sound: Float[Tensor, "batch channel sample"]) -> Float[Tensor, "batch 1 step"]:
    """Mean power of all channels in dB every ``STEP`` samples, float32."""
    power = F.pad(sound.float().square().mean(1, keepdim=True), (0, -sound.shape[-1] % STEP))
    power = F.avg_pool1d(power, STEP)
    power = F.avg_pool1d(F.pad(power, (STEPS // 2, STEPS // 2), mode="replicate"), STEPS, 1)
    return 10 * torch.log10(power + SILENT)


def sharpened_pieces(pieces: Iterable[np.ndarray], rate: int) -> Iterator[np.ndarray]:
    """``sharpened`` for consecutive pieces float32 [channel, sample]: as many samples in all, in pieces of other lengths, the
    same to the bit as the whole at once."""
    reach = reach_in_steps(rate)
    before, after = (2 * reach + STEPS) * STEP, (reach + STEPS) * STEP  # what a gain depends on
    waiting: np.ndarray | None = None
    out = 0  # samples of what waits that are out already
    for piece in pieces:
        waiting = piece if waiting is None else np.concatenate([waiting, piece], axis=1)
        ready = (waiting.shape[1] - after) // STEP * STEP
        if ready > out:
            yield sharpened(torch.from_numpy(waiting)[None], rate)[0, :, out:ready].numpy()
            gone = max(0, ready - before)
            waiting, out = waiting[:, gone:], ready - gone
    if waiting is not None and waiting.shape[1] > out:
        yield sharpened(torch.from_numpy(waiting)[None], rate)[0, :, out:].numpy()
