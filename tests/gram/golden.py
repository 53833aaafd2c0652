"""Golden numbers of the three towers: ``python -m tests.gram.golden`` from the repository's root writes golden.json.

The file was compared once, on 2026-11-23, with the reference implementations run on the same weights and inputs, to rtol
1e-4 and atol 1e-5: ``eva`` with eva_vit_model.py of ispamm/GRAM b70c5c2 and with timm 1.0.31, ``beats`` with BEATs.py of
microsoft/unilm 768a3c8, ``bert`` with transformers 5.23, ``lite0`` with tf_efficientnet_lite0 of timm 1.0.31. Weights and
inputs come from a stream of numbers that no version of torch or numpy changes.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from foleygram.gram.audio import Beats, BeatsConfig
from foleygram.gram.text import Bert, BertConfig, Tokens
from foleygram.gram.vision import EfficientNetConfig, EfficientNetLite0, EvaConfig, EvaVisionTransformer

FILE = Path(__file__).with_name("golden.json")
SHOWN = 16  # numbers kept of each row

EVA = EvaConfig(size=56, width=176, depth=3, heads=2, hidden=768, head=24)
BEATS = BeatsConfig(embed=32, width=48, layers=3, heads=4, hidden=96)
BERT = BertConfig(vocabulary=200, positions=64, width=48, layers=3, heads=4, hidden=96)


def randomise(module: nn.Module, seed: int, gain: float = 1.0) -> nn.Module:
    """Fills every parameter, zero-initialised ones too; norms stay near 1 and matrices keep the scale of their input times
    ``gain``, so that a deep model neither dies out nor overflows. Returns the module in evaluation mode."""
    stream = np.random.RandomState(seed)
    with torch.no_grad():
        for name, tensor in module.named_parameters():
            scale = 0.1 if tensor.ndim < 2 else gain * tensor[0].numel() ** -0.5
            centre = 1.0 if tensor.ndim == 1 and name.endswith("weight") else 0.0
            tensor.copy_(torch.as_tensor(centre + scale * stream.standard_normal(tuple(tensor.shape))))
    return module.eval()


def noise(seed: int, *shape: int) -> Tensor:
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape)).float()


def padded_tokens() -> Tokens:
    """Three texts of 40, 7 and 2 tokens."""
    ids = torch.from_numpy(np.random.RandomState(7).randint(0, BERT.vocabulary, (3, 40)))
    return Tokens(ids, torch.arange(40)[None] < torch.tensor([40, 7, 2])[:, None])


@torch.no_grad()
def outputs() -> dict[str, Tensor]:
    """Features [row, feature] of each tower, small and random; 128 mel bands as well as 64 for BEATs, both see 10.24 s."""
    beats = randomise(Beats(BEATS), 2)
    lite0 = randomise(EfficientNetLite0(EfficientNetConfig()), 4, gain=1.25)  # its rectifiers take power away
    return {
        "eva": randomise(EvaVisionTransformer(EVA), 1)(noise(11, 2, 3, 56, 56)),
        "beats_64": beats(noise(12, 2, 1024, 64))[:, 100],
        "beats_128": beats(noise(13, 2, 1024, 128))[:, 100],
        "bert": randomise(Bert(BERT), 3)(padded_tokens()).pooled,
        "lite0": lite0(noise(14, 2, 3, 75, 96)),
    }


if __name__ == "__main__":
    shown = {name: [[round(value, 6) for value in row] for row in rows[:, :SHOWN].tolist()] for name, rows in outputs().items()}
    FILE.write_text(json.dumps(shown) + "\n")
