"""Import of a catalogue file: all good rows in, batch by batch; a re-run changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from kessai.contracts.storage import BadRow, Category, Imported
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.ids import Ids
from kessai.kernel.telemetry import get_log
from kessai.storage.application.ports import ProductBook, StockBook
from kessai.storage.application.reservations import BooksDisagree
from kessai.storage.domain.catalogue import CategoryName, Change, Plan, plan
from kessai.storage.domain.catalogue_file import CatalogueFile, CatalogueRow, FileLimits
from kessai.storage.domain.movements import Kind, Movement

_log = get_log(__name__)
_PIECES_APART_MS = 1000


class CatalogueImport:
    """`batch_rows` bounds a transaction, and with it how long the others wait for it."""

    def __init__(
        self,
        db: Db,
        clock: Clock,
        ids: Ids,
        products: ProductBook,
        stock: StockBook,
        *,
        limits: FileLimits,
        batch_rows: int = 100,
    ) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._products = products
        self._stock = stock
        self._limits = limits
        self._batch_rows = batch_rows
        self._last_ms = 0

    @property
    def is_running(self) -> bool:
        """A file comes in, by pieces that follow each other soon."""
        return self._clock.now_ms() - self._last_ms < _PIECES_APART_MS

    async def seed(self, content: bytes) -> None:
        """The first catalogue of an empty shop; does nothing as soon as there is a product."""
        async with self._db.read() as tx:
            if await self._products.any(tx):
                return
        await self.run(content, dry_run=False)

    async def run(self, content: bytes, *, dry_run: bool) -> Imported:
        file = CatalogueFile(content, self._limits)
        bad: list[BadRow] = []
        changes: Counter[Change] = Counter()
        import_id = self._ids.new()
        for batch in _batches(_good(file, bad), self._batch_rows):
            plans = await (self._compare(batch) if dry_run else self._write(batch, import_id))
            changes.update(planned.change for planned in plans)
        found = Imported(
            created=changes[Change.CREATED],
            changed=changes[Change.CHANGED],
            unchanged=changes[Change.UNCHANGED],
            bad=tuple(bad),
        )
        _log.info(
            "catalogue.imported",
            import_id=import_id,
            dry_run=dry_run,
            created=found.created,
            changed=found.changed,
            unchanged=found.unchanged,
            bad=len(bad),
        )
        return found

    async def _compare(self, rows: Sequence[CatalogueRow]) -> list[Plan]:
        async with self._db.read() as tx:
            return await self._plans(tx, rows)

    async def _write(self, rows: Sequence[CatalogueRow], import_id: str) -> list[Plan]:
        """What is there already is only looked at: a re-run keeps nobody from writing."""
        self._last_ms = self._clock.now_ms()
        plans = await self._compare(rows)
        if all(p.change is Change.UNCHANGED and not p.is_noted for p in plans):
            return plans
        async with self._db.transaction() as tx:
            plans = await self._plans(tx, rows)
            if changed := [p for p in plans if p.change is not Change.UNCHANGED]:
                categories = await self._categories(tx, changed)
                await self._products.write(tx, changed, categories)
                await self._restock(tx, changed, import_id)
            noted = {p.content.product_id: p.imported_stock for p in plans if p.is_noted}
            await self._products.note_stock(tx, noted)
        return plans

    async def _plans(self, tx: Tx, rows: Sequence[CatalogueRow]) -> list[Plan]:
        stored = await self._products.stored(tx, [row.product_id for row in rows])
        return [plan(row, stored.get(row.product_id)) for row in rows]

    async def _categories(self, tx: Tx, plans: Iterable[Plan]) -> list[Category]:
        """All categories, after the new ones of these plans were added."""
        known = list(await self._products.categories(tx))
        names = {category.name for category in known}
        new: dict[str, CategoryName] = {}
        for planned in plans:
            if planned.category.name not in names:
                new.setdefault(planned.category.name, planned.category)
        last = max((category.id for category in known), default=0)
        for category_id, name in enumerate(new.values(), last + 1):
            await self._products.add_category(tx, category_id, name)
        return list(await self._products.categories(tx)) if new else known

    async def _restock(self, tx: Tx, plans: Sequence[Plan], import_id: str) -> None:
        now_ms = self._clock.now_ms()
        created: list[Movement] = []
        changed: list[Movement] = []
        for p in plans:
            into = created if p.change is Change.CREATED else changed
            product_id = p.content.product_id
            into.append(Movement(product_id, Kind.IMPORT, import_id, available=p.stock_delta))
        await self._stock.open(tx, created, now_ms)
        await self._stock.touch(tx, [movement.product_id for movement in changed])
        recounted = [movement for movement in changed if movement.available]
        if short := await self._stock.move(tx, recounted, now_ms):
            raise BooksDisagree(f"stock of products {short} changed under the import")


def _good(file: CatalogueFile, bad: list[BadRow]) -> Iterator[CatalogueRow]:
    for found in file.rows():
        if isinstance(found, BadRow):
            bad.append(found)
        else:
            yield found[1]


def _batches(rows: Iterator[CatalogueRow], size: int) -> Iterator[list[CatalogueRow]]:
    while batch := list(islice(rows, size)):
        yield batch
