"""Frames as pictures."""

import io

import av
import numpy as np
import pytest

from foleygram.media.stills import jpeg


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 65), (16, 18)])
def test_a_still_shows_its_frame(height, width):
    down, along = np.mgrid[:height, :width]
    frame = np.stack([255 * along // width, 255 * down // height, np.full_like(down, 90)]).astype(np.uint8)
    content = jpeg(frame)
    assert content[:2] == b"\xff\xd8" and content[-2:] == b"\xff\xd9"  # a whole JPEG
    with av.open(io.BytesIO(content), format="mjpeg") as file:
        shown = next(file.decode(video=0)).to_ndarray(format="rgb24").transpose(2, 0, 1)
    assert shown.shape == (3, height - height % 2, width - width % 2)
    assert np.abs(shown.astype(int) - frame[:, : shown.shape[1], : shown.shape[2]]).mean() < 6
