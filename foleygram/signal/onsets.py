"""Onsets: when something begins to sound."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from foleygram.errors import UsageError
from foleygram.signal.resample import resample
from foleygram.types import ENVELOPE_HOP, ENVELOPE_WINDOW, SAMPLE_RATE, Audio, Envelope

ONSET_HOP = 256  # samples between analysis frames of ``detect_onsets``, 5.8 ms


def check_detector() -> None:
    """Raises UsageError where ``detect_onsets`` lacks librosa: before long work, at the end of which it would be missed."""
    if find_spec("librosa") is None:
        raise UsageError("the detector of onsets needs librosa; install it with: pip install 'foleygram[eval]'")


def detect_onsets(audio: Audio) -> np.ndarray:
    """Onset times (s), rising, float64 [onset]: librosa.onset.onset_detect on the mean of the channels at 44.1 kHz with
    hop 256, the detector of the benchmark's onset scores. Raises UsageError where librosa is not installed.
    """
    check_detector()
    import librosa

    mono = resample(Audio(audio.mono()[None], audio.rate), SAMPLE_RATE).samples[0]
    if not mono.any():
        return np.zeros(0)
    return librosa.onset.onset_detect(y=mono, sr=SAMPLE_RATE, hop_length=ONSET_HOP, units="time")


def running_median(values: np.ndarray, around: int, block: int = 2**14) -> np.ndarray:
    """The median of ``around`` values to both sides of each and itself, zeros beyond the ends; ``block`` at a time, since a
    median copies all of its windows."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, around), 2 * around + 1)
    return np.concatenate([np.median(windows[first : first + block], axis=1) for first in range(0, len(windows), block)])


def envelope_onsets(
    envelope: Envelope, rise: float = 6.0, floor: float = 40.0, apart: float = 0.03
) -> list[tuple[float, float]]:
    """Onsets (seconds, strength) of an envelope, rising in time; strength: its largest amplitude within the next 30 ms.

    An onset is a rise of the level by at least ``rise`` dB within one window of Eq. 5 (11.6 ms), and by three times the
    usual rise around it; the level ends no more than ``floor`` dB under the loudest; onsets lie ``apart`` s or more.
    A window notices an onset half its length ahead, which is made good here: the error on a single impulse is at most
    1.5 ms, half a step, but up to 4.4 ms at the very beginning.
    """
    values = envelope.values.astype(np.float64)
    peak = values.max()
    if peak <= 0:
        return []
    window = max(1, round(ENVELOPE_WINDOW / SAMPLE_RATE * envelope.rate))  # all lengths below are in steps
    around = max(1, round(0.1 * envelope.rate))
    gap = max(1, round(apart * envelope.rate))
    # 20 dB below the quietest onset all is silence. So it is before time 0: a sound that is there already is an onset.
    level = 20 * np.log10(np.maximum(values / peak, 10 ** (-(floor + 20) / 20)))
    level = np.concatenate([np.full(window, -(floor + 20.0)), level])
    risen = level[window:] - level[:-window]
    usual = running_median(np.abs(risen), around)
    strong = np.flatnonzero((risen >= np.maximum(rise, 3 * usual)) & (level[window:] >= -floor))
    found: list[int] = []
    for k in strong[np.argsort(-risen[strong], kind="stable")]:
        # The first step clearly above the level before the rise; level[k] is one window before level[k + window].
        above = level[k + 1 : k + window + 1] - level[k] >= max(1.5, 0.15 * risen[k])
        first = max(0, int(k - window + 1 + np.argmax(above)))
        if all(abs(first - other) >= gap for other in found):
            found.append(first)
    # Step k is the first whose window reaches the onset, so that lies in the last h samples of the window.
    lead = (ENVELOPE_WINDOW - ENVELOPE_HOP) / 2 / SAMPLE_RATE
    soon = around // 3  # 30 ms
    return [(k / envelope.rate + lead, float(values[k : k + soon + 1].max())) for k in sorted(found)]
