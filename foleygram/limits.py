"""The numbers that an option takes, said once for the command line and the library; imports no torch."""

from __future__ import annotations

import operator
from numbers import Real
from typing import SupportsIndex

from foleygram.errors import UsageError

TAKES = (1, 64)
SCALE_DB = (-120, 60)
SEEDS = (0, 2**63 - 1)
STEPS = (1, 1000)
GUIDANCE = (0.0, 20.0)
ROOM_DB = (-100.0, -20.0)


def check_whole(name: str, value: SupportsIndex, low: int, high: int) -> int:
    """``value``, a whole number of any kind, as an int where it lies in low..high, else UsageError."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or not low <= number <= high:
        raise UsageError(f"{name} takes a whole number from {low} to {high}, not {value!r}")
    return number


def check_range(name: str, value: float, low: float, high: float) -> float:
    """``value`` where it lies in low..high, else UsageError."""
    if not isinstance(value, Real):
        raise UsageError(f"{name} takes a number from {low:g} to {high:g}, not {value!r}")
    if not low <= value <= high:  # nor NaN
        raise UsageError(f"{name} takes a number from {low:g} to {high:g}, not {value:g}")
    return value
