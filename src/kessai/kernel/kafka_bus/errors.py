"""Kafka's errors in the port's words."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from kessai.kernel.errors import Unknown

BUS_UNAVAILABLE = "BUS_UNAVAILABLE"
# No retry makes these right: somebody has to change a setting or the cluster.
HOPELESS = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError._SSL,
        KafkaError._INVALID_ARG,
    }
)

# For these a client says that no retry helps, and it does (streams.md, mistake 10).
TRANSIENT = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._TIMED_OUT,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
    }
)


class BusUnavailable(Unknown):
    """The cluster did not answer, or its answer was lost: what was sent may be there or not."""

    def __init__(self, message: str = "") -> None:
        super().__init__(BUS_UNAVAILABLE, message)


class ClientSilent(BusUnavailable):
    """The client gives no sign of life, and may never again: only a new one helps."""


class BusMisfit(Exception):
    """The cluster is not what this system can run on; the message is one line for people."""


def error_of(raised: KafkaException) -> KafkaError:
    """The error inside; one without a number counts as the client's own."""
    first = raised.args[0] if raised.args else None
    return first if isinstance(first, KafkaError) else KafkaError(KafkaError._FAIL, str(raised))


def ends_client(error: KafkaError) -> bool:
    """Told once, as a record of no topic: the client reads nothing any more. Those that a consumer
    is told have the code and not the mark."""
    return error.fatal() or error.code() == KafkaError._FATAL


def unavailable(raised: KafkaException) -> BusUnavailable:
    """The name only: texts of the client name hosts and logins."""
    return BusUnavailable(error_of(raised).name())
