"""FoleyGRAM: a synchronous, fitting Foley sound track under a video.

    import foleygram

    model = foleygram.load("mini")
    clip = foleygram.read_clip("clip.mp4", text="A person hits metal with a wooden stick.")
    take, = model.generate(clip, foleygram.extract_envelope(clip.audio), use="VT", seed=1)
    foleygram.mux("clip.mp4", take, "clip_foley.mp4")

Names are imported when they are first used, so ``import foleygram`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foleygram.errors import FoleyGRAMError as FoleyGRAMError
    from foleygram.finish.room import room_tone as room_tone
    from foleygram.finish.room import still_room as still_room
    from foleygram.media.audio import read_audio as read_audio
    from foleygram.media.audio import write_audio as write_audio
    from foleygram.media.clip import read_clip as read_clip
    from foleygram.media.mux import mux as mux
    from foleygram.media.video import read_frames as read_frames
    from foleygram.media.video import write_video as write_video
    from foleygram.pipeline import FoleyGRAM as FoleyGRAM
    from foleygram.signal.envelope import envelope_from_hits as envelope_from_hits
    from foleygram.signal.envelope import extract_envelope as extract_envelope
    from foleygram.signal.envelope import read_envelope as read_envelope
    from foleygram.signal.envelope import read_hits as read_hits
    from foleygram.signal.envelope import write_envelope as write_envelope
    from foleygram.signal.onsets import envelope_onsets as envelope_onsets
    from foleygram.timing.editing import EnvelopeEdits as EnvelopeEdits
    from foleygram.timing.exchange import read_track as read_track
    from foleygram.timing.exchange import write_track as write_track
    from foleygram.timing.track import OnsetEvent as OnsetEvent
    from foleygram.timing.track import OnsetTrack as OnsetTrack
    from foleygram.types import Audio as Audio
    from foleygram.types import Clip as Clip
    from foleygram.types import Condition as Condition
    from foleygram.types import Embeddings as Embeddings
    from foleygram.types import Envelope as Envelope
    from foleygram.types import Video as Video
    from foleygram.verbs.generation import Request as Request
    from foleygram.verbs.generation import generate as generate
    from foleygram.verbs.guide import Guide as Guide
    from foleygram.verbs.guide import read_guide as read_guide

_HOMES = {
    "foleygram.errors": ("FoleyGRAMError",),
    "foleygram.verbs.generation": ("Request", "generate"),
    "foleygram.verbs.guide": ("Guide", "read_guide"),
    "foleygram.media.audio": ("read_audio", "write_audio"),
    "foleygram.media.clip": ("read_clip",),
    "foleygram.media.mux": ("mux",),
    "foleygram.media.video": ("read_frames", "write_video"),
    "foleygram.pipeline": ("FoleyGRAM",),
    "foleygram.finish.room": ("room_tone", "still_room"),
    "foleygram.signal.envelope": (
        "envelope_from_hits", "extract_envelope", "read_envelope", "read_hits", "write_envelope",
    ),
    "foleygram.signal.onsets": ("envelope_onsets",),
    "foleygram.timing.editing": ("EnvelopeEdits",),
    "foleygram.timing.exchange": ("read_track", "write_track"),
    "foleygram.timing.track": ("OnsetEvent", "OnsetTrack"),
    "foleygram.types": ("Audio", "Clip", "Condition", "Embeddings", "Envelope", "Video"),
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["load", "__version__", *_HOME]


def load(source: str = "mini", device: str = "auto", dtype: str = "auto", offload: bool = False) -> FoleyGRAM:
    """A model by name (``mini``), or from a model folder: see :meth:`foleygram.pipeline.FoleyGRAM.load`."""
    from foleygram.pipeline import FoleyGRAM

    return FoleyGRAM.load(source, device, dtype, offload)


def __getattr__(name: str):
    if name == "__version__":
        from importlib.metadata import version

        return version("foleygram")
    if name not in _HOME:
        raise AttributeError(f"module 'foleygram' has no attribute '{name}'")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
