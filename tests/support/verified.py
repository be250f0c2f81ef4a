"""The books of a story's shop as verify reads them, and a shop in files that saw a bit of all."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from sqlalchemy import Connection
from tests.support.shop import PAYPAY, Customer, Shop, open_shop

from kessai.contracts.alert import ActOnAlert, ListAlerts
from kessai.contracts.events import write_event
from kessai.contracts.order import RefundByOperator
from kessai.contracts.signals import source_signal
from kessai.kernel.bus import Message
from kessai.kernel.clock import from_ms
from kessai.kernel.db import Db, open_database
from kessai.kernel.local_bus import LocalBus
from kessai.kernel.settings import Settings
from kessai.proof.invariants.bus_book import LocalBusBook
from kessai.proof.verify import (
    Books,
    HttpProviderBook,
    ProviderBook,
    ProviderRow,
    Report,
    check,
)
from kessai.proof.virtual_time import VirtualClock, VirtualLoop
from kessai.topology import SIGNALS_TOPIC


def books_of(shop: Shop) -> Books:
    databases = shop.databases
    return Books(
        order=databases["order"],
        payment=databases["payment"],
        storage=databases["storage"],
        account=databases["account"],
        settings=shop.runtime.settings,
        clock=shop.runtime.clock,
        bus=LocalBusBook(bus_of(shop)),
        provider=HttpProviderBook(shop.http, PAYPAY),
        alert=databases["system"],
    )


def bus_of(shop: Shop) -> Db:
    return cast(LocalBus, shop.runtime.bus).db


async def verify(shop: Shop, only: Collection[str] | None = None) -> Report:
    return await check(books_of(shop), only)


@dataclass(frozen=True)
class Kept:
    """A shop at rest: its files, the provider's book, the moment, and an order of each kind."""

    folder: Path
    provider: Sequence[ProviderRow]
    at_ms: int
    orders: dict[str, str]


def keep_a_shop(folder: Path, seed: int = 1) -> Kept:
    """Lives through all kinds of orders on virtual time and leaves the files."""

    async def live() -> Kept:
        shop = await open_shop(seed)
        try:
            orders = await _live_through(shop)
            provider = await HttpProviderBook(shop.http, PAYPAY).entries("", "~")
            at_ms = shop.runtime.clock.now_ms()
            for name, db in (*shop.databases.items(), ("bus", bus_of(shop))):
                db.migrate(partial(_copy, folder / f"{name}.db"))
        finally:
            await shop.system.stop()
        return Kept(folder, provider, at_ms, orders)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(live())


def _copy(path: Path, connection: Connection) -> None:
    """A story lives in memory: there the hours of an order cost nothing."""
    source = connection.connection.driver_connection
    assert isinstance(source, sqlite3.Connection)
    path.write_bytes(source.serialize())


async def _live_through(shop: Shop) -> dict[str, str]:
    customer = await shop.customer()
    orders = {
        # Its cart stands for a key.
        "abandoned": await customer.buy(key=None),
        "paid": await _paid(shop, customer, (shop.product, 2), (shop.other_product, 1)),
        "polled": await _polled(shop, customer),
        "cancelled": await _cancelled(customer),
        "refunded": await _refunded(shop, customer),
        "partly": await _partly_refunded(shop, customer),
        "retried": await _retried(shop, customer),
        "wallet": await _by_wallet(customer),
        "wallet_back": await _wallet_back(customer),
        "sold_out": await _sold_out(shop, customer),
    }
    assert (await customer.purchase(key="dear", expectedAmount=1)).status == 409
    await _complained(shop)
    await asyncio.sleep(1000)
    orders["waiting"] = await customer.buy()
    await asyncio.sleep(5)
    return orders


async def _complained(shop: Shop) -> None:
    """Three alerts about a source, of which one ends and a person closes one."""
    for name, subject in (
        ("SettlementDifference", "d-0"),
        ("SettlementDifference", "d-1"),
        ("SettlementDifference", "d-2"),
        ("SettlementAgrees", "d-1"),
    ):
        signal = source_signal(name, "payment-service", subject, shop.runtime.clock.now_ms())
        await shop.runtime.bus.publish([Message(SIGNALS_TOPIC, signal.source, write_event(signal))])
        await asyncio.sleep(15)
        if subject == "d-0":
            (first,) = (await shop.ports.alert.list_alerts(ListAlerts())).alerts
            order = ActOnAlert(alert_id=first.alert_id, version=1, actor="hanako", reason="booked")
            await shop.ports.alert.resolve_alert(order)


async def _paid(shop: Shop, customer: Customer, *lines: tuple[int, int]) -> str:
    order_id = await customer.buy(*lines)
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID")
    return order_id


async def _polled(shop: Shop, customer: Customer) -> str:
    await shop.faults(webhooks={"drop": 100})
    order_id = await _paid(shop, customer)
    await shop.faults(webhooks=None)
    return order_id


async def _cancelled(customer: Customer) -> str:
    order_id = await customer.buy()
    await customer.act(order_id, "cancel")
    await customer.until(order_id, "FAILED")
    return order_id


async def _refunded(shop: Shop, customer: Customer) -> str:
    order_id = await _paid(shop, customer)
    (await customer.act(order_id, "refund", {"reason": "changed my mind"})).ok()
    await customer.until(order_id, "REFUNDED", within_s=120)
    return order_id


async def _partly_refunded(shop: Shop, customer: Customer) -> str:
    order_id = await _paid(shop, customer)
    command = RefundByOperator(
        order_id=order_id, actor="op", reason="broken", amount=100, request_id="r1"
    )
    await shop.ports.order.refund_by_operator(command)
    await asyncio.sleep(30)
    return order_id


async def _retried(shop: Shop, customer: Customer) -> str:
    order_id = await customer.buy()
    await shop.wallet(order_id, "decline")
    await asyncio.sleep(15)
    (await customer.act(order_id, "payment")).ok()
    await shop.wallet(order_id, attempt=2)
    await customer.until(order_id, "PAID")
    return order_id


async def _by_wallet(customer: Customer) -> str:
    order_id = await customer.buy(method="BALANCE")
    await customer.until(order_id, "PAID")
    return order_id


async def _wallet_back(customer: Customer) -> str:
    order_id = await _by_wallet(customer)
    (await customer.act(order_id, "refund", {"reason": "changed my mind"})).ok()
    await customer.until(order_id, "REFUNDED")
    return order_id


async def _sold_out(shop: Shop, customer: Customer) -> str:
    refused = await customer.purchase((shop.sold_out, 1), key="the-key-of-what-is-gone")
    return str(refused.body["orderId"])


@dataclass(frozen=True)
class RememberedBook:
    """The provider's book as it was, with what a test has changed in it."""

    rows: Sequence[ProviderRow]

    async def entries(self, after: str, below: str) -> list[ProviderRow]:
        return [row for row in self.rows if after < row.merchant_payment_id < below]

    async def notified(self, since_ms: int) -> list[str]:
        return [row.merchant_payment_id for row in self.rows if row.status == "NOTIFIED"]


def look_at(
    kept: Kept,
    folder: Path,
    only: Collection[str] | None = None,
    *,
    later_s: float = 0.0,
    provider: Sequence[ProviderRow] | None = None,
) -> Report:
    """verify over files, `later_s` seconds after the moment in which they were left."""
    book = RememberedBook(kept.provider if provider is None else provider)
    return look_with(kept, folder, book, only, later_s=later_s)


def look_with(
    kept: Kept,
    folder: Path,
    book: ProviderBook,
    only: Collection[str] | None = None,
    *,
    later_s: float = 0.0,
) -> Report:

    async def look() -> Report:
        names = ("order", "payment", "storage", "account", "system", "bus")
        opened = {
            name: await open_database(f"sqlite:///{folder / name}.db", read_only=True)
            for name in names
        }
        books = Books(
            order=opened["order"],
            payment=opened["payment"],
            storage=opened["storage"],
            account=opened["account"],
            bus=LocalBusBook(opened["bus"]),
            settings=Settings(_env_file=None),
            clock=VirtualClock(from_ms(kept.at_ms + int(later_s * 1000))),
            provider=book,
            alert=opened["system"],
        )
        try:
            return await check(books, only)
        finally:
            for db in opened.values():
                await db.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(look())
