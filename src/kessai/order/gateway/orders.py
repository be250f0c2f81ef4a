"""Orders in SQL: one row each, written under its version."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select, update

from kessai.contracts.moves import AttemptStatus, Method, OrderReason, OrderStatus
from kessai.kernel.db import Row, Tx
from kessai.kernel.errors import VersionConflict
from kessai.order.domain.order import Closing, Decision, Order, PaymentView, RefundNote
from kessai.order.gateway.tables import ORDERS, UNDECIDED

_FIXED = (
    "order_id",
    "user_id",
    "method",
    "amount",
    "items",
    "customer_name",
    "customer_email",
    "shipping",
    "created_at_ms",
    "hold_until_ms",
)
_o = ORDERS.c
_INSERT = insert(ORDERS)
_FIND = select(ORDERS).where(_o.order_id == bindparam("of_id"))
_SAVE = (
    update(ORDERS)
    .where(
        _o.order_id == bindparam("of_id"),
        _o.version == bindparam("of_version"),
        _o.view_version == bindparam("of_view"),
    )
    .values({column.name: bindparam(column.name) for column in _o if column.name not in _FIXED})
)
_MINE = select(ORDERS).where(
    _o.user_id == bindparam("of_user"), _o.order_id < bindparam("before_id")
)
_PAGE = _MINE.order_by(_o.order_id.desc()).limit(bindparam("limit"))
_PAGE_OF_STATUS = (
    _MINE.where(_o.status == bindparam("of_status"))
    .order_by(_o.order_id.desc())
    .limit(bindparam("limit"))
)
_OVERDUE = (
    select(_o.order_id)
    .where(UNDECIDED, _o.hold_until_ms <= bindparam("now_ms"), _o.closing == "")
    .order_by(_o.hold_until_ms)
    .limit(bindparam("limit"))
)
_SILENT = (
    select(_o.order_id)
    .where(UNDECIDED, _o.news_at_ms <= bindparam("before_ms"))
    .order_by(_o.news_at_ms)
    .limit(bindparam("limit"))
)
_ASKED = (
    update(ORDERS).where(_o.order_id == bindparam("of_id")).values(news_at_ms=bindparam("now_ms"))
)


class SqlOrders:
    async def add(self, tx: Tx, order: Order) -> None:
        fixed = {name: getattr(order, name) for name in _FIXED}
        await tx.run(_INSERT, {**fixed, **_changing(order)})

    async def find(self, tx: Tx, order_id: str) -> Order | None:
        row = (await tx.run(_FIND, {"of_id": order_id})).first()
        return None if row is None else _order(row)

    async def save(self, tx: Tx, before: Order, after: Order) -> None:
        of = {
            "of_id": before.order_id,
            "of_version": before.version,
            "of_view": before.view_version,
        }
        if (await tx.run(_SAVE, {**of, **_changing(after)})).rowcount != 1:
            raise VersionConflict(f"order {before.order_id} moved on")

    async def page(
        self, tx: Tx, user_id: str, status: OrderStatus | None, before_id: str, limit: int
    ) -> Sequence[Order]:
        of = {"of_user": user_id, "before_id": before_id, "limit": limit}
        if status is None:
            rows = await tx.run(_PAGE, of)
        else:
            rows = await tx.run(_PAGE_OF_STATUS, {**of, "of_status": status.value})
        return [_order(row) for row in rows.all()]

    async def overdue(self, tx: Tx, now_ms: int, limit: int) -> Sequence[str]:
        rows = await tx.run(_OVERDUE, {"now_ms": now_ms, "limit": limit})
        return [row["order_id"] for row in rows.all()]

    async def silent(self, tx: Tx, before_ms: int, limit: int) -> Sequence[str]:
        rows = await tx.run(_SILENT, {"before_ms": before_ms, "limit": limit})
        return [row["order_id"] for row in rows.all()]

    async def asked(self, tx: Tx, order_id: str, now_ms: int) -> None:
        await tx.run(_ASKED, {"of_id": order_id, "now_ms": now_ms})


def _changing(order: Order) -> dict[str, object]:
    payment, refund = order.payment, order.refund
    return {
        "status": order.status,
        "reason": order.reason,
        "decision": order.decision,
        "closing": order.closing,
        "version": order.version,
        "view_version": order.view_version,
        "updated_at_ms": order.updated_at_ms,
        # Every change is news: the fallback asks only when there was none for long.
        "news_at_ms": order.updated_at_ms,
        "attempt_number": payment.number,
        "attempt_version": payment.version,
        "payment_status": payment.status,
        "paypay_status": payment.provider_status,
        "payment_id": payment.payment_id,
        "payment_url": payment.url,
        "deeplink": payment.deeplink,
        "payment_expires_at_ms": payment.expires_at_ms,
        "payment_requested_at_ms": payment.requested_at_ms,
        "payment_completed_at_ms": payment.completed_at_ms,
        "payment_error_code": payment.error_code,
        "payment_error_message": payment.error_message,
        "payment_last_event_id": order.payment_last_event_id,
        "paid_attempt": order.paid_attempt,
        "paid_at_ms": order.paid_at_ms,
        "reservation_id": order.reservation_id,
        "refunded_amount": order.refunded_amount,
        "refund_amount": refund.amount if refund else None,
        "refund_status": refund.status if refund else None,
        "refund_reason": refund.reason if refund else None,
        "refund_at_ms": refund.at_ms if refund else None,
        "refusal": order.refusal,
        "timeline": order.timeline,
        "audit_sequence": order.audit_sequence,
        "audit_hash": order.audit_hash,
        "settling_since_ms": order.settling_since_ms,
        "settling_channel": order.settling_channel,
    }


def _order(row: Row) -> Order:
    reason = row["reason"]
    return Order(
        order_id=row["order_id"],
        user_id=row["user_id"],
        method=Method(row["method"]),
        amount=row["amount"],
        items=row["items"],
        customer_name=row["customer_name"],
        customer_email=row["customer_email"],
        shipping=row["shipping"],
        created_at_ms=row["created_at_ms"],
        hold_until_ms=row["hold_until_ms"],
        status=OrderStatus(row["status"]),
        reason=None if reason is None else OrderReason(reason),
        decision=Decision(row["decision"]),
        closing=Closing(row["closing"]),
        version=row["version"],
        view_version=row["view_version"],
        updated_at_ms=row["updated_at_ms"],
        payment=_payment(row),
        payment_last_event_id=row["payment_last_event_id"],
        paid_attempt=row["paid_attempt"],
        paid_at_ms=row["paid_at_ms"],
        reservation_id=row["reservation_id"],
        refunded_amount=row["refunded_amount"],
        refund=_refund(row),
        refusal=row["refusal"],
        timeline=row["timeline"],
        audit_sequence=row["audit_sequence"],
        audit_hash=row["audit_hash"],
        settling_since_ms=row["settling_since_ms"],
        settling_channel=row["settling_channel"],
    )


def _payment(row: Row) -> PaymentView:
    status = row["payment_status"]
    return PaymentView(
        number=row["attempt_number"],
        version=row["attempt_version"],
        status=None if status is None else AttemptStatus(status),
        provider_status=row["paypay_status"],
        payment_id=row["payment_id"],
        url=row["payment_url"],
        deeplink=row["deeplink"],
        expires_at_ms=row["payment_expires_at_ms"],
        requested_at_ms=row["payment_requested_at_ms"],
        completed_at_ms=row["payment_completed_at_ms"],
        error_code=row["payment_error_code"],
        error_message=row["payment_error_message"],
    )


def _refund(row: Row) -> RefundNote | None:
    if row["refund_status"] is None:
        return None
    return RefundNote(
        row["refund_amount"], row["refund_status"], row["refund_reason"], row["refund_at_ms"]
    )
