"""An equaliser: gains at some frequencies become a short minimum-phase filter, so that an attack stays where it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

TAPS = 1024
"""Samples of the filter; at 44.1 kHz it tells 43 Hz apart."""


def minimum_phase(gains: np.ndarray, frequencies: np.ndarray, rate: int, taps: int = TAPS) -> np.ndarray:
    """Float64 [taps]: the causal filter of these amplitude gains (linear, > 0) at rising ``frequencies`` (Hz), straight in dB
    between them and constant beyond. Nothing sounds before its cause: a linear-phase filter would ring ahead of an attack."""
    size = 8 * taps
    grid = np.fft.rfftfreq(size, 1 / rate)
    log_gain = np.interp(grid, frequencies, np.log(gains))
    cepstrum = np.fft.irfft(log_gain)  # of the log magnitude; folded onto positive time it belongs to a causal filter
    folded = np.zeros(size)
    folded[0], folded[size // 2] = cepstrum[0], cepstrum[size // 2]
    folded[1 : size // 2] = 2 * cepstrum[1 : size // 2]
    response = np.fft.irfft(np.exp(np.fft.rfft(folded)))[:taps]
    fade = taps // 4
    response[-fade:] *= 0.5 + 0.5 * np.cos(np.pi * (np.arange(fade) + 1) / fade)
    return response


def smoothed(gains: np.ndarray) -> np.ndarray:
    """Gains [..., band] (dB or another logarithm), each a mean of three bands with the middle one counted twice."""
    ends = np.concatenate([gains[..., :1], gains, gains[..., -1:]], axis=-1)
    return 0.25 * ends[..., :-2] + 0.5 * gains + 0.25 * ends[..., 2:]


def convolved(piece: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Float64 [channel, sample + tap - 1]. By numpy alone: scipy.signal takes a second to be imported."""
    length = piece.shape[1] + len(response) - 1
    size = 1 << (length - 1).bit_length()
    spectrum = np.fft.rfft(piece.astype(np.float64), size) * np.fft.rfft(response, size)
    return np.fft.irfft(spectrum, size)[:, :length]


def filtered(pieces: Iterable[np.ndarray], response: np.ndarray) -> Iterator[np.ndarray]:
    """Consecutive pieces float32 [channel, sample] through the filter, each as long as it was; what rings on after a piece is
    in the next."""
    tail: np.ndarray | None = None
    for piece in pieces:
        sound = convolved(piece, response)
        if tail is not None:
            sound[:, : tail.shape[1]] += tail
        tail = sound[:, piece.shape[1] :]
        yield sound[:, : piece.shape[1]].astype(np.float32)
