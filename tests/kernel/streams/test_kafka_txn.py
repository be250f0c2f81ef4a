"""A client that never answers is left alone; one that does is waited for."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import pytest
from confluent_kafka import KafkaError, KafkaException

from kessai.kernel.streams.kafka_txn import MustAbort, MustRestart, ask_until_told, within_time


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


class Producer:
    """Each answer is an error; asked again, until nobody waits any more."""

    def __init__(self, *, retriable: bool = False, abort: bool = False, over_at: int = 0) -> None:
        self.error = KafkaError(KafkaError._CONFLICT, "busy", False, retriable, abort)
        self.over_at = over_at
        self.asked_s: list[float] = []

    def __call__(self) -> None:
        self.asked_s.append(time.monotonic())
        raise KafkaException(self.error)

    def is_over(self) -> bool:
        return len(self.asked_s) >= self.over_at


def test_who_is_busy_is_not_asked_again_at_once() -> None:
    producer = Producer(retriable=True, over_at=4)
    with pytest.raises(MustRestart, match="stays open"):
        ask_until_told(producer, producer.is_over)
    pauses_s = [later - at for at, later in pairwise(producer.asked_s)]
    assert len(pauses_s) == 3
    assert min(pauses_s) >= 0.1


@pytest.mark.parametrize(("abort", "meant"), [(True, MustAbort), (False, MustRestart)])
def test_what_asking_again_does_not_mend_is_told_at_once(
    abort: bool, meant: type[Exception]
) -> None:
    producer = Producer(abort=abort, over_at=10)
    with pytest.raises(meant):
        ask_until_told(producer, producer.is_over)
    assert len(producer.asked_s) == 1
