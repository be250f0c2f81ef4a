"""Where the input partitions end, by the broker: what time alone decides waits for that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confluent_kafka.admin import AdminClient

from kessai.kernel.kafka_bus import topics as broker
from kessai.kernel.kafka_bus.cluster import Cluster
from kessai.kernel.kafka_bus.errors import BusUnavailable
from kessai.kernel.kafka_bus.limits import KafkaLimits


class Ends:
    """Not asked on the consumer, whose questions wait behind its fetches. A client that failed is
    not used again: after a broker's restart it may answer from an old epoch for ever."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._limits = KafkaLimits()
        self._admin: AdminClient | None = None

    def of(self, places: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], int] | None:
        """None: not to be had now."""
        if self._admin is None:
            self._admin = AdminClient(self._cluster.config())
        try:
            return broker.ends_by(self._admin, places, self._limits)
        except BusUnavailable:
            self._admin = None
            return None
