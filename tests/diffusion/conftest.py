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
def seed():
    torch.manual_seed(0)
