"""Redis by its URL: plain, over TLS, by Sentinels; and what is wrong is one line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from tests.support.redis_servers import ESCAPED, MASTER, redis_servers
from tests.support.servers import server_url

from kessai.kernel.errors import Unknown
from kessai.kernel.redis_server import (
    RedisServer,
    answer,
    open_redis,
    open_shared_memory,
    redis_at,
    require_version,
)
from kessai.kernel.settings import Settings

FAILOVER_S = 40.0


async def refusal(url: str) -> str:
    settings = Settings(_env_file=None, redis_url=url)
    with pytest.raises(ValueError, match=r"^KESSAI_REDIS_URL: ") as told:
        await open_shared_memory(settings)
    text = str(told.value).removeprefix("KESSAI_REDIS_URL: ")
    assert "\n" not in text
    assert "s3cret" not in text
    return text


async def test_memory_is_nothing_to_open() -> None:
    assert await open_shared_memory(Settings(_env_file=None, redis_url="memory:")) is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("memory://", "it is not redis"),
        ("redis:", "it is not redis"),
        ("http://u:s3cret@h:1", "it is not redis"),
        ("redis+sentinel://:s3cret@h:26379", "it is not redis"),
        ("redis+sentinel://h,/master", "it is not redis"),
        ("redis+sentinel://h:no/master", "Port could not be cast"),
        ("redis+sentinel://:s3cret@h:99999/master", "Port out of range"),
        ("redis://:s3cret@h:s3cret/0", "it is not redis"),
        ("redis://:s3cret@h:99999/0", "Port out of range"),
        ("redis://:s3cret@h:1/0?safety=off", "unknown option 'safety'"),
        ("redis+sentinel://:s3cret@h:1/master?safety=off", "unknown option 'safety'"),
        ("redis://:s3cret@h:1/0?socket_timeout=soon", "Invalid value for 'socket_timeout'"),
    ],
)
async def test_a_url_that_means_nothing_is_refused(url: str, why: str) -> None:
    assert why in await refusal(url)


@pytest.mark.network
async def test_a_server_that_is_not_there_is_said_in_one_line() -> None:
    assert "no server answers" in await refusal("redis://:s3cret@127.0.0.1:9")
    by_sentinel = await refusal("redis+sentinel://:s3cret@127.0.0.1:9,127.0.0.1:10/shop")
    assert "no server answers" in by_sentinel
    assert "shop" in by_sentinel


async def test_login_database_and_certificates_are_those_of_the_url() -> None:
    server = redis_at("rediss+sentinel://us%40er:p%2Fw@a:1,b,[::1]:3/shop/5?ssl_ca_certs=/ca.pem")
    given = server.client.connection_pool.connection_kwargs
    assert (given["username"], given["password"], given["db"]) == ("us@er", "p/w", 5)
    assert given["ssl_ca_certs"] == "/ca.pem"
    places = [one.connection_pool.connection_kwargs for one in server.sentinels]
    assert [(one["host"], one["port"]) for one in places] == [("a", 1), ("b", 26379), ("::1", 3)]
    # A Sentinel has a login of its own or none.
    assert {one.get("password") for one in places} == {None}
    await server.close()


@pytest.mark.parametrize("version", ["6.0.16", "5.0.14", "2.8.24"])
def test_an_old_server_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match=f"Redis {version} is too old: 6.2 or newer"):
        require_version(version)


@pytest.mark.parametrize("version", ["6.2.0", "7.0.15", "8.2.1", "10.0.0", ""])
def test_a_new_one_is_not(version: str) -> None:
    require_version(version)


@pytest.mark.stack
async def test_a_wrong_password_is_told(tmp_path: Path) -> None:
    url = server_url("KESSAI_REDIS_URL")
    password = urlsplit(url).password or ""
    assert await refusal(url.replace(password, "s3cret")) == "it refuses the login"
    assert await refusal(url.replace(f":{password}@", "")) == "it refuses the login"


@pytest.mark.stack
async def test_tls_is_checked(tmp_path: Path) -> None:
    with redis_servers(tmp_path, tls=True) as servers:
        port, ca = servers.start(), quote(str(tmp_path / "tls" / "certificate.pem"))
        url = f"rediss://:{ESCAPED}@localhost:{port}/3"
        server = await open_redis(f"{url}?ssl_ca_certs={ca}")
        assert await server.client.set("t1", "1")
        await server.close()
        # Nobody on this machine has heard of who signed it.
        assert "no server answers" in await refusal(url)
        assert "no server answers" in await refusal(f"redis://:{ESCAPED}@localhost:{port}/3")


async def eventually_writes(server: RedisServer, key: str) -> None:
    end = time.monotonic() + FAILOVER_S
    while True:
        try:
            await answer(server.client.set(key, "1"))
            return
        except Unknown:
            assert time.monotonic() < end, "no new master"
            await asyncio.sleep(0.1)


@pytest.mark.stack
@pytest.mark.parametrize("tls", [False, True])
async def test_sentinels_lead_to_the_next_master(tmp_path: Path, tls: bool) -> None:
    with redis_servers(tmp_path, tls=tls) as servers:
        master = servers.start()
        replica = servers.start_replica(master)
        sentinels = [servers.start_sentinel(master, quorum=2) for _ in range(3)]
        scheme = "rediss" if tls else "redis"
        ca = f"?ssl_ca_certs={quote(str(tmp_path / 'tls' / 'certificate.pem'))}" if tls else ""
        places = ",".join(f"127.0.0.1:{port}" for port in (9, *sentinels))
        url = f"{scheme}+sentinel://:{ESCAPED}@{places}/{MASTER}/2{ca}"
        assert "elsewhere" in await refusal(url.replace(f"/{MASTER}/", "/elsewhere/"))

        server = await open_redis(url)
        await until(lambda: know_each_other(server))
        assert await answer(server.client.set("before", "1"))
        await until(lambda: server.client.wait(1, 500))
        assert await port_of_master(server) == master

        servers.kill(master)
        with pytest.raises(Unknown):
            await answer(server.client.set("meanwhile", "1"))
        await eventually_writes(server, "after")
        assert await port_of_master(server) == replica
        assert await server.client.get("before") == b"1"
        await server.close()


async def port_of_master(server: RedisServer) -> int:
    found = await server.client.info("server")
    return int(found["tcp_port"])


async def until(seen: Callable[[], Awaitable[object]]) -> None:
    end = time.monotonic() + FAILOVER_S
    while not await seen():
        assert time.monotonic() < end
        await asyncio.sleep(0.2)


async def know_each_other(server: RedisServer) -> bool:
    """Each Sentinel knows the replica and the others; sooner there is nobody to elect."""
    sentinels = server.sentinels[1:]
    for client in sentinels:
        known: Any = await client.sentinel_master(MASTER)
        others = (known["num-slaves"], known["num-other-sentinels"])
        if others != (1, len(sentinels) - 1):
            return False
    return True
