"""The place of a stream's consumer in its group: whoever lost it for good begins anew.

A client that was left without a connection after a broker was away never joins again, and does not
close either (kafka_bus.member).
"""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import partial
from typing import Final

from confluent_kafka import Consumer

from kessai.kernel.clock import Clock
from kessai.kernel.kafka_bus.cluster import Cluster
from kessai.kernel.kafka_bus.errors import BusUnavailable
from kessai.kernel.kafka_bus.limits import KafkaLimits
from kessai.kernel.kafka_bus.topics import members
from kessai.kernel.streams.kafka_txn import MustRestart, within_time
from kessai.kernel.telemetry import get_log

_LEAVE_S: Final = 4.0
_log = get_log(__name__)


class Place:
    """`members` asks the broker for the client ids of the group, and blocks."""

    def __init__(
        self, name: str, members: Callable[[], Container[str]], clock: Clock, *, silent_s: float
    ) -> None:
        self._name = name
        self._members = members
        self._clock = clock
        self._silent_s = silent_s
        self._sure_s = clock.monotonic()

    def require(self, *, holds: bool) -> None:
        """Raises `MustRestart` for who holds no partition for long and is not known either; one too
        many is known, and waits."""
        now_s = self._clock.monotonic()
        if not holds and now_s - self._sure_s < self._silent_s:
            return
        self._sure_s = now_s
        if holds:
            return
        try:
            known = self._members()
        except BusUnavailable:
            return
        if self._name not in known:
            raise MustRestart("its group does not know it")


def place_in(cluster: Cluster, group: str, name: str, clock: Clock, *, silent_s: float) -> Place:
    return Place(name, partial(members, cluster, group, KafkaLimits()), clock, silent_s=silent_s)


def leave(consumer: Consumer, group: str) -> None:
    try:
        within_time(consumer.close, lambda: _LEAVE_S)
    except MustRestart:
        _log.warning("stream.client_left_alone", group=group)
