"""AV-Align (Yariv et al., TempoTokens, 2023): do peaks of the sound and peaks of motion fall together?

Conventions
    Peaks of the sound are librosa's onsets with its defaults at 22.05 kHz; peaks of the picture are strict local maxima
    of the mean length of Farneback's optical flow between neighbouring frames. Both in seconds. A sound peak and a
    picture peak match when they are less than one frame apart; a picture peak may match several sound peaks, as
    published. The score is matches over union, 0..1; 1 where neither side has a peak.
"""

from __future__ import annotations

import numpy as np

from foleygram.errors import DataError, UsageError
from foleygram.evaluation.resampling import mono_at
from foleygram.types import Audio, Video

RATE = 22050  # Hz


def local_maxima(curve: np.ndarray) -> np.ndarray:
    """Places that are larger than both neighbours, int [peak]; the ends are none."""
    curve = np.asarray(curve, dtype=np.float64)
    if curve.ndim != 1:
        raise DataError(f"a curve has one dimension, not {curve.ndim}")
    return np.flatnonzero((curve[1:-1] > curve[:-2]) & (curve[1:-1] > curve[2:])) + 1


def flow_lengths(video: Video) -> np.ndarray:
    """Mean length in pixels of Farneback's flow from each frame to the next, float64 [frame - 1]."""
    try:
        import cv2
    except ImportError:
        raise UsageError("optical flow needs OpenCV; install it with: pip install 'foleygram[train]'") from None
    greys = [cv2.cvtColor(np.ascontiguousarray(frame.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY) for frame in video.frames]
    lengths = []
    for before, after in zip(greys[:-1], greys[1:], strict=True):
        flow = cv2.calcOpticalFlowFarneback(before, after, None, 0.5, 3, 15, 3, 5, 1.2, 0)
        lengths.append(np.hypot(flow[..., 0], flow[..., 1]).mean())
    return np.asarray(lengths, dtype=np.float64)


def av_align(audio_peaks: np.ndarray, video_peaks: np.ndarray, frame: float) -> float:
    """Intersection over union of peaks in seconds; ``frame``: s of one frame."""
    if not frame > 0:
        raise DataError(f"a frame lasts longer than 0 s, not {frame}")
    audio_peaks, video_peaks = np.asarray(audio_peaks), np.asarray(video_peaks)
    if len(audio_peaks) + len(video_peaks) == 0:
        return 1.0
    shared = sum(bool((np.abs(video_peaks - peak) < frame).any()) for peak in audio_peaks)
    return shared / (len(audio_peaks) + len(video_peaks) - shared)


def evaluate(video: Video, audio: Audio) -> float:
    """The score of one clip. Raises DataError for a picture of fewer than four frames."""
    import librosa

    if len(video.frames) < 4:
        raise DataError(f"motion needs at least four frames, this picture has {len(video.frames)}")
    frame = float(np.median(np.diff(video.times)))
    wave = mono_at(audio, RATE)
    sounds = librosa.onset.onset_detect(y=wave, sr=RATE, units="time") if wave.any() else np.zeros(0)
    return av_align(sounds, video.times[local_maxima(flow_lengths(video))], frame)
