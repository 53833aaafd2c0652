"""AISFX (Ma and Lerch, ISMIR 2022): the outside judge that ships in a wheel, trained on sound-effects libraries.

Our own network in evaluation form, with the wheel's weights. The front end is the one that the wheel documents for
librosa (HTK mels with unit-sum filters on peak-normalised 44.1 kHz mono); the paper used Essentia, so numbers are
comparable with each other and not with those of the paper. Never train on this judge.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from foleygram.errors import ModelError
from foleygram.evaluation.embedders import Card, own_array, require_sound
from foleygram.evaluation.resampling import mono_at
from foleygram.hub.aisfx import INSTALL, load_aisfx_checkpoint
from foleygram.signal.mel import mel_filters
from foleygram.types import Audio

RATE = 44100  # Hz
FRAME, HOP, BANDS = 2048, 1024, 96  # samples, samples, mel bands
BLOCK, BLOCK_HOP = 100, 50  # frames of 23 ms: 2.32 s every 1.16 s
TOP = 9.457798957824707  # the largest log10(1 + 10^4 x) of the training sets
WIDTHS = (64, 128, 256, 512)


class AisfxNetwork(nn.Module):
    """Four pairs of convolutions, mean over frequency, maximum over time. [block, frame, band] -> [block, 512]."""

    def __init__(self):
        super().__init__()
        inputs = (1, *WIDTHS[:-1])
        self.first = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(inputs, WIDTHS, strict=True))
        self.second = nn.ModuleList(nn.Conv2d(b, b, 3, padding=1) for b in WIDTHS)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        x = mel[:, None].contiguous(memory_format=torch.channels_last)
        for number, (first, second) in enumerate(zip(self.first, self.second, strict=True)):
            x = F.relu_(second(F.relu_(first(x))))
            if number < len(WIDTHS) - 1:
                x = F.max_pool2d(x, 2)
        return x.mean(dim=3).amax(dim=2)


def fold(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The wheel's tensors as those of ``AisfxNetwork``: each batch norm goes into the convolution before it."""
    folded = {}
    for number in range(len(WIDTHS)):
        for place, key in ((1, "first"), (2, "second")):
            block = f"embedding_net.conv_block{number + 1}"
            norm = f"{block}.bn{place}"
            scale = tensors[f"{norm}.weight"].double() / (tensors[f"{norm}.running_var"].double() + 1e-5).sqrt()
            kernel = tensors[f"{block}.conv{place}.weight"].double() * scale[:, None, None, None]
            folded[f"{key}.{number}.weight"] = kernel.float()
            folded[f"{key}.{number}.bias"] = (tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * scale).float()
    return folded


class Aisfx:
    """The judge. ``Aisfx()`` reads the installed wheel and raises ModelError with the install line where it is absent or holds
    another network."""

    def __init__(self):
        checkpoint = load_aisfx_checkpoint()
        self.network = AisfxNetwork()
        try:
            self.network.load_state_dict(fold(checkpoint.tensors))
            self.heads = {name: _head(checkpoint.tensors, number) for name, number, _ in checkpoint.heads}
        except (KeyError, IndexError, RuntimeError, AttributeError) as error:  # no such tensor, another shape, or no tensor
            raise ModelError(f"the wheel aisfx holds weights of another network; install it again with {INSTALL}") from error
        self.network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        triangles = mel_filters(RATE, FRAME, BANDS, 0.0, RATE / 2, htk=True, norm=False)
        self.filters = torch.from_numpy(triangles / triangles.sum(axis=1, keepdims=True))
        self.card = Card(
            "AISFX 0.1.2", WIDTHS[-1], RATE, BLOCK * HOP / RATE, BLOCK_HOP * HOP / RATE,
            "a clip shorter than one window is filled with silence; an incomplete last window is dropped",
            checkpoint.sha256, "peak-normalised mono, librosa front end",
        )  # fmt: skip

    def embed(self, audio: Audio) -> np.ndarray:
        """Float32 [window, 512]: 7 windows for 10 s, at least one."""
        mel = self.log_mel(audio)
        count = max(1, (len(mel) - BLOCK) // BLOCK_HOP + 1)
        mel = F.pad(mel, (0, 0, 0, max(0, BLOCK - len(mel))))
        blocks = mel.unfold(0, BLOCK, BLOCK_HOP)[:count].transpose(1, 2)
        with torch.inference_mode():
            return own_array(self.network(blocks))

    def log_mel(self, audio: Audio) -> torch.Tensor:
        """What the network sees, float32 [frame, 96] in about 0..1."""
        require_sound(audio)
        wave = torch.from_numpy(mono_at(audio, RATE))
        peak = wave.abs().max()
        wave = wave / peak if peak > 0 else wave
        wave = F.pad(wave, (FRAME // 2, FRAME // 2))
        spectrum = torch.stft(wave, FRAME, HOP, window=torch.hann_window(FRAME), center=False, return_complex=True)
        power = spectrum.real**2 + spectrum.imag**2
        return (torch.log10(1 + 1e4 * (self.filters @ power)) / TOP).T

    def logits(self, windows: np.ndarray, head: str = "ucsMixed") -> np.ndarray:
        """Class scores of one of the nine libraries: embeddings [window, 512] -> float32 [window, class]."""
        with torch.inference_mode():
            return self.heads[head](torch.from_numpy(windows)).numpy()


def _head(tensors: dict[str, torch.Tensor], number: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for place in (0, 2, 4):
        weight, bias = tensors[f"fc.{number}.{place}.weight"], tensors[f"fc.{number}.{place}.bias"]
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        linear.load_state_dict({"weight": weight, "bias": bias})
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval().requires_grad_(False)
