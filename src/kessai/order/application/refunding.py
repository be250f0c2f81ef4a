"""Giving money back: order-service decides, once for each payment and reason."""

from __future__ import annotations

from kessai.contracts.events import refund_id
from kessai.kernel.clock import Clock
from kessai.kernel.db import Tx
from kessai.kernel.errors import JsonValue
from kessai.kernel.telemetry import get_log
from kessai.order.application.journal import Journal
from kessai.order.application.ports import Refund, Refunds, Sagas
from kessai.order.domain.news import RefundWanted, ask_refund
from kessai.order.domain.order import Order

REFUND_SAGA = "order_refund_saga"
_log = get_log("kessai.order")


class Refunding:
    def __init__(self, refunds: Refunds, journal: Journal, sagas: Sagas, clock: Clock) -> None:
        self._refunds = refunds
        self._journal = journal
        self._sagas = sagas
        self._clock = clock

    async def asked_yen(self, tx: Tx, order_id: str, merchant_payment_id: str) -> int:
        """What was asked back of a payment, done or under way."""
        return await self._refunds.asked_yen(tx, order_id, merchant_payment_id)

    async def start(
        self, tx: Tx, order: Order, wanted: RefundWanted, *, actor: str, cause: str
    ) -> Order:
        """In the transaction of what made it necessary; a repeat changes nothing."""
        now_ms = self._clock.now_ms()
        refund = Refund(
            refund_id=refund_id(wanted.merchant_payment_id, wanted.key),
            order_id=order.order_id,
            merchant_payment_id=wanted.merchant_payment_id,
            amount=wanted.amount,
            reason=wanted.reason,
            requested_at_ms=now_ms,
        )
        asked_yen = await self._refunds.asked_yen(tx, order.order_id, wanted.merchant_payment_id)
        if not await self._refunds.add(tx, refund):
            return order
        change = ask_refund(order, wanted, now_ms, asked_yen)
        # Only goods that were sold come back, and once: with the move into REFUNDING.
        restock = change.after.status is not order.status
        order = await self._journal.write(tx, change, actor=actor, cause=cause)
        params: dict[str, JsonValue] = {
            "refundId": refund.refund_id,
            "orderId": order.order_id,
            "userId": order.user_id,
            "merchantPaymentId": wanted.merchant_payment_id,
            "amount": wanted.amount,
            "reason": wanted.reason.value,
            "method": order.method.value,
            "restock": restock,
            "reservationId": order.reservation_id,
        }
        await self._sagas.start_once(tx, REFUND_SAGA, refund.refund_id, params)
        _log.info("order.refund_started", order_id=order.order_id, reason=wanted.reason.value)
        return order
