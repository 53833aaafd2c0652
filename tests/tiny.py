"""A whole FoleyGRAM with random weights that does everything in a moment: the same classes as the mini, smaller numbers."""

import torch

from foleygram.diffusion.conditioner import ConditionerConfig
from foleygram.diffusion.control import ControlNetConfig
from foleygram.diffusion.sampler import SamplerConfig
from foleygram.diffusion.spectral import SpectralAutoencoderConfig
from foleygram.diffusion.transformer import TransformerConfig
from foleygram.gram.audio import BeatsConfig
from foleygram.gram.encoder import GramConfig
from foleygram.gram.text import BertConfig, Tokenizer
from foleygram.gram.vision import EvaConfig
from foleygram.pipeline import FoleyGRAM, FoleyGRAMConfig
from foleygram.timing.motion import MotionConfig
from foleygram.timing.network import TimingConfig

TIMING = TimingConfig(motion=MotionConfig(long=32, short=24), stem=4, middle=4, top=4, width=8, hidden=8, dilations=(1,))
"""Of a predictor, for tests that need one."""

PIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] a person hits scratches steps metal wood on with wooden stick once times .".split()

CONFIG = FoleyGRAMConfig(
    name="tiny",
    seconds=2.0,
    gram=GramConfig(
        dim=24,
        vision=EvaConfig(size=28, width=32, depth=1, heads=2, hidden=32, head=8, frames=3, drop_path=0.0),
        audio=BeatsConfig(frames=64, embed=16, width=32, layers=1, heads=2, hidden=32, conv_kernel=16, conv_groups=4),
        text=BertConfig(vocabulary=len(PIECES), positions=24, width=32, layers=1, heads=2, hidden=32, max_length=16),
    ),
    autoencoder=SpectralAutoencoderConfig(latent_dim=16, hidden=16, blocks=1, phase_iterations=2),
    transformer=TransformerConfig(
        latent_dim=16, embed_dim=32, depth=2, head_dim=16, cross_dim=32, global_dim=64, time_dim=16, ff_mult=2
    ),
    control_net=ControlNetConfig(depth=1),
    conditioner=ConditionerConfig(embedding_dim=24, token_dim=32, text_dim=32, longest=64.0, frequencies=8),
    sampler=SamplerConfig(steps=3),
)


def tiny_model(seed: int = 0, timing: bool = False, prior: bool = False) -> FoleyGRAM:
    """Random weights, none of them zero, so that every input moves the result. ``timing``,
    ``prior``: with such parts."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = CONFIG.replace(timing=TIMING if timing else None, prior=prior)
        model = FoleyGRAM(config, Tokenizer("\n".join(PIECES), CONFIG.gram.text))
        with torch.no_grad():
            for parameter in model.parameters():
                if not parameter.any():
                    parameter.normal_(std=0.1)
            model.autoencoder.to_latent.weight.mul_(30)  # latents of unit size, as a fitted code has them
            # a magnitude is the 3.3rd power of what the decoder predicts: near 0.15 the sound stays within full scale
            for layer in (model.autoencoder.to_magnitude, model.autoencoder.to_correction):
                layer.weight.mul_(0.05)
                layer.bias.fill_(0.07)
    return model.eval().requires_grad_(False)
