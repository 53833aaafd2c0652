"""A file as a Clip: a few frames of its picture, its sound, its length."""

from __future__ import annotations

from pathlib import Path

from foleygram.errors import MediaError
from foleygram.media.audio import read_audio
from foleygram.media.container import find_picture, open_media
from foleygram.media.timeline import read_timeline
from foleygram.media.video import FRAME_SIDE, read_frames
from foleygram.types import Clip


def read_clip(path: Path, text: str | None = None, frames: int = 8, short_side: int = FRAME_SIDE, still: bool = False) -> Clip:
    """Reads a video or a sound as a Clip.

    ``frames``: number of frames, at the centres of equal parts of the picture; ``short_side``: pixels. The sound is at
    44.1 kHz from the first frame on, None where the file holds none; ``seconds`` is the length of the picture, of a sound
    file that of the sound. ``still``: a single frame will do, which is looked at and not sounded; it lasts as long as the file
    says. Raises MediaError and UsageError as ``read_frames`` and ``read_audio``,
    MediaError for a picture of a single frame without ``still``, and UsageError for an empty text.
    """
    with open_media(path) as container:
        has_video = find_picture(container) is not None
        has_audio = bool(container.streams.audio)
    if not has_video:
        audio = read_audio(path)
        return Clip(audio=audio, text=text, seconds=audio.seconds)
    if not still and len(read_timeline(path).ticks) < 2:
        raise MediaError(f"{path}: its picture is a single frame, which lasts no time; give a video of at least two")
    video = read_frames(path, count=frames, short_side=short_side)
    return Clip(video=video, audio=read_audio(path) if has_audio else None, text=text, seconds=video.seconds)
