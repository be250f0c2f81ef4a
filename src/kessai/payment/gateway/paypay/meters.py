"""The traffic with PayPay in figures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial

from kessai.kernel.breaker import CircuitBreaker, State
from kessai.kernel.metrics import Metrics
from kessai.payment.gateway.paypay.limits import Bulkhead, Lane
from kessai.payment.gateway.paypay.skew import ClockSkew

_STATES = {State.CLOSED: 0.0, State.HALF_OPEN: 1.0, State.OPEN: 2.0}


class Meters:
    """Built once per service: the registry takes each name once."""

    def __init__(self, metrics: Metrics) -> None:
        seconds = metrics.histogram(
            "paypay_requests_seconds",
            "Duration of requests to PayPay",
            labels=("operation", "outcome"),
        )
        waits = metrics.histogram(
            "paypay_rate_wait_seconds",
            "Wait of a request for the rate that PayPay allows",
            labels=("operation",),
        )
        not_sent = metrics.counter(
            "paypay_not_sent",
            "Requests to PayPay that we held back: rate, bulkhead or circuit",
            labels=("operation", "reason"),
        )
        # `labels` is the expensive half of an observation.
        self._seconds = cache(seconds.labels)
        self._waits = cache(waits.labels)
        self._not_sent = cache(not_sent.labels)
        self._circuits = metrics.gauge(
            "paypay_circuit_state",
            "Circuit breaker: 0 closed, 1 one probe may go, 2 open",
            labels=("operation",),
        )
        self._in_flight = metrics.gauge(
            "paypay_in_flight", "Requests to PayPay on the wire", labels=("lane",)
        )
        self._skew = metrics.gauge(
            "paypay_clock_skew_seconds", "How far our clock is ahead of PayPay's"
        )

    def asked(self, operation: str, outcome: str, seconds: float) -> None:
        """Outcome is the HTTP status, or the code of the `Unknown`."""
        self._seconds(operation, outcome).observe(seconds)

    def waited(self, operation: str, seconds: float) -> None:
        self._waits(operation).observe(seconds)

    def held_back(self, operation: str, reason: str) -> None:
        self._not_sent(operation, reason).inc()

    def watch(
        self,
        breakers: Mapping[str, CircuitBreaker],
        bulkheads: Mapping[Lane, Bulkhead],
        skew: ClockSkew,
    ) -> None:
        """What is read when somebody looks: time alone lets a circuit try again."""
        for operation, breaker in breakers.items():
            self._circuits.labels(operation).set_function(partial(_state_of, breaker))
        for lane, bulkhead in bulkheads.items():
            self._in_flight.labels(lane.value).set_function(partial(_in_flight_of, bulkhead))
        self._skew.set_function(lambda: skew.skew_s)


def _state_of(breaker: CircuitBreaker) -> float:
    return _STATES[breaker.state]


def _in_flight_of(bulkhead: Bulkhead) -> float:
    return bulkhead.in_flight
