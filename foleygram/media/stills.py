"""Frames as JPEG pictures."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from jaxtyping import UInt8


def jpeg(frame: UInt8[np.ndarray, "3 height width"]) -> bytes:
    """One frame as JPEG; sides of an odd number of pixels lose one, as the colours are halved."""
    import av

    height, width = (side - side % 2 for side in frame.shape[1:])
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:, :height, :width].transpose(1, 2, 0)), format="rgb24")
    coder = av.CodecContext.create("mjpeg", "w")
    coder.width, coder.height, coder.pix_fmt, coder.time_base = width, height, "yuvj420p", Fraction(1, 25)
    coder.options = {"qmin": "4", "qmax": "4"}  # of 31, where 1 is best
    return b"".join(bytes(packet) for packet in (*coder.encode(picture.reformat(format="yuvj420p")), *coder.encode(None)))
