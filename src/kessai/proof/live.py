"""The books of a running system, found by its settings and opened to be read only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from kessai.kernel.adapters import database_url, open_audit
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, open_database
from kessai.kernel.http import Http
from kessai.kernel.settings import Settings
from kessai.proof.invariants.archive import MongoAuditBook
from kessai.proof.invariants.books import Books, BooksUnreadable, HttpProviderBook
from kessai.proof.invariants.bus_book import BusBook, LocalBusBook
from kessai.proof.kafka_book import kafka_book

SERVICES = ("order", "payment", "storage", "account")
# The schema that alert-service keeps `sys_pay_alert` in, and the service's package.
ALERTS, ALERT_PACKAGE = "system", "alert"
# PayPay's own hosts, which show nobody a book.
_PAYPAY = ".paypay.ne.jp"
# Of a database, and the package whose schema it should have.
Check: TypeAlias = Callable[[Db, str], Awaitable[None]]


@asynccontextmanager
async def live_books(
    settings: Settings, clock: Clock, http: Http, *, check: Check | None
) -> AsyncIterator[Books]:
    """Raises `BooksUnreadable` for a database that is missing, or that `check` does not know.

    It is `schemas.require_schema`; None: somebody has looked at the schemas a moment ago.
    """
    async with AsyncExitStack() as stack:
        opened: dict[str, Db] = {}
        for name, package in (*((one, one) for one in SERVICES), (ALERTS, ALERT_PACKAGE)):
            opened[name] = await _open(database_url(settings, name), name)
            stack.push_async_callback(opened[name].close)
            if check is not None:
                await check(opened[name], package)
        absent: dict[str, str] = {}
        bus = await _bus(settings, absent, stack)
        audit = await _audit(settings, absent)
        if audit is not None:
            stack.push_async_callback(audit.close)
        yield Books(
            order=opened["order"],
            payment=opened["payment"],
            storage=opened["storage"],
            account=opened["account"],
            settings=settings,
            clock=clock,
            bus=bus,
            provider=await _provider(settings, http, absent),
            audit=audit,
            alert=opened[ALERTS],
            absent=absent,
        )


@asynccontextmanager
async def live_bus(settings: Settings) -> AsyncIterator[BusBook]:
    """The bus alone. Raises `BooksUnreadable` where there is none."""
    async with AsyncExitStack() as stack:
        absent: dict[str, str] = {}
        bus = await _bus(settings, absent, stack)
        if bus is None:
            raise BooksUnreadable(f"{absent['bus']}: KESSAI_DATA_DIR is the folder of a shop")
        yield bus


async def _open(url: str, name: str) -> Db:
    try:
        return await open_database(url, read_only=True)
    except FileNotFoundError as error:
        raise BooksUnreadable(f"{name}: {error}: KESSAI_DATA_DIR is the folder of a shop") from None
    except ValueError as error:
        raise BooksUnreadable(f"{name}: {error}") from None


async def _bus(settings: Settings, absent: dict[str, str], stack: AsyncExitStack) -> BusBook | None:
    if settings.bus_url != "local:":
        try:
            return kafka_book(settings.bus_url)
        except ValueError as error:
            raise BooksUnreadable(f"KESSAI_BUS_URL: {error}") from error
    path = Path(settings.data_dir) / "bus.db"
    try:
        db = await open_database(f"sqlite:///{path}", read_only=True)
    except FileNotFoundError as error:
        if database_url(settings, SERVICES[0]).startswith("sqlite:"):
            # A shop in files has it with them; beside a server it may be on another machine.
            raise BooksUnreadable(
                f"bus: {error}: KESSAI_DATA_DIR is the folder of a shop"
            ) from None
        absent["bus"] = str(error)
        return None
    stack.push_async_callback(db.close)
    return LocalBusBook(db)


async def _audit(settings: Settings, absent: dict[str, str]) -> MongoAuditBook | None:
    try:
        database = await open_audit(settings)
    except ValueError as error:
        absent["audit"] = str(error)
        return None
    return None if database is None else MongoAuditBook(database)


async def _provider(
    settings: Settings, http: Http, absent: dict[str, str]
) -> HttpProviderBook | None:
    host = urlsplit(settings.paypay_url).hostname or ""
    if host.endswith(_PAYPAY):
        absent["provider"] = "the real PayPay shows nobody its book"
        return None
    book = HttpProviderBook(http, settings.paypay_url)
    try:
        await book.entries("", "")
    except BooksUnreadable as unreadable:
        absent["provider"] = f"no simulator answers: {unreadable}"
        return None
    return book
