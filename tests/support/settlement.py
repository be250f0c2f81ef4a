"""A day's books in SQL and the provider's file of that day, from one list of what happened."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text
from tests.support.kernel import FlakyBus

from kessai.contracts.events import Signal
from kessai.contracts.paypay.settlement import RECON, Column, Layout, Movement, written_at
from kessai.kernel.clock import to_ms
from kessai.kernel.db import Db, open_database
from kessai.kernel.ids import content_id
from kessai.kernel.migrations import migrate
from kessai.kernel.outbox import Outbox
from kessai.payment.application.reconcile import Reconciliation, Report, Source
from kessai.payment.application.reconcile_work import Limits
from kessai.payment.gateway.events import OutboxEvents
from kessai.payment.gateway.settlement_books import SqlDayBooks
from kessai.payment.gateway.settlement_runs import SqlRuns
from kessai.payment.gateway.settlement_scratch import Scratch
from kessai.payment.gateway.tables import ATTEMPT, LEDGER, REFUND
from kessai.proof.virtual_time import VirtualClock
from kessai.topology import PAYMENTS_TOPIC, SIGNALS_TOPIC

DAY = date(2026, 11, 25)
MERCHANT = "kessai-merchant"


def at(clock: str = "12:00:00", day: date = DAY) -> int:
    """Epoch milliseconds of a time in Japan."""
    return to_ms(datetime.fromisoformat(f"{day}T{clock}+09:00"))


def an_order(number: int) -> str:
    return f"{number:026d}"


@dataclass(frozen=True)
class Row:
    """A row of the file; texts as they stand there where a test says so."""

    movement: Movement
    payment_id: str
    reference: str
    amount: str
    at: str

    def cells(self, layout: Layout) -> list[str]:
        named = {
            Column.PAYMENT_ID: self.payment_id,
            Column.MERCHANT_ID: MERCHANT,
            Column.BRAND: "決済商店",
            Column.STATUS: layout.words[self.movement],
            Column.AT: self.at,
            Column.AMOUNT: self.amount,
            Column.METHOD: "PayPay残高",
            Column.REFERENCE: self.reference,
            Column.DETAILS: '[{"paymentMethod":"PayPay残高", "amount":1}]',
        }
        return [named.get(column, "") for column in layout.header]


def paid(number: int, yen: int = 1000, clock: str = "12:00:00", **other: Any) -> Row:
    row = Row(
        Movement.COMPLETED,
        f"pp{number}",
        f"{an_order(number)}-1",
        str(yen),
        written_at(RECON, at(clock)),
    )
    return replace(row, **other)


def refunded(number: int, yen: int, clock: str = "15:00:00", **other: Any) -> Row:
    return replace(paid(number, yen, clock), movement=Movement.REFUNDED, amount=f"-{yen}", **other)


def failed(number: int, yen: int = 1000, clock: str = "16:00:00") -> Row:
    return replace(paid(number, yen, clock), movement=Movement.FAILED)


def a_file(rows: Sequence[Row | list[str]], layout: Layout = RECON) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(layout.header.values())
    for row in rows:
        writer.writerow(row.cells(layout) if isinstance(row, Row) else row)
    return out.getvalue()


def source(content: bytes, name: str = "file.csv") -> Source:
    return Source(name, lambda: iter([content[i : i + 1000] for i in range(0, len(content), 1000)]))


class Desk:
    """Books that a test writes by hand, and the reconciliation over them."""

    def __init__(self, db: Db, folder: Path, limits: Limits | None = None) -> None:
        self.db, self.folder = db, folder
        self.clock = VirtualClock()
        outbox = Outbox(db, FlakyBus(), self.clock, service="payment-service", owner="test")
        self.reconciliation = Reconciliation(
            db,
            self.clock,
            books=SqlDayBooks(db),
            runs=SqlRuns(),
            events=OutboxEvents(outbox, payments_topic=PAYMENTS_TOPIC, signals_topic=SIGNALS_TOPIC),
            open_scratch=lambda: Scratch(str(folder)),
            merchant_id=MERCHANT,
            limits=limits,
        )

    async def attempt(self, number: int, yen: int = 1000, **other: Any) -> None:
        row = {
            "id": f"{an_order(number)}-1",
            "order_id": an_order(number),
            "number": 1,
            "provider": "PayPay",
            "request_id": "r",
            "status": "SUCCEEDED",
            "amount_yen": yen,
            "requested_at_ms": 1,
            "hold_until_ms": 1,
            "payment_id": f"pp{number}",
            "captured_yen": yen,
            "lost": 0,
            "version": 1,
            "lease_until_ms": 0,
            "lease_fence": 0,
        }
        async with self.db.transaction() as tx:
            await tx.run(insert(ATTEMPT), row | other)

    async def entry(self, number: int, kind: str, yen: int, at_ms: int, **other: Any) -> None:
        accounts = ["provider:PayPay", f"order:{an_order(number)}"]
        debit, credit = accounts if kind == "CAPTURE" else accounts[::-1]
        row = {
            "id": content_id("test", kind, str(number), str(at_ms), str(other)),
            "order_id": an_order(number),
            "merchant_payment_id": f"{an_order(number)}-1",
            "kind": kind,
            "debit_account": debit,
            "credit_account": credit,
            "amount_yen": yen,
            "at_ms": at_ms,
            "value_at_ms": at_ms,
            "refund_id": None,
        }
        async with self.db.transaction() as tx:
            await tx.run(insert(LEDGER), row | other)

    async def paid(self, number: int, yen: int = 1000, clock: str = "12:00:00") -> None:
        await self.attempt(number, yen)
        await self.entry(number, "CAPTURE", yen, at(clock))

    async def returned(self, number: int, at_ms: int, yen: int = 1000) -> None:
        await self.entry(number, "RETURN", yen, at_ms)
        async with self.db.transaction() as tx:
            sql = "UPDATE attempt SET status = 'FAILED', captured_yen = 0 WHERE payment_id = :of"
            await tx.run(text(sql), {"of": f"pp{number}"})

    async def refunded(
        self, number: int, yen: int, at_ms: int, refund_id: str, status: str = "COMPLETED"
    ) -> None:
        row = {
            "id": refund_id,
            "order_id": an_order(number),
            "merchant_payment_id": f"{an_order(number)}-1",
            "payment_id": f"pp{number}",
            "provider": "PayPay",
            "amount_yen": yen,
            "reason": "x",
            "status": status,
            "requested_at_ms": at_ms,
            "tries": 0,
            "version": 1,
            "lease_until_ms": 0,
            "lease_fence": 0,
        }
        async with self.db.transaction() as tx:
            await tx.run(insert(REFUND), row)
        if status == "COMPLETED":
            await self.entry(number, "REFUND", yen, at_ms, refund_id=refund_id)

    async def run(
        self, rows: Sequence[Row | list[str]] | str | bytes, name: str = "file.csv", **asked: Any
    ) -> Report:
        content = a_file(rows) if isinstance(rows, list) else rows
        data = content if isinstance(content, bytes) else str(content).encode("cp932")
        return await self.reconciliation.run(source(data, name), **({"day": DAY} | asked))

    async def signals(self) -> list[Signal]:
        async with self.db.read() as tx:
            rows = (await tx.run(text("SELECT value FROM outbox ORDER BY id"))).all()
        return [Signal.model_validate_json(row["value"]) for row in rows]


@asynccontextmanager
async def a_desk(
    folder: Path, url: str = "sqlite:", limits: Limits | None = None
) -> AsyncIterator[Desk]:
    db = await open_database(url)
    try:
        migrate(db, "payment")
        yield Desk(db, folder, limits)
    finally:
        await db.close()


def seen(report: Report) -> list[tuple[str, str, str]]:
    """Kind, what, remedy of each difference, in their order."""
    return [(one.kind.value, one.what, one.remedy.value) for one in report.differences]
