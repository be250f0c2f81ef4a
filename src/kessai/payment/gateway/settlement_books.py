"""Our side of a settlement: the ledger by the provider's day, and single payments whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import starmap
from operator import itemgetter

from sqlalchemy import BindParameter, and_, bindparam, or_, select
from sqlalchemy.sql.base import Executable

from kessai.kernel.db import Db, Row, Tx
from kessai.payment.application.reconcile_ports import DayEntry
from kessai.payment.domain.ledger import provider_account
from kessai.payment.domain.settlement import BookEntry, BookRefund, PaymentBook
from kessai.payment.gateway.settlement_tables import ELSEWHERE
from kessai.payment.gateway.tables import ATTEMPT, LEDGER, REFUND

PAGE = 2000
_PAYPAY = provider_account("PayPay")
_FIELDS = (
    LEDGER.c.id,
    LEDGER.c.kind,
    LEDGER.c.merchant_payment_id,
    ATTEMPT.c.payment_id,
    LEDGER.c.amount_yen,
)
# Values of a row by their names: `values()` of it costs as much as reading it.
_PICK = itemgetter("id", "kind", "merchant_payment_id", "payment_id", "amount_yen", "value_at_ms")
_BETWEEN = ATTEMPT.c.id == LEDGER.c.merchant_payment_id
_OURS = or_(LEDGER.c.debit_account == _PAYPAY, LEDGER.c.credit_account == _PAYPAY)
_FROM: BindParameter[int] = bindparam("from_ms")
_UNTIL: BindParameter[int] = bindparam("until_ms")
_AFTER: BindParameter[str] = bindparam("after_id")
_DAY = (
    select(*_FIELDS, LEDGER.c.value_at_ms)
    .select_from(LEDGER.outerjoin(ATTEMPT, _BETWEEN))
    .where(
        LEDGER.c.value_at_ms >= _FROM,
        LEDGER.c.value_at_ms < _UNTIL,
        or_(LEDGER.c.value_at_ms > _FROM, LEDGER.c.id > _AFTER),
        _OURS,
    )
    .order_by(LEDGER.c.value_at_ms, LEDGER.c.id)
    .limit(PAGE)
)
# Entries of a process of the version before, during an upgrade.
_UNDATED = (
    select(*_FIELDS, LEDGER.c.at_ms.label("value_at_ms"))
    .select_from(LEDGER.outerjoin(ATTEMPT, _BETWEEN))
    .where(
        LEDGER.c.value_at_ms.is_(None),
        LEDGER.c.at_ms >= _FROM,
        LEDGER.c.at_ms < _UNTIL,
        LEDGER.c.id > _AFTER,
        _OURS,
    )
    .order_by(LEDGER.c.id)
    .limit(PAGE)
)
_IDS: BindParameter[str] = bindparam("ids", expanding=True)
_PAYMENT = select(ATTEMPT.c.id, ATTEMPT.c.order_id, ATTEMPT.c.payment_id, ATTEMPT.c.status)
_BY_ID = _PAYMENT.where(and_(ATTEMPT.c.id.in_(_IDS), ATTEMPT.c.provider == "PayPay"))
_BY_PAYMENT = _PAYMENT.where(and_(ATTEMPT.c.payment_id.in_(_IDS), ATTEMPT.c.provider == "PayPay"))
_REFUNDED = select(REFUND.c.merchant_payment_id).where(REFUND.c.id.in_(_IDS))
_ENTRIES = (
    select(
        LEDGER.c.merchant_payment_id,
        LEDGER.c.id,
        LEDGER.c.kind,
        LEDGER.c.amount_yen,
        LEDGER.c.at_ms,
        LEDGER.c.value_at_ms,
        LEDGER.c.refund_id,
    )
    .where(LEDGER.c.merchant_payment_id.in_(_IDS))
    .order_by(LEDGER.c.at_ms, LEDGER.c.id)
)
_REFUNDS = (
    select(REFUND.c.merchant_payment_id, REFUND.c.id, REFUND.c.amount_yen, REFUND.c.status)
    .where(REFUND.c.merchant_payment_id.in_(_IDS))
    .order_by(REFUND.c.requested_at_ms, REFUND.c.id)
)
_ELSEWHERE = select(ELSEWHERE.c.entry_id).where(
    ELSEWHERE.c.entry_id.in_(_IDS), ELSEWHERE.c.day != bindparam("of_day")
)


class SqlDayBooks:
    def __init__(self, db: Db) -> None:
        self._db = db

    async def entries(self, from_ms: int, until_ms: int) -> AsyncIterator[list[DayEntry]]:
        for statement, moves in ((_DAY, True), (_UNDATED, False)):
            start_ms, after = from_ms, ""
            while True:
                span = {"from_ms": start_ms, "until_ms": until_ms, "after_id": after}
                async with self._db.read() as tx:
                    rows = (await tx.run(statement, span)).all()
                if rows:
                    yield list(starmap(DayEntry, map(_PICK, rows)))
                if len(rows) < PAGE:
                    break
                after = rows[-1]["id"]
                start_ms = rows[-1]["value_at_ms"] if moves else from_ms

    async def books(
        self, references: Sequence[str], payment_ids: Sequence[str]
    ) -> list[PaymentBook]:
        async with self._db.read() as tx:
            found = {row["id"]: row for row in await _rows(tx, _BY_ID, references)}
            refunded = [
                row["merchant_payment_id"] for row in await _rows(tx, _REFUNDED, references)
            ]
            for row in await _rows(tx, _BY_ID, [one for one in refunded if one not in found]):
                found[row["id"]] = row
            for row in await _rows(tx, _BY_PAYMENT, payment_ids):
                found[row["id"]] = row
            ids = list(found)
            entries = _by_attempt(await _rows(tx, _ENTRIES, ids))
            refunds = _by_attempt(await _rows(tx, _REFUNDS, ids))
        return [
            PaymentBook(
                row["id"],
                row["order_id"],
                row["payment_id"],
                row["status"],
                tuple(_entry(one) for one in entries.get(row["id"], ())),
                tuple(
                    BookRefund(one["id"], one["amount_yen"], one["status"])
                    for one in refunds.get(row["id"], ())
                ),
            )
            for row in found.values()
        ]

    async def found_elsewhere(self, entry_ids: Sequence[str], day: str) -> frozenset[str]:
        if not entry_ids:
            return frozenset()
        async with self._db.read() as tx:
            rows = (await tx.run(_ELSEWHERE, {"ids": list(entry_ids), "of_day": day})).all()
        return frozenset(row["entry_id"] for row in rows)


async def _rows(tx: Tx, statement: Executable, ids: Sequence[str]) -> list[Row]:
    found: list[Row] = []
    for start in range(0, len(ids), PAGE):
        some = list(ids[start : start + PAGE])
        found += (await tx.run(statement, {"ids": some})).all()
    return found


def _by_attempt(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["merchant_payment_id"], []).append(row)
    return found


def _entry(row: Row) -> BookEntry:
    value_at_ms = row["value_at_ms"] if row["value_at_ms"] is not None else row["at_ms"]
    return BookEntry(row["id"], row["kind"], row["amount_yen"], value_at_ms, row["refund_id"])
