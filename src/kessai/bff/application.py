"""What the door does: sign in and out, hand out channel tickets, show pictures."""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from kessai.bff.domain import (
    Session,
    SessionLimits,
    Ticket,
    is_alive,
    secret_key,
    seen,
    time_left_ms,
)
from kessai.contracts.account import AccountService, SyncUser, User
from kessai.contracts.search import Format, Made, Thumbnail, Width, thumbnail_name
from kessai.kernel.chance import Chance
from kessai.kernel.clock import Clock
from kessai.kernel.errors import Kind, Refused
from kessai.kernel.objects import Objects

_log = structlog.get_logger(__name__)
_SECRET_BYTES = 32
_SHOWN_BYTES = 16 * 1024 * 1024


class SessionStore(Protocol):
    """Sessions and tickets by hashed key. Raises `Unknown("REDIS_UNAVAILABLE")` when it is down."""

    async def put(self, session: Session, ttl_ms: int) -> None: ...

    async def get(self, key: str) -> Session | None: ...

    async def delete(self, key: str) -> None: ...

    async def put_ticket(self, key: str, ticket: Ticket, ttl_ms: int) -> None: ...

    async def take_ticket(self, key: str) -> Ticket | None:
        """The ticket, once: the second taker gets None."""
        ...

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


class Identity(Protocol):
    """Who an ID token speaks of."""

    async def verify(self, token: str) -> SyncUser:
        """Raises `Refused("TOKEN_INVALID")`, or `Unknown` when the keys cannot be had."""
        ...


@dataclass(frozen=True, slots=True)
class SignedIn:
    sid: str
    user: User


@dataclass(frozen=True, slots=True)
class Pass:
    """A channel token as the browser gets it, with the end of its life in epoch ms."""

    token: str
    expires_at_ms: int


class Sessions:
    """Opaque ids of 256 bits, new at every sign-in; idle and absolute limits."""

    def __init__(
        self,
        store: SessionStore,
        identity: Identity,
        accounts: AccountService,
        *,
        clock: Clock,
        chance: Chance,
        limits: SessionLimits,
        ticket_ms: int,
    ) -> None:
        self._store = store
        self._identity = identity
        self._accounts = accounts
        self._clock = clock
        self._chance = chance
        self._limits = limits
        self._ticket_ms = ticket_ms

    async def sign_in(self, token: str, old_sid: str | None) -> SignedIn:
        """A new session; the browser's old one ends, so no preset id is ever adopted."""
        await self._store.ping()
        claims = await self._identity.verify(token)
        user = await self._accounts.sync_user(claims)
        sid = self._secret()
        now_ms = self._clock.now_ms()
        session = Session(secret_key(sid), user.user_id, user.email, user.name, now_ms, now_ms)
        await self._store.put(session, time_left_ms(session, self._limits, now_ms))
        if old_sid:
            await self._store.delete(secret_key(old_sid))
        _log.info("session.started", user_id=user.user_id)
        return SignedIn(sid, user)

    async def find(self, sid: str | None) -> Session:
        """The live session of an id; its idle time starts anew."""
        if not sid:
            raise Refused("SESSION_MISSING", "sign in first", kind=Kind.UNAUTHENTICATED)
        session = await self.peek(secret_key(sid))
        if session is None:
            raise Refused("SESSION_NOT_FOUND", "sign in again", kind=Kind.UNAUTHENTICATED)
        now_ms = self._clock.now_ms()
        # One write in five seconds is enough to keep the idle time honest.
        if now_ms - session.seen_at_ms > min(5_000, self._limits.idle_ms // 10):
            session = seen(session, now_ms)
            await self._store.put(session, time_left_ms(session, self._limits, now_ms))
        return session

    async def peek(self, key: str) -> Session | None:
        """The live session of a store key, without keeping it alive."""
        session = await self._store.get(key)
        if session is None or not is_alive(session, self._limits, self._clock.now_ms()):
            return None
        return session

    async def sign_out(self, sid: str | None) -> None:
        if sid:
            await self._store.delete(secret_key(sid))

    async def issue_pass(self, session: Session, order_id: str) -> Pass:
        """A one-time token for the live channel of this session's own order."""
        token = self._secret()
        expires_at_ms = self._clock.now_ms() + self._ticket_ms
        ticket = Ticket(session.key, session.user_id, order_id, expires_at_ms)
        await self._store.put_ticket(secret_key(token), ticket, self._ticket_ms)
        return Pass(token, expires_at_ms)

    async def redeem_pass(self, session: Session, order_id: str, token: str) -> bool:
        ticket = await self._store.take_ticket(secret_key(token))
        return (
            ticket is not None
            and ticket.session_key == session.key
            and ticket.order_id == order_id
            and self._clock.now_ms() < ticket.expires_at_ms
        )

    async def ping(self) -> Mapping[str, str]:
        await self._store.ping()
        return {}

    def _secret(self) -> str:
        return (
            base64.urlsafe_b64encode(self._chance.token_bytes(_SECRET_BYTES)).decode().rstrip("=")
        )


class ThumbnailMaker(Protocol):
    """What is asked of es-service for a picture."""

    async def make_thumbnail(self, command: Thumbnail) -> Made: ...


class Images:
    """Thumbnails from the object store; es-service makes the one that is not there yet.

    A picture never changes under its key, so what was read once may be kept: the pictures of a
    page cost no store, up to `kept_bytes` of them.
    """

    def __init__(
        self, objects: Objects, maker: ThumbnailMaker, *, kept_bytes: int = _SHOWN_BYTES
    ) -> None:
        self._objects = objects
        self._maker = maker
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._most_bytes = self._room = kept_bytes

    @property
    def kept_bytes(self) -> int:
        return self._most_bytes - self._room

    async def find(self, key: str, width: Width, format_: Format) -> bytes | None:
        """None when there is no such picture; `Unknown` when nobody can tell."""
        name = thumbnail_name(key, width, format_)
        content = self._kept.get(name)
        if content is not None:
            self._kept.move_to_end(name)
            return content
        content = await self._objects.get(name)
        if content is None:
            thumbnail = Thumbnail(image_key=key, width=width, format=format_)
            if not (await self._maker.make_thumbnail(thumbnail)).made:
                return None
            content = await self._objects.get(name)
        if content is not None:
            self._keep(name, content)
        return content

    def _keep(self, name: str, content: bytes) -> None:
        # Two that looked at once bring the same one twice.
        if name in self._kept or len(content) > self._most_bytes:
            return
        self._kept[name] = content
        self._room -= len(content)
        while self._room < 0:
            _, oldest = self._kept.popitem(last=False)
            self._room += len(oldest)
