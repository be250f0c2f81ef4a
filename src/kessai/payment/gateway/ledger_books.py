"""The books of one order after the other, read for the ledger's check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import BindParameter, Table, bindparam, select
from sqlalchemy.sql import Select

from kessai.kernel.db import Row, Tx
from kessai.kernel.ids import content_id
from kessai.payment.domain.ledger import REFUND as REFUND_KIND
from kessai.payment.domain.ledger import Captured, Entry, OrderBooks, PaidBack
from kessai.payment.gateway.tables import ATTEMPT, LEDGER, REFUND


def _orders(table: Table) -> Select[tuple[str]]:
    """The index gives the orders in their own order, so a page costs a page."""
    return (
        select(table.c.order_id)
        .where(table.c.order_id > bindparam("after"))
        .group_by(table.c.order_id)
        .order_by(table.c.order_id)
        .limit(bindparam("page"))
    )


_ORDERS = tuple(_orders(table) for table in (LEDGER, ATTEMPT, REFUND))
_IN: BindParameter[str] = bindparam("orders", expanding=True)
_ATTEMPTS = select(
    ATTEMPT.c.id, ATTEMPT.c.order_id, ATTEMPT.c.provider, ATTEMPT.c.captured_yen
).where(ATTEMPT.c.order_id.in_(_IN))
_REFUNDS = select(
    REFUND.c.id,
    REFUND.c.order_id,
    REFUND.c.merchant_payment_id,
    REFUND.c.provider,
    REFUND.c.amount_yen,
    REFUND.c.status,
).where(REFUND.c.order_id.in_(_IN))
_ENTRY_FIELDS = tuple(Entry.__slots__)
_ENTRIES = (
    select(*(LEDGER.c[name] for name in _ENTRY_FIELDS))
    .where(LEDGER.c.order_id.in_(_IN))
    .order_by(LEDGER.c.id)
)


class SqlLedgerBooks:
    async def page(self, tx: Tx, after: str, limit: int) -> list[OrderBooks]:
        """Up to `limit` orders beyond `after` of which anything is written down, in their order."""
        found: dict[str, None] = {}
        for statement in _ORDERS:
            rows = (await tx.run(statement, {"after": after, "page": limit})).all()
            found.update(dict.fromkeys(row["order_id"] for row in rows))
        orders = sorted(found)[:limit]
        if not orders:
            return []
        among = {"orders": orders}
        attempts = _by_order((await tx.run(_ATTEMPTS, among)).all())
        refunds = _by_order((await tx.run(_REFUNDS, among)).all())
        entries = _by_order((await tx.run(_ENTRIES, among)).all())
        return [
            _books(order, attempts.get(order, ()), refunds.get(order, ()), entries.get(order, ()))
            for order in orders
        ]


def _by_order(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["order_id"], []).append(row)
    return found


def _books(
    order_id: str,
    attempts: Sequence[Row],
    refunds: Sequence[Row],
    entries: Sequence[Row],
) -> OrderBooks:
    # An entry of the version before does not name its refund, but its id does.
    named = {content_id("ledger", REFUND_KIND, row["id"]): row["id"] for row in refunds}
    return OrderBooks(
        order_id,
        [
            Captured(row["id"], row["order_id"], row["provider"], row["captured_yen"])
            for row in attempts
        ],
        [
            PaidBack(
                row["id"],
                row["order_id"],
                row["merchant_payment_id"],
                row["provider"],
                row["amount_yen"],
                row["status"],
            )
            for row in refunds
        ],
        [
            Entry(**{**row, "refund_id": row["refund_id"] or named.get(row["id"])})
            for row in entries
        ],
    )
