"""Session stores (a bounded table, Redis), identity by Firebase's keys, the built pages."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import asdict
from pathlib import Path
from typing import Final, Generic, TypeVar

from redis.asyncio import Redis

from kessai.bff.domain import Asset, Pages, Session, Ticket
from kessai.contracts.account import SyncUser
from kessai.kernel.clock import Clock
from kessai.kernel.oidc import TokenVerifier
from kessai.kernel.redis_server import answer

V = TypeVar("V")


class _TtlTable(Generic[V]):
    """Entries end by their time; when full, the one that was touched longest ago goes first."""

    def __init__(self, clock: Clock, capacity: int) -> None:
        self._clock = clock
        self._capacity = capacity
        self._entries: OrderedDict[str, tuple[int, V]] = OrderedDict()

    def put(self, key: str, value: V, ttl_ms: int) -> None:
        self._entries[key] = (self._clock.now_ms() + ttl_ms, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def get(self, key: str) -> V | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock.now_ms():
            del self._entries[key]
            return None
        return entry[1]

    def take(self, key: str) -> V | None:
        value = self.get(key)
        self._entries.pop(key, None)
        return value


class MemorySessionStore:
    """The embedded default: sessions of this process, gone with it."""

    def __init__(self, clock: Clock, *, capacity: int = 100_000) -> None:
        self._sessions: _TtlTable[Session] = _TtlTable(clock, capacity)
        self._tickets: _TtlTable[Ticket] = _TtlTable(clock, capacity)

    async def put(self, session: Session, ttl_ms: int) -> None:
        self._sessions.put(session.key, session, ttl_ms)

    async def get(self, key: str) -> Session | None:
        return self._sessions.get(key)

    async def delete(self, key: str) -> None:
        self._sessions.take(key)

    async def put_ticket(self, key: str, ticket: Ticket, ttl_ms: int) -> None:
        self._tickets.put(key, ticket, ttl_ms)

    async def take_ticket(self, key: str) -> Ticket | None:
        return self._tickets.take(key)

    async def ping(self) -> None:
        return None

    async def close(self) -> None:
        return None


class RedisSessionStore:
    """Redis behind short timeouts: a store that hangs is down within a second."""

    def __init__(self, client: Redis, *, prefix: str = "kessai") -> None:
        self._client = client
        self._prefix = prefix

    async def put(self, session: Session, ttl_ms: int) -> None:
        key = f"{self._prefix}:session:{session.key}"
        await answer(self._client.set(key, json.dumps(asdict(session)), px=ttl_ms))

    async def get(self, key: str) -> Session | None:
        text = await answer(self._client.get(f"{self._prefix}:session:{key}"))
        return Session(**json.loads(text)) if text else None

    async def delete(self, key: str) -> None:
        await answer(self._client.delete(f"{self._prefix}:session:{key}"))

    async def put_ticket(self, key: str, ticket: Ticket, ttl_ms: int) -> None:
        name = f"{self._prefix}:ticket:{key}"
        await answer(self._client.set(name, json.dumps(asdict(ticket)), px=ttl_ms))

    async def take_ticket(self, key: str) -> Ticket | None:
        text = await answer(self._client.getdel(f"{self._prefix}:ticket:{key}"))
        return Ticket(**json.loads(text)) if text else None

    async def ping(self) -> None:
        await answer(self._client.ping())

    async def close(self) -> None:
        await self._client.aclose()


class FirebaseIdentity:
    """Firebase ID tokens by the project's public keys."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def verify(self, token: str) -> SyncUser:
        claims = await self._verifier.verify(token)
        # The issuer lets names be longer than our column; the uid alone identifies.
        return SyncUser(
            firebase_uid=claims.subject,
            email=claims.email[:254] if claims.email else None,
            name=claims.name[:200] if claims.name else None,
        )


# Written out, since the table of a machine is not the same everywhere.
_MEDIA: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".png": "image/png",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
_CODED: Final = {"br": ".br", "gzip": ".gz"}


def read_pages(folder: Path) -> Pages | None:
    """The build in `folder`, whole in memory: no address can lead outside. None without one."""
    shop, console = folder / "index.html", folder / "console.html"
    if not (shop.is_file() and console.is_file()):
        return None
    files = sorted((folder / "assets").iterdir()) if (folder / "assets").is_dir() else []
    assets = {path.name: _asset(path) for path in files if path.suffix in _MEDIA}
    return Pages(_asset(shop), _asset(console), assets)


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    coded = {
        coding: beside.read_bytes()
        for coding, suffix in _CODED.items()
        if (beside := path.with_name(path.name + suffix)).is_file()
    }
    tag = hashlib.sha256(body).hexdigest()[:16]
    return Asset(_MEDIA[path.suffix], tag, {"identity": body, **coded})
