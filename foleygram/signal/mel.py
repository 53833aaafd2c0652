"""Mel spectra: Kaldi's filter bank for BEATs, and the filter banks of librosa for other embedders."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from foleygram.errors import UsageError

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

FBANK_RATE = 16000  # Hz, BEATs'
FBANK_WINDOW = 0.025  # s
FBANK_HOP = 0.010  # s
FBANK_LOW = 20.0  # Hz; the upper end is Nyquist
PREEMPHASIS = 0.97
LOG_FLOOR = float(np.finfo(np.float32).eps)  # of Kaldi, under every band's energy


def kaldi_mel(hertz: np.ndarray | float) -> np.ndarray | float:
    """Kaldi's (HTK's) mel scale."""
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


@lru_cache(maxsize=8)
def kaldi_filters(mel_bins: int, rate: int, n_fft: int) -> np.ndarray:
    """Kaldi's triangles up to Nyquist, straight in mel, float32 [mel, 1 + n_fft / 2]; the Nyquist bin has no weight."""
    edges = np.linspace(kaldi_mel(FBANK_LOW), kaldi_mel(rate / 2), mel_bins + 2)
    left, centre, right = (edges[start : start + mel_bins, None] for start in range(3))
    bins = kaldi_mel(np.arange(n_fft // 2) * rate / n_fft)[None]
    weights = np.maximum(0, np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)))
    return np.pad(weights, ((0, 0), (0, 1))).astype(np.float32)


def kaldi_centres(mel_bins: int, rate: int) -> np.ndarray:
    """The frequencies (Hz) where Kaldi's triangles have their tops, [mel]."""
    edges = np.linspace(kaldi_mel(FBANK_LOW), kaldi_mel(rate / 2), mel_bins + 2)
    return 700.0 * np.expm1(edges[1:-1] / 1127.0)


def povey_window(size: int) -> np.ndarray:
    """Kaldi's default window, a Hann window to the power 0.85, float32 [size]."""
    return (np.hanning(size) ** 0.85).astype(np.float32)


def fbank(
    waveform: Float[Tensor, "*batch sample"], mel_bins: int = 64, rate: int = FBANK_RATE
) -> Float[Tensor, "*batch frame mel"]:
    """Log mel energies as torchaudio.compliance.kaldi.fbank and kaldi-native-fbank give them without dither.

    ``waveform``: at ``rate`` Hz, scaled by 2^15 (the range of int16). Frames of 25 ms every 10 ms, only whole ones (none of
    a shorter waveform): mean removed, pre-emphasis 0.97, Povey window, power spectrum of the next power of two,
    ``mel_bins`` triangles from 20 Hz to half the rate, natural log of at least the float32 epsilon.
    """
    import torch

    if mel_bins < 1:
        raise UsageError(f"a filter bank has at least 1 band, not {mel_bins}")
    size, hop = int(rate * FBANK_WINDOW), int(rate * FBANK_HOP)
    if waveform.shape[-1] < size:
        return waveform.new_zeros(*waveform.shape[:-1], 0, mel_bins)
    frames = waveform.unfold(-1, size, hop)
    frames = frames - frames.mean(dim=-1, keepdim=True)
    # The sample before the first is taken to be equal to it.
    previous = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)
    window = torch.from_numpy(povey_window(size)).to(frames)
    n_fft = 1 << (size - 1).bit_length()
    spectrum = torch.fft.rfft((frames - PREEMPHASIS * previous) * window, n=n_fft)
    power = spectrum.real.square() + spectrum.imag.square()
    filters = torch.from_numpy(kaldi_filters(mel_bins, rate, n_fft)).to(power)
    return (power @ filters.T).clamp_min(LOG_FLOOR).log()


def hertz_to_mel(hertz: np.ndarray, htk: bool) -> np.ndarray:
    """HTK's scale, or Slaney's (Auditory Toolbox): straight up to 1 kHz, logarithmic above."""
    hertz = np.asarray(hertz, dtype=np.float64)
    if htk:
        return 2595.0 * np.log10(1.0 + hertz / 700.0)
    above = np.maximum(hertz, 1000.0)
    return np.where(hertz < 1000.0, hertz * 3 / 200, 15.0 + np.log(above / 1000.0) * 27 / np.log(6.4))


def mel_to_hertz(mel: np.ndarray, htk: bool) -> np.ndarray:
    """The inverse of ``hertz_to_mel``."""
    mel = np.asarray(mel, dtype=np.float64)
    if htk:
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return np.where(mel < 15.0, mel * 200 / 3, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27))


@lru_cache(maxsize=16)
def mel_filters(rate: int, n_fft: int, bins: int, low: float, high: float, htk: bool, norm: bool) -> np.ndarray:
    """Triangles straight in Hz, float32 [mel, fft bin], equal to librosa.filters.mel.

    ``low``, ``high``: Hz; ``htk``: HTK's mel scale instead of Slaney's; ``norm``: triangles of equal area (Slaney) instead
    of equal height. The array is shared and must not be changed. Raises UsageError for bands that cannot be.
    """
    if not (0 <= low < high <= rate / 2) or bins < 1:
        raise UsageError(f"mel bands lie between 0 and {rate / 2:g} Hz, at least 1; not {bins} from {low:g} to {high:g} Hz")
    edges = mel_to_hertz(np.linspace(hertz_to_mel(low, htk), hertz_to_mel(high, htk), bins + 2), htk)
    left, centre, right = (edges[start : start + bins, None] for start in range(3))
    hertz = (np.arange(1 + n_fft // 2) * rate / n_fft)[None]
    weights = np.maximum(0, np.minimum((hertz - left) / (centre - left), (right - hertz) / (right - centre)))
    if norm:
        weights *= 2.0 / (right - left)
    weights = weights.astype(np.float32)
    weights.setflags(write=False)
    return weights
