"""What Prometheus sees of a stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from kessai.kernel.actuator import Degraded, Unwell
from kessai.kernel.errors import JsonValue
from kessai.kernel.metrics import Metrics
from kessai.kernel.streams.shard import Shard

# A broker that restarts takes 20 s of it, a restore a few.
_SILENT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Look:
    """One partition at one moment. `timers_due`: that should have rung and have not yet."""

    lag_records: int
    state_bytes: int
    timers_due: int


def look_at(shard: Shard[Any], lag_records: int, now_ms: int) -> Look:
    return Look(lag_records, shard.store.size_bytes(), shard.store.count_timers(now_ms))


def state_of(
    ready: bool, partitions: list[int], *, silent_s: float = 0.0
) -> Mapping[str, JsonValue]:
    """For the health of the service. Nobody may take silence for good news: raises `Unwell` while
    it is not caught up for the first time, and `Degraded` when it took no turn for `silent_s`."""
    details: dict[str, JsonValue] = {"state": "live", "partitions": [*partitions]}
    if not ready:
        raise Unwell({**details, "state": "restoring"})
    if silent_s > _SILENT_S:
        raise Degraded({**details, "state": "silent", "silentS": round(silent_s)})
    return details


class Meters(Protocol):
    def restored(self, records: int, seconds: float) -> None: ...

    def committed(self, records: int, seconds: float) -> None: ...

    def aborted(self) -> None: ...

    def poisoned(self, count: int) -> None: ...

    def seen(self, looks: dict[int, Look]) -> None:
        """Of all partitions that this process works."""
        ...


class NoMeters:
    def restored(self, records: int, seconds: float) -> None:
        pass

    def committed(self, records: int, seconds: float) -> None:
        pass

    def aborted(self) -> None:
        pass

    def poisoned(self, count: int) -> None:
        pass

    def seen(self, looks: dict[int, Look]) -> None:
        pass


class PrometheusMeters:
    def __init__(self, metrics: Metrics) -> None:
        partition = ("partition",)
        self._restore = metrics.histogram(
            "stream_restore_seconds", "Time to bring the state up to date from its changelog"
        )
        self._restored = metrics.counter(
            "stream_restored_records", "Records of the changelog that were read for it"
        )
        self._commit = metrics.histogram("stream_commit_seconds", "Duration of commits")
        self._records = metrics.counter("stream_records", "Input records that were committed")
        self._aborts = metrics.counter("stream_aborts", "Transactions that were done again")
        self._poisoned = metrics.counter("stream_poisoned", "Records that went to dead letters")
        self._lag = metrics.gauge(
            "stream_lag_records", "Input records not handled yet", labels=partition
        )
        self._bytes = metrics.gauge(
            "stream_state_bytes", "Files of a partition's state", labels=partition
        )
        self._due = metrics.gauge(
            "stream_timers_due", "Timers whose time has come and that wait", labels=partition
        )

    def restored(self, records: int, seconds: float) -> None:
        self._restore.observe(seconds)
        self._restored.inc(records)

    def committed(self, records: int, seconds: float) -> None:
        self._commit.observe(seconds)
        self._records.inc(records)

    def aborted(self) -> None:
        self._aborts.inc()

    def poisoned(self, count: int) -> None:
        self._poisoned.inc(count)

    def seen(self, looks: dict[int, Look]) -> None:
        for gauge in (self._lag, self._bytes, self._due):
            gauge.clear()
        for number, look in looks.items():
            name = str(number)
            self._lag.labels(name).set(look.lag_records)
            self._bytes.labels(name).set(look.state_bytes)
            self._due.labels(name).set(look.timers_due)
