"""Frechet audio-visual distance (PEAVS): the Frechet distance of windows that hold picture and sound side by side.

Conventions
    For each clip float [window, dim] of picture (I3D, 1024) and sound (VGGish, 128), both in windows of 0.96 s; each
    clip is cut to the shorter of the two. The joined row is picture first, sound second. The reference is the true
    picture with the true sound, the result the true picture with the generated sound.

The distance of joined rows is at least the sum of the distances of the parts. With one picture on both sides the
picture's part is 0 and what exceeds the sound's part is the only thing that looks at both together, so all three terms
are given. Scales of the parts are not balanced: each is as its network gives it. (The toolkit's VGGish, after PCA and
quantisation, swamps I3D.)

Whoever embeds chooses the form: ``I3d()`` and ``Vggish()`` in reports, ``I3d(streams="rgb+flow")`` and
``Vggish(post="pca_u8")`` for parity with the toolkit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foleygram.errors import DataError
from foleygram.evaluation.frechet import frechet_distance


@dataclass(frozen=True)
class FavdScore:
    """``value``: the distance of the joined windows; ``audio``, ``video``: of the parts alone; ``excess``: what is left,
    >= 0; ``clips`` and ``windows`` of the result."""

    value: float
    audio: float
    video: float
    clips: int
    windows: int

    @property
    def excess(self) -> float:
        return self.value - self.audio - self.video


def validate(videos: Sequence[np.ndarray], audios: Sequence[np.ndarray]) -> None:
    """DataError where clips do not pair or a clip has no window on one side."""
    if len(videos) != len(audios):
        raise DataError(f"each clip has picture and sound, here are {len(videos)} pictures and {len(audios)} sounds")
    for number, (video, audio) in enumerate(zip(videos, audios, strict=True)):
        if np.ndim(video) != 2 or np.ndim(audio) != 2:
            raise DataError(f"clip {number}: embeddings are [window, dim]")
        if min(len(video), len(audio)) == 0:
            raise DataError(f"clip {number} is shorter than one window of 0.96 s; leave it out")


def join(videos: Sequence[np.ndarray], audios: Sequence[np.ndarray]) -> np.ndarray:
    """All joined windows, float64 [window, dim of picture + dim of sound]."""
    validate(videos, audios)
    rows = []
    for video, audio in zip(videos, audios, strict=True):
        count = min(len(video), len(audio))
        rows.append(np.hstack([video[:count], audio[:count]]))
    return np.concatenate(rows).astype(np.float64)


def favd(
    videos: Sequence[np.ndarray],
    results: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    true_videos: Sequence[np.ndarray] | None = None,
) -> FavdScore:
    """FAVD with its terms. ``videos``: picture windows of each result; ``results``, ``truths``: sound windows;
    ``true_videos``: picture of the truths, by default the same as ``videos``."""
    found = join(videos, results)
    true = join(videos if true_videos is None else true_videos, truths)
    width = videos[0].shape[1]
    return FavdScore(
        frechet_distance(found, true),
        frechet_distance(found[:, width:], true[:, width:]),
        frechet_distance(found[:, :width], true[:, :width]),
        len(videos),
        len(found),
    )
