"""A client that never answers is left alone; one that does is waited for."""

from __future__ import annotations

import threading
import time

import pytest

from kessai.kernel.streams.kafka_txn import MustRestart, within_time


def test_an_answer_is_waited_for_and_what_it_raises_is_raised() -> None:
    asked: list[str] = []
    within_time(lambda: asked.append("once"), lambda: 5.0)
    assert asked == ["once"]

    def refuse() -> None:
        raise BufferError("full")

    with pytest.raises(BufferError, match="full"):
        within_time(refuse, lambda: 5.0)


def test_who_does_not_answer_is_left_alone() -> None:
    released = threading.Event()
    try:
        with pytest.raises(MustRestart, match="does not answer"):
            within_time(released.wait, lambda: 0.1)
    finally:
        released.set()


def test_whoever_is_to_stop_waits_no_longer() -> None:
    released, over = threading.Event(), threading.Event()
    threading.Timer(0.2, over.set).start()
    began_s = time.monotonic()
    try:
        with pytest.raises(MustRestart):
            within_time(released.wait, lambda: 0.0 if over.is_set() else 60.0)
    finally:
        released.set()
    assert time.monotonic() - began_s < 30
