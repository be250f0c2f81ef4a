"""The place of a stream's consumer in its group: whoever lost it for good begins anew.

A client that was left without a connection after a broker was away never joins again, and does not
close either (kafka_bus.member).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from confluent_kafka import Consumer

from kessai.kernel.clock import Clock
from kessai.kernel.kafka_bus.cluster import Cluster
from kessai.kernel.kafka_bus.limits import KafkaLimits
from kessai.kernel.kafka_bus.topics import is_there
from kessai.kernel.streams.kafka_txn import MustRestart, within_time
from kessai.kernel.telemetry import get_log

_LEAVE_S: Final = 4.0
_log = get_log(__name__)


class Place:
    """`is_there`: whether a fresh client reaches the cluster; it blocks."""

    def __init__(self, is_there: Callable[[], bool], clock: Clock, *, silent_s: float) -> None:
        self._is_there = is_there
        self._clock = clock
        self._silent_s = silent_s
        self._sure_s = clock.monotonic()

    def require(self, *, assigned: bool) -> None:
        """Raises `MustRestart` for who was not told its part (it may be none) for long, though the
        broker is there."""
        now_s = self._clock.monotonic()
        if not assigned and now_s - self._sure_s < self._silent_s:
            return
        self._sure_s = now_s
        if not assigned and self._is_there():
            raise MustRestart("it is not let into its group")


def place_in(cluster: Cluster, clock: Clock, *, silent_s: float) -> Place:
    return Place(partial(is_there, cluster, KafkaLimits()), clock, silent_s=silent_s)


def leave(consumer: Consumer, group: str) -> None:
    try:
        within_time(consumer.close, lambda: _LEAVE_S)
    except MustRestart:
        _log.warning("stream.client_left_alone", group=group)
