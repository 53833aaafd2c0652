"""VGGish (Hershey et al. 2017): the 128-d embedding of FAD-VGGish and of the sound side of FAVD.

Conventions
    16 kHz mono through 16-bit samples, as fadtk and torchvggish feed it. Log-mel frames of 25 ms every 10 ms; windows of
    96 frames (0.96 s) without overlap; what does not fill a window is dropped (10 s give 10, 9.6 s give 9). A sound
    shorter than one window is filled with silence and gives one.

Three outputs are in use and their distances are not comparable, so the label names one:
    raw      the last linear layer: fadtk, av-benchmark
    relu     the same after ReLU: torchvggish without postprocessing
    pca_u8   after PCA whitening, clipping to +-2 and rounding to 0..255: the PEAVS toolkit; distances are 4 decimal
             orders larger
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import nn

from foleygram.evaluation.embedders import Card, own_array, require_sound
from foleygram.evaluation.resampling import resample_kaiser, sixteen_bits
from foleygram.hub.evaluators import VGGISH, fill, load_evaluator, load_vggish_pca
from foleygram.signal.mel import kaldi_mel
from foleygram.types import Audio

RATE = 16000  # Hz
FRAME, HOP, FFT = 400, 160, 512  # samples
BANDS, LOW, HIGH = 64, 125.0, 7500.0  # mel bands, Hz, Hz
WINDOW = 96  # frames
WINDOW_SECONDS = WINDOW * HOP / RATE
LOG_OFFSET = 0.01
PCA_CLIP = 2.0
DIM = 128

Post = Literal["raw", "relu", "pca_u8"]


class VggishNetwork(nn.Module):
    """Log-mel windows [window, 1, 96, 64] -> last linear layer [window, 128]; parameter names of torchvggish."""

    def __init__(self):
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for width, pool in ((64, True), (128, True), (256, False), (256, True), (512, False), (512, True)):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if pool else []
            channels = width
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(512 * 6 * 4, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, DIM)
        )

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        # TensorFlow's order of the flattened features: frames, bands, channels.
        return self.embeddings(self.features(windows).permute(0, 2, 3, 1).flatten(1))


class Vggish:
    """The judge. ``post``: which output. ``raw`` for FAD-VGGish and the FAVD of reports; ``relu`` and ``pca_u8`` for
    parity with numbers of torchvggish and of the PEAVS toolkit. Reads the user's cache, with ``pca_u8`` the PCA too;
    ModelError tells what to get where the weights are absent or others."""

    def __init__(self, post: Post = "raw"):
        tensors, weights = load_evaluator(VGGISH)
        self.network = VggishNetwork()
        fill(self.network, {name: value for name, value in tensors.items() if not name.startswith("pproc.")}, VGGISH)
        self.network.eval().requires_grad_(False)
        self.post = post
        self.pca = load_vggish_pca() if post == "pca_u8" else None
        self.card = vggish_card(post, weights)

    def embed(self, audio: Audio) -> np.ndarray:
        """Float32 [window, 128]."""
        require_sound(audio)
        wave = sixteen_bits(resample_kaiser(audio.mono(), audio.rate, RATE))
        with torch.inference_mode():
            raw = own_array(self.network(torch.from_numpy(log_mel_windows(wave))[:, None]))
        return postprocess(raw, self.post, self.pca)


def vggish_card(post: Post, weights: str) -> Card:
    """The card of one of the three outputs."""
    return Card(
        f"VGGish ({post})", DIM, RATE, WINDOW_SECONDS, WINDOW_SECONDS,
        "an incomplete last window is dropped; a shorter clip is filled with silence", weights,
        "log-mel 64 bands 125-7500 Hz, Kaiser resampling, 16 bits",
    )  # fmt: skip


def postprocess(raw: np.ndarray, post: Post, pca: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:
    """The raw output [window, 128] in the form ``post``; ``pca``: eigenvectors [128, 128] in rows, means [128]."""
    if post == "raw":
        return raw
    hinged = np.maximum(raw, 0)
    if post == "relu":
        return hinged
    vectors, means = pca
    whitened = np.clip((hinged - means) @ vectors.T, -PCA_CLIP, PCA_CLIP)
    return np.round((whitened + PCA_CLIP) * (255 / (2 * PCA_CLIP))).astype(np.float32)


def log_mel_windows(wave: np.ndarray) -> np.ndarray:
    """Float32 [window, 96, 64] of a 16 kHz wave [sample] in +-1: natural log of mel magnitudes plus 0.01."""
    shortest = FRAME + (WINDOW - 1) * HOP
    wave = np.pad(wave.astype(np.float64), (0, max(0, shortest - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(wave, FRAME)[::HOP]
    # A Hann window that repeats after FRAME samples, not the symmetric one.
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    magnitudes = np.abs(np.fft.rfft(frames * hann, FFT))
    log_mel = np.log(magnitudes @ mel_weights() + LOG_OFFSET)
    count = len(log_mel) // WINDOW
    return log_mel[: count * WINDOW].reshape(count, WINDOW, BANDS).astype(np.float32)


@lru_cache(maxsize=1)
def mel_weights() -> np.ndarray:
    """Triangles straight in HTK mel, float64 [fft bin, band]; the constant bin has no weight."""
    edges = np.linspace(kaldi_mel(LOW), kaldi_mel(HIGH), BANDS + 2)
    bins = kaldi_mel(np.linspace(0, RATE / 2, FFT // 2 + 1))[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(0, np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)))
    weights[0] = 0
    return weights
