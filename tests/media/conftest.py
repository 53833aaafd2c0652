import pytest


@pytest.fixture(autouse=True)
def quiet(capfd):
    """Nothing in this layer writes to the terminal, FFmpeg's own messages neither."""
    yield
    captured = capfd.readouterr()
    assert captured.out == "" and captured.err == ""
