"""The CLAP judges of the paper: MS-CLAP 2023 (FAD-C) and LAION-CLAP (FAD-LC, CLAP score).

Conventions
    Windows are fadtk's: mono, Kaiser-resampled, through 16-bit samples, one window starting every second up to the end
    of the clip, short ends filled with zeros. So 10 s give ten windows, most of them part silence.
    ``whole=True`` (CLAP score) takes one window from the start of the clip instead, cut or filled with zeros.

Both judges have one backbone, the HTSAT of transformers; only mel spectrum and projection differ.
    MS-CLAP    44.1 kHz, 7 s, 1024-d, last op a LayerNorm: |x|^2 is about 1045, so distances come in hundreds. Divide by
               that to compare with other judges. Its settings name 50-8000 Hz, but msclap's wrapper of HTSAT ignores
               them and lays filters for 32 kHz and 50-14000 Hz on 44.1 kHz sound: it hears 69-19294 Hz.
    LAION-CLAP 48 kHz, 10 s, 64 bands 50-14000 Hz, 512-d, unit norm.
The filters come from the checkpoint, which holds them, so they are right whatever the settings say.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from foleygram.errors import UsageError
from foleygram.evaluation.embedders import Card, own_array, require_sound
from foleygram.evaluation.resampling import resample_kaiser, sixteen_bits
from foleygram.hub.evaluators import LAION_CLAP, LAION_CLAP_MUSIC, MS_CLAP, fill, load_evaluator
from foleygram.signal.mel import mel_filters
from foleygram.types import Audio

if TYPE_CHECKING:
    from transformers import ClapAudioConfig

BATCH = 4  # windows the network sees at a time: memory, not a number of the score

MS_PREFIX = "audio_encoder.base.htsat."
MS_FILTER_RATE = 32000  # Hz that msclap's wrapper builds its filters for, whatever the sound's rate

# LAION's and Microsoft's names of the backbone -> those of transformers; in this order.
RENAMED = (
    ("attn.", "attention.self."),
    ("attention.self.proj.", "attention.output.dense."),
    ("mlp.fc1.", "intermediate.dense."),
    ("mlp.fc2.", "output.dense."),
    ("norm1.", "layernorm_before."),
    ("norm2.", "layernorm_after."),
    ("bn0.", "batch_norm."),
)
UNUSED = ("head.", "logmel_extractor.", "spectrogram_extractor.", "tscam_conv.")


class MsProjection(nn.Module):
    """Microsoft's projection: LayerNorm(a + gelu path), 768 -> 1024."""

    def __init__(self, inputs: int = 768, outputs: int = 1024):
        super().__init__()
        self.linear1 = nn.Linear(inputs, outputs, bias=False)
        self.linear2 = nn.Linear(outputs, outputs, bias=False)
        self.layer_norm = nn.LayerNorm(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        straight = self.linear1(x)
        return self.layer_norm(straight + self.linear2(F.gelu(straight)))


class LaionProjection(nn.Module):
    """LAION's projection to the unit sphere: linear, ReLU, linear, 768 -> 512."""

    def __init__(self, inputs: int = 768, outputs: int = 512):
        super().__init__()
        self.linear1 = nn.Linear(inputs, outputs)
        self.linear2 = nn.Linear(outputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.normalize(self.linear2(F.relu(self.linear1(x))), dim=-1)


class ClapTower(nn.Module):
    """Log-mel [window, frame, 64] in dB -> embeddings [window, dim]: backbone, then projection."""

    def __init__(self, config: ClapAudioConfig, projection: nn.Module):
        super().__init__()
        from transformers import ClapAudioModel

        self.backbone = ClapAudioModel(config)
        self.projection = projection

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        return self.projection(self.backbone(input_features=log_mel[:, None]).pooler_output)


def tiny_config() -> ClapAudioConfig:
    """HTSAT-tiny: MS-CLAP 2023 and LAION's 630k checkpoints."""
    return _transformers().ClapAudioConfig()


def base_config() -> ClapAudioConfig:
    """HTSAT-base: LAION's music checkpoints."""
    return _transformers().ClapAudioConfig(
        patch_embeds_hidden_size=128, hidden_size=1024, depths=[2, 2, 12, 2], num_attention_heads=[4, 8, 16, 32]
    )


def backbone_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A HTSAT state of laion_clap or msclap (without prefix) under the names of ``ClapAudioModel``; the joint
    query-key-value matrices are cut in three, what only training used is left out."""
    renamed = {}
    for name, value in tensors.items():
        if name.startswith(UNUSED) or name.endswith("attn_mask"):
            continue
        for old, new in RENAMED:
            name = name.replace(old, new)
        name = f"audio_encoder.{name}"
        if ".qkv." in name and value.ndim:
            # three parts of whatever there is: a checkpoint of another network is refused by its shapes
            for part, third in zip(("query", "key", "value"), value.tensor_split(3), strict=True):
                renamed[name.replace(".qkv.", f".{part}.")] = third
        else:
            renamed[name] = value
    return renamed


def log_mel(waves: torch.Tensor, filters: torch.Tensor, hop: int) -> torch.Tensor:
    """[window, sample] and filters [513, 64] -> [window, frame, 64]: Hann 1024, reflected ends, power, dB of at least -100."""
    spectrum = torch.stft(waves, 1024, hop, window=torch.hann_window(1024), pad_mode="reflect", return_complex=True)
    power = (spectrum.real**2 + spectrum.imag**2).transpose(1, 2)
    return 10 * (power @ filters).clamp_min(1e-10).log10()


def filters_of(tensors: dict[str, torch.Tensor], prefix: str, rate: int) -> torch.Tensor:
    """The mel filters [513, 64] that a checkpoint holds; where they were left out, those its code would build for ``rate``
    (Slaney, 50-14000 Hz)."""
    kept = tensors.get(f"{prefix}logmel_extractor.melW")
    built = torch.from_numpy(mel_filters(rate, 1024, 64, 50.0, 14000.0, htk=False, norm=True).T.copy())
    return built if kept is None else kept.float()


def windows_of(wave: np.ndarray, rate: int, seconds: int, whole: bool = False) -> np.ndarray:
    """[window, seconds * rate] of a wave [sample]: one from every second on, or the first alone; filled with zeros."""
    length = seconds * rate
    starts = [0] if whole else range(0, len(wave), rate)
    return np.stack([np.pad(part, (0, length - len(part))) for part in (wave[start : start + length] for start in starts)])


class ClapJudge:
    """What both judges share: cutting, mel, tower. Use ``MsClap`` and ``LaionClap``."""

    def __init__(self, tower: ClapTower, card: Card, filters: torch.Tensor, hop: int, whole: bool, twice: bool):
        self.tower = tower.eval().requires_grad_(False)
        self.card = card
        self.mel = partial(log_mel, filters=filters, hop=hop)
        self.whole = whole
        self.twice = twice

    def embed(self, audio: Audio) -> np.ndarray:
        """Float32 [window, dim]."""
        require_sound(audio)
        wave = sixteen_bits(resample_kaiser(audio.mono(), audio.rate, self.card.rate))
        if self.twice:
            # LAION's loader goes through 16 bits once more, with another scale.
            wave = (np.trunc(np.clip(wave, -1, 1) * 32767) / 32767).astype(np.float32)
        windows = torch.from_numpy(windows_of(wave, self.card.rate, round(self.card.window), self.whole))
        with torch.inference_mode():
            return own_array(torch.cat([self.tower(self.mel(part)) for part in windows.split(BATCH)]))


class MsClap(ClapJudge):
    """MS-CLAP 2023 (FAD-C). Reads the user's cache; ModelError tells what to get where it is absent or another."""

    def __init__(self):
        tensors, weights = load_evaluator(MS_CLAP)
        filters = filters_of(tensors, MS_PREFIX, MS_FILTER_RATE)
        super().__init__(ms_tower(tensors), ms_card(weights), filters, 320, whole=False, twice=False)


class LaionClap(ClapJudge):
    """LAION-CLAP, by default 630k-audioset-best without fusion (FAD-LC); ``whole``: one window a clip (CLAP score);
    ``music``: the HTSAT-base music checkpoint, for parity with numbers of fadtk's clap-laion-music. Raises as ``MsClap``."""

    def __init__(self, whole: bool = False, music: bool = False):
        file = LAION_CLAP_MUSIC if music else LAION_CLAP
        tensors, weights = load_evaluator(file)
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
        card = laion_card(file.name, weights, whole)
        filters = filters_of(tensors, "audio_branch.", card.rate)
        super().__init__(laion_tower(tensors, music), card, filters, 480, whole=whole, twice=True)


def ms_tower(tensors: dict[str, torch.Tensor]) -> ClapTower:
    """The tower of an msclap state: ``audio_encoder.base.htsat.*`` and ``audio_encoder.projection.*``. Raises ModelError for
    another network's."""
    tower = ClapTower(tiny_config(), MsProjection())
    fill(tower.backbone, backbone_names(_under(tensors, MS_PREFIX)), MS_CLAP)
    fill(tower.projection, _under(tensors, "audio_encoder.projection."), MS_CLAP)
    return tower


def laion_tower(tensors: dict[str, torch.Tensor], music: bool = False) -> ClapTower:
    """The tower of a laion_clap state: ``audio_branch.*`` and ``audio_projection.*``. Raises ModelError for another
    network's."""
    config, file = (base_config(), LAION_CLAP_MUSIC) if music else (tiny_config(), LAION_CLAP)
    tower = ClapTower(config, LaionProjection(config.hidden_size))
    fill(tower.backbone, backbone_names(_under(tensors, "audio_branch.")), file)
    layers = {"0": "linear1", "2": "linear2"}
    projection = {name.partition("."): value for name, value in _under(tensors, "audio_projection.").items()}
    named = {f"{layers.get(place, place)}.{rest}": value for (place, _, rest), value in projection.items()}
    fill(tower.projection, named, file)
    return tower


def ms_card(weights: str) -> Card:
    """FAD-C's card."""
    return Card(
        "MS-CLAP 2023", 1024, 44100, 7.0, 1.0, "windows start every second; ends are filled with zeros", weights,
        "not normalised: |x|^2 is about 1045; hears 69-19294 Hz",
    )  # fmt: skip


def laion_card(name: str, weights: str, whole: bool) -> Card:
    """FAD-LC's card, or with ``whole`` that of the CLAP score."""
    padding = (
        "one window from the start, cut or filled with zeros"
        if whole
        else "windows start every second; ends are filled with zeros"
    )
    return Card(
        f"LAION-CLAP {name.removesuffix('.pt')}",
        512,
        48000,
        10.0,
        0.0 if whole else 1.0,
        padding,
        weights,
        "unit norm; hears 50-14000 Hz",
    )


def _under(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _transformers():
    try:
        import transformers
    except ImportError:
        raise UsageError("the CLAP judges need transformers; install it with: pip install 'foleygram[eval]'") from None
    return transformers
