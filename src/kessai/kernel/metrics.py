"""Metrics of one service: its own registry, because nine services share one process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

# `_created` doubles the series of every counter and nobody reads it.
disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_OUTCOMES: Final = ("UNKNOWN", "INFORMATIONAL", "SUCCESS", "REDIRECTION", "CLIENT_ERROR")


class Metrics:
    """Handed to the service's rooms. Keep the child of `labels(...)`: making one is the cost."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry(auto_describe=True)
        self._knows_process = False
        self._requests = self.histogram(
            "http_server_requests_seconds",
            "Duration of HTTP requests",
            labels=("method", "uri", "status", "outcome"),
        )
        self._calls = self.histogram(
            "service_calls_seconds",
            "Duration of calls to other services",
            labels=("callee", "operation", "outcome"),
        )
        # Counted by whoever answers requests, and shown when somebody looks.
        self.in_flight = 0
        self.gauge("http_server_requests_active", "HTTP requests in flight").set_function(
            lambda: self.in_flight
        )
        self._kept_requests: dict[tuple[str, str, int], Histogram] = {}
        self._kept_calls: dict[tuple[str, str, str], Histogram] = {}

    def counter(self, name: str, help: str, *, labels: Sequence[str] = ()) -> Counter:
        return Counter(name, help, labelnames=labels, registry=self.registry)

    def gauge(self, name: str, help: str, *, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(name, help, labelnames=labels, registry=self.registry)

    def histogram(
        self,
        name: str,
        help: str,
        *,
        labels: Sequence[str] = (),
        buckets: Sequence[float] = SECONDS,
    ) -> Histogram:
        """`name` ends in its unit: `_seconds`, `_bytes`."""
        return Histogram(name, help, labelnames=labels, buckets=buckets, registry=self.registry)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """`route` is the template (`/api/orders/{orderId}`), never the path of one request."""
        known = method if method in _METHODS else "OTHER"
        child = self._kept_requests.get((known, route, status))
        if child is None:
            child = self._requests.labels(known, route, str(status), _outcome(status))
            self._kept_requests[known, route, status] = child
        child.observe(seconds)

    def observe_call(self, service: str, operation: str, outcome: str, seconds: float) -> None:
        """Fits `kernel.calls.Observe`; outcome is value, refused or unknown."""
        child = self._kept_calls.get((service, operation, outcome))
        if child is None:
            child = self._calls.labels(service, operation, outcome)
            self._kept_calls[service, operation, outcome] = child
        child.observe(seconds)

    def families(self) -> Iterable[Metric]:
        return self._whole().collect()

    def prometheus(self) -> bytes:
        """The text format, version 0.0.4."""
        return generate_latest(self._whole())

    def _whole(self) -> CollectorRegistry:
        """With the process's own figures, which are read from the system already when they are
        added: half of what a service's metrics cost, and most are never looked at."""
        if not self._knows_process:
            self._knows_process = True
            for collector in (ProcessCollector, PlatformCollector, GCCollector):
                collector(registry=self.registry)
        return self.registry


def _outcome(status: int) -> str:
    """Spring's word for the status."""
    return _OUTCOMES[status // 100] if 100 <= status < 500 else "SERVER_ERROR"
