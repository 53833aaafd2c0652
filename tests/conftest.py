"""Small synthetic media for all tests: nothing is read from outside the temporary folder."""

import errno
import gc
import io
import os

# before torch: the tensors of the tests are tiny, threads would only wait for one another
os.environ["OMP_NUM_THREADS"] = "1"
gc.set_threshold(100_000, 20, 100)  # cycles are looked for seldom: thousands of objects of torch would be looked through

from contextlib import nullcontext  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from foleygram.types import SAMPLE_RATE, Audio  # noqa: E402

settings.register_profile("foleygram", deadline=None)  # the machine may be busy with a training
settings.load_profile("foleygram")


def pytest_collection_modifyitems(items):
    """The long files first: two processes that share files end together."""
    items.sort(key=lambda item: "training" not in item.path.parts)


def click_sound(seconds: float, times: list[float], rate: int = SAMPLE_RATE) -> Audio:
    """Decaying noise bursts, stereo, beginning exactly at ``times`` (s)."""
    random = np.random.default_rng(7)
    samples = np.zeros((2, round(seconds * rate)), np.float32)
    length = round(0.08 * rate)
    burst = 0.4 * random.standard_normal((2, length)) * np.exp(-np.arange(length) / (0.02 * rate))
    for time in times:
        start = round(time * rate)
        part = samples[:, start : start + length]
        part += burst[:, : part.shape[1]].astype(np.float32)
    return Audio(samples.clip(-1, 1), rate)


def bar_frames(count: int, height: int = 36, width: int = 64) -> list[np.ndarray]:
    """Frames uint8 [height, width, 3]: a grey level that rises with the index, and a white bar along the left edge."""
    frames = []
    for index in range(count):
        frame = np.full((height, width, 3), 20 + index * 200 // max(count, 1), np.uint8)
        frame[:, : width // 8] = 255
        frames.append(frame)
    return frames


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Nothing of the user's caches is seen or touched, and nobody asks a network."""
    monkeypatch.setenv("FOLEYGRAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def shut(monkeypatch):
    """The function ``shut(path)``: from then on a folder may not be entered, a file not be read. Root, who often runs tests,
    may do both anywhere."""
    stat, opened = os.stat, io.open
    closed = []

    def refuse(path, itself: bool) -> None:
        name = os.fspath(path) if isinstance(path, (str, os.PathLike)) else ""
        if any(name.startswith(f"{place}{os.sep}") or (itself and name == place) for place in closed):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)

    def asked(path, *arguments, **options):
        refuse(path, False)
        return stat(path, *arguments, **options)

    def open_(path, *arguments, **options):
        refuse(path, True)
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", asked)
    monkeypatch.setattr(io, "open", open_)  # what Path.open calls
    return lambda folder: closed.append(os.fspath(folder))


@pytest.fixture
def moves(monkeypatch):
    """Which modules were moved where from then on: (class, device)."""
    import torch

    seen, move = [], torch.nn.Module.to

    def watched(self, *where, **more):
        seen.append((type(self).__name__, str(where[0])))
        return move(self, *where, **more)

    monkeypatch.setattr(torch.nn.Module, "to", watched)
    return seen


@pytest.fixture
def homeless(monkeypatch):
    """No HOME, and a user whom the system does not know, as in a container that runs under any number."""
    import pwd

    def unknown(number):
        raise KeyError(number)

    for name in ("FOLEYGRAM_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.fixture(scope="session")
def clicks():
    """The function ``click_sound(seconds, times, rate=44100)``."""
    return click_sound


@pytest.fixture(scope="session")
def moving_bar():
    """The function ``bar_frames(count, height=36, width=64)``."""
    return bar_frames


@pytest.fixture(scope="session")
def tiny_video(tmp_path_factory):
    """An mp4 of 1.2 s: 12 frames of 64 x 36 at 10 fps, with clicks at 0.25 and 0.75 s. Do not write to it."""
    from foleygram.media.video import write_video

    path = tmp_path_factory.mktemp("media") / "tiny.mp4"
    write_video(path, bar_frames(12), 10, click_sound(1.2, [0.25, 0.75]))
    return path


@pytest.fixture(scope="session")
def tiny_sound(tmp_path_factory):
    """A wav of 1 s, 44.1 kHz stereo, with clicks at 0.2 and 0.6 s. Do not write to it."""
    from foleygram.media.audio import write_audio

    path = tmp_path_factory.mktemp("media") / "tiny.wav"
    write_audio(path, click_sound(1.0, [0.2, 0.6]))
    return path


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A model folder with the random weights of ``tests/tiny.py``. Do not write to it."""
    from tiny import tiny_model

    return tiny_model().save(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def elsewhere(monkeypatch):
    """The meta device, which stands for a GPU: what mixes it with the CPU fails. Numbers that come back from it are ones."""
    import torch

    def at_meta(name: str, answer):
        plain = getattr(torch.Tensor, name)
        monkeypatch.setattr(torch.Tensor, name, lambda tensor: answer(tensor) if tensor.is_meta else plain(tensor))

    at_meta("cpu", lambda tensor: torch.ones(tensor.shape, dtype=tensor.dtype))
    at_meta("tolist", lambda tensor: torch.ones(tensor.shape).tolist())
    at_meta("item", lambda tensor: 1.0)
    # which torch knows on devices that compute
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *_: False)
    return torch.device("meta")
