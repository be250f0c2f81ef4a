"""Redis behind its URL: one server, with TLS, or whoever a Sentinel calls the master."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis, Sentinel
from redis.asyncio.connection import SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from kessai.kernel.errors import Unknown
from kessai.kernel.settings import Settings
from kessai.kernel.told import without_password

T = TypeVar("T")

UNAVAILABLE = "REDIS_UNAVAILABLE"
_OF_THIS_PROCESS = "memory:"
OLDEST = (6, 2)
_PLAIN, _BY_SENTINEL = ("redis", "rediss"), ("redis+sentinel", "rediss+sentinel")
_SENTINEL_PORT = 26379
_SHAPE = (
    "it is not redis[s]://user:password@host:port/database or "
    "redis[s]+sentinel://user:password@host:port,host:port/master"
)
# Unless the URL says otherwise. A server that hangs is down within a second.
_PATIENCE: Mapping[str, Any] = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0}
# Who finds them all in use waits for one; those to a Sentinel's master cannot be waited for.
_CONNECTIONS, _WAIT_S, _CONNECTIONS_OF_MASTER = 64, 1.0, 1000
_SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")


@dataclass(frozen=True, slots=True)
class RedisServer:
    client: Redis
    # Clients of the Sentinels that are asked who the master is.
    sentinels: Sequence[Redis] = field(default=())

    async def close(self) -> None:
        for client in (self.client, *self.sentinels):
            await client.aclose()


async def open_shared_memory(settings: Settings) -> RedisServer | None:
    """None where sessions and limits are those of one process. Raises `ValueError` with a line."""
    if settings.redis_url == _OF_THIS_PROCESS:
        return None
    try:
        return await open_redis(settings.redis_url)
    except ValueError as error:
        raise ValueError(f"KESSAI_REDIS_URL: {error}") from error


async def open_redis(url: str) -> RedisServer:
    """Raises `ValueError` with a line for people, never with a password."""
    server = redis_at(url)
    try:
        await _look(server.client)
    except BaseException as error:
        await server.close()
        if isinstance(error, AuthenticationError):
            raise ValueError("it refuses the login") from None
        if isinstance(error, RedisError | OSError):
            raise ValueError(f"no server answers: {without_password(error, url, _SHAPE)}") from None
        raise
    return server


def redis_at(url: str) -> RedisServer:
    """Without a look at it. Raises `ValueError` with a line for people."""
    scheme = url.partition("://")[0]
    try:
        if scheme in _PLAIN and urlsplit(url).hostname:
            pool = BlockingConnectionPool.from_url(
                url, **{"max_connections": _CONNECTIONS, "timeout": _WAIT_S, **_patience()}
            )
            # What is no option of a connection is seen when one is made.
            pool.make_connection()  # type: ignore[no-untyped-call]
            return RedisServer(Redis.from_pool(pool))
        if scheme in _BY_SENTINEL:
            return _by_sentinel(url)
    except TypeError as error:
        option = str(error).rpartition("argument ")[2]
        raise ValueError(f"unknown option {option}") from None
    except ValueError as error:
        raise ValueError(without_password(error, url, _SHAPE)) from None
    raise ValueError(_SHAPE)


async def answer(asked: Awaitable[T]) -> T:
    """What is no answer is `Unknown`."""
    try:
        return await asked
    except (RedisError, OSError, TimeoutError) as error:
        raise Unknown(UNAVAILABLE, "Redis does not answer") from error


def _by_sentinel(url: str) -> RedisServer:
    parts = urlsplit(url)
    login, separator, places = parts.netloc.rpartition("@")
    master, _, database = parts.path.strip("/").partition("/")
    if not master:
        raise ValueError(_SHAPE)
    # The master's own options are those of a plain URL.
    plain = parts._replace(
        scheme=parts.scheme.partition("+")[0],
        netloc=f"{login}{separator}master",
        path=f"/{database}",
    )
    given = dict(ConnectionPool.from_url(plain.geturl()).connection_kwargs)
    given.pop("host", None)
    uses_tls = issubclass(given.pop("connection_class", object), SSLConnection)
    of_sentinel = {
        name.removeprefix("sentinel_"): given.pop(name)
        for name in _SENTINEL_OPTIONS
        if name in given
    }
    tls = {name: value for name, value in given.items() if name.startswith("ssl_")}
    if uses_tls or parts.scheme.startswith("rediss"):
        tls["ssl"] = True
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        [_place(text) for text in places.split(",")],
        sentinel_kwargs={**_patience(), **tls, **of_sentinel},
        **{"max_connections": _CONNECTIONS_OF_MASTER, **_patience(), **given, **tls},
    )
    client = sentinel.master_for(master)
    client.connection_pool.make_connection()
    return RedisServer(client, tuple(sentinel.sentinels))


def _place(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(_SHAPE)
    return parts.hostname, parts.port or _SENTINEL_PORT


def _patience() -> dict[str, Any]:
    # A connection that was lost while it lay idle is made anew, once; a timeout is not repeated.
    return {**_PATIENCE, "retry": Retry(NoBackoff(), 1, (ConnectionError,))}


async def _look(client: Redis) -> None:
    await client.ping()
    try:
        found = await client.info("server")
    except (NoPermissionError, ResponseError):
        # Some that are rented show nobody what they are.
        return
    require_version(str(found.get("redis_version", "")))


def require_version(version: str) -> None:
    """Raises `ValueError` for a server that is too old; one that does not say is none."""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers and numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ValueError(f"Redis {version} is too old: {oldest} or newer, please")
