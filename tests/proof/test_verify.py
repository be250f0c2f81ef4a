"""verify on a running shop: what it counts, what it calls wrong, and what it refuses to judge."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.support.shop import Customer, Shop, story
from tests.support.storage import CountingDb
from tests.support.verified import (
    Kept,
    RememberedBook,
    books_of,
    keep_a_shop,
    look_at,
    look_with,
    verify,
)

from kessai.kernel.clock import Clock
from kessai.payment.domain.schedule import FOLLOW_UPS_MS
from kessai.proof.invariants.limits import LAST_FOLLOW_UP_S
from kessai.proof.invariants.table import TABLE
from kessai.proof.looks import CONFIRMED, LOOKS_S
from kessai.proof.verify import BooksUnreadable, ProviderRow, UnknownInvariant, check


@story(1)
async def test_a_healthy_shop_has_nothing_wrong(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID")
    await customer.buy()
    await asyncio.sleep(5)
    report = await verify(shop)
    assert report.ok, str(report)
    assert report.orders == 2
    found = {one.id: one for one in report.findings}
    # The second order waits: that is counted, with its age, and not called wrong.
    assert (found["I13"].checked, found["I13"].settling.count) == (2, 1)
    assert 0 < found["I13"].settling.oldest_age_s < 10


@story(1)
async def test_an_empty_shop_has_nothing_wrong(shop: Shop) -> None:
    report = await verify(shop)
    assert report.ok, str(report)
    assert report.orders == 0


@story(1, 2, 3)
async def test_nothing_is_called_wrong_while_traffic_runs(shop: Shop) -> None:
    await shop.faults(
        webhooks={"drop": 40, "duplicate": 40, "delayMs": [0, 4000]},
        api={"getCodePayment": {"error": 20, "kinds": ["500", "429"]}},
    )
    customers = [await shop.new_customer() for _ in range(6)]
    shopping = [asyncio.create_task(_shop_around(shop, one)) for one in customers]
    looks = 0
    while not all(task.done() for task in shopping):
        report = await verify(shop)
        assert report.ok, str(report)
        looks += 1
        await asyncio.sleep(1)
    await asyncio.gather(*shopping)
    await shop.faults(webhooks=None, api=None)
    await asyncio.sleep(200)
    report = await verify(shop)
    assert report.ok, str(report)
    assert looks > 5
    assert [one.id for one in report.findings if one.settling.count] == []


async def _shop_around(shop: Shop, customer: Customer) -> None:
    for round_ in range(3):
        order_id = await customer.buy((shop.product, 1), (shop.other_product, 1))
        if round_ == 1:
            await asyncio.gather(customer.act(order_id, "cancel"), shop.wallet(order_id))
        else:
            await shop.wallet(order_id)
        order = await customer.until(order_id, "PAID", "FAILED", within_s=120)
        if order["status"] == "PAID" and round_ == 2:
            await customer.act(order_id, "refund", {"reason": "CHANGED_MIND"})
            await customer.until(order_id, "REFUNDED", within_s=120)


@story(1)
async def test_the_offending_row_is_shown(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID")
    async with shop.databases["order"].transaction() as tx:
        await tx.run(text("UPDATE orders SET amount = amount + 1"))
    report = await verify(shop, ["i2"])
    (finding,) = report.findings
    assert (finding.id, finding.checked, finding.violations) == ("I2", 1, 1)
    assert finding.first is not None
    assert finding.first.row["order_id"] == order_id
    assert not report.ok


@dataclass(frozen=True)
class Later:
    """The same clock, so many days on."""

    clock: Clock
    days: float

    def now(self) -> datetime:
        return self.clock.now() + timedelta(days=self.days)

    def now_ms(self) -> int:
        return self.clock.now_ms() + int(self.days * 86_400_000)

    def monotonic(self) -> float:
        return self.clock.monotonic()


@story(1)
async def test_an_answered_webhook_is_stored_as_long_as_it_is_kept(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID")
    books = books_of(shop)
    assert (await check(books, ["I27"])).ok
    async with shop.databases["payment"].transaction() as tx:
        await tx.run(text("DELETE FROM webhook_inbox"))
    (finding,) = (await check(books, ["I27"])).findings
    assert finding.first is not None
    assert finding.first.subject == f"{order_id}-1"
    kept_days = books.settings.webhook_keep_days
    assert not (await check(replace(books, clock=Later(books.clock, kept_days - 1)), ["I27"])).ok
    assert (await check(replace(books, clock=Later(books.clock, kept_days)), ["I27"])).ok


@story(1)
async def test_a_code_that_the_provider_denies_is_no_code_that_could_be_closed(shop: Shop) -> None:
    customer = await shop.customer()
    await shop.faults(
        api={"deleteCode": {"refuse": 100, "refusals": ["DYNAMIC_QR_NOT_FOUND"]}},
    )
    order_id = await customer.buy()
    await customer.act(order_id, "cancel")
    await customer.until(order_id, "FAILED")
    of_codes = ["I9", "I10", "I12"]
    assert (await verify(shop, of_codes)).ok
    # Paid all the same, it goes back.
    await shop.wallet(order_id)
    await asyncio.sleep(200)
    report = await verify(shop)
    assert report.ok, str(report)
    assert [one.id for one in report.findings if one.settling.count] == []

    other_id = await customer.buy()
    await customer.act(other_id, "cancel")
    await customer.until(other_id, "FAILED")
    async with shop.databases["payment"].transaction() as tx:
        await tx.run(text("DELETE FROM evidence WHERE word = 'CODE_UNKNOWN'"))
    found = {one.id: one for one in (await verify(shop, of_codes)).findings}
    assert (found["I12"].violations, found["I10"].settling.count) == (1, 1)


@story(1)
async def test_what_is_right_at_the_second_look_was_never_wrong(shop: Shop) -> None:
    """An order that is half there, as a reader between two commits would see it."""
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID")
    db = shop.databases["storage"]
    lost = text("UPDATE reservation SET status = 'RELEASED' WHERE reservation_id LIKE :name")
    found = text("UPDATE reservation SET status = 'CONFIRMED' WHERE reservation_id LIKE :name")
    async with db.transaction() as tx:
        await tx.run(lost, {"name": f"{order_id}%"})

    async def mend() -> None:
        await asyncio.sleep(0.1)
        async with db.transaction() as tx:
            await tx.run(found, {"name": f"{order_id}%"})

    mending = asyncio.create_task(mend())
    report = await verify(shop, ["I21"])
    await mending
    assert report.ok, str(report)


@story(1)
async def test_where_much_is_wrong_the_first_are_confirmed_and_the_others_believed(
    shop: Shop,
) -> None:
    """A restored database may make a hundred thousand orders wrong, and verify must end."""
    order_id = await (await shop.customer()).buy()
    await asyncio.sleep(5)
    trails = 3 * CONFIRMED
    names = [f"Z{n:025}" for n in range(trails)]
    async with shop.databases["order"].transaction() as tx:
        for name in names:
            await tx.run(
                text(
                    "INSERT INTO order_audit SELECT :name, sequence, at_ms, actor, action,"
                    " from_status, to_status, cause, details, previous_hash, hash"
                    " FROM order_audit WHERE order_id = :order_id AND sequence = 1"
                ),
                {"name": name, "order_id": order_id},
            )
    books = books_of(shop)
    counting = CountingDb(books.order)

    async def mend() -> None:
        await asyncio.sleep(LOOKS_S[0] / 2)
        async with shop.databases["order"].transaction() as tx:
            await tx.run(text("DELETE FROM order_audit WHERE order_id = :n"), {"n": names[0]})

    _, report = await asyncio.gather(mend(), check(replace(books, order=counting), ["I28"]))
    [found] = report.findings
    assert found.violations == trails - 1
    # What is right at the second look was never wrong, however many others are not.
    assert found.first is not None
    assert names[1] in str(found.first)
    assert counting.statements.count("SELECT orders.order_id, orders.user_id,") < 2.5 * CONFIRMED


@story(1)
async def test_an_unknown_invariant_is_refused(shop: Shop) -> None:
    with pytest.raises(UnknownInvariant, match="I99"):
        await check(books_of(shop), ["I2", "I99"])


@story(1)
async def test_a_table_that_is_not_there_is_said_in_words(shop: Shop) -> None:
    async with shop.databases["payment"].transaction() as tx:
        await tx.run(text("DROP TABLE refund"))
    with pytest.raises(BooksUnreadable, match="no such table: refund"):
        await verify(shop)


def test_the_table_is_whole() -> None:
    assert [one.id for one in TABLE] == [f"I{number}" for number in range(1, 41)]
    for one in TABLE:
        asked = one.of_order is not None or one.of_books is not None
        assert asked == (one.why_not is None)
        assert one.sentence.endswith(".")


def test_the_page_about_it_has_the_same_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "proof" / "verify.md").read_text("utf-8")
    for one in TABLE:
        assert f"| {one.id} | {one.sentence} | {one.why_not or 'yes'} |\n" in page


def test_the_last_follow_up_is_the_services_own() -> None:
    assert FOLLOW_UPS_MS[-1] / 1000 == LAST_FOLLOW_UP_S


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return keep_a_shop(tmp_path_factory.mktemp("shop"))


@pytest.mark.story
def test_content_that_cannot_be_read_is_a_violation(kept: Kept, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(kept.folder, folder)
    paid = kept.orders["paid"]
    with closing(sqlite3.connect(folder / "order.db")) as db:
        db.execute(f"UPDATE orders SET items = 'no JSON' WHERE order_id = '{paid}'")
        db.execute(f"UPDATE order_audit SET details = '[1]' WHERE order_id = '{paid}'")
        db.execute(f"UPDATE outbox SET value = 'x' WHERE message_key = '{paid}'")
        db.commit()
    report = look_at(kept, folder)
    assert {one.id for one in report.wrong} >= {"I7", "I21", "I24", "I29"}
    for one in report.wrong:
        assert one.first is not None
        assert paid in f"{one.first.subject} {dict(one.first.row)}"


@dataclass(frozen=True)
class Meddler(RememberedBook):
    """Sells, and cuts the log, at the moment in which verify asks the provider."""

    folder: Path

    async def entries(self, after: str, below: str) -> list[ProviderRow]:
        for path in sorted(self.folder.glob("*.db")):
            with closing(sqlite3.connect(path, timeout=0)) as db:
                db.execute("CREATE TABLE IF NOT EXISTS meddled (n INTEGER)")
                db.execute("INSERT INTO meddled VALUES (1)")
                db.commit()
                assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        return await super().entries(after, below)


@pytest.mark.story
def test_no_purchase_and_no_checkpoint_waits_for_it(kept: Kept, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(kept.folder, folder)
    for path in folder.glob("*.db"):
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA journal_mode=WAL")
    report = look_with(kept, folder, Meddler(kept.provider, folder))
    assert report.ok, str(report)
    with closing(sqlite3.connect(folder / "order.db")) as db:
        assert db.execute("SELECT count(*) FROM meddled").fetchone()[0] > 0
