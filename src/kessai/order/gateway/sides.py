"""What lies beside an order: carts without a key, refunds wanted, the audit trail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import cast

from sqlalchemy import bindparam, delete, func, insert, literal_column, select, update

from kessai.contracts.moves import RefundStatus
from kessai.contracts.order import AuditEntry
from kessai.kernel.clock import parse_wire, to_ms, wire
from kessai.kernel.db import Tx, insert_ignore
from kessai.kernel.errors import VersionConflict
from kessai.order.application.ports import Refund
from kessai.order.domain.giving_back import Asked
from kessai.order.gateway.tables import AUDIT, CARTS, ORDERS, REFUNDS, UNDER_WAY

_c, _r, _a = CARTS.c, REFUNDS.c, AUDIT.c

_TAKE_CART = insert_ignore(CARTS)
_CART = (
    select(_c.order_id, _c.taken_at_ms, ORDERS.c.status)
    .join_from(CARTS, ORDERS, ORDERS.c.order_id == _c.order_id)
    .where(_c.cart_id == bindparam("of_cart"))
)
_RETAKE_CART = (
    update(CARTS)
    .where(_c.cart_id == bindparam("of_cart"), _c.order_id == bindparam("of_order"))
    .values(order_id=bindparam("order_id"), taken_at_ms=bindparam("taken_at_ms"))
)


class SqlCarts:
    async def take(
        self, tx: Tx, cart_id: str, order_id: str, now_ms: int, same_cart_ms: int
    ) -> str:
        mine = {"cart_id": cart_id, "order_id": order_id, "taken_at_ms": now_ms}
        if (await tx.run(_TAKE_CART, mine)).rowcount == 1:
            return order_id
        found = (await tx.run(_CART, {"of_cart": cart_id})).one()
        earlier = str(found["order_id"])
        if found["status"] == "PENDING" or now_ms - found["taken_at_ms"] <= same_cart_ms:
            return earlier
        again = {
            "of_cart": cart_id,
            "of_order": earlier,
            "order_id": order_id,
            "taken_at_ms": now_ms,
        }
        if (await tx.run(_RETAKE_CART, again)).rowcount != 1:
            raise VersionConflict("the same cart was bought at this very moment")
        return order_id


_ADD_REFUND = insert_ignore(REFUNDS)
_END_REFUND = (
    update(REFUNDS)
    .where(_r.refund_id == bindparam("of_refund"))
    .values(status=bindparam("status"), news_at_ms=bindparam("news_at_ms"))
)
_FIND_REFUND = select(
    _r.refund_id, _r.order_id, _r.merchant_payment_id, _r.amount, _r.reason, _r.requested_at_ms
).where(_r.refund_id == bindparam("of_refund"))
_ASKED_YEN = select(func.coalesce(func.sum(_r.amount), 0)).where(
    _r.order_id == bindparam("of_order"),
    _r.merchant_payment_id == bindparam("of_payment"),
    _r.status != literal_column("'REJECTED'"),
)
_OF_ORDER = (
    select(_r.refund_id, _r.merchant_payment_id, _r.amount, _r.status)
    .where(_r.order_id == bindparam("of_order"))
    .order_by(_r.requested_at_ms, _r.refund_id)
)
_SILENT_REFUNDS = (
    select(_r.order_id)
    .where(UNDER_WAY, _r.news_at_ms <= bindparam("before_ms"))
    .order_by(_r.news_at_ms)
    .limit(bindparam("limit"))
)
_ASKED_REFUNDS = (
    update(REFUNDS)
    .where(UNDER_WAY, _r.order_id == bindparam("of_order"))
    .values(news_at_ms=bindparam("now_ms"))
)


class SqlRefunds:
    async def add(self, tx: Tx, refund: Refund) -> bool:
        row = {
            "refund_id": refund.refund_id,
            "order_id": refund.order_id,
            "merchant_payment_id": refund.merchant_payment_id,
            "amount": refund.amount,
            "reason": refund.reason,
            "status": "REQUESTED",
            "requested_at_ms": refund.requested_at_ms,
            "news_at_ms": refund.requested_at_ms,
        }
        return (await tx.run(_ADD_REFUND, row)).rowcount == 1

    async def end(self, tx: Tx, refund_id: str, status: str, now_ms: int) -> None:
        await tx.run(_END_REFUND, {"of_refund": refund_id, "status": status, "news_at_ms": now_ms})

    async def find(self, tx: Tx, refund_id: str) -> Refund | None:
        row = (await tx.run(_FIND_REFUND, {"of_refund": refund_id})).first()
        return Refund(**row) if row else None

    async def of_order(self, tx: Tx, order_id: str) -> Sequence[Asked]:
        rows = (await tx.run(_OF_ORDER, {"of_order": order_id})).all()
        return [
            Asked(
                row["refund_id"],
                row["merchant_payment_id"],
                row["amount"],
                is_refused=row["status"] == RefundStatus.REJECTED,
            )
            for row in rows
        ]

    async def asked_yen(self, tx: Tx, order_id: str, merchant_payment_id: str) -> int:
        of = {"of_order": order_id, "of_payment": merchant_payment_id}
        return int(cast(int, (await tx.run(_ASKED_YEN, of)).scalar()))

    async def silent(self, tx: Tx, before_ms: int, limit: int) -> Sequence[str]:
        rows = await tx.run(_SILENT_REFUNDS, {"before_ms": before_ms, "limit": limit})
        return [row["order_id"] for row in rows.all()]

    async def asked(self, tx: Tx, order_id: str, now_ms: int) -> None:
        await tx.run(_ASKED_REFUNDS, {"of_order": order_id, "now_ms": now_ms})


_APPEND = insert(AUDIT)
_TRAIL = select(AUDIT).where(_a.order_id == bindparam("of_order")).order_by(_a.sequence)
_WAITING = (
    select(_a.order_id)
    .where(_a.order_id > bindparam("after"), _a.at_ms <= bindparam("before_ms"))
    .group_by(_a.order_id)
    .order_by(_a.order_id)
    .limit(bindparam("limit"))
)
_COUNT = select(func.count()).select_from(AUDIT)
_FORGET = delete(AUDIT).where(
    _a.order_id == bindparam("of_order"), _a.sequence <= bindparam("until")
)
_FIRST_ORDER = select(func.min(ORDERS.c.order_id)).where(ORDERS.c.audit_sequence > 0)
_FIRST_ENTRY = select(_a.sequence).where(
    _a.order_id == bindparam("of_order"), _a.sequence == literal_column("1")
)


class SqlAuditTrail:
    """Rows are inserted and read, never changed; (order, sequence) is the key."""

    async def append(self, tx: Tx, entries: Sequence[AuditEntry]) -> None:
        # All entries of one append are of one moment.
        at_ms = to_ms(parse_wire(entries[0].at))
        await tx.run(_APPEND, [_audit_row(entry, at_ms) for entry in entries])

    async def read(self, tx: Tx, order_id: str) -> Sequence[AuditEntry]:
        rows = (await tx.run(_TRAIL, {"of_order": order_id})).all()
        return [
            AuditEntry(
                order_id=row["order_id"],
                sequence=row["sequence"],
                at=wire(int(row["at_ms"])),
                actor=row["actor"],
                action=row["action"],
                from_status=row["from_status"],
                to_status=row["to_status"],
                cause=row["cause"],
                details=json.loads(row["details"]),
                previous_hash=row["previous_hash"],
                hash=row["hash"],
            )
            for row in rows
        ]

    async def waiting(self, tx: Tx, before_ms: int, after: str, limit: int) -> Sequence[str]:
        of = {"before_ms": before_ms, "after": after, "limit": limit}
        return [row["order_id"] for row in (await tx.run(_WAITING, of)).all()]

    async def count(self, tx: Tx) -> int:
        return int(cast(int, (await tx.run(_COUNT)).scalar()))

    async def forget(self, tx: Tx, order_id: str, until: int) -> None:
        await tx.run(_FORGET, {"of_order": order_id, "until": until})

    async def is_elsewhere(self, tx: Tx) -> bool:
        order_id = (await tx.run(_FIRST_ORDER)).scalar()
        if order_id is None:
            return False
        return (await tx.run(_FIRST_ENTRY, {"of_order": order_id})).first() is None


def _audit_row(entry: AuditEntry, at_ms: int) -> dict[str, object]:
    return {
        "order_id": entry.order_id,
        "sequence": entry.sequence,
        "at_ms": at_ms,
        "actor": entry.actor,
        "action": entry.action,
        "from_status": entry.from_status,
        "to_status": entry.to_status,
        "cause": entry.cause,
        "details": json.dumps(entry.details, ensure_ascii=False, separators=(",", ":")),
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }
