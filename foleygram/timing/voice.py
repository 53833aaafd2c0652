"""A guide that a person makes: a hummed, spoken, tapped or clapped recording becomes an envelope."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from foleygram.config import Config, NotNegative, Positive
from foleygram.errors import EnvelopeError
from foleygram.signal.envelope import extract_envelope
from foleygram.timing.editing import gate, smooth
from foleygram.types import Audio, Envelope


class VoiceConfig(Config):
    """``peak``: linear RMS amplitude of the loudest moment of the result; ``floor_db``: how far above the room's noise
    something counts; ``range_db``: softest sound that counts, under the loudest; ``expand``: exponent on amplitudes (above
    1, soft sounds grow softer: a person at a microphone plays with less contrast than things that are struck); ``smooth``:
    s of smoothing that removes the pitch periods of a voice."""

    peak: Positive = 0.1
    floor_db: NotNegative = 12.0
    range_db: Positive = 34.0
    expand: Positive = 1.3
    smooth: NotNegative = 0.012


def envelope_from_voice(audio: Audio, config: VoiceConfig | None = None) -> Envelope:
    """The envelope of a recorded guide: smoothed, freed of the room's noise, with its dynamics spread, at a usual level.

    The room is the quietest tenth of the recording that is not digital silence. Raises EnvelopeError for a recording
    without samples, and for one in which nothing stands out of the noise."""
    config = config or VoiceConfig()
    raw = smooth(extract_envelope(audio), config.smooth)
    values = raw.values
    loudest = float(values.max())
    sounding = values[values > 1e-6]
    room = float(np.percentile(sounding, 10)) if len(sounding) else 0.0
    if loudest <= 1e-5:
        raise EnvelopeError("the guide is silent; record it again, nearer to the microphone")
    if 20 * np.log10(loudest / max(room, 1e-9)) < config.floor_db and len(sounding) == len(values):
        raise EnvelopeError("nothing in the guide stands out of its noise; record it again, nearer to the microphone")
    threshold = loudest * 10 ** (-config.range_db / 20)
    # a recording that sounds throughout (a hum without a pause) has no room to measure
    if room < loudest * 10 ** (-config.floor_db * 1.25 / 20):
        threshold = max(threshold, room * 10 ** (config.floor_db / 20))
    gated = gate(raw, threshold, release=0.01)
    return replace(gated, values=config.peak * (gated.values / loudest) ** config.expand)
