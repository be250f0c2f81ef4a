"""The outbox: events leave with the transaction that caused them, in order, at least once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from sqlalchemy import bindparam, delete, func, insert, select, text, update

from kessai.kernel.bus import Bus, Message, Retry, set_within
from kessai.kernel.clock import Clock
from kessai.kernel.crash_points import reached
from kessai.kernel.db import Db, Row, Tx
from kessai.kernel.errors import Fenced, Unknown
from kessai.kernel.kernel_tables import OUTBOX
from kessai.kernel.leases import Lease, check, claim, release, renew
from kessai.kernel.telemetry import get_log, outgoing_headers

if TYPE_CHECKING:
    from kessai.kernel.runtime import Runtime

_log = get_log(__name__)
EVENT_ID_HEADER = "event-id"
_SHORTEST_PAUSE_S = 0.001
LATE_AMONG = 10_000

# A literal: SQLite uses the partial index for `sent = 0`, and for `sent = ?` it scans the table.
_UNSENT = text("sent = 0")
_ADD = insert(OUTBOX)
# Not those behind the last one that left: MySQL gives ids before the commit, so that a smaller one
# may come later, and what its order tells next must not overtake it.
_NEXT = (
    select(OUTBOX)
    .where(_UNSENT, OUTBOX.c.id.not_in(bindparam("left", expanding=True)))
    .order_by(OUTBOX.c.id)
    .limit(bindparam("limit"))
)
_MARK = (
    update(OUTBOX)
    .where(OUTBOX.c.id.in_(bindparam("ids", expanding=True)))
    .values(sent=1, sent_at_ms=bindparam("now_ms"))
)
_LAG = select(
    func.count().label("messages"),
    func.min(OUTBOX.c.id).label("oldest_id"),
    func.min(OUTBOX.c.created_at_ms).label("oldest_ms"),
).where(_UNSENT)
_NEWEST = (
    select(OUTBOX.c.id, OUTBOX.c.created_at_ms, OUTBOX.c.sent_at_ms)
    .order_by(OUTBOX.c.id.desc())
    .limit(bindparam("limit"))
    .subquery()
)
_LAST_LATE = select(func.max(_NEWEST.c.id)).where(
    _NEWEST.c.sent_at_ms - _NEWEST.c.created_at_ms > bindparam("limit_ms")
)
_OLDEST = (
    select(OUTBOX.c.id, OUTBOX.c.sent_at_ms)
    .order_by(OUTBOX.c.id)
    .limit(bindparam("limit"))
    .subquery()
)
_LAST_OF_OLDEST = select(func.max(_OLDEST.c.id)).where(
    _OLDEST.c.sent_at_ms < bindparam("before_ms")
)
# An unsent row has no `sent_at_ms`, so it is never older than anything.
_FORGET = delete(OUTBOX).where(
    OUTBOX.c.id <= bindparam("until_id"), OUTBOX.c.sent_at_ms < bindparam("before_ms")
)


@dataclass(frozen=True, slots=True)
class Lag:
    """Of what is not marked as sent."""

    messages: int
    oldest_age_s: float
    oldest_id: int | None = None


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    batch: int = 200
    # Messages that another process wrote, and wake-ups that were missed, wait at most so long.
    fallback_poll_s: float = 1.0
    lease_s: float = 5.0
    # "Sent" is written late and for many at once; a crash before it means sending again.
    mark_after_s: float = 0.1
    keep_sent_s: float = 24 * 3600.0
    purge_every_s: float = 60.0
    purge_rows: int = 500
    retry: Retry = field(default_factory=Retry)


@dataclass(frozen=True, slots=True)
class Leaving:
    """One of many messages of a transaction."""

    key: str
    value: bytes
    event_id: str


class Outbox:
    """One relay at a time publishes a service's messages in the order of their ids."""

    def __init__(
        self,
        db: Db,
        bus: Bus,
        clock: Clock,
        *,
        service: str,
        owner: str,
        limits: OutboxLimits | None = None,
    ) -> None:
        self._db = db
        self._bus = bus
        self._clock = clock
        self._lease_name = f"outbox-relay:{service}"
        self._points = (f"publish:{service}:before", f"publish:{service}:after")
        self._owner = owner
        self._limits = limits or OutboxLimits()
        self._wake = asyncio.Event()
        self._lease: Lease | None = None
        self._unmarked: list[int] = []
        self._mark_at_s = 0.0
        # Until then nothing is to be looked for, unless somebody of this process has written.
        self._look_at_s = 0.0
        self._purge_at_s = 0.0

    async def add(
        self,
        tx: Tx,
        topic: str,
        key: str,
        value: bytes,
        *,
        event_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """In the business transaction: the message is published if, and only if, it commits."""
        row = _row(topic, Leaving(key, value, event_id), headers or {}, self._clock.now_ms())
        await tx.run(_ADD, row)
        tx.after_commit(self._wake.set)

    async def add_all(self, tx: Tx, topic: str, messages: Sequence[Leaving]) -> None:
        """The same for many at once, in their order."""
        if messages:
            now_ms = self._clock.now_ms()
            await tx.run(_ADD, [_row(topic, message, {}, now_ms) for message in messages])
            tx.after_commit(self._wake.set)

    async def relay(self) -> None:
        """A loop for the Supervisor; only cancellation or a mistake in the code ends it."""
        failures = 0
        try:
            while True:
                try:
                    pause_s = await self._round()
                except Unknown as error:
                    failures += 1
                    if failures == 1:
                        _log.warning("outbox.relay_waits", lease=self._lease_name, code=error.code)
                    pause_s = self._limits.retry.pause_s(failures)
                    await asyncio.sleep(pause_s)
                    continue
                if failures:
                    _log.info("outbox.relay_goes_on", lease=self._lease_name, failures=failures)
                failures = 0
                await set_within(self._wake, pause_s)
        finally:
            await self._hand_over()

    async def lag(self) -> Lag:
        """Messages that are not marked as sent, and the age of the oldest."""
        async with self._db.read() as tx:
            row = (await tx.run(_LAG)).one()
        if row["oldest_ms"] is None:
            return Lag(0, 0.0)
        age_s = max(0, self._clock.now_ms() - row["oldest_ms"]) / 1000
        return Lag(row["messages"], age_s, row["oldest_id"])

    async def last_late(self, limit_s: float) -> int | None:
        """The newest of the last messages that left later than `limit_s` after it was written."""
        asked = {"limit": LATE_AMONG, "limit_ms": int(limit_s * 1000)}
        async with self._db.read() as tx:
            late_id = (await tx.run(_LAST_LATE, asked)).scalar()
        return cast("int | None", late_id)

    async def purge(self) -> int:
        """Forgets the oldest sent messages that are past their keeping time, within a limit."""
        before_ms = self._clock.now_ms() - int(self._limits.keep_sent_s * 1000)
        oldest = {"before_ms": before_ms, "limit": self._limits.purge_rows}
        async with self._db.transaction() as tx:
            until_id = (await tx.run(_LAST_OF_OLDEST, oldest)).scalar()
            if until_id is None:
                return 0
            forgotten = await tx.run(_FORGET, {"until_id": until_id, "before_ms": before_ms})
            return forgotten.rowcount

    async def _round(self) -> float:
        """One look at the table; returns how long there is nothing to do without a wake-up."""
        if self._wake.is_set():
            self._wake.clear()
            self._look_at_s = 0.0
        try:
            await self._mark_if_late()
            if self._clock.monotonic() < self._look_at_s:
                # It was time for the marks only.
                return self._pause_s()
            rows = await self._next()
            if rows and not await self._hold():
                # Another process relays; it finds our messages by its own fallback poll.
                await asyncio.sleep(self._limits.fallback_poll_s)
                return 0.0
        except Fenced:
            return self._step_back()
        if rows:
            await self._publish(rows)
            if len(rows) == self._limits.batch:
                return 0.0
        self._look_at_s = self._clock.monotonic() + self._limits.fallback_poll_s
        await self._purge_if_late()
        return self._pause_s()

    async def _next(self) -> Sequence[Row]:
        # No row has the id 0.
        left = tuple(self._unmarked) or (0,)
        async with self._db.read() as tx:
            return (await tx.run(_NEXT, {"left": left, "limit": self._limits.batch})).all()

    async def _hold(self) -> bool:
        """The right to publish; an idle relay lets it run out and so writes nothing."""
        now_ms, ttl_ms = self._clock.now_ms(), int(self._limits.lease_s * 1000)
        lease = self._lease
        if lease is not None and lease.until_ms - now_ms > ttl_ms // 2:
            return True
        async with self._db.transaction() as tx:
            if lease is None:
                lease = await claim(tx, self._lease_name, self._owner, ttl_ms, now_ms)
            else:
                lease = await renew(tx, lease, ttl_ms, now_ms)
        self._lease = lease
        return lease is not None

    def _step_back(self) -> float:
        """Another relay has taken over and sends again what was not marked."""
        _log.warning("outbox.relay_fenced", lease=self._lease_name, owner=self._owner)
        self._lease = None
        self._unmarked.clear()
        self._look_at_s = 0.0
        return self._limits.lease_s

    async def _publish(self, rows: Sequence[Row]) -> None:
        reached(self._points[0])
        await self._bus.publish([_message(row) for row in rows])
        reached(self._points[1])
        if not self._unmarked:
            self._mark_at_s = self._clock.monotonic() + self._limits.mark_after_s
        self._unmarked.extend(cast(int, row["id"]) for row in rows)

    async def _mark_if_late(self) -> None:
        many = len(self._unmarked) >= self._limits.batch
        if many or (self._unmarked and self._clock.monotonic() >= self._mark_at_s):
            async with self._db.transaction() as tx:
                await self._mark(tx)
            self._unmarked.clear()

    async def _mark(self, tx: Tx) -> None:
        """Under the fence: a zombie may have published twice, but it writes nothing."""
        if self._lease is None:
            raise Fenced("published without a lease")
        await check(tx, self._lease)
        await tx.run(_MARK, {"ids": tuple(self._unmarked), "now_ms": self._clock.now_ms()})

    async def _purge_if_late(self) -> None:
        now_s = self._clock.monotonic()
        if now_s >= self._purge_at_s:
            forgotten = await self.purge()
            full = forgotten >= self._limits.purge_rows
            self._purge_at_s = now_s + (0.0 if full else self._limits.purge_every_s)

    def _pause_s(self) -> float:
        at_s = min(self._mark_at_s, self._look_at_s) if self._unmarked else self._look_at_s
        return max(_SHORTEST_PAUSE_S, at_s - self._clock.monotonic())

    async def _hand_over(self) -> None:
        """A graceful end: the next relay need neither wait nor send anything twice."""
        if self._lease is None:
            return
        try:
            async with self._db.transaction() as tx:
                if self._unmarked:
                    await self._mark(tx)
                await release(tx, self._lease)
        except (Unknown, Fenced) as error:
            _log.warning("outbox.not_handed_over", lease=self._lease_name, error=str(error))
        self._lease = None
        self._unmarked.clear()


def _row(
    topic: str, message: Leaving, headers: Mapping[str, str], now_ms: int
) -> dict[str, object]:
    own = {**outgoing_headers(), **headers, EVENT_ID_HEADER: message.event_id}
    return {
        "topic": topic,
        "message_key": message.key,
        "value": message.value,
        "headers": json.dumps(own),
        "event_id": message.event_id,
        "created_at_ms": now_ms,
        "sent": 0,
    }


def open_outbox(runtime: Runtime, db: Db, service: str) -> Outbox:
    """The outbox of a service, with what its settings say."""
    return Outbox(
        db,
        runtime.bus,
        runtime.clock,
        service=service,
        owner=runtime.instance,
        limits=OutboxLimits(fallback_poll_s=runtime.settings.idle_poll_s),
    )


def _message(row: Row) -> Message:
    return Message(row["topic"], row["message_key"], row["value"], json.loads(row["headers"]))
