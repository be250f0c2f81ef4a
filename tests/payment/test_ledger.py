"""The money ledger: every yen in two accounts, and a check that finds what was tampered with."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from tests.support.mariadb import MARIADB, mysql_url
from tests.support.payment import ORDER, OTHER, Till, on_the_till

from kessai.contracts.payment import (
    CheckLedger,
    LedgerChecked,
    PaymentsOfOrder,
    RecordBalancePayment,
    RequestRefund,
)
from kessai.kernel.db import open_database
from kessai.kernel.errors import ConstraintViolated
from kessai.kernel.ids import content_id
from kessai.kernel.migrations import migrate, migrate_from
from kessai.payment.domain.ledger import Captured, Entry, OrderBooks, PaidBack, check_order
from kessai.payment.gateway import settlement_tables, tables

__all__ = ["mysql_url"]
METADATA = settlement_tables.RUN.metadata
assert METADATA is tables.METADATA
FIRST = f"{ORDER}-1"


async def checked(till: Till, limit: int = 500) -> list[LedgerChecked]:
    """All pages."""
    pages = [await till.service.check_ledger(CheckLedger(limit=limit))]
    while (after := pages[-1].next) is not None:
        pages.append(await till.service.check_ledger(CheckLedger(after=after, limit=limit)))
    return pages


async def codes(till: Till) -> set[str]:
    return {fault.code for page in await checked(till) for fault in page.faults}


async def change(till: Till, sql: str) -> None:
    async with till.db.transaction() as tx:
        await tx.run(text(sql))


async def two_orders_and_a_refund(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST)
    await till.webhook()
    await asyncio.sleep(0.1)
    await till.refund(500)
    await asyncio.sleep(1)
    wallet = RecordBalancePayment(order_id=OTHER, amount=700, hold_id="hold-1")
    await till.service.record_balance_payment(wallet)
    back = RequestRefund(
        refund_id="refund-2",
        order_id=OTHER,
        merchant_payment_id=f"{OTHER}-1",
        amount=200,
        reason="CUSTOMER",
        credited=True,
    )
    await till.service.request_refund(back)


@on_the_till()
async def test_debits_are_credits_and_each_account_is_what_it_should_be(till: Till) -> None:
    await two_orders_and_a_refund(till)
    (page,) = await checked(till)
    assert (page.orders, page.entries, page.faults) == (2, 4, ())
    assert {one.account: (one.debit, one.credit) for one in page.accounts} == {
        "orders": (700, 1900),
        "provider:Balance": (700, 200),
        "provider:PayPay": (1200, 500),
    }
    assert sum(one.debit for one in page.accounts) == sum(one.credit for one in page.accounts)


@on_the_till()
async def test_pages_are_as_small_as_one_likes(till: Till) -> None:
    await two_orders_and_a_refund(till)
    pages = await checked(till, limit=1)
    assert [(page.orders, page.entries) for page in pages] == [(1, 2), (1, 2), (0, 0)]
    assert pages[-1].accounts == ()


@on_the_till()
async def test_money_that_went_back_by_itself_leaves_an_account_of_nothing(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST)
    await till.webhook()
    await asyncio.sleep(0.1)
    till.provider.decline(FIRST)
    await till.service.check_payment(PaymentsOfOrder(order_id=ORDER))
    assert [kind for kind, *_ in await till.ledger()] == ["CAPTURE", "RETURN"]
    assert await codes(till) == set()


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("UPDATE ledger SET amount_yen = 1201 WHERE kind = 'CAPTURE'", {"CAPTURE", "BALANCE"}),
        ("UPDATE ledger SET amount_yen = 1 WHERE kind = 'REFUND'", {"AMOUNT", "BALANCE"}),
        (
            "UPDATE ledger SET amount_yen = 1200.5 WHERE kind = 'CAPTURE'",
            {"AMOUNT", "CAPTURE", "BALANCE", "NEGATIVE"},
        ),
        (
            "UPDATE ledger SET amount_yen = 'many' WHERE kind = 'REFUND'",
            {"AMOUNT", "BALANCE"},
        ),
        ("DELETE FROM ledger WHERE kind = 'CAPTURE'", {"CAPTURE", "BALANCE", "NEGATIVE"}),
        ("DELETE FROM ledger WHERE kind = 'REFUND'", {"REFUND", "BALANCE"}),
        ("UPDATE ledger SET kind = 'GIFT' WHERE kind = 'REFUND'", {"KIND", "CAPTURE", "REFUND"}),
        (
            "UPDATE ledger SET debit_account = 'order:x' WHERE kind = 'REFUND'",
            {"ACCOUNTS"},
        ),
        (
            "UPDATE ledger SET debit_account = credit_account, credit_account = debit_account",
            {"ACCOUNTS"},
        ),
        (
            f"UPDATE ledger SET order_id = '{'z' * 26}'",
            {"NO_ATTEMPT", "CAPTURE", "BALANCE", "REFUND"},
        ),
        ("DELETE FROM refund", {"NO_REFUND", "BALANCE"}),
        ("UPDATE refund SET status = 'ACCEPTED'", {"NO_REFUND", "BALANCE"}),
        ("DELETE FROM attempt", {"NO_ATTEMPT", "BALANCE"}),
        ("UPDATE attempt SET captured_yen = 1199", {"CAPTURE", "BALANCE"}),
        (
            "INSERT INTO ledger SELECT 'more', order_id, merchant_payment_id, kind, debit_account, "
            "credit_account, amount_yen, at_ms, refund_id, value_at_ms FROM ledger "
            "WHERE kind = 'REFUND'",
            {"REFUND", "BALANCE"},
        ),
    ],
)
def test_what_was_tampered_with_is_found(sql: str, found: set[str]) -> None:
    @on_the_till()
    async def tale(till: Till) -> None:
        await till.create()
        till.provider.pay(FIRST)
        await till.webhook()
        await asyncio.sleep(0.1)
        await till.refund(500)
        await asyncio.sleep(1)
        assert await codes(till) == set()
        # As somebody with a console could do it: the constraints of the schema are not ours then.
        await change(till, "PRAGMA ignore_check_constraints = ON")
        await change(till, sql)
        assert await codes(till) == found

    tale()


@on_the_till()
async def test_the_schema_itself_refuses_what_is_no_entry(till: Till) -> None:
    await two_orders_and_a_refund(till)
    for wrong in (
        "amount_yen = 0",
        "amount_yen = -5",
        "amount_yen = NULL",
        "debit_account = credit_account",
        "debit_account = NULL",
    ):
        with pytest.raises(ConstraintViolated):
            await change(till, f"UPDATE ledger SET {wrong}")
    assert await codes(till) == set()


def test_the_pure_check_needs_no_database() -> None:
    entry = Entry("e", "o", "o-1", "CAPTURE", "provider:PayPay", "order:o", 10)
    books = OrderBooks("o", [Captured("o-1", "o", "PayPay", 10)], [], [entry])
    assert check_order(books) == []
    assert check_order(OrderBooks("o")) == []
    foreign = PaidBack("r", "o", "o-2", "PayPay", 10, "REQUESTED")
    assert [f.code for f in check_order(replace(books, refunds=[foreign]))] == ["NO_ATTEMPT"]
    boolean = replace(entry, amount_yen=True)
    assert "AMOUNT" in {f.code for f in check_order(replace(books, entries=[boolean]))}


@on_the_till()
async def test_an_entry_keeps_when_the_provider_moved_the_money(till: Till) -> None:
    await till.create()
    till.provider.pay(FIRST)
    await asyncio.sleep(30)
    rows = await till.rows("SELECT kind, at_ms, value_at_ms, refund_id FROM ledger")
    code = till.provider.codes[FIRST]
    assert [row["value_at_ms"] for row in rows] == [code.accepted_at_ms]
    assert rows[0]["at_ms"] > rows[0]["value_at_ms"]
    await till.refund(500)
    await asyncio.sleep(1)
    (refund,) = await till.rows("SELECT refund_id FROM ledger WHERE kind = 'REFUND'")
    assert refund["refund_id"] == "refund-1"


BEFORE = (
    "INSERT INTO attempt (id, order_id, number, provider, request_id, status, amount_yen, "
    "requested_at_ms, hold_until_ms, captured_yen, completed_at_ms, lost, version) VALUES "
    f"('{FIRST}', '{ORDER}', 1, 'PayPay', 'r', 'SUCCEEDED', 1200, 1, 1, 1200, 4000, 0, 3)",
    "INSERT INTO refund (id, order_id, merchant_payment_id, provider, amount_yen, reason, status, "
    "requested_at_ms, accepted_at_ms, tries, version) VALUES "
    f"('r1', '{ORDER}', '{FIRST}', 'PayPay', 200, 'x', 'COMPLETED', 1, 6000, 0, 3)",
    "INSERT INTO ledger (id, order_id, merchant_payment_id, kind, debit_account, credit_account, "
    f"amount_yen, at_ms) VALUES ('c', '{ORDER}', '{FIRST}', 'CAPTURE', 'provider:PayPay', "
    f"'order:{ORDER}', 1200, 5000)",
    "INSERT INTO ledger (id, order_id, merchant_payment_id, kind, debit_account, credit_account, "
    f"amount_yen, at_ms) VALUES ('{content_id('ledger', 'REFUND', 'r1')}', '{ORDER}', '{FIRST}', "
    f"'REFUND', 'order:{ORDER}', 'provider:PayPay', 200, 7000)",
)


async def entries_survive_the_upgrade(url: str, folder: Path) -> None:
    versions = Path(settlement_tables.__file__).parent.parent / "migrations" / "versions"
    first = versions / "0001_attempts_and_evidence.py"
    (folder / first.name).write_text(first.read_text("utf-8"), "utf-8")
    db = await open_database(url)
    try:
        migrate_from(db, str(folder), name="payment")
        async with db.transaction() as tx:
            for sql in BEFORE:
                await tx.run(text(sql))
        migrate(db, "payment")
        async with db.read() as tx:
            found = (
                await tx.run(text("SELECT kind, refund_id, value_at_ms FROM ledger ORDER BY kind"))
            ).all()
        assert [[row[name] for name in ("kind", "refund_id", "value_at_ms")] for row in found] == [
            ["CAPTURE", None, 4000],
            ["REFUND", "r1", 6000],
        ]
    finally:
        await db.close()


async def test_entries_of_the_version_before_are_filled_in(tmp_path: Path) -> None:
    await entries_survive_the_upgrade("sqlite:", tmp_path)


@pytest.mark.usefixtures("mysql_url")
class TestOnMariaDb:
    pytestmark = MARIADB

    async def test_entries_of_the_version_before_are_filled_in(
        self, mysql_url: str, tmp_path: Path
    ) -> None:
        await entries_survive_the_upgrade(mysql_url, tmp_path)


async def test_the_migrations_make_the_tables_that_the_statements_use() -> None:
    db = await open_database("sqlite:")
    migrate(db, "payment")
    differences: list[object] = []

    def compare(connection: Connection) -> None:
        connection.execute(text("SELECT 1"))
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences.extend(compare_metadata(context, METADATA))

    db.migrate(compare)
    await db.close()
    # The kernel's tables are there as well, and are not of these.
    ours = [
        one
        for one in differences
        if "remove_table" not in str(one) and "remove_index" not in str(one)
    ]
    assert ours == []
