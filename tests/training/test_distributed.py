"""Two processes with half of the batch each train to the weights of one process with all of it, through the real loop.

Where the processes draw for themselves, which layers are dropped for example, they at least train, and to the same weights."""

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing as multiprocessing

from foleygram.diffusion.conditioner import Conditioner, ConditionerConfig
from foleygram.diffusion.control import ControlNet, ControlNetConfig
from foleygram.diffusion.transformer import Transformer, TransformerConfig
from foleygram.gram.audio import BeatsConfig
from foleygram.gram.encoder import GramConfig, GramEncoder
from foleygram.gram.loss import GramLossConfig
from foleygram.gram.text import BertConfig
from foleygram.gram.vision import EvaConfig
from foleygram.hub.folder import read_notes, read_tensors, write_tensors
from foleygram.training import curve
from foleygram.training.control import ClipEmbeddings, ControlStage, ControlTraining
from foleygram.training.gram import ClipFeatures, GramStage, GramTraining
from foleygram.training.latents import Captions, Crops
from foleygram.training.loop import LoopConfig, Stage, run
from foleygram.training.pretraining import PretrainingConfig, PretrainingStage

CLIPS, STEPS = 6, 3
LOOP = LoopConfig(steps=STEPS, batch=4, learning_rate=1e-2, precision="fp32", log_every=1, clip=1.0, eps=1e-3)
CAPTIONS = Captions(("one", "two"), tuple((number % 2,) for number in range(CLIPS)))


def control_stage(folder: Path) -> Stage:
    torch.manual_seed(0)
    config = TransformerConfig(latent_dim=4, embed_dim=32, depth=2, head_dim=16, cross_dim=16, global_dim=32, time_dim=8)
    transformer, net = Transformer(config), ControlNet(config, ControlNetConfig(depth=2))
    net.initialise(transformer)
    with torch.no_grad():
        for conv in (net.conv_in, *net.conv_outs):
            conv.weight.normal_(std=0.1)  # so that gradients reach everything at the first step
    conditioner = Conditioner(ConditionerConfig(embedding_dim=6, token_dim=16, text_dim=16, frequencies=4))
    draw = np.random.default_rng(1)
    crops = Crops([draw.standard_normal((CLIPS, 4, 12)).astype(np.float16) for _ in range(2)], 0.01, 50)
    points = ClipEmbeddings(*(draw.standard_normal((rows, 6)).astype(np.float32) for rows in (CLIPS, CLIPS, 2)))
    training = ControlTraining(loop=LOOP, seconds=0.01, modality_dropout=0.3, gradient_checkpointing=True)
    data = crops, CAPTIONS, points
    return ControlStage(transformer, net, conditioner, training, 0, folder, *data, *data)


def gram_encoder(**audio) -> GramEncoder:
    torch.manual_seed(0)
    sizes = {"layers": 1, "layer_drop": 0.0} | audio
    config = GramConfig(
        dim=8,
        vision=EvaConfig(size=28, width=16, depth=2, heads=2, hidden=16, head=4),
        audio=BeatsConfig(mel=16, frames=32, embed=8, width=16, heads=2, hidden=16, conv_kernel=4, conv_groups=2, **sizes),
        text=BertConfig(vocabulary=9, positions=8, width=16, layers=1, heads=2, hidden=16, max_length=8),
    )
    return GramEncoder(config)


def gram_stage(folder: Path, loss: GramLossConfig, **audio) -> Stage:
    draw = np.random.default_rng(2)
    shapes = ((CLIPS, 3, 16), (CLIPS, 32, 16), (2, 16))
    features = ClipFeatures(*(draw.standard_normal(shape).astype(np.float16) for shape in shapes), CAPTIONS)
    training = GramTraining(loop=LOOP, contrastive_share=0.3, frames=2, stored_frames=3, crop=32, gram=loss)
    return GramStage(gram_encoder(**audio), training, 0, folder, features, features, ["a"] * CLIPS)


class Batches(PretrainingStage):
    """Random clips in place of decoded ones."""

    def batch(self, step: int, rows: range, size: int) -> tuple[torch.Tensor, ...]:
        draws = [torch.Generator().manual_seed(step * size + row) for row in rows]
        frames, banks = (
            torch.stack([torch.randn(shape, generator=draw) for draw in draws]) for shape in ((2, 3, 28, 28), (1, 32, 16))
        )
        ids = torch.stack([torch.randint(1, 9, (8,), generator=draw) for draw in draws])
        return frames, banks, ids, torch.ones_like(ids, dtype=torch.bool)


def pretraining_stage(folder: Path) -> Stage:
    return Batches(gram_encoder(layers=3, layer_drop=0.5), PretrainingConfig(loop=LOOP, frames=2), None, 0, folder)


STAGES = {
    "control": control_stage,
    "gram": lambda folder: gram_stage(folder, GramLossConfig(label_smoothing=0.1)),
    "gram as in its code": lambda folder: gram_stage(folder, GramLossConfig(label_smoothing=0.1, detach=True)),
}

DRAWING = {
    "gram with dropped layers": lambda folder: gram_stage(folder, GramLossConfig(), layers=3, layer_drop=0.5),
    "pretraining": pretraining_stage,
}
"""Where each process draws for itself."""


def train(root: Path, stages: dict, rank: int = 0) -> None:
    for name, build in stages.items():
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        stage = build(folder)
        stage.export, stage.validation = lambda: None, ()
        run(stage, LOOP, folder)
        write_tensors(folder / f"rank{rank}.safetensors", stage.state_dict())


def train_with_slow_saves(folder: Path, rank: int) -> None:
    """Saves come every few steps, and the exports, which only one process makes, take longer than that. A late signal to the
    second process alone."""
    folder.mkdir(parents=True, exist_ok=True)
    stage, exports = control_stage(folder), []
    draw = stage.batch

    def batch(step: int, rows: range, size: int) -> tuple[torch.Tensor, ...]:
        time.sleep(0.03)
        if rank == 1 and step == 11:
            signal.raise_signal(signal.SIGTERM)
        return draw(step, rows, size)

    stage.export, stage.validation, stage.batch = lambda: exports.append(time.sleep(0.3)), (), batch
    try:
        run(stage, LOOP.replace(steps=20, save_minutes=0.1 / 60), folder)
    except KeyboardInterrupt:
        (folder / f"stopped{rank}").touch()
    (folder / f"exports{rank}").write_text(str(len(exports)))


def one_of_two(rank: int, root: str, port: int) -> None:
    torch.set_num_threads(1)
    curve.draw_curve = lambda *_: None  # slower than all the steps
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "true",
    }  # fmt: skip
    watchdog = threading.Timer(60, os._exit, (1,))  # two that wait for each other would never end
    watchdog.daemon = True
    watchdog.start()
    train(Path(root), STAGES | DRAWING, rank)
    train_with_slow_saves(Path(root) / "slow", rank)
    watchdog.cancel()
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, Path]:
    """Folders of the run with one process and of that with two."""
    alone, together = (tmp_path_factory.mktemp(name) for name in ("alone", "together"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(one_of_two, (str(together), port), nprocs=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curve, "draw_curve", lambda *_: None)
        train(alone, STAGES)
    return alone, together


@pytest.mark.parametrize("name", STAGES)
def test_weights_and_losses_are_those_of_one_process(trained, name):
    one, two = (read_tensors(folder / name / "checkpoint.safetensors") for folder in trained)
    assert one.keys() == two.keys()
    for key in one:
        # eps of AdamW is large here: a gradient that is nothing but rounding must not move anything
        torch.testing.assert_close(two[key], one[key], rtol=1e-4, atol=1e-6, msg=lambda text, key=key: f"{key}: {text}")
    logs = [[json.loads(line) for line in (folder / name / "log.jsonl").read_text().splitlines()] for folder in trained]
    names = STAGES[name](trained[0]).losses
    for here, there in zip(*logs, strict=True):
        assert [there[loss] for loss in names] == pytest.approx([here[loss] for loss in names], rel=1e-4, abs=1e-6)
    start = STAGES[name](trained[0])
    moved = dict(start.named_parameters())
    assert any(not torch.equal(one[f"weight.{key}"], moved[key]) for key in moved if f"weight.{key}" in one)


@pytest.mark.parametrize("name", DRAWING)
def test_processes_that_draw_for_themselves_keep_the_same_weights(trained, name):
    folder = trained[1] / name
    assert [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()] == [1, 2, 3]
    first, second = (read_tensors(folder / f"rank{rank}.safetensors") for rank in range(2))
    assert all(torch.equal(second[key], value) and value.isfinite().all() for key, value in first.items())
    start = DRAWING[name](folder)
    still = {key for key, value in start.named_parameters() if value.requires_grad and torch.equal(first[key], value)}
    assert not still


def test_processes_save_and_stop_together(trained):
    folder = trained[1] / "slow"
    assert int((folder / "exports0").read_text()) > 2 and (folder / "exports1").read_text() == "0"
    assert (folder / "stopped0").exists() and (folder / "stopped1").exists()
    assert read_notes(folder / "checkpoint.safetensors")["step"] == "12"
