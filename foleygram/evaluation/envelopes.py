"""Does the loudness follow its control? E-L1 in the three forms the field has published, gain-matched, and correlation.

Conventions
    Sounds are ``Audio``; both are mixed to mono, resampled (soxr VHQ) and cut to the shorter one. Amplitudes are linear.

Metrics
    e_l1_tfoley        peak-normalised, centred RMS at 22.05 kHz, low-passed (T-Foley, ICASSP 2024)
    e_l1_video_foley   as it is, RMS at 16 kHz without centring, 125 values/s (Video-Foley ``evaluate_v2s.py``);
                       the scale of the 0.0137-0.0448 on the Stable-V2A page
    e_l1_video2rms     as the Video2RMS predictor is scored: the result in 64 mu-law classes against the low-passed truth
    e_l1_matched       the Video-Foley form after the gain that fits the result's envelope best: level aside
    correlation        Pearson's r of the envelopes of Eq. 5
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foleygram.errors import DataError
from foleygram.evaluation.resampling import mono_at
from foleygram.types import ENVELOPE_HOP, ENVELOPE_WINDOW, SAMPLE_RATE, Audio

CLASSES = 64
# As published. The predictor has the same (timing.network.level_edges), but a score must not move with a network.
CLASS_EDGES = (np.power(64.0, np.linspace(np.log1p(63 * 0.01) / np.log(64), 1, CLASSES)) - 1) / 63  # 0.01 .. 1


@dataclass(frozen=True)
class EnvelopeScore:
    """One clip: three E-L1, the gain-matched one and its gain, and the correlation in -1..1 (0 for a flat result, NaN where the
    truth is flat)."""

    tfoley: float
    video_foley: float
    video2rms: float
    matched: float
    gain: float
    correlation: float


def validate(result: Audio, truth: Audio) -> None:
    """DataError where the two have less than one window in common."""
    shared = min(result.seconds, truth.seconds)
    if shared < ENVELOPE_WINDOW / 16000:
        raise DataError(f"envelopes need {ENVELOPE_WINDOW / 16000:.3f} s of sound on both sides, here are {shared:.3f} s")


def rms(wave: np.ndarray, window: int = ENVELOPE_WINDOW, hop: int = ENVELOPE_HOP, padding: int | None = None) -> np.ndarray:
    """Root mean square of windows every ``hop`` samples, float64 [step]; ``padding`` zeros on both sides, by default
    half a window, so that step k is centred on sample k * hop."""
    wave = np.pad(wave.astype(np.float64), window // 2 if padding is None else padding)
    if len(wave) < window:
        return np.zeros(0)
    # Window by window: a running sum would leave the rounding of loud parts in the silence after them.
    return np.sqrt(np.lib.stride_tricks.sliding_window_view(wave**2, window)[::hop].mean(axis=1))


def e_l1_tfoley(result: Audio, truth: Audio) -> float:
    """Mean |difference| of the low-passed envelopes of the peak-normalised sounds at 22.05 kHz."""
    return _mean_gap(*(_low_pass(rms(_peak_normalised(wave))) for wave in _waves(result, truth, 22050)))


def e_l1_video_foley(result: Audio, truth: Audio) -> float:
    """Mean |difference| of the envelopes at 16 kHz, levels as they are."""
    return _mean_gap(*_curves_16k(result, truth))


def e_l1_video2rms(result: Audio, truth: Audio) -> float:
    """Mean |difference| between the result's low-passed envelope, rounded up to the edge of its mu-law class (silence
    below 0.01), and the truth's low-passed envelope."""
    return _video2rms(*_curves_16k(result, truth))


def e_l1_matched(result: Audio, truth: Audio) -> tuple[float, float]:
    """The Video-Foley form after the result is scaled by the least-squares gain of its envelope, and that gain."""
    return _matched(*_curves_16k(result, truth))


def correlation(result: Audio, truth: Audio) -> float:
    """Pearson's r of the centred 512/128 envelopes at 44.1 kHz (Eq. 5). A flat result, silence for one, follows nothing: 0;
    NaN where the truth does not move, so that there is nothing to follow."""
    found, true = (rms(wave) for wave in _waves(result, truth, SAMPLE_RATE))
    found, true = found - found.mean(), true - true.mean()
    moves, wanted = np.sqrt((found**2).sum()), np.sqrt((true**2).sum())
    if wanted < 1e-6:
        return float("nan")
    return float((found * true).sum() / (moves * wanted)) if moves >= 1e-6 else 0.0


def quantise(curve: np.ndarray) -> np.ndarray:
    """Video2RMS's round trip through 64 classes: class k lies between edge k - 1 and edge k and decodes to edge k;
    what is below 0.01 decodes to 0."""
    edges = np.concatenate([[0.0], CLASS_EDGES[1:], CLASS_EDGES[-1:]])
    return edges[np.digitize(curve, CLASS_EDGES)]


def evaluate(result: Audio, truth: Audio) -> EnvelopeScore:
    """All of them for one clip. Raises DataError where the clips share less than a window."""
    validate(result, truth)
    curves = _curves_16k(result, truth)  # once for three scores: resampling is most of the work
    matched, gain = _matched(*curves)
    return EnvelopeScore(
        e_l1_tfoley(result, truth),
        _mean_gap(*curves),
        _video2rms(*curves),
        matched,
        gain,
        correlation(result, truth),
    )


def _video2rms(found: np.ndarray, true: np.ndarray) -> float:
    found, true = _low_pass(found), _low_pass(true)
    return _mean_gap(quantise(found), true)


def _matched(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    energy = float((found**2).sum())
    gain = float((found * true).sum() / energy) if energy > 0 else 0.0
    return _mean_gap(gain * found, true), gain


def _waves(result: Audio, truth: Audio, rate: int) -> tuple[np.ndarray, np.ndarray]:
    found, true = (mono_at(audio, rate) for audio in (result, truth))
    count = min(len(found), len(true))
    return found[:count], true[:count]


def _curves_16k(result: Audio, truth: Audio) -> tuple[np.ndarray, np.ndarray]:
    margin = (ENVELOPE_WINDOW - ENVELOPE_HOP) // 2
    found, true = (rms(np.pad(wave, margin, mode="reflect"), padding=0) for wave in _waves(result, truth, 16000))
    return found, true


def _low_pass(curve: np.ndarray) -> np.ndarray:
    """The zero-phase elliptic filter that T-Foley and Video-Foley share."""
    from scipy.signal import ellip, filtfilt

    return np.maximum(filtfilt(*ellip(4, 0.01, 120, 0.125), curve, method="gust"), 0)


def _peak_normalised(wave: np.ndarray) -> np.ndarray:
    peak = np.abs(wave).max()
    return wave / peak if peak > 0 else wave


def _mean_gap(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.abs(found - true).mean())
