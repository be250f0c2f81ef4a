"""The naive shop: short, plausible, and wrong. Each mistake is named where it is made (X1-X16)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from tests.naive.provider import Clock, Provider, ProviderError

TICK_S = 10
EXPIRES_AFTER_S = 900
POLLED_AT_ONCE = 10

# X16: everybody's page, everybody's port, everybody's password.
CONFIG = {
    "cors.allowed-origins": "*",
    "websocket.allowed-origin-patterns": "*",
    "database.password": "123456",
    "internal.auth": "none",
}


class StoreDown(Exception):
    """The database refused the commit."""


@dataclass
class Order:
    order_id: str
    user: str
    product: str
    amount: int
    expires_at_s: float
    status: str = "CREATED"
    payment_url: str | None = None
    paid_at_s: float | None = None
    last_event_id: str | None = None
    channel_token: str = ""


@dataclass
class Table:
    """Rows that a transaction takes back when its commit fails."""

    rows: dict[str, Order] = field(default_factory=dict)
    read_only: bool = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        before = copy.deepcopy(self.rows)
        yield
        if self.read_only:
            self.rows = before
            raise StoreDown("could not write")


@dataclass
class Topics:
    """The broker: what has reached it stays."""

    clock: Clock
    down: bool = False
    told: list[tuple[str, str, str, str, float]] = field(default_factory=list)

    def send_and_forget(self, topic: str, key: str, kind: str, event_id: str) -> None:
        if not self.down:
            self.told.append((topic, key, kind, event_id, self.clock.now_s))


@dataclass
class NaiveStorage:
    """Its client swallows exceptions: everything that goes wrong is a plain False."""

    available: dict[str, int]
    reserved: dict[str, int] = field(default_factory=dict)
    sold: dict[str, int] = field(default_factory=dict)
    confirmations: dict[str, bool] = field(default_factory=dict)
    compensations: dict[str, bool] = field(default_factory=dict)
    read_only: bool = False

    def reserve(self, reservation: str, product: str) -> bool:
        if self.read_only or self.available[product] < 1:
            return False
        self.available[product] -= 1
        self.reserved[product] = self.reserved.get(product, 0) + 1
        return True

    def confirm(self, reservation: str, product: str) -> bool:
        if self.read_only or reservation in self.confirmations:
            return False
        self.confirmations[reservation] = True
        self.reserved[product] = self.reserved.get(product, 0) - 1
        self.sold[product] = self.sold.get(product, 0) + 1
        return True

    def compensate(self, reservation: str, product: str) -> bool:
        # X9: neither asks whether it was reserved, nor whether it was confirmed.
        if self.read_only or reservation in self.compensations:
            return False
        self.compensations[reservation] = True
        self.available[product] += 1
        return True


class NaiveShop:
    """bff, order-service and payment-service of the naive design in one object."""

    def __init__(self, clock: Clock, provider: Provider, opening: dict[str, int]) -> None:
        self.clock = clock
        self.provider = provider
        self.orders = Table()
        self.storage = NaiveStorage(dict(opening))
        self.topics = Topics(clock)
        self.log: list[str] = []
        self._numbers = count(1)
        provider.deliver = self.webhook

    # The customer's side.
    def sign_in(self, user: str, email: str) -> str:
        sid = f"sid-of-{user}"
        self.log.append(f"login ok email={email} sid={sid}")  # X16
        return sid

    def purchase(self, user: str, product: str, amount: int, key: str) -> Order:
        # X14: a new id for each click; the key is not looked at.
        order_id = f"order-{next(self._numbers)}"
        order = Order(order_id, user, product, amount, self.clock.now_s + EXPIRES_AFTER_S)
        order.channel_token = f"token-of-{order_id}"
        with self.orders.transaction():
            self.orders.rows[order_id] = order
        # X7: a refused step is no exception, so the saga goes on to its next state.
        self.storage.reserve(order_id, product)
        if not self._request_payment(order):
            # X8: the saga ends as if it had gone well, so nothing is compensated.
            self._set_status(order, "CANCELLED")
        return order

    def _request_payment(self, order: Order) -> bool:
        try:
            url = self.provider.create(order.order_id, order.amount, order.expires_at_s)
        except ProviderError as error:
            self.log.append(f"payment failed {error}")
            return False
        order.payment_url = url
        self._set_status(order, "WAITING_PAYMENT")
        return True

    def read_order(self, sid: str | None, order_id: str) -> Order | None:
        # X15: any session will do.
        return self.orders.rows.get(order_id) if sid else None

    # News of a payment.
    def webhook(self, body: dict[str, str]) -> int:
        try:
            # X1: what it says is believed.
            self.apply_news(body["merchantPaymentId"], body["status"], body["eventId"])
            # X13: a new event id for each delivery.
            event_id = f"event-{next(self._numbers)}"
            self.topics.send_and_forget(
                "payments", body["merchantPaymentId"], "PaymentSucceeded", event_id
            )
        except StoreDown as error:
            # X2: answered as done, so nobody will tell it again.
            self.log.append(f"webhook failed {error}")
        return 200

    def apply_news(self, order_id: str, status: str, event_id: str) -> None:
        with self.orders.transaction():
            order = self.orders.rows[order_id]
            # X10: only the last id is remembered.
            if event_id and order.last_event_id == event_id:
                return
            order.last_event_id = event_id
            if status == "COMPLETED":
                self._succeed(order)
            elif status == "FAILED" and order.status == "WAITING_PAYMENT":
                self._set_status(order, "CANCELLED")
                self.storage.compensate(order_id, order.product)

    def _succeed(self, order: Order) -> None:
        order.paid_at_s = self.clock.now_s
        if order.status == "CANCELLED":
            # X6: the money stays where it is.
            self.log.append(f"ignored success of cancelled {order.order_id}")
            return
        # X11: whether the stock was there to confirm is not looked at.
        self.storage.confirm(order.order_id, order.product)
        self._set_status(order, "PAID")

    def _set_status(self, order: Order, status: str) -> None:
        order.status = status
        # X12: inside the open transaction, without waiting for the broker's answer.
        event_id = f"event-{next(self._numbers)}"
        self.topics.send_and_forget("orders", order.order_id, status, event_id)

    # Every ten seconds.
    def tick(self) -> None:
        self._cancel_expired()
        self._poll()

    def _cancel_expired(self) -> None:
        for order in self.orders.rows.values():
            # X5: the provider is not asked.
            if order.status == "WAITING_PAYMENT" and self.clock.now_s >= order.expires_at_s:
                self._set_status(order, "CANCELLED")
                self.storage.compensate(order.order_id, order.product)

    def _poll(self) -> None:
        waiting = [row for row in self.orders.rows.values() if row.status == "WAITING_PAYMENT"]
        # X4: the first ten, which are the same ten each time.
        for order in waiting[:POLLED_AT_ONCE]:
            try:
                status = self.provider.look_up(order.order_id)
            except ProviderError:
                # X3: no answer counts as a no.
                status = "FAILED"
            # X13: a success found by asking is told to nobody.
            self.apply_news(order.order_id, status, "")
