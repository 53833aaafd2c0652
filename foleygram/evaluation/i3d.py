"""I3D (Carreira and Zisserman 2017): the 1024-d embedding of the picture side of FAVD.

Conventions
    The picture is brought to 25 frames/s (nearest frame), its shorter side to 256 pixels, and cut to the middle 224 x 224,
    as the PEAVS toolkit does. A window is 24 frames (0.96 s) without overlap and needs one more frame after it, as a flow
    does, so 10 s give floor((250 - 1) / 24) = 10. RGB is scaled to -1..1. With the flow stream the two embeddings are
    added.

Parameter names are those of v-iashin's port of the published weights, batch norm epsilon 1e-5; other ports differ in both.
The toolkit adds a flow stream; the paper does not say what it took. The toolkit's flow (PWC-Net) needs a GPU; ours is
Farneback's and the card says so. The default is the RGB stream alone; the label names the streams.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from foleygram.errors import DataError, UsageError
from foleygram.evaluation.embedders import Card, own_array
from foleygram.hub.evaluators import I3D_FLOW, I3D_RGB, EvaluatorFile, fill, load_evaluator
from foleygram.types import Video

FPS = 25  # frames/s
STACK = 24  # frames
SIDE, CROP = 256, 224  # pixels
DIM = 1024
FLOW_BOUND = 20.0  # pixels

Streams = Literal["rgb", "rgb+flow"]


def same_padding(kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> tuple[int, ...]:
    """TensorFlow's SAME padding for sizes that the stride divides, in the order of ``F.pad`` (last axis first)."""
    padding: list[int] = []
    for size, step in zip(reversed(kernel), reversed(stride), strict=True):
        whole = max(size - step, 0)
        padding += [whole // 2, whole - whole // 2]
    return tuple(padding)


class Unit(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1):
        super().__init__()
        self.padding = same_padding((kernel,) * 3, (stride,) * 3)
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=False)
        self.batch3d = nn.BatchNorm3d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.batch3d(self.conv3d(F.pad(x, self.padding))))


class Pool(nn.Module):
    """Maximum with SAME padding; what it sees is never negative, so zeros pad."""

    def __init__(self, kernel: tuple[int, int, int], stride: tuple[int, int, int]):
        super().__init__()
        self.padding = same_padding(kernel, stride)
        self.kernel, self.stride = kernel, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.max_pool3d(F.pad(x, self.padding), self.kernel, self.stride, ceil_mode=True)


class Mixed(nn.Module):
    """Four branches side by side: 1, 1-3, 1-3, pool-1."""

    def __init__(self, inputs: int, one: int, two: tuple[int, int], three: tuple[int, int], pool: int):
        super().__init__()
        self.branch_0 = Unit(inputs, one)
        self.branch_1 = nn.Sequential(Unit(inputs, two[0]), Unit(two[0], two[1], 3))
        self.branch_2 = nn.Sequential(Unit(inputs, three[0]), Unit(three[0], three[1], 3))
        self.branch_3 = nn.Sequential(Pool((3, 3, 3), (1, 1, 1)), Unit(inputs, pool))
        self.outputs = one + two[1] + three[1] + pool

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.branch_0(x), self.branch_1(x), self.branch_2(x), self.branch_3(x)], dim=1)


class I3dNetwork(nn.Module):
    """[window, channel, 24, 224, 224] -> [window, 1024]: features before the classifier, mean over time."""

    def __init__(self, channels: int = 3):
        super().__init__()
        self.conv3d_1a_7x7 = Unit(channels, 64, 7, 2)
        self.maxPool3d_2a_3x3 = Pool((1, 3, 3), (1, 2, 2))
        self.conv3d_2b_1x1 = Unit(64, 64)
        self.conv3d_2c_3x3 = Unit(64, 192, 3)
        self.maxPool3d_3a_3x3 = Pool((1, 3, 3), (1, 2, 2))
        self.mixed_3b = Mixed(192, 64, (96, 128), (16, 32), 32)
        self.mixed_3c = Mixed(256, 128, (128, 192), (32, 96), 64)
        self.maxPool3d_4a_3x3 = Pool((3, 3, 3), (2, 2, 2))
        self.mixed_4b = Mixed(480, 192, (96, 208), (16, 48), 64)
        self.mixed_4c = Mixed(512, 160, (112, 224), (24, 64), 64)
        self.mixed_4d = Mixed(512, 128, (128, 256), (24, 64), 64)
        self.mixed_4e = Mixed(512, 112, (144, 288), (32, 64), 64)
        self.mixed_4f = Mixed(528, 256, (160, 320), (32, 128), 128)
        self.maxPool3d_5a_2x2 = Pool((2, 2, 2), (2, 2, 2))
        self.mixed_5b = Mixed(832, 256, (160, 320), (32, 128), 128)
        self.mixed_5c = Mixed(832, 384, (192, 384), (48, 128), 128)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.children():
            x = layer(x)
        return F.avg_pool3d(x, (2, 7, 7), 1).flatten(2).mean(dim=2)


class I3d:
    """The judge of pictures. ``streams``: ``rgb`` for the FAVD of reports; ``rgb+flow``, the sum of both embeddings, for
    parity with the PEAVS toolkit, but for the flow itself (Farneback's, which needs OpenCV). Reads the user's cache;
    ModelError tells what to get where the weights are absent or others."""

    def __init__(self, streams: Streams = "rgb"):
        self.rgb, weights = _load(I3D_RGB, 3)
        self.flow = None
        if streams == "rgb+flow":
            self.flow, other = _load(I3D_FLOW, 2)
            weights += other
        self.card = i3d_card(streams, weights)

    def embed(self, video: Video) -> np.ndarray:
        """Float32 [window, 1024]. Raises DataError for a picture shorter than one window."""
        frames = at_25_fps(video)
        count = (len(frames) - 1) // STACK
        if count < 1:
            raise DataError(f"I3D needs {STACK + 1} frames at 25 frames/s, this picture has {len(frames)}; leave the clip out")
        rows = []
        with torch.inference_mode():
            for start in range(0, count * STACK, STACK):
                stack = resized(frames[start : start + STACK + 1])
                row = self.rgb(rgb_input(stack[:-1]))
                if self.flow is not None:
                    row = row + self.flow(flow_input(farneback(stack)))
                rows.append(row)
        return own_array(torch.cat(rows))


def i3d_card(streams: Streams, weights: str) -> Card:
    """``rate`` is that of the picture in frames/s."""
    note = "flow: Farneback, not PWC-Net; streams added" if streams == "rgb+flow" else "RGB stream only"
    return Card(f"I3D ({streams})", DIM, FPS, STACK / FPS, STACK / FPS, "an incomplete last window is dropped", weights, note)


def at_25_fps(video: Video) -> np.ndarray:
    """The frames that are nearest to a grid of 25 frames/s over the whole picture, uint8 [frame, 3, height, width]."""
    grid = np.arange(max(1, round(video.seconds * FPS))) / FPS
    after = np.clip(np.searchsorted(video.times, grid), 1, max(1, len(video.times) - 1))
    if len(video.times) == 1:
        return video.frames[np.zeros(len(grid), dtype=int)]
    nearer = np.where(grid - video.times[after - 1] <= video.times[after] - grid, after - 1, after)
    return video.frames[nearer]


def resized(frames: np.ndarray) -> torch.Tensor:
    """Shorter side 256 (antialiased bilinear, whole grey levels as PIL leaves them): float32 [frame, 3, height, width]."""
    height, width = frames.shape[2:]
    scale = SIDE / min(height, width)
    size = (SIDE, int(width * scale)) if height <= width else (int(height * scale), SIDE)
    image = F.interpolate(torch.from_numpy(frames).float(), size, mode="bilinear", antialias=True, align_corners=False)
    return image.round().clamp(0, 255)


def rgb_input(frames: torch.Tensor) -> torch.Tensor:
    """[frame, 3, height, width] in 0..255 -> [1, 3, frame, 224, 224] in -1..1."""
    return (2 * _middle(frames) / 255 - 1).transpose(0, 1)[None]


def flow_input(flow: torch.Tensor) -> torch.Tensor:
    """[frame, 2, height, width] in pixels -> [1, 2, frame, 224, 224] in -1..1, through 256 levels."""
    levels = (128 + 255 / (2 * FLOW_BOUND) * _middle(flow).clamp(-FLOW_BOUND, FLOW_BOUND)).round()
    return (2 * levels / 255 - 1).transpose(0, 1)[None]


def farneback(frames: torch.Tensor) -> torch.Tensor:
    """Optical flow between neighbouring frames, float32 [frame - 1, 2, height, width] in pixels."""
    try:
        import cv2
    except ImportError:
        raise UsageError("optical flow needs OpenCV; install it with: pip install 'foleygram[train]'") from None
    greys = [
        cv2.cvtColor(np.ascontiguousarray(frame.numpy().transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY).astype(np.uint8)
        for frame in frames
    ]
    flows = [
        cv2.calcOpticalFlowFarneback(before, after, None, 0.5, 3, 15, 3, 5, 1.2, 0)
        for before, after in zip(greys[:-1], greys[1:], strict=True)
    ]
    return torch.from_numpy(np.stack(flows)).permute(0, 3, 1, 2)


def _middle(frames: torch.Tensor) -> torch.Tensor:
    top, left = (frames.shape[2] - CROP) // 2, (frames.shape[3] - CROP) // 2
    return frames[:, :, top : top + CROP, left : left + CROP]


def _load(file: EvaluatorFile, channels: int) -> tuple[I3dNetwork, str]:
    tensors, weights = load_evaluator(file)
    network = I3dNetwork(channels)
    fill(network, {name: value for name, value in tensors.items() if not name.startswith("conv3d_0c_1x1.")}, file)
    return network.eval().requires_grad_(False), weights
