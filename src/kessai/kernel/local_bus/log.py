"""The append-only log: appending, reading, trimming. Every function runs in the caller's tx."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from sqlalchemy import bindparam, delete, func, insert, select, text, update

from kessai.kernel.bus import Message, Record
from kessai.kernel.db import Tx, insert_ignore
from kessai.kernel.local_bus.limits import BusLimits
from kessai.kernel.local_bus.tables import CLAIM, HEAD, MEMBER, ONCE, RECORD

Place: TypeAlias = tuple[str, int]
Heads: TypeAlias = Mapping[Place, int]

_AT = (HEAD.c.topic == bindparam("of_topic")) & (HEAD.c.partition == bindparam("of_partition"))
_RECORDS_AT = (RECORD.c.topic == bindparam("of_topic")) & (
    RECORD.c.partition == bindparam("of_partition")
)

_ALL_HEADS = select(HEAD)
_HEAD = select(HEAD).where(_AT)
_HEADS_OF = select(HEAD).where(HEAD.c.topic == bindparam("of_topic"))
_NEW_HEAD = insert_ignore(HEAD)
_RAISE_HEAD = update(HEAD).where(_AT).values(next_position=bindparam("next"))
_RAISE_FIRST = update(HEAD).where(_AT).values(first_position=bindparam("first"))
_APPEND = insert(RECORD)
_READ = (
    select(RECORD)
    .where(_RECORDS_AT, RECORD.c.position >= bindparam("from_position"))
    .order_by(RECORD.c.position)
    .limit(bindparam("limit"))
)
_LAST_OLD = select(func.max(RECORD.c.position)).where(
    _RECORDS_AT,
    RECORD.c.position < bindparam("below"),
    RECORD.c.at_ms < bindparam("before_ms"),
)
_SLOWEST = select(func.min(CLAIM.c.position)).where(
    CLAIM.c.topic == bindparam("of_topic"), CLAIM.c.partition == bindparam("of_partition")
)
_TRIM = delete(RECORD).where(_RECORDS_AT, RECORD.c.position < bindparam("below"))
# A group without a living member and without a commit since `before_ms` is gone.
_LIVE = select(MEMBER.c.consumer_group).where(MEMBER.c.until_ms >= bindparam("before_ms"))
_RECENT = select(CLAIM.c.consumer_group).where(CLAIM.c.touched_at_ms >= bindparam("before_ms"))
_FORGET_CLAIMS = delete(CLAIM).where(
    CLAIM.c.consumer_group.not_in(_LIVE), CLAIM.c.consumer_group.not_in(_RECENT)
)
_FORGET_MEMBERS = delete(MEMBER).where(MEMBER.c.until_ms < bindparam("before_ms"))
_NEW_ONCE = insert_ignore(ONCE)
_FORGET_ONCE = delete(ONCE).where(ONCE.c.at_ms < bindparam("before_ms"))
DATA_VERSION = text("PRAGMA data_version")


async def heads(tx: Tx) -> dict[Place, int]:
    """The next position of every partition."""
    rows = (await tx.run(_ALL_HEADS)).all()
    return {(row["topic"], row["partition"]): row["next_position"] for row in rows}


async def append(
    tx: Tx, batch: Mapping[Place, Sequence[Message]], now_ms: int, partitions: int
) -> Heads:
    """Appends and returns the new heads of the partitions that grew."""
    old: dict[Place, int] = {}
    for topic in dict.fromkeys(topic for topic, _ in batch):
        old.update(await _heads_of(tx, topic, partitions))
    rows = [
        _row(place, old[place] + index, message, now_ms)
        for place, messages in batch.items()
        for index, message in enumerate(messages)
    ]
    await tx.run(_APPEND, rows)
    new = {place: old[place] + len(messages) for place, messages in batch.items()}
    await tx.run(_RAISE_HEAD, [{**_of(place), "next": head} for place, head in new.items()])
    return new


async def _heads_of(tx: Tx, topic: str, partitions: int) -> dict[Place, int]:
    rows = (await tx.run(_HEADS_OF, {"of_topic": topic})).all()
    if len(rows) < partitions:
        fresh = {"topic": topic, "first_position": 0, "next_position": 0}
        await tx.run(_NEW_HEAD, [{**fresh, "partition": p} for p in range(partitions)])
        rows = (await tx.run(_HEADS_OF, {"of_topic": topic})).all()
    return {(topic, row["partition"]): row["next_position"] for row in rows}


def _row(place: Place, position: int, message: Message, now_ms: int) -> dict[str, object]:
    return {
        "topic": place[0],
        "partition": place[1],
        "position": position,
        "at_ms": now_ms,
        "message_key": message.key,
        "value": message.value,
        "headers": json.dumps(dict(message.headers)) if message.headers else "{}",
    }


async def read(tx: Tx, place: Place, from_position: int, limit: int) -> list[Record]:
    rows = await tx.run(_READ, {**_of(place), "from_position": from_position, "limit": limit})
    return [
        Record(
            topic=place[0],
            partition=place[1],
            offset=row["position"],
            key=row["message_key"],
            value=row["value"],
            headers=json.loads(row["headers"]),
            at_ms=row["at_ms"],
        )
        for row in rows.all()
    ]


async def trim(tx: Tx, place: Place, limits: BusLimits, now_ms: int) -> int:
    """Drops up to `trim_rows` records that are old or too many and that every group has had."""
    head = (await tx.run(_HEAD, _of(place))).one()
    first: int = head["first_position"]
    following: int = head["next_position"]
    reach = min(following, first + limits.trim_rows)
    old = {"below": reach, "before_ms": now_ms - int(limits.keep_s * 1000)}
    last_old = (await tx.run(_LAST_OLD, {**_of(place), **old})).scalar()
    slowest = (await tx.run(_SLOWEST, _of(place))).scalar()
    below = max(_next_after(last_old, first), following - limits.keep_rows)
    if isinstance(slowest, int):
        below = min(below, slowest)
    below = min(reach, max(below, following - limits.hard_rows))
    if below <= first:
        return 0
    await tx.run(_TRIM, {**_of(place), "below": below})
    await tx.run(_RAISE_FIRST, {**_of(place), "first": below})
    return below - first


def _next_after(position: object, otherwise: int) -> int:
    return position + 1 if isinstance(position, int) else otherwise


async def is_new(tx: Tx, topic: str, event_id: str, now_ms: int) -> bool:
    """Whether nobody has published it yet; from now on somebody has."""
    row = {"topic": topic, "event_id": event_id, "at_ms": now_ms}
    return (await tx.run(_NEW_ONCE, row)).rowcount == 1


async def forget_once(tx: Tx, before_ms: int) -> None:
    await tx.run(_FORGET_ONCE, {"before_ms": before_ms})


async def forget_groups(tx: Tx, before_ms: int) -> None:
    await tx.run(_FORGET_CLAIMS, {"before_ms": before_ms})
    await tx.run(_FORGET_MEMBERS, {"before_ms": before_ms})


def _of(place: Place) -> dict[str, object]:
    return {"of_topic": place[0], "of_partition": place[1]}
