"""What Prometheus sees of the engine; nothing when no metrics were given."""

from __future__ import annotations

from kessai.kernel.metrics import Metrics


class Gauges:
    def __init__(self, metrics: Metrics | None) -> None:
        self._ended = (
            metrics.counter(
                "saga_instances_ended",
                "Ends of saga instances by status",
                labels=("machine", "status", "compensation"),
            )
            if metrics
            else None
        )
        self._needs_operator = (
            metrics.gauge("saga_needs_operator", "Saga instances that wait for a person")
            if metrics
            else None
        )
        self._not_recoverable = (
            metrics.gauge(
                "saga_not_recoverable", "Saga instances whose history this engine does not fit"
            )
            if metrics
            else None
        )

    def ended(self, machine: str, status: str, compensation: str | None) -> None:
        if self._ended is not None:
            self._ended.labels(machine, status, compensation or "-").inc()

    def needs_operator(self, count: int) -> None:
        if self._needs_operator is not None:
            self._needs_operator.set(count)

    def not_recoverable(self, count: int) -> None:
        if self._not_recoverable is not None:
            self._not_recoverable.set(count)
