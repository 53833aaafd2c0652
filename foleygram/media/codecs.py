"""Which codecs of ffmpeg this installation of PyAV has."""

from __future__ import annotations

from dataclasses import dataclass

READ = ("h264", "hevc", "vp9", "av1", "prores", "mjpeg", "aac", "mp3", "opus", "flac", "pcm_s16le")
WRITE = ("aac", "libopus", "flac", "pcm_s16le")


@dataclass(frozen=True)
class Codecs:
    """``reads``, ``writes``: names that are there; ``lacks``: those that are not; ``version``: of libavcodec."""

    version: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    lacks: tuple[str, ...]


def available_codecs() -> Codecs:
    """Asks PyAV for each codec of ``READ`` and ``WRITE``."""
    import av

    def there(name: str, mode: str) -> bool:
        try:
            av.codec.Codec(name, mode)
        except (ValueError, av.error.FFmpegError):
            return False
        return True

    reads = tuple(name for name in READ if there(name, "r"))
    writes = tuple(name for name in WRITE if there(name, "w"))
    lacks = tuple(f"reading {name}" for name in READ if name not in reads) + tuple(
        f"writing {name}" for name in WRITE if name not in writes
    )
    version = ".".join(str(number) for number in av.library_versions["libavcodec"])
    return Codecs(version, reads, writes, lacks)
