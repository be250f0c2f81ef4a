"""`ProductIndex` by tantivy, in files of this machine or in memory: one folder a generation."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from tantivy import (
    DocAddress,
    FieldType,
    Index,
    IndexWriter,
    Order,
    Query,
    Schema,
    Searcher,
    SearchResult,
)
from tantivy import Document as Row

from kessai.kernel.aside import Aside
from kessai.kernel.errors import Unknown
from kessai.kernel.telemetry import get_log
from kessai.search.application.ports import NOTHING, Hit, Hits, Indexed, WordCount, Writable
from kessai.search.domain.document import ANALYSIS_VERSION, Document
from kessai.search.domain.wanted import Filters, Request
from kessai.search.gateway import tantivy_query as ask
from kessai.search.gateway.tantivy_facets import COUNTED, facets

UNAVAILABLE: Final = "SEARCH_UNAVAILABLE"
_CURRENT: Final = "current"
# The least that tantivy takes for one thread.
_HEAP_BYTES: Final = 16_000_000
# As many products as this holds are one segment, and every search asks every segment: of
# 100,000 products it takes 26 MB more than a third of it did.
_BUILDING_BYTES: Final = 150_000_000
# So many behind a page are looked at, for those that fit as well as its last one.
_TIES: Final = 64
# Nobody pages further; a search that goes so deep answers nothing more.
_DEEPEST: Final = 10_000
_log = get_log(__name__)


class Generation:
    """One index in one folder. `put` may run in a thread beside searches, never beside itself."""

    def __init__(self, folder: Path | None, *, heap_bytes: int = _HEAP_BYTES) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.schema: Schema = ask.build_schema()
        self._index = Index(self.schema, path=None if folder is None else str(folder))
        self._heap_bytes = heap_bytes
        self._writer: IndexWriter | None = None
        # Versions that no searcher has seen yet.
        self._uncommitted: dict[int, int] = {}
        self.edition = ask.Edition(self.schema, self._index.searcher())

    @property
    def searcher(self) -> Searcher:
        return self.edition.searcher

    def put(self, documents: Sequence[Document], *, commit: bool = True) -> int:
        newest: dict[int, Document] = {}
        for document in documents:
            known = newest.get(document.product_id)
            if known is None or document.version > known.version:
                newest[document.product_id] = document
        versions = self.versions(list(newest)) | {
            one: self._uncommitted[one] for one in newest if one in self._uncommitted
        }
        newer = [d for d in newest.values() if d.version > versions.get(d.product_id, -1)]
        if newer:
            writer = self._write()
            if older := [d.product_id for d in newer if d.product_id in versions]:
                writer.delete_documents_by_query(self._of(older))
            for document in newer:
                writer.add_document(_row(document))
            self._uncommitted.update((d.product_id, d.version) for d in newer)
            if commit:
                self._commit(writer)
        return len(newer)

    def remove(self, product_ids: Sequence[int]) -> None:
        writer = self._write()
        if product_ids:
            writer.delete_documents_by_query(self._of(product_ids))
        self._commit(writer)

    def versions(self, product_ids: Sequence[int]) -> dict[int, int]:
        if not product_ids:
            return {}
        found = self.searcher.search(self._of(product_ids), len(product_ids), False)
        places = [place for _, place in found.hits]
        ids = self.searcher.fast_field_values("product_id", places)
        versions = self.searcher.fast_field_values("version", places)
        return {int(i or 0): int(v or 0) for i, v in zip(ids, versions, strict=True)}

    def _of(self, product_ids: Sequence[int]) -> Query:
        # A deletion by term takes the number for a signed one, and deletes nothing.
        return Query.term_set_query(self.schema, "product_id", list(product_ids))

    def _write(self) -> IndexWriter:
        if self._writer is None:
            self._writer = self._index.writer(self._heap_bytes, 1)
        return self._writer

    def _commit(self, writer: IndexWriter) -> None:
        writer.commit()
        self._uncommitted.clear()
        self._index.reload()
        self.edition = ask.Edition(self.schema, self._index.searcher())

    def close(self) -> None:
        """Ends its threads; what was put stays."""
        if self._writer is not None:
            self._writer.wait_merging_threads()
            self._writer = None


@dataclass(slots=True)
class _Next:
    """The generation that is being built; it becomes the one that is searched when it is whole."""

    generation: Generation
    lock: asyncio.Lock
    aside: Aside

    async def put(self, documents: Sequence[Document]) -> int:
        """Committed with all the rest: of what is not whole nothing is kept."""
        async with self.lock:
            return await self.aside(lambda: self.generation.put(documents, commit=False))


class TantivyIndex:
    """Searches run in the loop, since they take a millisecond; writing runs beside it."""

    def __init__(self, folder: Path | None, aside: Aside) -> None:
        self._folder = folder
        self._aside = aside
        self._writing = asyncio.Lock()
        self._live: Generation | None = None
        self._next: _Next | None = None

    @classmethod
    async def open(cls, folder: Path | None, aside: Aside) -> TantivyIndex:
        """Without a generation that fits the analysis, every question is `Unknown` for now.

        None keeps it in memory: nothing to sync, and built anew at every start.
        """
        made = cls(folder, aside)
        await aside(made._find)
        return made

    def _find(self) -> None:
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        name = _current(self._folder)
        if name.startswith(f"{ANALYSIS_VERSION}-") and (self._folder / name).is_dir():
            self._live = Generation(self._folder / name)
        self._sweep()

    async def fits(self) -> bool:
        return self._live is not None

    def edition(self) -> object | None:
        """Every commit has one of its own, and nobody else writes into this folder."""
        return None if self._live is None else self._live.edition

    async def ping(self) -> None:
        """In memory there is nothing that could be away."""
        if self._folder is not None:
            self._known()

    async def close(self) -> None:
        async with self._writing:
            if self._live is not None:
                await self._aside(self._live.close)
            self._live = None

    async def put(self, documents: Sequence[Document]) -> int:
        live, upcoming = self._live, self._next
        if upcoming is not None:
            await upcoming.put(documents)
        elif live is None:
            raise _nothing_yet()
        if live is None:
            return len(documents)
        async with self._writing:
            return await self._aside(lambda: live.put(documents))

    async def remove(self, product_ids: Sequence[int]) -> None:
        live = self._known()
        async with self._writing:
            await self._aside(lambda: live.remove(product_ids))

    async def search(self, request: Request) -> Hits:
        edition = self._known().edition
        depth = min(request.limit, max(0, _DEEPEST - request.offset))
        hits, total, every = _found(edition, request, depth)
        items = tuple(
            Hit(product_id, score, edition.shown(product_id, place))
            for score, product_id, place in hits[:depth]
        )
        if not request.facets:
            return Hits(items, total, None)
        is_nowhere = not total and request.filters == Filters()
        return Hits(items, total, NOTHING if is_nowhere else facets(edition, request, every))

    async def words(self, limit: int) -> Sequence[WordCount]:
        live = self._known()
        on_sale = Query.term_query(live.schema, "on_sale", True, "basic")
        asked = {"words": {"terms": {"field": "words", "size": limit}}}
        counted = await self._aside(lambda: live.searcher.aggregate(on_sale, asked))
        return [
            WordCount(str(bucket["key"]), int(bucket["doc_count"]))
            for bucket in counted["words"]["buckets"]
        ]

    async def versions(self, product_ids: Sequence[int]) -> Mapping[int, int]:
        return self._known().versions(product_ids)

    async def indexed(self, after: int, limit: int) -> Sequence[Indexed]:
        live = self._known()
        wanted = Query.range_query(
            live.schema, "product_id", FieldType.Unsigned, after, None, include_lower=False
        )
        found = live.searcher.search(wanted, limit, False, "product_id", 0, Order.Asc)
        places = [place for _, place in found.hits]
        ids = live.searcher.fast_field_values("product_id", places)
        versions = live.searcher.fast_field_values("version", places)
        return [Indexed(int(i or 0), int(v or 0)) for i, v in zip(ids, versions, strict=True)]

    @asynccontextmanager
    async def rebuild(self) -> AsyncIterator[Writable]:
        generation = await self._aside(
            lambda: Generation(self._free_folder(), heap_bytes=_BUILDING_BYTES)
        )
        upcoming = _Next(generation, asyncio.Lock(), self._aside)
        self._next = upcoming
        try:
            yield upcoming
            async with upcoming.lock, self._writing:
                # An index of nothing has no commit yet that a start could open.
                await self._aside(lambda: generation.remove([]))
                self._name_current(generation.folder)
                old, self._live = self._live, generation
        except BaseException:
            self._next = None
            await self._aside(generation.close)
            if generation.folder is not None:
                shutil.rmtree(generation.folder, ignore_errors=True)
            raise
        self._next = None
        if old is not None:
            await self._aside(old.close)
        self._sweep()

    def _known(self) -> Generation:
        if self._live is None:
            raise _nothing_yet()
        return self._live

    def _name_current(self, folder: Path | None) -> None:
        """By a rename, so that a crash leaves the old name or the new one."""
        if folder is not None:
            draft = folder.parent / f"{_CURRENT}.new"
            draft.write_text(folder.name)
            draft.replace(folder.parent / _CURRENT)

    def _free_folder(self) -> Path | None:
        if self._folder is None:
            return None
        numbers = [
            int(number)
            for path in self._folder.glob(f"{ANALYSIS_VERSION}-*")
            if (number := path.name.partition("-")[2]).isdecimal()
        ]
        return self._folder / f"{ANALYSIS_VERSION}-{max(numbers, default=0) + 1}"

    def _sweep(self) -> None:
        """Other generations are what a crash or an earlier analysis left."""
        if self._folder is None:
            return
        kept = _current(self._folder)
        for path in self._folder.iterdir():
            if path.is_dir() and path.name != kept:
                shutil.rmtree(path, ignore_errors=True)


def _current(folder: Path) -> str:
    try:
        return (folder / _CURRENT).read_text().strip()
    except FileNotFoundError:
        return ""


def _nothing_yet() -> Unknown:
    return Unknown(UNAVAILABLE, "the index is being built")


def _row(document: Document) -> Row:
    row = Row()
    if document.on_sale:
        _add_words(row, document)
    row.add_text("category_key", f"{document.category_id}\t{document.category_name}")
    row.add_unsigned("product_id", document.product_id)
    row.add_unsigned("version", document.version)
    row.add_unsigned("category_id", document.category_id)
    row.add_unsigned("price", document.price)
    for name, key in ask.order_keys(document).items():
        row.add_unsigned(name, key)
    row.add_boolean("in_stock", document.in_stock)
    row.add_boolean("on_sale", document.on_sale)
    row.add_bytes("shown", document.shown)
    return row


def _add_words(row: Row, document: Document) -> None:
    for name, tokens in document.tokens.items():
        row.add_text(name, tokens)
    for word in document.words:
        row.add_text("words", word)


class _Found(NamedTuple):
    """The page, perhaps with more behind it, how many there are, and all where they are few."""

    page: Sequence[tuple[float, int, DocAddress]]
    total: int
    every: Sequence[DocAddress] | None = None


def _found(edition: ask.Edition, request: Request, depth: int) -> _Found:
    searcher = edition.searcher
    if not depth:
        plain = ask.within(edition, ask.found_by(edition, request.wanted), request.filters)
        return _Found((), _count(searcher.search(plain, 1, True, "product_id")))
    whole = ask.whole_query(edition, request)
    if request.order == "relevance":
        return _best(searcher, whole, request, depth)
    field, order = ask.ORDERS[request.order]
    found = searcher.search(whole, depth, True, field, request.offset, order)
    ids = searcher.fast_field_values("product_id", [place for _, place in found.hits])
    hits = [(0.0, int(i or 0), place) for i, (_, place) in zip(ids, found.hits, strict=True)]
    return _Found(hits, _count(found))


def _best(searcher: Searcher, whole: Query, request: Request, depth: int) -> _Found:
    """What fits best, and of those that fit alike the lowest id.

    Exact as long as no more than `_TIES` behind the page fit as well as its last one; of more,
    those are on it that lie first.
    """
    end = request.offset + depth
    found = searcher.search(whole, max(end + _TIES, COUNTED if request.facets else 0), True)
    # Made anew by each look.
    best, total = found.hits, _count(found)
    every = [place for _, place in best] if request.facets and total == len(best) else None
    while end < len(best) and best[end][0] == best[end - 1][0]:
        end += 1
    del best[end:]
    ids = searcher.fast_field_values("product_id", [place for _, place in best])
    hits = [(float(score), int(i or 0), place) for i, (score, place) in zip(ids, best, strict=True)]
    hits.sort(key=lambda hit: (-hit[0], hit[1]))
    return _Found(hits[request.offset :], total, every)


def _count(found: SearchResult) -> int:
    return int(found.count or 0)  # type: ignore[attr-defined]
