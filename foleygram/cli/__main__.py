"""``python -m foleygram.cli``."""

from foleygram.cli import script

script()
