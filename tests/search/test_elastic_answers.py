"""What Elasticsearch may answer instead of an answer, and that its password is in no word of it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from tests.support.indexes import product, unavailable

from kessai.kernel.errors import Unknown
from kessai.search.application.ports import ProductIndex
from kessai.search.domain.document import ANALYSIS_VERSION
from kessai.search.domain.wanted import Request
from kessai.search.gateway.elastic_index import open_elastic

pytestmark = pytest.mark.network

# Far above the adapter's own patience, far below anybody else's.
PATIENCE_S = 60.0
PRODUCT = "X-Elastic-Product: Elasticsearch\r\n"
Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(status: str, body: str, headers: str = PRODUCT) -> Handle:
    text = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}"
        f"Content-Length: {len(body.encode())}\r\nConnection: close\r\n\r\n{body}"
    )

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text.encode())
        writer.close()

    return handle


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until whoever asked has had enough."""
    await reader.read()
    writer.close()


async def hanging_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@asynccontextmanager
async def index_at(handle: Handle) -> AsyncIterator[ProductIndex]:
    tasks: set[asyncio.Task[None]] = set()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await handle(reader, writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    index = open_elastic(f"http://elastic:s3cret@127.0.0.1:{port}/t1", instance="a")
    try:
        yield index
    finally:
        await index.close()
        server.close()
        await server.wait_closed()
        await asyncio.gather(*tasks)


def questions(index: ProductIndex) -> Sequence[Callable[[], Awaitable[object]]]:
    return (
        lambda: index.search(Request(None)),
        lambda: index.words(10),
        lambda: index.indexed(0, 10),
        lambda: index.ping(),
    )


def everything(index: ProductIndex) -> Sequence[Callable[[], Awaitable[object]]]:
    return (
        *questions(index),
        lambda: index.fits(),
        lambda: index.put([product(1)]),
        lambda: index.remove([1]),
        lambda: rebuilt(index),
    )


async def rebuilt(index: ProductIndex) -> None:
    async with index.rebuild():
        raise AssertionError("there is nothing to build in")


async def require_unavailable(asked: Sequence[Callable[[], Awaitable[object]]]) -> list[Unknown]:
    async with asyncio.timeout(PATIENCE_S):
        told = await asyncio.gather(*(ask() for ask in asked), return_exceptions=True)
    for error in told:
        assert isinstance(error, Unknown), told
        assert error.code == "SEARCH_UNAVAILABLE"
        assert "s3cret" not in f"{error!r} {error.__cause__!r}"
    return [error for error in told if isinstance(error, Unknown)]


@pytest.mark.parametrize(
    ("handle", "told"),
    [
        (answering("401 Unauthorized", '{"error":{"type":"security_exception"}}'), "the login"),
        (answering("403 Forbidden", '{"error":{"type":"security_exception"}}'), "the login"),
        (answering("200 OK", "{}", headers=""), "no Elasticsearch"),
        (answering("404 Not Found", "<html>", headers=""), "answer"),
        (answering("429 Too Many", '{"error":{"type":"es_rejected_execution"}}'), "429 es_reje"),
        (answering("503 Unavailable", '{"error":{"type":"master_not_discovered"}}'), "503 master"),
        (answering("502 Bad Gateway", "<html>bad gateway</html>"), "does not answer"),
        (answering("500 Internal", "{}"), "500"),
        (answering("200 OK", "{ no json"), "does not answer"),
        (hanging_up, "does not answer"),
    ],
)
async def test_no_answer_that_helps_is_unknown(handle: Handle, told: str) -> None:
    async with index_at(handle) as index:
        for error in await require_unavailable(everything(index)):
            assert told in error.message


async def test_where_nobody_listens() -> None:
    async with index_at(silent) as index:
        pass
    nobody = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = nobody.sockets[0].getsockname()[1]
    nobody.close()
    await nobody.wait_closed()
    index = open_elastic(f"http://elastic:s3cret@127.0.0.1:{port}", instance="a")
    await require_unavailable(everything(index))
    await index.close()


async def test_a_server_that_hangs_holds_no_shopper() -> None:
    async with index_at(silent) as index:
        await require_unavailable(questions(index))


async def test_the_client_does_not_tell_it_once_more(caplog: pytest.LogCaptureFixture) -> None:
    """Who is told `Unknown` logs it, and not with a traceback for every search."""
    with caplog.at_level(logging.DEBUG):
        async with index_at(hanging_up) as index:
            with unavailable():
                await index.search(Request(None))
    assert [one.message for one in caplog.records if "elastic" in one.name] == []


async def test_what_a_rebuild_left_that_failed_at_its_beginning_goes_with_the_next() -> None:
    """Its index was made, and then there was silence."""
    asked: list[str] = []
    left, new = (f"t1-products-{ANALYSIS_VERSION}-{number}" for number in (1, 2))
    told = {
        name: {
            "aliases": {"t1-products-building": {}},
            "mappings": {"_meta": {"layout": 1, "builder": "a"}},
            "settings": {"index": {"creation_date": "1"}},
        }
        for name in (left, new)
    }
    answers = iter(
        [
            answering("200 OK", "{}"),
            answering("200 OK", '{"acknowledged":true}'),
            answering("429 Too Many", "{}"),
            answering("200 OK", json.dumps({left: told[left]})),
            answering("200 OK", '{"acknowledged":true}'),
            answering("200 OK", json.dumps(told)),
            answering("200 OK", '{"acknowledged":true}'),
        ]
    )

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).decode().partition(" HTTP")[0].partition("?")[0])
        await next(answers, answering("503 Unavailable", "{}"))(reader, writer)

    async with index_at(handle) as index:
        for _ in range(2):
            with unavailable():
                await filled(index)
    assert asked[1] == f"PUT /{left}"
    assert asked[4:7] == [f"PUT /{new}", "GET /t1-products-*", f"DELETE /{left}"]


async def filled(index: ProductIndex) -> None:
    async with index.rebuild() as new:
        await new.put([product(1)])
