"""Work that is done ahead: while one item is used, the next ones are made."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

DEPTH = 8
"""Items made ahead. A frame of a film is small here; the decoder holds some more of them in full size."""


def ahead(items: Generator[T, None, None], depth: int = DEPTH) -> Iterator[T]:
    """The items of a generator that runs in another thread, at most ``depth`` of them ahead; with its errors, in its order.

    FFmpeg leaves Python's lock while it decodes, so films are decoded while their frames are looked at. Whoever stops early
    stops the generator too, after the item that it is at."""
    end = object()
    try:
        with ThreadPoolExecutor(1, "ahead") as worker:
            coming = deque(worker.submit(next, items, end) for _ in range(depth))
            try:
                while (item := coming.popleft().result()) is not end:
                    coming.append(worker.submit(next, items, end))
                    yield item
            finally:
                for future in coming:
                    future.cancel()
    finally:
        with suppress(ValueError):  # a second Ctrl-C does not wait for the item that is being made
            items.close()
