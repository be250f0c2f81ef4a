"""The bus of production: topics, groups and offsets of a Kafka cluster."""

from kessai.kernel.kafka_bus.bus import KafkaBus, open_kafka_bus
from kessai.kernel.kafka_bus.cluster import cluster_of
from kessai.kernel.kafka_bus.errors import BusMisfit, BusUnavailable
from kessai.kernel.kafka_bus.limits import KafkaLimits
from kessai.kernel.kafka_bus.reader import LogReader

__all__ = [
    "BusMisfit",
    "BusUnavailable",
    "KafkaBus",
    "KafkaLimits",
    "LogReader",
    "cluster_of",
    "open_kafka_bus",
]
