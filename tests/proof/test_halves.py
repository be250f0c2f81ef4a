"""Two processes that share a verify say what one says, and never less."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from tests.support.kernel import eventually
from tests.support.verified import Kept, keep_a_shop

from kessai.kernel.clock import SystemClock
from kessai.kernel.db import open_database
from kessai.kernel.http import AiohttpHttp
from kessai.kernel.settings import Settings
from kessai.proof.halves import Halving, check_live
from kessai.proof.invariants.books import BooksUnreadable
from kessai.proof.invariants.span import FIRST, Span
from kessai.proof.live import live_books
from kessai.proof.looks import Part, Share, look_at
from kessai.proof.schemas import require_schema
from kessai.proof.verify import Report, choose, report_of

pytestmark = [pytest.mark.story, pytest.mark.network]

ALONE, TOGETHER = Halving(processors=1), Halving(least_orders=1)

# By the kind of the order: what is broken there, in which database.
BREAKS: dict[str, tuple[str, str]] = {
    "abandoned": ("order", "UPDATE orders SET version = version + 1 WHERE order_id = '{id}'"),
    "paid": ("order", "UPDATE orders SET amount = amount + 1 WHERE order_id = '{id}'"),
    "polled": ("order", "DELETE FROM outbox WHERE message_key = '{id}'"),
    "cancelled": ("order", "UPDATE order_audit SET actor = 'x' WHERE order_id = '{id}'"),
    "refunded": ("payment", "UPDATE refund SET amount_yen = 99 WHERE order_id = '{id}'"),
    "retried": ("payment", "UPDATE ledger SET amount_yen = 1 WHERE order_id = '{id}'"),
    "wallet": ("order", "DELETE FROM orders WHERE order_id = '{id}'"),
    "sold_out": ("order", "DELETE FROM order_audit WHERE order_id = '{id}'"),
    "waiting": ("storage", "UPDATE reservation SET status = 'RELEASED' WHERE order_id = '{id}'"),
    "partly": ("bus", "DELETE FROM bus_record WHERE message_key = '{id}'"),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return keep_a_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def folder(kept: Kept, tmp_path: Path) -> Path:
    return a_copy(kept, tmp_path / "shop")


def a_copy(kept: Kept, folder: Path, broken: Sequence[str] = ()) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(kept.folder, folder)
    for kind in broken:
        name, statement = BREAKS[kind]
        with closing(sqlite3.connect(folder / f"{name}.db")) as db:
            db.execute(statement.format(id=kept.orders[kind]))
            db.commit()
    return folder


def of(folder: Path) -> Settings:
    return Settings(_env_file=None, data_dir=str(folder), paypay_url="http://127.0.0.1:9")


async def look(folder: Path, halving: Halving) -> Report:
    http = AiohttpHttp()
    try:
        return await check_live(of(folder), SystemClock(), http, halving=halving)
    finally:
        await http.close()


def untimed(report: Report) -> Report:
    """Without what depends on the moment of the look."""
    findings = tuple(
        replace(one, settling=replace(one.settling, oldest_age_s=0.0)) for one in report.findings
    )
    return replace(report, at_ms=0, took_s=0.0, findings=findings)


async def test_the_report_of_two_is_that_of_one(kept: Kept, tmp_path: Path) -> None:
    folder = a_copy(kept, tmp_path / "shop", list(BREAKS))
    alone, together = await look(folder, ALONE), await look(folder, TOGETHER)
    assert untimed(together) == untimed(alone)
    wrong = {one.id for one in together.wrong}
    assert wrong >= {"I2", "I6", "I16", "I21", "I24", "I25", "I26", "I28", "I29"}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    broken=st.lists(st.sampled_from(sorted(BREAKS)), unique=True),
    cut=st.sampled_from(["", "0", "zzz", *sorted(BREAKS)]),
    has_all=st.booleans(),
)
def test_wherever_the_orders_are_cut(
    kept: Kept,
    tmp_path_factory: pytest.TempPathFactory,
    broken: list[str],
    cut: str,
    has_all: bool,
) -> None:
    folder = a_copy(kept, tmp_path_factory.getbasetemp() / "cut", broken)
    only = None if has_all else ["I2", "I24", "I29", "I25"]
    id_ = kept.orders.get(cut, cut)

    async def shares() -> tuple[Part, Part]:
        http, chosen = AiohttpHttp(), choose(only)
        try:
            async with live_books(of(folder), SystemClock(), http, check=require_schema) as books:
                whole = await look_at(books, chosen)
                first = await look_at(books, chosen, Share(Span(FIRST.low, id_)))
                second = Share(Span(id_, FIRST.high), has_books=False)
                first.add(await look_at(books, chosen, second))
                return whole, first
        finally:
            await http.close()

    whole, added = asyncio.run(shares())
    assert untimed(report_of(added, 0, 0.0)) == untimed(report_of(whole, 0, 0.0))


async def test_nothing_is_wrong_while_somebody_buys(folder: Path) -> None:
    """Some writes of a purchase, again and again, beside both processes."""
    before = await look(folder, ALONE)
    writes = [
        text("UPDATE orders SET news_at_ms = news_at_ms + 1"),
        text("UPDATE outbox SET sent = 1 WHERE sent = 0"),
        text("UPDATE orders SET news_at_ms = news_at_ms - 1"),
    ]
    db = await open_database(f"sqlite:///{folder / 'order.db'}")
    looking = asyncio.create_task(look(folder, TOGETHER))
    written = 0
    while not looking.done():
        for statement in writes:
            async with db.transaction() as tx:
                await tx.run(statement)
        written += 1
        await asyncio.sleep(0.01)
    await db.close()
    assert untimed(await looking).wrong == untimed(before).wrong
    assert written > 10


def children() -> set[int]:
    return {
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text().split()
    }


async def a_child(known: set[int]) -> int:
    await eventually(lambda: bool(children() - known))
    return (children() - known).pop()


async def test_a_process_that_dies_is_an_error(folder: Path) -> None:
    known = children()
    looking = asyncio.create_task(look(folder, TOGETHER))
    os.kill(await a_child(known), signal.SIGKILL)
    with pytest.raises(BooksUnreadable, match=r"not looked at: .* ended with -9"):
        await looking
    assert children() == known


async def test_books_that_the_second_cannot_open_are_an_error(folder: Path) -> None:
    known = children()
    looking = asyncio.create_task(look(folder, TOGETHER))
    await a_child(known)
    (folder / "payment.db").unlink()
    with pytest.raises(BooksUnreadable, match="payment: no database"):
        await looking
    assert children() == known


async def test_who_is_interrupted_takes_the_second_with_it(folder: Path) -> None:
    known = children()
    looking = asyncio.create_task(look(folder, TOGETHER))
    await a_child(known)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    assert children() == known


async def test_few_orders_are_looked_at_by_one(folder: Path) -> None:
    known = children()
    looking = asyncio.create_task(look(folder, Halving()))
    started: set[int] = set()
    while not looking.done():
        started |= children() - known
        await asyncio.sleep(0.01)
    assert not started
    assert (await looking).orders == 11
