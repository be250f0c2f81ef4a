"""Every session store keeps the same promises: in process, and Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import fakeredis
import pytest
from redis.asyncio import Redis
from tests.support.servers import server_url

from kessai.bff.application import SessionStore
from kessai.bff.domain import Session, Ticket
from kessai.bff.gateway import MemorySessionStore, RedisSessionStore
from kessai.kernel.clock import SystemClock
from kessai.kernel.errors import Unknown
from kessai.kernel.redis_server import open_redis

SESSION = Session("key-1", "user-1", "a@example.com", "花子", 1_000, 2_000)
TICKET = Ticket("key-1", "user-1", "0" * 26, 5_000)


@pytest.fixture(params=["memory", "fake", pytest.param("redis", marks=pytest.mark.stack)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[SessionStore]:
    made: SessionStore
    if request.param == "memory":
        made = MemorySessionStore(SystemClock())
    elif request.param == "redis":
        server = await open_redis(server_url("KESSAI_REDIS_URL"))
        made = RedisSessionStore(server.client, prefix=f"t{uuid4().hex[:8]}")
    else:
        made = RedisSessionStore(fakeredis.FakeAsyncRedis())
    yield made
    await made.close()


async def test_a_session_is_found_as_it_was_put(store: SessionStore) -> None:
    await store.put(SESSION, 60_000)
    assert await store.get("key-1") == SESSION


async def test_an_unknown_key_is_nobody(store: SessionStore) -> None:
    assert await store.get("key-2") is None


async def test_a_deleted_session_is_gone(store: SessionStore) -> None:
    await store.put(SESSION, 60_000)
    await store.delete("key-1")
    assert await store.get("key-1") is None


async def test_a_session_ends_with_its_time(store: SessionStore) -> None:
    await store.put(SESSION, 1)
    await asyncio.sleep(0.02)
    assert await store.get("key-1") is None


async def test_a_ticket_works_once(store: SessionStore) -> None:
    await store.put_ticket("t", TICKET, 60_000)
    assert await store.take_ticket("t") == TICKET
    assert await store.take_ticket("t") is None


async def test_tickets_and_sessions_do_not_meet(store: SessionStore) -> None:
    await store.put(SESSION, 60_000)
    assert await store.take_ticket("key-1") is None
    assert await store.get("key-1") == SESSION


async def test_a_full_table_forgets_the_oldest() -> None:
    store = MemorySessionStore(SystemClock(), capacity=2)
    for name in ("a", "b", "c"):
        await store.put(Session(name, "u", None, None, 0, 0), 60_000)
    assert [await store.get(name) is not None for name in ("a", "b", "c")] == [False, True, True]


async def test_a_store_that_is_down_is_unknown_and_never_open() -> None:
    client = Redis(host="127.0.0.1", port=9, socket_connect_timeout=0.5, socket_timeout=0.5)
    store = RedisSessionStore(client)
    with pytest.raises(Unknown) as raised:
        await store.get("key-1")
    assert raised.value.code == "REDIS_UNAVAILABLE"
    await store.close()
