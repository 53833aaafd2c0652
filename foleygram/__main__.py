"""``python -m foleygram``."""

from foleygram.cli import script

script()
