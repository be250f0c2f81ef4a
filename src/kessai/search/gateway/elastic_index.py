"""`ProductIndex` on Elasticsearch: one index for each generation, behind one alias."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, cast
from zlib import crc32

import msgspec
from elasticsearch import ApiError, AsyncElasticsearch, NotFoundError

from kessai.kernel.elastic import ElasticServer, asking, elastic_at
from kessai.kernel.errors import Unknown
from kessai.kernel.telemetry import get_log
from kessai.search.application.ports import Hit, Hits, Indexed, WordCount, Writable
from kessai.search.domain.document import Document
from kessai.search.domain.wanted import Request
from kessai.search.gateway import elastic_query as ask
from kessai.search.gateway.elastic_generations import UNAVAILABLE, Generation, Generations

# A shopper waits for a search; nobody waits for a bulk of products or for a new index.
_ASK_S, _WRITE_S, _PING_S = 3.0, 30.0, 2.0
# Who is in the middle of something while the index changes over looks for the new one again.
_LOOKS: Final = 3
_BULK_ROWS, _BULK_BYTES = 500, 4_000_000
# One answer of Elasticsearch holds no more words.
_MOST_WORDS: Final = 65_000
_NOT_FOUND, _CONFLICT, _TOO_MANY, _UNAVAILABLE = 404, 409, 429, 503
_FOUND: Final = "hits.total.value,hits.hits._id,hits.hits._score,hits.hits._source,aggregations"
_VERSIONS: Final = "hits.hits._id,hits.hits._version"
_SETTINGS: Final = {
    # All products of a shop are far below what one holds, and scores count over one.
    "number_of_shards": 1,
    # Whoever writes asks for it, at the end.
    "refresh_interval": "-1",
}
_log = get_log(__name__)


class _Gone(Exception):
    """The index that was written to is there no more."""


def open_elastic(url: str, *, instance: str) -> ElasticIndex:
    """Without a look at the server: a shop sells without a search, too.

    What a rebuild by this `instance` left behind when it crashed goes with its next one.
    Raises `ValueError` with a line for people, never with the password.
    """
    return ElasticIndex(elastic_at(url), instance=instance)


class ElasticIndex:
    def __init__(self, server: ElasticServer, *, instance: str) -> None:
        writer = server.client.options(request_timeout=_WRITE_S)
        self._asked = server.client.options(request_timeout=_ASK_S)
        self._pinged = server.client.options(request_timeout=_PING_S)
        self._bulks = _Bulks(writer)
        self._generations = Generations(
            writer,
            server.prefix,
            instance=instance,
            index={**_SETTINGS, **server.copies},
            mapping=ask.mapping(),
        )
        self._alias = self._generations.alias

    async def ping(self) -> None:
        async with asking(UNAVAILABLE):
            await self._pinged.info()

    async def close(self) -> None:
        await self._asked.close()

    def edition(self) -> object | None:
        """Every instance writes into it, and it has caches of its own."""
        return None

    async def fits(self) -> bool:
        async with asking(UNAVAILABLE):
            live = [one for one in await self._generations.all() if one.is_live]
        return len(live) == 1 and live[0].fits

    async def put(self, documents: Sequence[Document]) -> int:
        newest = _newest(documents)

        async def write(alias: str) -> int:
            return await self._bulks.put(alias, newest, refresh=True)

        return await self._everywhere(write) if newest else 0

    async def remove(self, product_ids: Sequence[int]) -> None:
        async def write(alias: str) -> int:
            return await self._bulks.remove(alias, product_ids)

        if product_ids:
            await self._everywhere(write)

    async def search(self, request: Request) -> Hits:
        found = await self._search(ask.body(request), _FOUND)
        hits = found["hits"]
        return Hits(
            tuple(
                Hit(int(one["_id"]), one["_score"] or 0.0, one["_source"]["shown"].encode())
                for one in hits.get("hits", ())
            ),
            hits["total"]["value"],
            ask.read_facets(found["aggregations"]) if request.facets else None,
        )

    async def words(self, limit: int) -> Sequence[WordCount]:
        counted = {"terms": {"field": "words", "size": min(limit, _MOST_WORDS)}}
        asked = {"query": {"term": {"on_sale": True}}, "size": 0, "aggs": {"words": counted}}
        found = await self._search(asked, "aggregations")
        buckets = found["aggregations"]["words"]["buckets"]
        return [WordCount(one["key"], one["doc_count"]) for one in buckets]

    async def versions(self, product_ids: Sequence[int]) -> Mapping[int, int]:
        if not product_ids:
            return {}
        found = await self._versions({"ids": {"values": [str(one) for one in product_ids]}})
        return {one.product_id: one.version for one in found}

    async def indexed(self, after: int, limit: int) -> Sequence[Indexed]:
        return await self._versions({"range": {"product_id": {"gt": after}}}, limit)

    async def _versions(self, of: dict[str, Any], limit: int = ask.DEEPEST) -> Sequence[Indexed]:
        asked = {
            "query": of,
            "sort": [{"product_id": "asc"}],
            "size": min(limit, ask.DEEPEST),
            "version": True,
            "_source": False,
            "track_total_hits": False,
        }
        found = await self._search(asked, _VERSIONS)
        hits = found.get("hits", {}).get("hits", ())
        return [Indexed(int(one["_id"]), one["_version"]) for one in hits]

    @asynccontextmanager
    async def rebuild(self) -> AsyncIterator[Writable]:
        async with asking(UNAVAILABLE):
            made = await self._generations.begin()
        try:
            yield _New(self._bulks, made)
            async with asking(UNAVAILABLE):
                await self._generations.change_over(made)
        except BaseException:
            await self._generations.give_up(made)
            raise

    async def _everywhere(self, write: Callable[[str], Awaitable[int]]) -> int:
        """What `write` said of the index that is searched."""
        most = 0
        for _ in range(_LOOKS):
            async with asking(UNAVAILABLE):
                targets = await self._generations.written_to()
                try:
                    counts = [await write(one.writes) for one in targets]
                except _Gone:
                    continue
            return max(most, counts[0])
        raise Unknown(UNAVAILABLE, "the index is changing over")

    async def _search(self, asked: dict[str, Any], wanted: str) -> Any:
        # Copies count what was deleted each on its own: pages of one question come from one copy.
        copy = f"q{crc32(repr(asked['query']).encode('utf-8', 'replace'))}"
        async with asking(UNAVAILABLE):
            for last in (False, True):
                try:
                    found = await self._asked.search(
                        index=self._alias,
                        body=asked,
                        filter_path=wanted,
                        preference=copy,
                        allow_partial_search_results=False,
                    )
                except ApiError as error:
                    # The index may have gone in the middle of it: it is another one by now.
                    if last or error.status_code not in (_NOT_FOUND, _UNAVAILABLE):
                        raise
                else:
                    return found.body
        raise AssertionError


class _Bulks:
    """Writes through an alias; a document of a lower or the same version changes nothing."""

    def __init__(self, client: AsyncElasticsearch) -> None:
        self._client = client

    async def put(self, alias: str, documents: Sequence[Document], *, refresh: bool) -> int:
        newer = 0
        chunks = list(_chunks(_put_line(one) for one in documents))
        for number, chunk in enumerate(chunks, 1):
            newer += await self._write(alias, chunk, refresh=refresh and number == len(chunks))
        return newer

    async def remove(self, alias: str, product_ids: Sequence[int]) -> int:
        """With the version that it has, so that any newer one may come again."""
        removed = 0
        for start in range(0, len(product_ids), _BULK_ROWS):
            ids = [str(one) for one in product_ids[start : start + _BULK_ROWS]]
            try:
                known = await self._client.mget(
                    index=alias, ids=ids, source=False, filter_path="docs._id,docs._version"
                )
            except NotFoundError:
                raise _Gone from None
            lines = [
                _delete_line(one["_id"], one["_version"])
                for one in known.body.get("docs", ())
                if "_version" in one
            ]
            if lines:
                removed += await self._write(alias, lines, refresh=True)
        return removed

    async def _write(self, alias: str, lines: Sequence[bytes], *, refresh: bool) -> int:
        """At once searchable with `refresh`: to wait for the regular one would take up to a second
        for every event, since the next one is read when this one is done."""
        answer = await self._client.bulk(
            index=alias,
            # Lines that are bytes already are sent as they are.
            operations=cast(Sequence[Any], lines),
            refresh=refresh,
            require_alias=True,
            filter_path="items.*.status,items.*._id,items.*.error.type",
        )
        done = 0
        for item in answer.body.get("items", ()):
            (told,) = item.values()
            done += self._is_done(told)
        return done

    def _is_done(self, told: dict[str, Any]) -> bool:
        status, why = told["status"], told.get("error", {}).get("type")
        if why is None:
            return bool(status < 300)
        if status == _NOT_FOUND:
            raise _Gone
        if status == _TOO_MANY or status >= 500:
            raise Unknown(UNAVAILABLE, f"Elasticsearch answers {status} {why}")
        if status != _CONFLICT:
            # Again and again would help nobody, and hold up the products behind it.
            _log.error("product_not_indexed", product_id=told.get("_id"), status=status, why=why)
        return False


@dataclass(frozen=True, slots=True)
class _New:
    bulks: _Bulks
    made: Generation

    async def put(self, documents: Sequence[Document]) -> int:
        async with asking(UNAVAILABLE):
            try:
                return await self.bulks.put(self.made.writes, _newest(documents), refresh=False)
            except _Gone:
                raise Unknown(UNAVAILABLE, "the new index is gone") from None


def _newest(documents: Sequence[Document]) -> list[Document]:
    """One of each product."""
    newest: dict[int, Document] = {}
    for document in documents:
        known = newest.get(document.product_id)
        if known is None or document.version > known.version:
            newest[document.product_id] = document
    return list(newest.values())


def _put_line(document: Document) -> tuple[bytes, bytes]:
    about = {
        "_id": str(document.product_id),
        "version": document.version,
        "version_type": "external",
    }
    return msgspec.json.encode({"index": about}), msgspec.json.encode(ask.source(document))


def _delete_line(product_id: str, version: int) -> bytes:
    about = {"_id": product_id, "version": version, "version_type": "external_gte"}
    return msgspec.json.encode({"delete": about})


def _chunks(rows: Iterator[tuple[bytes, ...]]) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    count = size = 0
    for row in rows:
        length = sum(map(len, row))
        if lines and (count == _BULK_ROWS or size + length > _BULK_BYTES):
            yield lines
            lines, count, size = [], 0, 0
        lines += row
        count, size = count + 1, size + length
    if lines:
        yield lines
