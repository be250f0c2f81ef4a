"""The steps that sagas take on the order itself, each in one transaction with its log row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from kessai.contracts.moves import OrderReason, RefundStatus
from kessai.contracts.payment import Attempt, Closed
from kessai.kernel.clock import Clock
from kessai.kernel.db import Tx
from kessai.kernel.errors import JsonValue
from kessai.order.application.journal import Journal
from kessai.order.application.ports import Orders, Refunds
from kessai.order.application.refunding import Refunding
from kessai.order.application.view import payment_view
from kessai.order.domain.news import (
    RefundReason,
    RefundWanted,
    SignalWanted,
    closing_reason,
    failure_reason,
    mark_waiting,
    refund_refused,
    settle_with,
)
from kessai.order.domain.order import (
    Change,
    Decision,
    FactKind,
    Order,
    decide,
    mark_failed,
    mark_paid,
)
from kessai.saga.services import StepContext

Json = Mapping[str, JsonValue]


class OrderMoves:
    """Registered with the engine as `Local`: methods take the open transaction."""

    def __init__(
        self,
        orders: Orders,
        refunds: Refunds,
        journal: Journal,
        refunding: Refunding,
        clock: Clock,
    ) -> None:
        self._orders = orders
        self._refunds = refunds
        self._journal = journal
        self._refunding = refunding
        self._clock = clock

    async def take_fail_decision(self, context: StepContext, tx: Tx, given: Json) -> Json:
        order = await self._order(tx, given)
        order = await self._write(tx, context, decide(order, Decision.FAIL))
        return {"decision": order.decision.value}

    async def take_settle_decision(self, context: StepContext, tx: Tx, given: Json) -> Json:
        order = await self._order(tx, given)
        attempt = Attempt.model_validate(given["attempt"])
        change = settle_with(order, attempt.merchant_payment_id, payment_view(attempt))
        order = await self._write(tx, context, change)
        return {"decision": order.decision.value}

    async def mark_waiting(self, context: StepContext, tx: Tx, given: Json) -> Json:
        order = await self._order(tx, given)
        attempt = Attempt.model_validate(given["attempt"])
        order = await self._write(tx, context, mark_waiting(order, payment_view(attempt)))
        return {"status": order.status.value}

    async def mark_paid(self, context: StepContext, tx: Tx, given: Json) -> Json:
        order = await self._order(tx, given)
        change = mark_paid(order, str(given["reservationId"]), self._clock.now_ms())
        order = await self._write(tx, context, change)
        return {"status": order.status.value}

    async def mark_failed(self, context: StepContext, tx: Tx, given: Json) -> Json:
        order = await self._order(tx, given)
        stock = _refusal(given, "reserved")
        reason = failure_reason(
            order,
            stock=stock,
            hold=_refusal(given, "held"),
            payment=_refusal(given, "attempt"),
        )
        change = mark_failed(order, reason, released=stock is None, items=_items(given))
        order = await self._write(tx, context, change)
        return {"status": order.status.value}

    async def mark_closed(self, context: StepContext, tx: Tx, given: Json) -> Json:
        order = await self._order(tx, given)
        last = Closed.model_validate(given["closed"]).reason
        refused = _refusal(given, "released")
        change = mark_failed(order, closing_reason(order, last), released=refused is None)
        order = await self._write(tx, context, change)
        if refused is not None:
            wanted = SignalWanted("StockNotReleased", {"refusal": refused})
            await self._journal.signal(tx, order.order_id, context.token, wanted)
        return {"status": order.status.value}

    async def mark_out_of_stock(self, context: StepContext, tx: Tx, given: Json) -> Json:
        """Paid, and nothing to deliver: FAILED and the refund's start are one transaction."""
        order = await self._order(tx, given)
        change = mark_failed(order, OrderReason.OUT_OF_STOCK_AFTER_PAYMENT, released=False)
        order = await self._write(tx, context, change)
        if order.paid_attempt is not None and not change.is_empty:
            reason = RefundReason.OUT_OF_STOCK_AFTER_PAYMENT
            wanted = RefundWanted(order.paid_attempt, order.amount, reason)
            await self._refunding.start(tx, order, wanted, actor="system", cause=_cause(context))
        return {"status": order.status.value}

    async def mark_restocked(self, context: StepContext, tx: Tx, given: Json) -> Json:
        order = await self._order(tx, given)
        refused = _refusal(given, "restocked")
        change = Change.of(order)
        if refused is None:
            await self._write(tx, context, change.note(FactKind.STOCK, "RESTOCKED"))
        else:
            told: dict[str, JsonValue] = {"refusal": refused}
            change = change.note(FactKind.STOCK, "RESTOCK_REFUSED", told, shown=False)
            await self._write(tx, context, change)
            wanted = SignalWanted("StockNotRestocked", told)
            await self._journal.signal(tx, order.order_id, context.token, wanted)
        return {}

    async def mark_refund_refused(self, context: StepContext, tx: Tx, given: Json) -> Json:
        order = await self._order(tx, given)
        code = _refusal(given, "credited") or _refusal(given, "requested") or "UNKNOWN"
        now_ms = self._clock.now_ms()
        await self._write(tx, context, refund_refused(order, code, now_ms))
        refund_id = str(given["refundId"])
        await self._refunds.end(tx, refund_id, RefundStatus.REJECTED, now_ms)
        wanted = SignalWanted("RefundRefused", {"refundId": refund_id, "code": code})
        await self._journal.signal(tx, order.order_id, context.token, wanted)
        return {}

    async def _order(self, tx: Tx, given: Json) -> Order:
        order = await self._orders.find(tx, str(given["orderId"]))
        if order is None:
            raise LookupError(f"no order {given['orderId']!r}")
        return order

    async def _write(self, tx: Tx, context: StepContext, change: Change) -> Order:
        return await self._journal.write(tx, change, actor="system", cause=_cause(context))


def _cause(context: StepContext) -> str:
    return f"{context.machine}:{context.state}"


def _refusal(given: Json, name: str) -> str | None:
    answer = given.get(name)
    refusal = answer.get("refusal") if isinstance(answer, Mapping) else None
    return None if refusal is None else str(refusal)


def _items(given: Json) -> str | None:
    """What was short, from the refusal of the reservation."""
    answer = given.get("reserved")
    facts = answer.get("facts") if isinstance(answer, Mapping) else None
    items = facts.get("items") if isinstance(facts, Mapping) else None
    return None if items is None else json.dumps(cast("JsonValue", items), ensure_ascii=False)
