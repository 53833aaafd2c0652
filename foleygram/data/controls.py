"""What a control experiment knows of the timing: the envelope of the true sound, its onsets alone, nothing.

One rule for training and for generation, so that a variant is never asked with a control it has not learned from.
"""

from __future__ import annotations

from typing import Literal

from foleygram.data.manifest import ClipRecord
from foleygram.errors import UsageError
from foleygram.signal.envelope import begins_within, envelope_from_hits, extract_envelope
from foleygram.types import Audio, Envelope

Control = Literal["envelope", "onsets", "none"]

ONSET_STRENGTH = 0.1  # linear RMS of every hit where only onsets are known


def control_of(record: ClipRecord, audio: Audio, control: Control) -> Envelope:
    """The control of a clip whose true sound is ``audio``. ``onsets``: an equal hit at every onset, as SyncFusion knows
    them; ``none``: silence, which tells nothing. Raises UsageError for another word."""
    if control == "envelope":
        return extract_envelope(audio)
    if control == "onsets":
        return onset_track(record, audio.seconds)
    if control == "none":
        return silence(audio.seconds)
    raise UsageError(f"timing is known as envelope, onsets or none, not '{control}'")


def onset_track(record: ClipRecord, seconds: float) -> Envelope:
    """Equal hits at the onsets of a clip that fall into its first ``seconds``."""
    return envelope_from_hits([(time, ONSET_STRENGTH) for time, _ in record.onsets if begins_within(time, seconds)], seconds)


def silence(seconds: float) -> Envelope:
    """The control that tells nothing."""
    return envelope_from_hits([], seconds)
