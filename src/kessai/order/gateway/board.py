"""The promise as Prometheus sees it."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Gauge

from kessai.contracts.order import PromiseFigures, PromiseReport, PromiseWindow
from kessai.kernel.metrics import Metrics
from kessai.order.domain.promise import PAID, TARGET, Sample

_BUCKETS_S = (0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120, 300, 600, 1800, 3600)


class MetricsBoard:
    """Counters are of this process; gauges show the tables, so all processes show the same."""

    def __init__(self, metrics: Metrics) -> None:
        self._seconds = metrics.histogram(
            "kessai_convergence_seconds",
            "Time from the provider's capture to PAID",
            labels=("channel",),
            buckets=_BUCKETS_S,
        )
        self._otherwise = metrics.counter(
            "kessai_convergence_otherwise",
            "Payments that did not make their order PAID",
            labels=("channel", "reason"),
        )
        metrics.gauge("kessai_slo_target_ratio", "The promised share").set(TARGET)
        self._share = metrics.gauge(
            "kessai_slo_paid_within_60s_ratio",
            "Share of payments PAID within 60 s; absent without payments",
            labels=("window",),
        )
        self._burn = metrics.gauge(
            "kessai_slo_burn_rate", "Bad payments by those that may be bad", labels=("window",)
        )
        self._payments = metrics.gauge(
            "kessai_slo_payments",
            "Payments of the window by outcome",
            labels=("window", "channel", "outcome"),
        )
        self._quantile = metrics.gauge(
            "kessai_slo_convergence_quantile_seconds",
            "Time from the provider's capture to PAID, over the window",
            labels=("window", "channel", "quantile"),
        )
        self._oldest = metrics.gauge(
            "kessai_slo_oldest_open_seconds", "Age of the oldest payment whose order is not PAID"
        )

    def ended(self, samples: Sequence[Sample]) -> None:
        for one in samples:
            if one.outcome == PAID:
                self._seconds.labels(one.channel.value).observe(one.took_ms / 1000)
            else:
                self._otherwise.labels(one.channel.value, one.outcome).inc()

    def show(self, report: PromiseReport) -> None:
        # What has no payments any more has no value, rather than its last one.
        for gauge in (self._share, self._burn, self._payments, self._quantile):
            gauge.clear()
        for window in report.windows:
            self._show(window)

    def _show(self, window: PromiseWindow) -> None:
        _set(self._share, window.total.share, window.window)
        _set(self._burn, window.burn_rate, window.window)
        self._oldest.set((window.total.oldest_open_ms or 0) / 1000)
        for figures in (window.total, *window.channels):
            self._show_channel(window.window, figures)

    def _show_channel(self, window: str, figures: PromiseFigures) -> None:
        # The total is no sample beside its parts: sums over a label would count twice.
        if figures.channel != "all":
            counts = {
                "within": figures.within,
                "late": figures.late,
                "open": figures.open - figures.open_late,
                "open_late": figures.open_late,
                "otherwise": sum(figures.otherwise.values()),
            }
            for outcome, count in counts.items():
                self._payments.labels(window, figures.channel, outcome).set(count)
        quantiles = {
            "0.5": figures.p50_ms,
            "0.95": figures.p95_ms,
            "0.99": figures.p99_ms,
            "1": figures.max_ms,
        }
        for quantile, value_ms in quantiles.items():
            seconds = None if value_ms is None else value_ms / 1000
            _set(self._quantile, seconds, window, figures.channel, quantile)


class MetricsArchiveBoard:
    def __init__(self, metrics: Metrics) -> None:
        self._waiting = metrics.gauge(
            "kessai_audit_waiting_entries", "Entries of the audit trail that are not archived yet"
        )

    def waiting(self, entries: int) -> None:
        self._waiting.set(entries)


def _set(gauge: Gauge, value: float | None, *labels: str) -> None:
    if value is not None:
        gauge.labels(*labels).set(value)
