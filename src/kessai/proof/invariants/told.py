"""What the outboxes say of orders and payments, read once and kept up with while it grows.

The rows of an order lie among those of all others, so the outbox is read from its beginning, in
pages, and what it says is kept by order. Each page of orders is then read in one snapshot with the
rows that came meanwhile: for each order exactly the events of its row are known.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import bindparam, func, select, table

from kessai.kernel.db import Db, Tx
from kessai.proof.invariants.bus import version_of
from kessai.proof.invariants.sql import Statement, col, made, rows_of
from kessai.topology import ORDERS_TOPIC, PAYMENTS_TOPIC

_PAGE = 2000
# A writer of MySQL may commit a row after larger ids were read; no body is so slow that it comes
# later than this many others.
_LATE_IDS = 5_000
_VIEW = b'"OrderViewChanged"'
_ASKED = (b"PaymentSucceeded", b"RefundCompleted")


class _Row(NamedTuple):
    id: int
    topic: str
    message_key: str
    value: bytes
    event_id: str


_ROWS = rows_of(_Row, "outbox")
_NEXT = _ROWS.where(col("id") > bindparam("after")).order_by(col("id")).limit(_PAGE)
_LATE = _ROWS.where(col("id").in_(bindparam("ids", expanding=True)))
_FIRST: Statement = select(func.min(col("id"))).select_from(table("outbox"))


@dataclass(slots=True)
class Told:
    """Of one order. `moves` are (old, new) by version, `views` has a bit for each version.

    `succeeded` and `refunded` are amounts by merchantPaymentId and refund id.
    """

    moves: dict[int, tuple[str | None, str]] = field(default_factory=dict)
    views: int = 0
    amount: int | None = None
    succeeded: dict[str, int] | None = None
    refunded: dict[str, int] | None = None
    faults: list[str] | None = None
    has_order: bool = False

    def fault(self, why: str) -> None:
        self.faults = [*(self.faults or ()), why]


class Outboxes:
    """What order-service and payment-service have told; `load` before the first page."""

    def __init__(self) -> None:
        self.by_order: dict[str, Told] = {}
        self._orders = _Cursor()
        self._payments = _Cursor()
        self._words: dict[tuple[str | None, str], tuple[str | None, str]] = {}

    async def load(self, order: Db, payment: Db) -> None:
        for db, catch_up, cursor in (
            (order, self.catch_up_orders, self._orders),
            (payment, self.catch_up_payments, self._payments),
        ):
            async with db.read() as tx:
                first = (await tx.run(_FIRST)).scalar()
            cursor.is_whole = first == 1
            more = True
            while more:
                async with db.read() as tx:
                    more = await catch_up(tx)

    @property
    def orders_are_whole(self) -> bool:
        """Nothing was forgotten yet, so that even the oldest order's events must be there."""
        return self._orders.is_whole

    @property
    def payments_are_whole(self) -> bool:
        return self._payments.is_whole

    async def catch_up_orders(self, tx: Tx) -> bool:
        """Reads what is new in the caller's snapshot; True when there may be more."""
        rows = await self._orders.new_rows(tx)
        for row in rows:
            if row.topic == ORDERS_TOPIC:
                self._fold_order(row)
        return len(rows) >= _PAGE

    async def catch_up_payments(self, tx: Tx) -> bool:
        rows = await self._payments.new_rows(tx)
        for row in rows:
            if row.topic == PAYMENTS_TOPIC and _is_asked(row.value):
                self._fold_payment(row)
        return len(rows) >= _PAGE

    def _told(self, order_id: str) -> Told:
        told = self.by_order.get(order_id)
        if told is None:
            told = self.by_order[order_id] = Told()
        return told

    def _fold_order(self, row: _Row) -> None:
        order_id, value = row.message_key, row.value
        told = self._told(order_id)
        version = version_of(value)
        if version is None or order_id.encode() not in value or row.event_id.encode() not in value:
            told.fault(f"row {row.id} of the outbox is not about what it says")
            return
        if _VIEW in value:
            bit = 1 << version
            if told.views & bit:
                told.fault(f"view {version} was told twice")
            told.views |= bit
            return
        try:
            payload = json.loads(value.decode())["payload"]
            move = (payload["oldStatus"], payload["newStatus"])
            amount = payload["amount"]
        except (ValueError, KeyError, TypeError):
            told.fault(f"row {row.id} of the outbox cannot be read")
            return
        if version in told.moves:
            told.fault(f"move {version} was told twice")
        told.moves[version] = self._words.setdefault(move, move)
        if told.amount is None:
            told.amount = amount
        elif told.amount != amount:
            told.fault(f"the amount was told as {told.amount} and as {amount}")

    def _fold_payment(self, row: _Row) -> None:
        told = self._told(row.message_key)
        try:
            event = json.loads(row.value)
            kind, amount = event["eventType"], event["amount"]
            name = event["refundId" if kind == "RefundCompleted" else "merchantPaymentId"]
        except (ValueError, KeyError, TypeError):
            told.fault(f"row {row.id} of payment-service's outbox cannot be read")
            return
        if kind == "PaymentSucceeded":
            told.succeeded = {**(told.succeeded or {}), name: amount}
        elif kind == "RefundCompleted":
            if name in (told.refunded or {}):
                told.fault(f"the refund {name} was told twice")
            told.refunded = {**(told.refunded or {}), name: amount}


def _is_asked(value: bytes) -> bool:
    return not isinstance(value, bytes) or any(kind in value for kind in _ASKED)


class _Cursor:
    """How far an outbox was read, and which smaller ids may still come."""

    def __init__(self) -> None:
        self.is_whole = True
        self._last = 0
        self._late: dict[int, None] = {}

    async def new_rows(self, tx: Tx) -> list[_Row]:
        found: list[_Row] = []
        if self._late:
            found.extend(made(_Row, await tx.run(_LATE, {"ids": list(self._late)})))
            for row in found:
                del self._late[row.id]
        rows = made(_Row, await tx.run(_NEXT, {"after": self._last}))
        self._note_gaps(row.id for row in rows)
        found.extend(rows)
        return found

    def _note_gaps(self, ids: Iterable[int]) -> None:
        for id_ in ids:
            if self._last and id_ > self._last + 1:
                first = max(self._last + 1, id_ - _LATE_IDS)
                self._late.update(dict.fromkeys(range(first, id_)))
            self._last = id_
        for id_ in [one for one in self._late if one < self._last - _LATE_IDS]:
            del self._late[id_]
