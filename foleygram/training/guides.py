"""What the control experiments of Table I give the ControlNet in place of the envelope."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from foleygram.data.controls import ONSET_STRENGTH, Control, onset_track, silence
from foleygram.data.manifest import ClipRecord
from foleygram.diffusion.autoencoder import OobleckAutoencoder
from foleygram.diffusion.spectral import SpectralAutoencoder
from foleygram.errors import DataError
from foleygram.training.cache import cached_array, key_of
from foleygram.types import Envelope


@torch.no_grad()
def guide_latents(
    model: SpectralAutoencoder | OobleckAutoencoder,
    records: Sequence[ClipRecord],
    control: Control,
    seconds: float,
    folder: Path,
) -> np.ndarray:
    """fp16 [clip, latent_dim, length]: latents of the onset tracks of ``seconds``, or of silence for every clip (``none``).

    Raises DataError for onsets where the manifest knows none."""
    weights = list((model.encoder if isinstance(model, OobleckAutoencoder) else model.to_latent).parameters())

    def encoded(envelope: Envelope) -> np.ndarray:
        samples = torch.from_numpy(envelope.as_audio(seconds, model.config.rate).samples)[None].to(weights[0].device)
        return model.encode(samples)[0].half().cpu().numpy()

    if control == "none":
        latent = encoded(silence(seconds))
        return np.broadcast_to(latent, (len(records), *latent.shape))  # one clip's memory for all
    if not any(record.onsets for record in records):
        raise DataError("none of these clips has onsets in the manifest; a guide of onsets needs them")
    key = key_of(model.config, *weights, [(record.id, record.onsets) for record in records], seconds, ONSET_STRENGTH)
    return cached_array(
        folder,
        "onset-latents",
        key,
        len(records),
        lambda index: encoded(onset_track(records[index], seconds)),
        "encoding onsets",
    )
