"""Pictures are PNGs of the right shape, whole or not at all."""

import os
import struct
import subprocess
import sys

import numpy as np
import pytest

from foleygram.errors import OutputError
from foleygram.signal.envelope import extract_envelope
from foleygram.signal.onsets import envelope_onsets
from foleygram.signal.plot import draw_envelope, log_spectrum
from foleygram.types import Audio, Envelope, Video


def png_size(path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and data[-12:-4].endswith(b"IEND")
    return struct.unpack(">II", data[16:24])


def film(count: int, height: int = 36, width: int = 64) -> Video:
    return Video(np.full((count, 3, height, width), 120, np.uint8), np.arange(count) * 0.1, count * 0.1)


def test_envelope_with_everything(tmp_path, clicks):
    sound = clicks(1.0, [0.2, 0.6])
    envelope = extract_envelope(sound)
    draw_envelope(tmp_path / "a.png", envelope, film(8), envelope_onsets(envelope), sound)
    draw_envelope(tmp_path / "b.png", envelope, onsets=np.array([0.2, 0.6]))
    assert png_size(tmp_path / "a.png")[0] == png_size(tmp_path / "b.png")[0] == 1320
    assert png_size(tmp_path / "a.png")[1] > png_size(tmp_path / "b.png")[1]
    with pytest.raises(OutputError, match="exists already"):
        draw_envelope(tmp_path / "a.png", envelope)
    draw_envelope(tmp_path / "a.png", envelope, force=True)
    with pytest.raises(OutputError, match="no folder"):
        draw_envelope(tmp_path / "nowhere" / "a.png", envelope)


def test_a_home_folder_that_cannot_be_written_is_no_matter(tmp_path):
    """Matplotlib then keeps its files in a temporary folder, and says so in 300 letters."""
    (tmp_path / "home").touch()
    home = {name: str(tmp_path / "home" / "x") for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    others = {name: value for name, value in os.environ.items() if name != "MPLCONFIGDIR"}
    code = "from foleygram.signal.plot import blank_figure; blank_figure(figsize=(1, 1))"
    done = subprocess.run([sys.executable, "-c", code], env=others | home, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("video", [film(1), film(40), film(3, 64, 36)])
def test_odd_films_and_silence(tmp_path, video):
    draw_envelope(tmp_path / "a.png", Envelope(np.zeros(1)), video, onsets=[])
    png_size(tmp_path / "a.png")


def test_spectrum_shows_a_tone_where_and_when_it_is():
    tone = np.zeros(44100)
    tone[22050:] = np.sin(2 * np.pi * 3000 * np.arange(22050) / 44100)
    decibels, hertz = log_spectrum(Audio(tone[None], 44100))
    loud = decibels[:, 150]  # columns of 5 ms: 0.75 s
    assert int(np.argmax(loud)) * hertz == pytest.approx(3000, abs=hertz)
    assert decibels[:, 60].max() < -79 and loud.max() > -1
