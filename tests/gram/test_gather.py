"""Two processes with half of the batch each have together the loss and the gradient of one process with all of it."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
import torch.nn.functional as F

from foleygram.gram.loss import CosineLossConfig, GramLossConfig, cosine_loss, gram_loss

PROCESSES, BATCH, FEATURES, DIM = 2, 8, 5, 6
LOSSES = {
    "pure": (gram_loss, GramLossConfig()),
    "reference": (gram_loss, GramLossConfig.reference()),
    "cosine": (cosine_loss, CosineLossConfig(pairs="all")),
}


def step(loss, config, rows: slice) -> list[torch.Tensor]:
    """Loss and gradients, of one weight for each modality and the temperature, for some rows of a fixed batch."""
    stream = torch.Generator().manual_seed(5)
    features = [torch.randn(BATCH, FEATURES, generator=stream) for _ in range(3)]
    weights = [torch.randn(FEATURES, DIM, generator=stream, requires_grad=True) for _ in range(3)]
    temperature = torch.tensor(0.3, requires_grad=True)
    sides = [F.normalize(feature[rows] @ weight, dim=-1) for feature, weight in zip(features, weights, strict=True)]
    value = loss(*sides, temperature, config)
    return [value.detach(), *torch.autograd.grad(value, [*weights, temperature])]


def run(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=PROCESSES)
    share = BATCH // PROCESSES
    results = {name: step(*entry, slice(rank * share, (rank + 1) * share)) for name, entry in LOSSES.items()}
    torch.save(results, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def spread(tmp_path_factory) -> list[dict[str, list[torch.Tensor]]]:
    folder = tmp_path_factory.mktemp("processes")
    multiprocessing.spawn(run, (str(folder),), nprocs=PROCESSES)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(PROCESSES)]


@pytest.mark.parametrize("name", LOSSES)
def test_processes_together_equal_one(spread, name):
    """As distributed training does it: the mean of the gradients over processes."""
    expected = step(*LOSSES[name], slice(None))
    together = [torch.stack(parts).mean(0) for parts in zip(*(results[name] for results in spread), strict=True)]
    for ours, alone in zip(together, expected, strict=True):
        torch.testing.assert_close(ours, alone, rtol=1e-4, atol=1e-6)
    assert spread[0][name][0] != spread[1][name][0]  # each saw rows of its own
