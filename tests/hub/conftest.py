import pytest
import torch


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """The tensors are tiny: threads only wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Nothing of the user's caches is seen or touched, and nobody asks a network."""
    monkeypatch.setenv("FOLEYGRAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
