"""A storage-service of its own for a story: real tables in memory, a clock turned by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.sql.base import Executable

from kessai.contracts.storage import (
    ImportCatalogue,
    Imported,
    Line,
    Reservation,
    ReservationById,
    ReserveStock,
    Restock,
)
from kessai.kernel.chance import SeededChance
from kessai.kernel.clock import SystemClock, from_ms
from kessai.kernel.db import Body, Db, Params, Rows, Tx, open_database
from kessai.kernel.http import AsgiHttp
from kessai.kernel.ids import RandomIds, content_id
from kessai.kernel.local_bus import open_local_bus
from kessai.kernel.migrations import migrate
from kessai.kernel.outbox import Outbox
from kessai.kernel.runtime import Runtime
from kessai.kernel.settings import Settings
from kessai.storage.application.announcements import AnnounceLimits, Announcements, Topics
from kessai.storage.application.catalogue import Catalogue
from kessai.storage.application.catalogue_import import CatalogueImport
from kessai.storage.application.pictures import Pictures
from kessai.storage.application.reservations import Reservations
from kessai.storage.application.service import Storage
from kessai.storage.domain.catalogue_file import FileLimits
from kessai.storage.gateway.products import SqlProductBook
from kessai.storage.gateway.stock import SqlReservationBook, SqlStockBook
from kessai.topology import PARTITIONS

START_MS = 1_800_000_000_000
HEADER = "productId,title,description,price,status,createdAt,imageFile,category,stock"


@dataclass
class HandClock:
    ms: int = START_MS

    def now(self) -> datetime:
        return from_ms(self.ms)

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000


class CountingDb:
    """The database itself, which remembers what was run on it."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self.statements: list[str] = []
        self.transactions: list[Body] = []

    def transaction(self) -> Body:
        self.transactions.append(_CountingBody(self._db.transaction(), self.statements))
        return self.transactions[-1]

    def read(self) -> Body:
        return _CountingBody(self._db.read(), self.statements)

    async def ping(self) -> None:
        await self._db.ping()

    def migrate(self, change: Callable[[Connection], None]) -> None:
        self._db.migrate(change)

    async def close(self) -> None:
        await self._db.close()


class _CountingBody:
    def __init__(self, body: Body, statements: list[str]) -> None:
        self._body = body
        self._statements = statements

    async def __aenter__(self) -> Tx:
        await self._body.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._body.__aexit__(kind, error, trace)

    async def run(self, statement: Executable, params: Params | None = None) -> Rows:
        self._statements.append(" ".join(str(statement).split()[:3]))
        return await self._body.run(statement, params)

    def after_commit(self, fn: Callable[[], None]) -> None:
        self._body.after_commit(fn)


@dataclass(frozen=True)
class Shelf:
    """The counts of one product as SQL has them."""

    on_hand: int
    available: int
    reserved: int
    sold: int


@dataclass
class StorageStory:
    db: CountingDb
    clock: HandClock
    storage: Storage
    imports: CatalogueImport
    announcements: Announcements
    outbox: Outbox

    async def reserve(self, name: str, *lines: tuple[int, int]) -> Reservation:
        """`lines` are (product id, quantity); one name is one reservation id."""
        return await self.storage.reserve_stock(reserve(name, *lines))

    async def confirm(self, name: str) -> Reservation:
        return await self.storage.confirm_stock(ReservationById(reservation_id=name))

    async def release(self, name: str) -> Reservation:
        return await self.storage.release_stock(ReservationById(reservation_id=name))

    async def restock(self, name: str, restock_id: str) -> Reservation:
        return await self.storage.restock(
            Restock(restock_id=restock_id, reservation_id=name, reason="refund")
        )

    async def load(self, *rows: str, header: str = HEADER) -> Imported:
        content = "\n".join((header, *rows)).encode()
        return await self.storage.import_catalogue(ImportCatalogue(csv=content))

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        async with self.db.read() as tx:
            return [dict(row) for row in (await tx.run(text(sql))).all()]

    async def shelf(self, product_id: int) -> Shelf:
        [row] = await self.rows(
            "SELECT on_hand, available, reserved, sold FROM stock "
            f"WHERE product_id = {int(product_id)}"
        )
        return Shelf(**row)

    async def disagreements(self) -> list[dict[str, Any]]:
        """Invariant I19: where a count differs from the sum of its ledger."""
        return await self.rows(
            "SELECT s.product_id FROM stock s LEFT JOIN stock_ledger l"
            " ON l.product_id = s.product_id"
            " GROUP BY s.product_id, s.available, s.reserved, s.sold, s.on_hand"
            " HAVING s.available <> COALESCE(SUM(l.available_delta), 0)"
            " OR s.reserved <> COALESCE(SUM(l.reserved_delta), 0)"
            " OR s.sold <> COALESCE(SUM(l.sold_delta), 0)"
            " OR s.on_hand <> s.available + s.reserved"
        )


def a_row(product_id: int, *, price: int = 500, stock: int | str = 10, title: str = "") -> str:
    title = title or f"品 {product_id}"
    return f"{product_id},{title},説明,{price},ACTIVE,2026-01-05T00:00:00Z,,台所,{stock}"


def reserve(name: str, *lines: tuple[int, int]) -> ReserveStock:
    return ReserveStock(
        reservation_id=name,
        order_id=content_id(name),
        lines=tuple(Line(product_id=product, quantity=count) for product, count in lines),
    )


@asynccontextmanager
async def a_storage(
    stock: Mapping[int, int] | None = None, *, limits: FileLimits | None = None
) -> AsyncIterator[StorageStory]:
    """With one product of 500 yen for each entry of `stock`."""
    clock = HandClock()
    db = CountingDb(await open_database("sqlite:"))
    bus = await open_local_bus(None, clock, partitions=6, instance="story")
    migrate(db, "storage")
    products, shelves, book = SqlProductBook(), SqlStockBook(), SqlReservationBook()
    outbox = Outbox(db, bus, clock, service="storage-service", owner="story")
    imports = CatalogueImport(
        db,
        clock,
        RandomIds(clock, SeededChance(7)),
        products,
        shelves,
        limits=limits or FileLimits(),
        batch_rows=3,
    )
    reservations = Reservations(db, clock, book, shelves)
    pictures = Pictures(db, products, shelves)
    storage = Storage(db, Catalogue(db, clock, products), imports, reservations, pictures)
    announcements = Announcements(
        db,
        clock,
        outbox,
        products,
        book,
        topics=Topics(products="products", signals="signals"),
        limits=AnnounceLimits(reservation_age_s=1500),
    )
    story = StorageStory(db, clock, storage, imports, announcements, outbox)
    if stock:
        await story.load(*(a_row(product, stock=count) for product, count in stock.items()))
    db.statements.clear()
    try:
        yield story
    finally:
        await bus.close()
        await db.close()


@asynccontextmanager
async def a_runtime(settings: Settings | None = None) -> AsyncIterator[Runtime]:
    """What a service's `build` needs, with everything in memory."""
    clock, chance = SystemClock(), SeededChance(7)
    given = settings or Settings(_env_file=None)

    async def open_db(_name: str) -> Db:
        return await open_database("sqlite:")

    bus = await open_local_bus(None, clock, partitions=PARTITIONS, instance="story")
    try:
        yield Runtime(
            settings=given.model_copy(update={"search_url": "memory:"}),
            clock=clock,
            ids=RandomIds(clock, chance),
            chance=chance,
            bus=bus,
            http=AsgiHttp(),
            open_db=open_db,
        )
    finally:
        await bus.close()
