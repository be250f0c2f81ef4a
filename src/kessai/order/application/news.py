"""Payment news, from the bus or from asking: one function, the same result."""

from __future__ import annotations

import json
from dataclasses import replace

from kessai.contracts.events import (
    PaymentAttemptChanged,
    PaymentEvent,
    PaymentExpired,
    PaymentFailed,
    PaymentSucceeded,
    RefundCompleted,
)
from kessai.contracts.moves import AttemptStatus, OrderStatus, RefundStatus
from kessai.contracts.payment import Payments, PaymentService, PaymentsOfOrder
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import JsonValue, Refused, Unknown
from kessai.kernel.inbox import first_time
from kessai.kernel.telemetry import get_log
from kessai.order.application.journal import Journal
from kessai.order.application.ports import Limits, Orders, Refunds, Sagas, Samples
from kessai.order.application.refunding import Refunding
from kessai.order.application.retry import in_transaction
from kessai.order.application.view import ms, payment_view
from kessai.order.domain.derived import events_of
from kessai.order.domain.news import Success, attempt_number, on_refund, on_success, on_view
from kessai.order.domain.order import Order, PaymentView
from kessai.order.domain.promise import Channel, sample

CONSUMER = "order-service.payments"
SETTLE_SAGA = "order_settle_saga"
_ACTOR = "payment-service"
_log = get_log("kessai.order")

_STATUS_OF: dict[type[PaymentEvent], AttemptStatus] = {
    PaymentFailed: AttemptStatus.FAILED,
    PaymentExpired: AttemptStatus.EXPIRED,
}
# While the order is PENDING its own saga brings these, with all details.
_SAGA_BRINGS = frozenset({AttemptStatus.CREATING, AttemptStatus.AWAITING})


class PaymentNews:
    def __init__(
        self,
        db: Db,
        orders: Orders,
        refunds: Refunds,
        journal: Journal,
        refunding: Refunding,
        sagas: Sagas,
        payment: PaymentService,
        samples: Samples,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._db = db
        self._orders = orders
        self._refunds = refunds
        self._journal = journal
        self._refunding = refunding
        self._sagas = sagas
        self._payment = payment
        self._samples = samples
        self._clock = clock
        self._limits = limits

    async def apply_payment_event(self, event: PaymentEvent) -> None:
        """Once for each event id. Raises `Unknown` when the database does not take it now."""
        if isinstance(event, PaymentAttemptChanged) and await self._is_known(event):
            return
        if isinstance(event, PaymentSucceeded | RefundCompleted):
            await self._apply(event, None)
        else:
            await self._apply(event, await self._details(event))

    async def apply_payments(self, payments: Payments) -> None:
        """What payment-service knows now, as the events that it implies, then the newest view."""
        views = {one.merchant_payment_id: payment_view(one) for one in payments.attempts}
        for event in events_of(payments):
            await self._apply(event, views.get(event.merchant_payment_id))
        if payments.attempts:
            await self.show(payments.order_id, payment_view(payments.attempts[-1]), "look-up")

    async def show(self, order_id: str, view: PaymentView, cause: str) -> None:
        """News of an attempt that carries no event of its own."""

        async def body(tx: Tx) -> None:
            order = await self._orders.find(tx, order_id)
            if order is not None:
                change = on_view(order, view)
                await self._journal.write(tx, change, actor=_ACTOR, cause=cause)

        await in_transaction(self._db, self._limits.write_tries, body)

    async def _is_known(self, event: PaymentAttemptChanged) -> bool:
        async with self._db.read() as tx:
            order = await self._orders.find(tx, event.order_id)
        if order is None:
            return True
        if order.status is OrderStatus.PENDING and event.status in _SAGA_BRINGS:
            return True
        seen, number = order.payment, attempt_number(event.merchant_payment_id)
        return number < seen.number or (number == seen.number and event.version <= seen.version)

    async def _details(self, event: PaymentEvent) -> PaymentView:
        """The attempt behind the event; without an answer, what the event itself tells."""
        try:
            known = await self._payment.get_payments(PaymentsOfOrder(order_id=event.order_id))
        except (Refused, Unknown) as error:
            _log.warning("order.no_details", order_id=event.order_id, code=error.code)
        else:
            for attempt in known.attempts:
                if attempt.merchant_payment_id == event.merchant_payment_id:
                    return payment_view(attempt)
        return _view_of(event)

    async def _apply(self, event: PaymentEvent, view: PaymentView | None) -> None:
        async def body(tx: Tx) -> None:
            now_ms = self._clock.now_ms()
            if not await first_time(tx, CONSUMER, event.event_id, now_ms):
                return
            order = await self._orders.find(tx, event.order_id)
            if order is None:
                _log.warning("order.unknown_payment", order_id=event.order_id)
            elif isinstance(event, PaymentSucceeded):
                await self._on_success(tx, order, event)
            elif isinstance(event, RefundCompleted):
                await self._on_refund(tx, order, event, now_ms)
            else:
                change = on_view(order, view or _view_of(event))
                change = change.put(payment_last_event_id=event.event_id)
                await self._journal.write(tx, change, actor=_ACTOR, cause=event.event_id)

        await in_transaction(self._db, self._limits.write_tries, body)

    async def _on_success(self, tx: Tx, order: Order, event: PaymentSucceeded) -> None:
        news = _success(event)
        verdict = on_success(order, news)
        cause = event.event_id
        order = await self._journal.write(tx, verdict.change, actor=_ACTOR, cause=cause)
        if verdict.signal is not None:
            await self._journal.signal(tx, order.order_id, cause, verdict.signal)
            await self._ended_otherwise(tx, news, "AMOUNT_DIFFERS")
        if verdict.refund is not None:
            refunding = await self._refunding.start(
                tx, order, verdict.refund, actor="system", cause=cause
            )
            if refunding is not order:
                await self._ended_otherwise(tx, news, verdict.refund.reason)
        if verdict.settle:
            await self._sagas.start_once(tx, SETTLE_SAGA, order.order_id, settle_params(order))

    async def _ended_otherwise(self, tx: Tx, news: Success, outcome: str) -> None:
        """The money will not make an order PAID: no part of the promise, but counted."""
        if news.captured_at_ms is None:
            return
        ended = sample(
            news.merchant_payment_id,
            Channel.of(news.channel),
            outcome,
            news.captured_at_ms,
            self._clock.now_ms(),
        )
        await self._samples.add(tx, ended)

    async def _on_refund(self, tx: Tx, order: Order, event: RefundCompleted, now_ms: int) -> None:
        at_ms = ms(event.occurred_at) or now_ms
        change = on_refund(order, event.merchant_payment_id, event.amount, at_ms)
        change = change.put(payment_last_event_id=event.event_id)
        await self._journal.write(tx, change, actor=_ACTOR, cause=event.event_id)
        await self._refunds.end(tx, event.refund_id, RefundStatus.COMPLETED, now_ms)


def _success(event: PaymentSucceeded) -> Success:
    at_ms = ms(event.occurred_at) or 0
    # The wallet's money never left the house: nothing to find out, so no part of the promise.
    is_external = event.provider != "Balance"
    return Success(
        event.merchant_payment_id,
        event.event_id,
        event.payment_id,
        event.amount,
        at_ms,
        captured_at_ms=(ms(event.captured_at) or at_ms) if is_external else None,
        channel=Channel.of(event.channel) if is_external else None,
    )


def _view_of(event: PaymentEvent) -> PaymentView:
    view = PaymentView(
        number=attempt_number(event.merchant_payment_id), payment_id=event.payment_id
    )
    if isinstance(event, PaymentAttemptChanged):
        return replace(view, status=event.status, version=event.version)
    return replace(view, status=_STATUS_OF.get(type(event)), completed_at_ms=ms(event.occurred_at))


def settle_params(order: Order) -> dict[str, JsonValue]:
    lines: list[JsonValue] = [
        {"productId": item["productId"], "quantity": item["quantity"]}
        for item in json.loads(order.items)
    ]
    return {
        "orderId": order.order_id,
        "reservationId": f"{order.order_id}-1",
        "secondReservationId": f"{order.order_id}-2",
        "lines": lines,
    }
