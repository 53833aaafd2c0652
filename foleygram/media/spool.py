"""A sound of any length on the disk: what makes it need not hold it, what writes it reads it in parts."""

from __future__ import annotations

import tempfile

import numpy as np

from foleygram.errors import MediaError, OutputError
from foleygram.output import reason


class Spool:
    """A sound in an unnamed temporary file (in ``$TMPDIR``), gone when it is closed. Like an Audio it has ``rate`` (Hz),
    ``channels``, ``count`` (samples), ``peak`` (largest absolute sample) and ``part``."""

    def __init__(self, channels: int, rate: int):
        self.channels, self.rate = channels, rate
        self.count, self.peak = 0, 0.0
        try:
            self.file = tempfile.TemporaryFile()
        except OSError as error:
            raise OutputError(f"no temporary file can be made ({reason(error)}); set TMPDIR to another folder") from error

    def append(self, samples: np.ndarray) -> None:
        """Adds float32 [channel, sample]. Raises MediaError for samples that are not finite, OutputError for a full disk."""
        if not np.isfinite(samples).all():
            raise MediaError("audio holds NaN or infinite samples; repair or re-export the sound")
        try:
            self.file.seek(0, 2)
            self.file.write(np.ascontiguousarray(samples.T, dtype=np.float32).tobytes())
        except OSError as error:
            raise OutputError(
                f"the temporary file cannot be written ({reason(error)}); set TMPDIR to another folder"
            ) from error
        self.count += samples.shape[1]
        self.peak = max(self.peak, float(np.abs(samples).max(initial=0.0)))

    def part(self, start: int, stop: int) -> np.ndarray:
        """Samples ``start`` .. ``stop`` (not included), float32 [channel, sample]."""
        self.file.seek(4 * self.channels * start)
        content = self.file.read(4 * self.channels * max(min(stop, self.count) - start, 0))
        return np.frombuffer(content, np.float32).reshape(-1, self.channels).T

    def close(self) -> None:
        self.file.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
