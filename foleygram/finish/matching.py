"""What is done to a decoded sound before it leaves: it takes the colours of the reference and the level of the guide.

Both are known: the guide is the envelope, and the colours are measured of the reference sound (palette.py), or one colour is
read off a point in the GRAM space where only that is at hand (gram/colour.py).
What the diffusion model leaves to be wished in either, an equaliser and a gain can give, as at a mixing desk; what their
windows smear ahead of an attack is taken away last (signal/attack.py). Not in the paper; a model without
:class:`FinishConfig` (the full one) gives its sound as it was decoded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch

from foleygram.config import Config, NotNegative, Share
from foleygram.finish.palette import COLOURS, PARTIALS, Grain, measured_gains, repainted
from foleygram.gram.audio import FBANK_MEAN, FULL_SCALE, BankConfig
from foleygram.gram.colour import DEPTH, NATS
from foleygram.signal.attack import sharpened_pieces
from foleygram.signal.equaliser import filtered, minimum_phase, smoothed
from foleygram.signal.level import followed
from foleygram.signal.mel import fbank, kaldi_centres
from foleygram.types import Envelope

Pieces = Callable[[], Iterable[np.ndarray]]
"""Makes a sound anew, as consecutive pieces float32 [channel, sample]."""


HELD = 2**22
"""Samples of all channels that are held for each palette rather than made again: 48 s of stereo at 44.1 kHz, 16 MiB."""


class FinishConfig(Config):
    """``palette_db``: most that a band is lifted or lowered to the palette of a reference sound; ``partials_db``: most that a
    line is, between attacks; ``colour_db``: the same, to a colour read off a point; 0 = none; ``boost_db``, ``cut_db``: most
    that the gain lifts and lowers a moment that is not silent in the guide; both 0 = no gain at all; ``detail``: most that an
    octave of the latent is stretched or shrunk to the reference's detail, 1 = none; ``tint``: how much of the way estimates of
    the latent go to the reference's tint (tint.py), 0 = none."""

    palette_db: NotNegative = 40.0
    partials_db: NotNegative = 20.0
    colour_db: NotNegative = 15.0
    boost_db: NotNegative = 24.0
    cut_db: NotNegative = 40.0
    detail: NotNegative = 2.0
    tint: Share = 1.0


class Kept:
    """A sound that is heard twice: its pieces stay in memory up to ``HELD`` numbers, and are made anew beyond."""

    def __init__(self, pieces: Pieces):
        self.pieces, self.held = pieces, []

    def first(self) -> Iterator[np.ndarray]:
        count = 0
        for piece in self.pieces():
            count += piece.size
            if count > HELD:
                self.held = None
            if self.held is not None:
                self.held.append(piece)
            yield piece

    def again(self) -> Iterable[np.ndarray]:
        return self.pieces() if self.held is None else self.held


def finished(
    pieces: Pieces,
    rate: int,
    guide: Envelope,
    palette: np.ndarray | None,
    partials: np.ndarray | None,
    colour: np.ndarray | None,
    bank: BankConfig,
    config: FinishConfig,
) -> Iterator[np.ndarray]:
    """The pieces of the finished sound, as many samples in all. ``palette``, ``partials``: that it shall have, [shade, band] as
    :func:`foleygram.finish.palette.palette` gives them by ``COLOURS`` and ``PARTIALS``; ``colour``: without a palette, the
    power curve [mel] that it shall have, as :func:`foleygram.gram.colour.colour` gives it on ``bank``; without either its
    colour stays. For each of them the sound is measured first. A long one is made once more for each: it never has to be held
    as a whole. Attacks are sharp at the end."""
    if palette is not None and config.palette_db:
        for wanted, limit, grain in ((palette, config.palette_db, COLOURS), (partials, config.partials_db, PARTIALS)):
            if wanted is not None and limit:
                pieces = painted(pieces, rate, guide, wanted, limit, grain)
        sound = pieces()
    elif colour is not None and config.colour_db:
        kept = Kept(pieces)
        own = mean_power(kept.first(), rate, bank.mel)
        sound = kept.again()
        if own is not None:
            gains = matching_gains(own, colour, config.colour_db)
            sound = filtered(sound, minimum_phase(gains, kaldi_centres(bank.mel, rate), rate))
    else:
        sound = pieces()
    if config.boost_db or config.cut_db:
        sound = followed(sound, guide, rate, config.boost_db, config.cut_db)
    yield from sharpened_pieces(sound, rate)  # what the gains smeared


def painted(pieces: Pieces, rate: int, guide: Envelope, wanted: np.ndarray, limit: float, grain: Grain) -> Pieces:
    """The pieces with the palette ``wanted``, gains of at most ``limit`` dB."""
    kept = Kept(pieces)
    gains = measured_gains(kept.first(), rate, guide, wanted, limit, grain)
    return lambda: repainted(kept.again(), rate, guide, gains, grain)


def mean_power(pieces: Iterable[np.ndarray], rate: int, mel: int) -> np.ndarray | None:
    """Mean log power of each band [mel], in units of a normalised bank; None for silence.

    As the first curve of ``colour``, but for the level: what lies 80 dB under the loudest moment of its piece is silence."""
    total, frames = torch.zeros(mel, dtype=torch.float64), 0
    for piece in pieces:
        bank = (fbank(torch.from_numpy(piece.mean(axis=0)) * FULL_SCALE, mel, rate) - FBANK_MEAN).double()
        if len(bank):
            floor = bank.logsumexp(-1).max() - DEPTH * NATS
            total += bank.clamp(min=floor).exp().sum(0)
            frames += len(bank)
    if not frames or total.max() <= frames * math.exp(-FBANK_MEAN):  # nothing above a step of 16 bits
        return None
    return ((total / frames).log() / NATS).numpy()


def matching_gains(own: np.ndarray, wanted: np.ndarray, limit_db: float) -> np.ndarray:
    """Linear gains [mel] from one power curve to the other, their levels apart, smoothed over three bands."""
    gains = smoothed((wanted - wanted.mean()) - (own - own.mean())) * NATS / 2
    power = np.exp((own - own.max()) * NATS)
    gains -= 0.5 * math.log((power * np.exp(2 * gains)).sum() / power.sum())  # as loud as before
    limit = limit_db * math.log(10) / 20
    return np.exp(np.clip(gains, -limit, limit))
