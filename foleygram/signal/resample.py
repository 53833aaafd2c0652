"""Changing the sample rate of a sound."""

from __future__ import annotations

from foleygram.errors import UsageError
from foleygram.types import Audio


def resample(audio: Audio, rate: int) -> Audio:
    """``audio`` at ``rate`` Hz (soxr VHQ, linear phase: no delay). The same object where the rate is right already.

    Raises UsageError for a rate that is not positive.
    """
    import soxr

    if rate <= 0:
        raise UsageError(f"a sample rate is positive, not {rate}")
    if rate == audio.rate:
        return audio
    return Audio(soxr.resample(audio.samples.T, audio.rate, rate, quality="VHQ").T, rate, audio.lowest_rate)
