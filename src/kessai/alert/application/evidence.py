"""What order, payment and stock say now, side by side: asked at once, silence is shown as such."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from typing import Final

from pydantic import BaseModel

from kessai.contracts.alert import AlertEvidence, EvidenceSide
from kessai.contracts.order import OrderById, OrderService
from kessai.contracts.payment import PaymentService, PaymentsOfOrder
from kessai.contracts.storage import ReservationsOfOrder, StorageService
from kessai.kernel.clock import Clock, wire
from kessai.kernel.errors import Refused, Unknown

_ORDER_ID: Final = re.compile(r"[0-9a-z]{26}")
# Nobody needs the customer's address or a way to pay to see what disagrees.
_HIDDEN: Final = {"shipping_address", "payment_url", "deeplink"}
_HIDDEN_OF_PAYMENTS: Final = {"attempts": {"__all__": {"url", "deeplink"}}}


def is_order_id(text: str | None) -> bool:
    return text is not None and _ORDER_ID.fullmatch(text) is not None


class Witnesses:
    """`timeout_s` is for all three together, below that of whoever asks for the alert."""

    def __init__(
        self,
        order: OrderService,
        payment: PaymentService,
        storage: StorageService,
        clock: Clock,
        *,
        timeout_s: float,
    ) -> None:
        self._order = order
        self._payment = payment
        self._storage = storage
        self._clock = clock
        self._timeout_s = timeout_s

    async def ask(self, order_id: str | None) -> AlertEvidence:
        if order_id is None or not is_order_id(order_id):
            return AlertEvidence()
        order, payment, stock = await asyncio.gather(
            self._side("order-service", self._order.view_order(OrderById(order_id=order_id))),
            self._side(
                "payment-service",
                self._payment.get_payments(PaymentsOfOrder(order_id=order_id)),
            ),
            self._side(
                "storage-service",
                self._storage.list_reservations(ReservationsOfOrder(order_id=order_id)),
            ),
        )
        return AlertEvidence(order=order, payment=payment, stock=stock)

    async def _side(self, source: str, call: Awaitable[BaseModel]) -> EvidenceSide:
        asked_at = wire(self._clock.now_ms())
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await call
        except Refused as refused:
            # A no is an answer: this service knows of no such order.
            return EvidenceSide(source=source, asked_at=asked_at, answered=True, code=refused.code)
        except Unknown as unknown:
            return EvidenceSide(source=source, asked_at=asked_at, answered=False, code=unknown.code)
        except TimeoutError:
            return EvidenceSide(source=source, asked_at=asked_at, answered=False, code="TIMEOUT")
        hidden = _HIDDEN_OF_PAYMENTS if source == "payment-service" else _HIDDEN
        content = answer.model_dump(mode="json", by_alias=True, exclude=hidden)
        return EvidenceSide(source=source, asked_at=asked_at, answered=True, content=content)
