"""What PayPay may cost us: times, a rate, and how many requests are on the wire at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kessai.kernel.errors import Unknown
from kessai.payment.application.ports import NOT_SENT


class Lane(StrEnum):
    """Who fills up only their own lane: customers that wait for a code, questions, changes."""

    CREATE = "create"
    LOOK_UP = "look-up"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Operation:
    """`long`: PayPay asks for a read timeout of 30 s, else it is 15 s."""

    name: str
    lane: Lane
    long: bool = False


CREATE: Final = Operation("create", Lane.CREATE, long=True)
GET: Final = Operation("get", Lane.LOOK_UP)
GET_DIRECT: Final = Operation("get_direct", Lane.LOOK_UP)
GET_REFUND: Final = Operation("get_refund", Lane.LOOK_UP)
DELETE: Final = Operation("delete", Lane.CHANGE)
CANCEL: Final = Operation("cancel", Lane.CHANGE)
REFUND: Final = Operation("refund", Lane.CHANGE, long=True)
CAPTURE: Final = Operation("capture", Lane.CHANGE, long=True)
REVERT: Final = Operation("revert", Lane.CHANGE, long=True)
OPERATIONS: Final = (
    CREATE,
    GET,
    GET_DIRECT,
    GET_REFUND,
    DELETE,
    CANCEL,
    REFUND,
    CAPTURE,
    REVERT,
)


@dataclass(frozen=True, slots=True)
class PayPayLimits:
    """Read timeouts as PayPay publishes them; `max_wait_s` is the longest wait for the rate."""

    create_timeout_s: float
    timeout_s: float
    rate_per_s: float
    max_wait_s: float = 10.0
    creates_at_once: int = 40
    lookups_at_once: int = 36
    changes_at_once: int = 24
    skew_alarm_s: float = 30.0

    def timeout_of(self, operation: Operation) -> float:
        return self.create_timeout_s if operation.long else self.timeout_s

    def at_once(self, lane: Lane) -> int:
        match lane:
            case Lane.CREATE:
                return self.creates_at_once
            case Lane.LOOK_UP:
                return self.lookups_at_once
            case Lane.CHANGE:
                return self.changes_at_once


class LaneFull(Unknown):
    """Not sent: as many requests are on the wire as may be."""


class Bulkhead:
    """So many requests at once, and no queue: a provider that hangs fills one lane and no more."""

    def __init__(self, lane: Lane, at_once: int) -> None:
        self._lane = lane
        self._at_once = at_once
        self.in_flight = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Raises `LaneFull` when there is none."""
        if self.in_flight >= self._at_once:
            raise LaneFull(NOT_SENT, f"{self._at_once} requests are under way ({self._lane})")
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
