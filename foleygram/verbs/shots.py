"""The film behind a long clip: where it cuts, and what each stretch of it looks like to the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from foleygram.media.video import FRAME_SIDE, read_frames, stream_frames
from foleygram.pipeline import FoleyGRAM
from foleygram.timing.cuts import find_cuts
from foleygram.types import Clip, Embeddings
from foleygram.windows import Film

CUT_SIDE = 96  # pixels of the shorter side in which cuts are looked for


def read_film(
    model: FoleyGRAM, video: Path, points: Embeddings, moving: bool = True, cuts: tuple[float, ...] | None = None
) -> Film:
    """The film of ``video`` for ``windows.synthesise_long``.

    ``points``: the clip's embeddings; sound and text hold for the whole of it. ``moving``: the picture's point is computed
    anew for each window, from frames of that window; else, as for a reference picture, it holds for the whole too.
    ``cuts``: where they are known."""
    count = model.config.gram.vision.frames

    def embed(start: float, end: float) -> Embeddings:
        if points.video is None or not moving:
            return points
        places = [start + (end - start) * (k + 0.5) / count for k in range(count)]
        picture = model.embed(Clip(video=read_frames(video, times=places, short_side=FRAME_SIDE)))
        return replace(points, video=picture.video)

    return Film(embed, tuple(find_cuts(stream_frames(video, short_side=CUT_SIDE))) if cuts is None else cuts)
