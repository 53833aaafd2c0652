"""Synthetic films: a bar that falls on a line at given moments, and worse."""

import numpy as np
import pytest


def striking(times, seconds=3.0, fps=25.0, size=(54, 72), shake=0.0, light=0.0, seed=0):
    """(s, uint8 [3, height, width]): a textured ground, a dark bar that falls within 0.12 s on each of ``times``.

    ``shake``: pixels the camera moves; ``light``: depth of slow changes of light."""
    rng = np.random.default_rng(seed)
    high, wide = size
    ground = rng.integers(90, 170, (high + 40, wide + 40), dtype=np.int64).astype(np.float64)
    ground = (ground + np.roll(ground, 1, 0) + np.roll(ground, 1, 1) + np.roll(ground, (1, 1), (0, 1))) / 4
    for k in range(int(seconds * fps)):
        time = k / fps
        up = min((abs(time - hit) / 0.12 for hit in times), default=1.0)
        height = round(min(up, 1.0) * 0.4 * high)
        dx, dy = (round(shake * np.sin(2.1 * time + p)) for p in (0.3, 1.7))
        image = ground.copy()
        row = 20 + round(0.7 * high) - height
        image[row - 3 : row, 20 + wide // 4 : 20 + 3 * wide // 4] = 20
        part = image[20 + dy : 20 + dy + high, 20 + dx : 20 + dx + wide] * (1 + light * np.sin(3 * time))
        yield time, np.repeat(np.clip(part, 0, 255).astype(np.uint8)[None], 3, axis=0)


@pytest.fixture(scope="session")
def film():
    """The function ``striking``."""
    return striking


@pytest.fixture(scope="session")
def small():
    """An EnvelopePredictor with random weights and small numbers."""
    import torch

    from foleygram.timing.motion import MotionConfig
    from foleygram.timing.network import TimingConfig
    from foleygram.timing.predictor import EnvelopePredictor

    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = TimingConfig(
            motion=MotionConfig(long=32, short=24),
            stem=4,
            middle=4,
            top=4,
            width=8,
            hidden=8,
            dilations=(1, 2),
            window=2.0,
            margin=0.8,
        )
        model = EnvelopePredictor(config)
    return model.eval().requires_grad_(False)
