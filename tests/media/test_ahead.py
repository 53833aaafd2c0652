"""A generator that runs ahead gives what it would give alone, and stops with whoever uses it."""

import threading

import pytest

from foleygram.media.ahead import ahead


def test_items_come_in_order_from_one_other_thread():
    def items():
        for k in range(50):
            yield k, threading.current_thread().name

    numbers, names = zip(*ahead(items(), 4), strict=True)
    assert numbers == tuple(range(50)) and len(set(names)) == 1 and names[0].startswith("ahead")
    assert list(ahead((k for k in ()), 4)) == []


def test_no_more_than_the_depth_is_made_ahead():
    made = []

    def items():
        for k in range(50):
            made.append(k)
            yield k

    stream = ahead(items(), 3)
    assert next(stream) == 0
    for _ in range(200):
        if len(made) == 4:
            break
        threading.Event().wait(0.01)
    assert made == [0, 1, 2, 3]
    stream.close()
    assert made == [0, 1, 2, 3]


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        yield 2
        raise ValueError("broken")

    stream = ahead(items(), 8)
    assert [next(stream), next(stream)] == [1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_whoever_stops_early_stops_the_generator():
    ended = []

    def items():
        try:
            while True:
                yield 1
        finally:
            ended.append(threading.active_count())

    stream = ahead(items(), 2)
    next(stream)
    stream.close()
    assert len(ended) == 1
    assert not any(thread.name.startswith("ahead") for thread in threading.enumerate())
