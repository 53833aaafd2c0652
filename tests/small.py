"""The paper's model with small numbers, random weights, and checkpoints of it in foreign layouts."""

import json
from pathlib import Path

import torch
from torch import Tensor

from foleygram.diffusion.autoencoder import OobleckConfig
from foleygram.diffusion.conditioner import ConditionerConfig
from foleygram.diffusion.control import ControlNetConfig
from foleygram.diffusion.sampler import SamplerConfig
from foleygram.diffusion.transformer import TransformerConfig
from foleygram.gram.audio import BeatsConfig
from foleygram.gram.encoder import GramConfig
from foleygram.gram.text import BertConfig
from foleygram.gram.vision import EvaConfig
from foleygram.hub.layouts import GramParts, StableAudioParts, to_gram, to_stable_audio
from foleygram.pipeline import FoleyGRAM, FoleyGRAMConfig

PIECES = "[PAD] [UNK] [CLS] [SEP] a person hit metal".split()

CONFIG = FoleyGRAMConfig(
    name="small",
    gram=GramConfig(
        dim=12,
        vision=EvaConfig(size=28, width=32, depth=2, heads=2, hidden=32, head=8, frames=3, drop_path=0.0),
        audio=BeatsConfig(mel=64, frames=64, embed=16, width=32, layers=2, heads=2, hidden=32, conv_kernel=16, conv_groups=4),
        text=BertConfig(vocabulary=len(PIECES), positions=24, width=32, layers=2, heads=2, hidden=32, max_length=16),
    ),
    autoencoder=OobleckConfig(kind="oobleck", latent_dim=6, width=4, multiples=(1, 2), strides=(2, 4)),
    transformer=TransformerConfig(latent_dim=6, embed_dim=64, depth=3, cross_dim=64, global_dim=128, time_dim=16),
    control_net=ControlNetConfig(depth=2),
    conditioner=ConditionerConfig(embedding_dim=12, token_dim=64, text_dim=64, frequencies=8),
    sampler=SamplerConfig(steps=2),
)


def model(seed: int = 0) -> FoleyGRAM:
    """Every tensor random, zero-initialised ones too."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        whole = FoleyGRAM(CONFIG)
        with torch.no_grad():
            for parameter in whole.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return whole.eval()


def stable_audio(whole: FoleyGRAM, foleygram: bool = False) -> dict[str, Tensor]:
    """The layout of stable-audio-tools; ``foleygram``: with ControlNet and projections."""
    conditioner = whole.conditioner.state_dict()
    if not foleygram:
        conditioner = {name: tensor for name, tensor in conditioner.items() if not name.startswith("gram_")}
    control_net = whole.control_net.state_dict() if foleygram else None
    return to_stable_audio(
        StableAudioParts(whole.transformer.state_dict(), whole.autoencoder.state_dict(), conditioner, control_net)
    )


def passengers() -> dict[str, Tensor]:
    """What a GRAM checkpoint carries along, one tensor of each group."""
    names = (
        "vision_encoder.text.ln_final.weight", "vision_encoder.logit_scale", "multimodal_encoder.cls.predictions.bias",
        "multimodal_encoder.bert.encoder.layer.0.crossattention.self.query.weight", "contra_head_s.linear.weight",
        "contra_head_d.linear.weight", "contra_head_va.bias", "itm_head.linear1.weight",
        "hidden_trans_vision_multimodal.0.weight", "vision_type_embeddings",
    )  # fmt: skip
    tensors = {name: torch.randn(3) for name in names}
    tensors["multimodal_encoder.bert.embeddings.position_ids"] = torch.arange(24)[None]
    tensors["vision_frame_embedding"] = torch.arange(4.0)[None, :, None].expand(1, 4, 5).clone()
    tensors["audio_frame_embedding"] = torch.randn(1, 1, 5)
    return tensors


def gram(whole: FoleyGRAM, extra: bool = True) -> dict[str, Tensor]:
    """GRAM's own names."""
    return to_gram(GramParts(whole.gram.state_dict(), passengers() if extra else {}))


def gram_folder(folder: Path, state: dict[str, Tensor], **settings) -> Path:
    """``ckpt`` and ``log`` as GRAM's trainer writes them."""
    (folder / "ckpt").mkdir(parents=True)
    (folder / "log").mkdir()
    torch.save({"never": torch.zeros(1)}, folder / "ckpt" / "model_step_90.pt")
    torch.save(state, folder / "ckpt" / "model_step_1000.pt")
    (folder / "ckpt" / "optimizer_step_1000.pt").write_bytes(b"")
    model_cfg = {
        "vision_encoder_type": "evaclip01_giant", "audio_encoder_type": "beats", "audio_melbins": 64,
        "audio_target_length": 64, "vision_resolution": 28, "contra_dim": 12, "max_caption_len": 16,
    } | settings  # fmt: skip
    (folder / "log" / "hps.json").write_text(json.dumps({"model_cfg": model_cfg, "run_cfg": {}, "data_cfg": {}}))
    return folder
