"""The paper's model at full size with random weights: memory and time of everything that a machine must be able to do.

    python benchmarks/full_scale.py make /scratch/full       # 5 GB of random weights, fp16
    python benchmarks/full_scale.py run /scratch/full --steps 2 --dtype bf16 --threads 2
    python benchmarks/full_scale.py compare --dtype bf16     # one guided step: ours, with ControlNet, diffusers
    python benchmarks/full_scale.py train --batch 2          # one step of the control stage

The numbers say nothing of quality: what comes out is noise. Every line is one JSON object.
"""

import argparse
import json
import resource
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from foleygram.device import DTYPES
from foleygram.diffusion.conditioner import Conditioner
from foleygram.diffusion.control import ControlNet
from foleygram.diffusion.transformer import Transformer
from foleygram.pipeline import FoleyGRAM
from foleygram.types import SAMPLE_RATE, Audio, Clip, Condition, Envelope, Video
from foleygram.verbs.describe import expected_memory
from foleygram.verbs.importing import full_config
from foleygram.weights import restore_buffers

SECONDS = 10.0
LENGTH = 216  # latent positions of 10 s


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def say(**values) -> None:
    print(json.dumps({**values, "peak_gib": round(peak_gib(), 2)}), flush=True)


class Timed:
    """Prints the seconds of a block and the peak of memory so far."""

    def __init__(self, what: str, **more):
        self.what, self.more = what, more

    def __enter__(self):
        self.began = time.perf_counter()
        return self

    def __exit__(self, *_):
        self.seconds = time.perf_counter() - self.began
        say(what=self.what, seconds=round(self.seconds, 2), **self.more)


def randomised(module: nn.Module, dtype: torch.dtype, seed: int = 0) -> nn.Module:
    """A module of the meta device with random numbers: matrices keep the scale of their input, norms are near 1."""
    module = module.to_empty(device="cpu").to(dtype)
    stream = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.named_parameters():
            gain = name.endswith("weight_g") or (tensor.ndim == 1 and name.endswith("weight"))
            scale = 0.02 if gain or tensor.ndim < 2 else tensor[0].numel() ** -0.5
            tensor.normal_(1.0 if gain else 0.0, scale, generator=stream)
    restore_buffers(module)
    return module.eval().requires_grad_(False)


def meta(build) -> nn.Module:
    with torch.device("meta"):
        return build()


def make(folder: Path) -> None:
    config = full_config()
    with Timed("make"):
        randomised(meta(lambda: FoleyGRAM(config)), torch.float16).save(folder, "fp16")


def run(folder: Path, steps: int, dtype: str) -> None:
    expected = expected_memory(FoleyGRAM.outline(folder), "cpu", dtype)
    say(what="expected", gib=round(expected, 1), dtype=dtype, threads=torch.get_num_threads())
    with Timed("load"):
        model = FoleyGRAM.load(folder, "cpu", dtype)
    draw = np.random.default_rng(0)
    frames = draw.integers(0, 256, (8, 3, 256, 455), dtype=np.uint8)
    sound = Audio(0.1 * draw.standard_normal((2, round(SECONDS * SAMPLE_RATE))).astype(np.float32), SAMPLE_RATE)
    clip = Clip(Video(frames, np.arange(8) * 1.25, SECONDS), sound, None, SECONDS)
    envelope = Envelope(draw.random(3446).astype(np.float32) * 0.1)
    with Timed("embed video and audio"):
        embeddings = model.embed(clip)
    with Timed("encode the envelope"):
        model.encode_envelope(envelope, SECONDS)
    sampler = model.config.sampler.replace(steps=steps)
    with Timed("generate", steps=steps, note="envelope, steps with ControlNet and guidance, decoding"):
        result = model.synthesise(embeddings, envelope, SECONDS, sampler, 1)
    with Timed("decode 10 s"):
        model.autoencoder.decode(torch.randn(1, 64, LENGTH))
    say(what="result", samples=result.samples.shape[1], finite=bool(np.isfinite(result.samples).all()))


def compare(dtype: torch.dtype, repeats: int) -> None:
    """Both on the same weights, in turns; the least time of each."""
    config = full_config()
    ours = randomised(meta(lambda: Transformer(config.transformer)), dtype)
    net = randomised(meta(lambda: ControlNet(config.transformer, config.control_net)), dtype, 1)
    stream = torch.Generator().manual_seed(2)
    x = torch.randn(2, 64, LENGTH, generator=stream).to(dtype)
    condition = Condition(torch.randn(2, 5, 768, generator=stream).to(dtype), torch.randn(2, 1536, generator=stream).to(dtype))
    t = torch.full((2,), 0.5)
    calls = {
        "foleygram": lambda: ours(x, t, condition),
        "foleygram with ControlNet": lambda: ours(x, t, condition, net(x, t, condition, x)),
    }
    theirs = reference(ours)
    if theirs is not None:
        calls["diffusers"] = lambda: theirs(x, t.to(dtype), condition)
    times = {name: [] for name in calls}
    with torch.inference_mode():
        results = {name: call() for name, call in calls.items()}  # to warm up
        for _ in range(repeats):
            for name, call in calls.items():
                began = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - began)
    best = {name: round(min(values), 3) for name, values in times.items()}
    middle = {name: round(sorted(values)[len(values) // 2], 3) for name, values in times.items()}
    difference = (
        float((results["foleygram"].float() - results["diffusers"].float()).abs().max()) if theirs is not None else None
    )
    say(
        what="one guided step (batch 2, 216 positions)", dtype=str(dtype), best_seconds=best, median_seconds=middle,
        largest_difference=difference, largest_value=float(results["foleygram"].abs().max()),
    )  # fmt: skip


def reference(ours: Transformer):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from diffusers import StableAudioDiTModel
            from diffusers.models.embeddings import get_1d_rotary_pos_embed
    except ImportError:
        return None
    theirs = meta(StableAudioDiTModel)
    theirs.load_state_dict(ours.state_dict(), assign=True)  # the same memory
    angles = get_1d_rotary_pos_embed(32, LENGTH + 1, use_real=True, repeat_interleave_real=False)

    def call(x, t, condition):
        return theirs(
            x, t, encoder_hidden_states=condition.tokens, global_hidden_states=condition.global_vector[:, None],
            rotary_embedding=angles, return_dict=False,
        )[0]  # fmt: skip

    return call


def train(batch: int) -> None:
    """Forward, backward and AdamW under bf16 with gradient checkpointing; latents and embeddings as if cached."""
    from foleygram.training.control import ClipEmbeddings, ControlStage, ControlTraining
    from foleygram.training.latents import Captions, Crops

    config = full_config()
    transformer = randomised(meta(lambda: Transformer(config.transformer)), torch.float32)
    net, conditioner = ControlNet(config.transformer, config.control_net), Conditioner(config.conditioner)
    net.initialise(transformer)
    draw = np.random.default_rng(0)
    latents = [draw.standard_normal((4, 64, LENGTH)).astype(np.float16) for _ in range(2)]
    points = ClipEmbeddings(*(draw.standard_normal((4, 512)).astype(np.float32) / 512**0.5 for _ in range(3)))
    crops = Crops(latents, SECONDS, config.autoencoder.hop)
    captions = Captions(("a",), ((0,),) * 4)
    training = ControlTraining(modality_dropout=0.0, seconds=SECONDS)
    stage = ControlStage(
        transformer, net, conditioner, training, 0, Path("."), crops, captions, points, crops, captions, points
    ).train()
    transformer.gradient_checkpointing = net.gradient_checkpointing = True
    optimizer = torch.optim.AdamW((p for p in stage.parameters() if p.requires_grad), lr=1e-4, weight_decay=1e-3)
    say(what="control stage", trained=sum(p.numel() for p in stage.parameters() if p.requires_grad), batch=batch)
    for step in range(2):
        with Timed("training step", step=step):
            with torch.autocast("cpu", torch.bfloat16):
                loss = stage(*stage.batch(step, range(batch), batch))[0]
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        say(what="loss", value=round(loss.item(), 4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "run", "compare", "train"))
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="bf16")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.what in ("make", "run") and chosen.folder is None:
        sys.exit("name the folder of the random weights")
    if chosen.what == "make":
        make(chosen.folder)
    elif chosen.what == "run":
        run(chosen.folder, chosen.steps, chosen.dtype)
    elif chosen.what == "compare":
        compare(DTYPES[chosen.dtype], chosen.repeats)
    else:
        train(chosen.batch)


if __name__ == "__main__":
    main()
