"""The index is a picture of storage-service's catalogue: kept, built anew, compared, repaired."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from kessai.contracts.search import CheckIndex, IndexDrift, Reindexed
from kessai.contracts.storage import ListSnapshots, ProductSnapshot, StorageService
from kessai.kernel.bus import set_within
from kessai.kernel.errors import Kind, Refused, Unknown
from kessai.kernel.telemetry import get_log
from kessai.search.application.ports import ProductIndex
from kessai.search.application.wordlist import WordList
from kessai.search.domain.analysis import analyse
from kessai.search.domain.document import Document
from kessai.search.domain.words import Split

_log = get_log(__name__)
_STOPPED = ("SEARCH_UNAVAILABLE", "the writing of the index was stopped")
_PAGE = 500
_BREATH = 2
# How many products one commit takes at most.
MAX_BATCH = 1_000
# So many are worth a commit of their own: a backlog waits for the disk, never for a moment to pass.
_ENOUGH = 300


class Indexing:
    """`on_demand`: filled by whoever asks first, and kept from then on."""

    def __init__(
        self,
        index: ProductIndex,
        storage: StorageService,
        words: WordList,
        split: Split,
        *,
        on_demand: bool = False,
    ) -> None:
        self._index = index
        self._on_demand = on_demand
        self._first = asyncio.Lock()
        self._storage = storage
        self._words = words
        self._split = split
        self._building = asyncio.Lock()

    async def put(self, products: Sequence[ProductSnapshot]) -> int:
        """Late and repeated ones change nothing, and are not even read."""
        if self._on_demand and not await self._index.fits():
            # It will be filled from the catalogue, which has it already.
            return 0
        known = await self._index.versions([product.product_id for product in products])
        newer = [p for p in products if p.version > known.get(p.product_id, -1)]
        if not newer:
            return 0
        self._words.changed()
        return await self._index.put(await self._documents(newer))

    async def init(self) -> Reindexed:
        if await self._index.fits():
            return Reindexed(products=0)
        return await self.reindex()

    async def ready(self) -> None:
        if self._on_demand and not await self._index.fits():
            async with self._first:
                await self.init()

    async def reindex(self) -> Reindexed:
        if self._building.locked():
            raise Refused("ILLEGAL_STATE", "the index is being built already", kind=Kind.CONFLICT)
        async with self._building:
            count = 0
            async with self._index.rebuild() as upcoming:
                async for page in self._catalogue():
                    await upcoming.put(await self._documents(page))
                    count += len(page)
        self._words.changed()
        _log.info("index.built", products=count)
        if self._on_demand or self._index.edition() is None:
            # What was not taken, or put into the old one by another instance, storage-service has.
            await self.check(CheckIndex())
        return Reindexed(products=count)

    async def check(self, command: CheckIndex) -> IndexDrift:
        """Page by page, both in the order of product ids."""
        missing: list[ProductSnapshot] = []
        stale: list[ProductSnapshot] = []
        known = await self._versions()
        products = repaired = missed = old = 0
        async for page in self._catalogue():
            products += len(page)
            for product in page:
                version = known.pop(product.product_id, None)
                if version is None:
                    missing.append(product)
                elif version < product.version:
                    stale.append(product)
            if command.repair and (missing or stale):
                repaired += await self.put([*missing, *stale])
            missed, old = missed + len(missing), old + len(stale)
            missing, stale = [], []
        if command.repair and known:
            await self._index.remove(list(known))
            self._words.changed()
            repaired += len(known)
        return IndexDrift(
            products=products, missing=missed, stale=old, surplus=len(known), repaired=repaired
        )

    async def _versions(self) -> dict[int, int]:
        found: dict[int, int] = {}
        after = 0
        while page := await self._index.indexed(after, _PAGE):
            found.update((one.product_id, one.version) for one in page)
            after = page[-1].product_id
        return found

    async def _catalogue(self) -> AsyncIterator[tuple[ProductSnapshot, ...]]:
        after = 0
        while True:
            page = await self._storage.list_snapshots(ListSnapshots(after=after, limit=_PAGE))
            if not page.items:
                return
            yield page.items
            after = page.items[-1].product_id

    async def _documents(self, products: Sequence[ProductSnapshot]) -> list[Document]:
        """The dictionary takes its time for each; others have theirs in between."""
        made: list[Document] = []
        for first in range(0, len(products), _BREATH):
            made += [analyse(one, self._split) for one in products[first : first + _BREATH]]
            await asyncio.sleep(0)
        return made


class TakesProducts(Protocol):
    async def put(self, products: Sequence[ProductSnapshot]) -> int: ...


class Intake:
    """Events share a commit: whoever comes first waits a moment, or for `enough` of them, and then
    writes for all.

    A commit is a sync of the disk, which those who pay need more than those who look.
    """

    def __init__(
        self, index: TakesProducts, *, linger_s: float = 1.0, enough: int = _ENOUGH
    ) -> None:
        self._index = index
        self._linger_s = linger_s
        self._enough = enough
        self._are_enough = asyncio.Event()
        self._waiting: list[tuple[ProductSnapshot, asyncio.Future[None]]] = []
        self._is_writing = False

    async def take(self, product: ProductSnapshot) -> None:
        """Returns when it can be found. Raises what the index raises."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((product, done))
        if len(self._waiting) >= self._enough:
            self._are_enough.set()
        if not self._is_writing:
            self._is_writing = True
            try:
                while self._waiting:
                    await set_within(self._are_enough, self._linger_s)
                    await self._write()
            finally:
                self._is_writing = False
                self._let_go()
        await done

    def _let_go(self) -> None:
        """A writer that was cancelled leaves nobody waiting for it."""
        left, self._waiting = self._waiting, []
        for _, done in left:
            _fail(done, Unknown(*_STOPPED))

    async def _write(self) -> None:
        batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        if len(self._waiting) < self._enough:
            self._are_enough.clear()
        try:
            await self._index.put([product for product, _ in batch])
        except asyncio.CancelledError:
            for _, done in batch:
                _fail(done, Unknown(*_STOPPED))
            raise
        except Exception as error:
            # Told to each of them, the one who writes included.
            _log.debug("index.not_written", products=len(batch), error=repr(error))
            for _, done in batch:
                _fail(done, error)
        else:
            for _, done in batch:
                if not done.done():
                    done.set_result(None)


def _fail(done: asyncio.Future[None], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
        # Whoever was cancelled meanwhile never looks.
        done.exception()
