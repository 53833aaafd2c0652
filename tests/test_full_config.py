"""What the paper's model asks of the pipeline: either autoencoder, offload, weights with a source."""

import json

import pytest
import small
import torch

from foleygram.config import read_json
from foleygram.diffusion.autoencoder import OobleckAutoencoder
from foleygram.diffusion.spectral import SpectralAutoencoder
from foleygram.errors import ModelError
from foleygram.pipeline import FoleyGRAM, FoleyGRAMConfig, build_autoencoder
from foleygram.types import Clip, Envelope
from foleygram.verbs.importing import full_config
from foleygram.weights import WEIGHTS_FILES

pytestmark = pytest.mark.usefixtures("own_cache")

ENVELOPE = Envelope(torch.ones(7).numpy())


def test_the_kind_chooses_the_autoencoder_and_the_mini_needs_none():
    content = small.CONFIG.model_dump()
    assert isinstance(build_autoencoder(small.CONFIG.autoencoder), OobleckAutoencoder)
    spectral = FoleyGRAMConfig.model_validate(content | {"autoencoder": {"latent_dim": 6}})
    assert isinstance(build_autoencoder(spectral.autoencoder), SpectralAutoencoder)
    assert FoleyGRAMConfig.model_validate(spectral.model_dump()) == spectral


@pytest.mark.parametrize(
    ("autoencoder", "message"),
    [
        ({"kind": "oobleck", "windows": 3}, "oobleck.windows"),
        ({"kind": "mp3"}, "autoencoder"),
        ({"windows": 3}, "spectral.windows"),
    ],
)
def test_a_wrong_autoencoder_is_named(tmp_path, autoencoder, message):
    content = small.CONFIG.model_dump(mode="json") | {"autoencoder": autoencoder}
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=message) as caught:
        read_json(FoleyGRAMConfig, tmp_path / "config.json")
    assert "\n" not in str(caught.value)


def test_the_shipped_config_is_the_paper_s():
    config = full_config()
    assert (config.sampler.steps, config.sampler.guidance, config.control_net.depth) == (150, 2.0, 4)
    assert config.gram.vision.frames == 8 and config.gram.audio.mel == 64 and config.gram.dim == 512
    assert config.timing is None and config.memory is None and not config.prior  # none of them is in the paper
    ours = ("prior", "timing", "memory")
    sources = {name: getattr(config.weights, name) for name in type(config.weights).model_fields if name not in ours}
    assert sources.keys() == set(WEIGHTS_FILES) and None not in sources.values()


def test_saved_and_loaded_it_sounds_the_same(tmp_path):
    whole = small.model()
    clip = Clip(text=None, video=None, audio=ENVELOPE.as_audio(0.02), seconds=0.02)
    (before,) = whole.place("cpu", "fp32").generate(clip, ENVELOPE)
    (after,) = FoleyGRAM.load(whole.save(tmp_path / "model"), "cpu", "fp32").generate(clip, ENVELOPE)
    assert before.samples.shape == (2, 882) and (before.samples == after.samples).all()


def test_offload_moves_each_part_for_its_work_only(moves):
    whole = small.model()
    clip = Clip(audio=ENVELOPE.as_audio(0.02), seconds=0.02)
    (expected,) = whole.place("cpu", "fp32").generate(clip, ENVELOPE)
    whole.place("cpu", "fp32", offload=True)
    moves.clear()
    whole.working_device = torch.device("cpu", 0)  # tells the two apart, and is the same memory
    (sound,) = whole.generate(clip, ENVELOPE)
    parts = (("GramEncoder",), ("OobleckAutoencoder",), ("Transformer", "ControlNet"), ("OobleckAutoencoder",))
    assert moves == [(name, device) for group in parts for device in ("cpu:0", "cpu") for name in group]
    assert (sound.samples == expected.samples).all()
