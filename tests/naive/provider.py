"""A provider in memory for the naive shop: codes, payments, webhooks, and its book."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


class ProviderError(Exception):
    """What its client library raises, whatever the reason was."""


@dataclass
class Clock:
    now_s: float = 0.0


@dataclass
class Payment:
    payment_id: str
    amount: int
    ends_at_s: float
    paid_at_s: float | None = None
    refunds: list[int] = field(default_factory=list)


@dataclass
class Provider:
    clock: Clock
    payments: dict[str, Payment] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    webhooks_lost: bool = False
    lag_s: float = 0.0
    deliver: Callable[[dict[str, str]], int] | None = None

    def create(self, payment_id: str, amount: int, ends_at_s: float) -> str:
        self._fail("create")
        self.payments[payment_id] = Payment(payment_id, amount, ends_at_s)
        return f"https://pay.example/{payment_id}"

    def look_up(self, payment_id: str) -> str:
        self._fail("look-up")
        paid_at_s = self.payments[payment_id].paid_at_s
        seen = paid_at_s is not None and self.clock.now_s >= paid_at_s + self.lag_s
        return "COMPLETED" if seen else "CREATED"

    def pay(self, payment_id: str) -> bool:
        payment = self.payments[payment_id]
        if self.clock.now_s >= payment.ends_at_s or payment.paid_at_s is not None:
            return False
        payment.paid_at_s = self.clock.now_s
        if self.deliver and not self.webhooks_lost:
            self.deliver(webhook(payment_id))
        return True

    def _fail(self, operation: str) -> None:
        if operation in self.errors:
            raise ProviderError(self.errors[operation])


def webhook(payment_id: str, event_id: str = "") -> dict[str, str]:
    return {"merchantPaymentId": payment_id, "status": "COMPLETED", "eventId": event_id}
