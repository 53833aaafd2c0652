"""Training clips as the diffusion stages see them: latents of sound and envelope, captions, crops.

Everything frozen is computed once and cached (``training.cache``); a draw is a pure function of (seed, step, row).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from foleygram.data.features import clip_frames
from foleygram.data.manifest import ClipRecord
from foleygram.data.scenes import Scene
from foleygram.diffusion.autoencoder import OobleckAutoencoder
from foleygram.diffusion.spectral import SpectralAutoencoder
from foleygram.finish.palette import COLOURS, FLOOR, band_centres, palette
from foleygram.gram.audio import preprocess_audio
from foleygram.gram.encoder import GramEncoder
from foleygram.gram.vision import preprocess_frames
from foleygram.media.audio import read_audio
from foleygram.signal.envelope import extract_envelope
from foleygram.training.cache import cached_array, file_mark, key_of, picture_mark
from foleygram.types import SAMPLE_RATE, Audio, sample_count


def clip_sounds(records: Sequence[ClipRecord], folder: Path, seconds: float) -> np.ndarray:
    """The clips' sounds as int16 [clip, 2, sample], memory-mapped."""

    def row(index: int) -> np.ndarray:
        sound = read_audio(records[index].audio, SAMPLE_RATE).stereo().trim(seconds)
        return np.clip(np.round(sound.samples * 32768), -32768, 32767).astype(np.int16)

    key = key_of([file_mark(record.audio) for record in records], seconds)
    return cached_array(folder, "sounds", key, len(records), row, "reading sounds")


@torch.no_grad()
def sound_latents(
    model: SpectralAutoencoder | OobleckAutoencoder, sounds: np.ndarray, folder: Path, envelope: bool
) -> np.ndarray:
    """fp16 [clip, latent_dim, length]: latents of the sounds, or of their envelopes (section III-B2)."""
    weights = model.encoder.parameters() if isinstance(model, OobleckAutoencoder) else model.to_latent.parameters()
    weights = list(weights)

    def row(index: int) -> np.ndarray:
        sound = Audio(sounds[index].astype(np.float32) / 32768, model.config.rate)
        if envelope:
            sound = extract_envelope(sound).as_audio(sound.seconds)
        samples = torch.from_numpy(sound.samples)[None].to(weights[0].device)
        return model.encode(samples)[0].half().cpu().numpy()

    name = "envelope-latents" if envelope else "latents"
    key = key_of(model.config, *weights, sounds)
    return cached_array(folder, name, key, len(sounds), row, f"encoding {'envelopes' if envelope else 'sounds'}")


@dataclass(frozen=True)
class Captions:
    """Distinct captions, and which of them each clip may bear."""

    texts: tuple[str, ...]
    of_clip: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, records: Sequence[ClipRecord]) -> Captions:
        places: dict[str, int] = {}
        of_clip = tuple(
            tuple(places.setdefault(text, len(places)) for text in (record.text, *record.captions)) for record in records
        )
        return cls(tuple(places), of_clip)

    def draw(self, clip: int, draw: np.random.Generator) -> int:
        """The template half of the time, else a paraphrase."""
        choices = self.of_clip[clip]
        if len(choices) == 1 or draw.random() < 0.5:
            return choices[0]
        return choices[1 + draw.integers(len(choices) - 1)]


@dataclass(frozen=True, eq=False)
class TextStatesTable:
    """States of every caption: [caption, token, width] fp16, mask [caption, token], pooled [caption, width]."""

    states: np.ndarray
    mask: np.ndarray
    pooled: np.ndarray


@torch.no_grad()
def text_states(encoder: GramEncoder, captions: Captions, folder: Path) -> TextStatesTable:
    """Runs the frozen text tower over the captions."""
    encoder.eval()
    width, length = encoder.config.text.width, encoder.config.text.max_length

    def row(index: int) -> np.ndarray:
        result = encoder.text(encoder.tokens([captions.texts[index]]))
        states = np.zeros((length + 2, width), np.float16)
        count = int(result.mask.sum())
        states[:count] = result.states[0, :count].half().cpu().numpy()
        states[length] = result.pooled[0].half().cpu().numpy()
        states[length + 1, 0] = count
        return states

    tokens = encoder.tokens(list(captions.texts))
    key = key_of(tokens.ids, tokens.mask, encoder.config.text, *encoder.text.state_dict().values())
    table = cached_array(folder, "captions", key, len(captions.texts), row, "encoding captions")
    counts = table[:, length + 1, 0].astype(int)
    return TextStatesTable(table[:, :length], np.arange(length)[None] < counts[:, None], table[:, length])


@torch.no_grad()
def frame_features(
    encoder: GramEncoder,
    records: Sequence[ClipRecord],
    count: int,
    scenes: Mapping[str, Scene],
    textures: Path | None,
    folder: Path,
) -> np.ndarray:
    """fp16 [clip, count, features] of the frozen vision tower."""
    encoder.eval()
    config = encoder.config.vision.replace(frames=count)

    def row(index: int) -> np.ndarray:
        frames = preprocess_frames(clip_frames(records[index], count, scenes, textures), config)
        return encoder.vision(frames.to(encoder.contra_temp.device)).half().cpu().numpy()

    shown = [picture_mark(record, scenes.get(record.id)) for record in records]
    key = key_of(shown, config, *encoder.vision.state_dict().values())
    return cached_array(folder, "frames", key, len(records), row, "looking at frames")


def sound_banks(encoder: GramEncoder, sounds: np.ndarray, folder: Path) -> np.ndarray:
    """fp16 [clip, time, mel]: what the audio tower reads of each sound."""
    audio = encoder.config.audio

    def row(index: int) -> np.ndarray:
        sound = Audio(sounds[index].astype(np.float32) / 32768, SAMPLE_RATE)
        return preprocess_audio(sound, encoder.config.audio)[0].half().numpy()

    key = key_of(sounds, audio.rate, audio.mel, audio.pad, audio.frames, audio.slices)
    return cached_array(folder, "banks", key, len(sounds), row, "filter banks")


def sound_palettes(sounds: np.ndarray, folder: Path) -> np.ndarray:
    """fp16 [clip, shade, band]: palette of each sound as dB of the shares of power; all NaN where it has none."""

    def row(index: int) -> np.ndarray:
        found = palette(Audio(sounds[index].astype(np.float32) / 32768, SAMPLE_RATE))
        if found is None:
            return np.full((COLOURS.shades, len(band_centres(SAMPLE_RATE))), np.nan, np.float16)
        return (10 * np.log10(np.maximum(found, FLOOR))).astype(np.float16)

    key = key_of(sounds, COLOURS, FLOOR)
    return cached_array(folder, "palettes", key, len(sounds), row, "measuring palettes")


class Crops:
    """Crops of latents: the same place of several arrays [clip, channel, length]. ``whole``: each counts as a clip of its own
    length, not as a part of a longer one."""

    def __init__(self, arrays: Sequence[np.ndarray], seconds: float, hop: int, whole: bool = False):
        length = arrays[0].shape[-1]
        self.arrays, self.hop, self.seconds = arrays, hop, seconds
        self.positions = min(math.ceil(sample_count(seconds) / hop), length)
        self.whole = whole or self.positions == length

    def __len__(self) -> int:
        return len(self.arrays[0])

    def at(self, clip: int, start: int) -> tuple[Float[Tensor, "channel length"], ...]:
        return tuple(
            torch.from_numpy(np.asarray(array[clip, :, start : start + self.positions], dtype=np.float32))
            for array in self.arrays
        )

    def draw_start(self, draw: np.random.Generator) -> int:
        return int(draw.integers(self.arrays[0].shape[-1] - self.positions + 1))

    def seconds_of(self, start: int) -> float:
        return start * self.hop / SAMPLE_RATE

    def of(self, seconds: float) -> Crops:
        """Whole clips of another length, cut from the same arrays."""
        return Crops(self.arrays, seconds, self.hop, whole=True)

    def told(self, start: int) -> tuple[float, float]:
        """Where the crop begins and how long its clip is (s), as the model is told."""
        if self.whole:
            return 0.0, min(self.seconds, self.seconds_of(self.positions))
        return self.seconds_of(start), self.seconds_of(self.arrays[0].shape[-1])
