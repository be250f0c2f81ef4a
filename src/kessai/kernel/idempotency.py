"""Idempotency keys: the row lies in the business transaction, so key and effect are one commit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, cast

from sqlalchemy import bindparam, delete, func, select, update

from kessai.kernel.db import Row, Tx, insert_ignore
from kessai.kernel.errors import Invalid, Refused
from kessai.kernel.kernel_tables import IDEMPOTENCY

KEY_LENGTH = 255
SHORTEST_MEMORY_MS = 24 * 3600 * 1000


class State(StrEnum):
    IN_FLIGHT = "IN_FLIGHT"
    ANSWERED = "ANSWERED"


@dataclass(frozen=True, slots=True)
class Began:
    """The key is new: do the work in this transaction."""

    subject_id: str


@dataclass(frozen=True, slots=True)
class InFlight:
    """The same request is being worked on; `progressed_at_ms` tells whether it still moves."""

    subject_id: str
    progressed_at_ms: int


@dataclass(frozen=True, slots=True)
class Replay:
    """The same request was answered before: say it again. `answer` is JSON."""

    subject_id: str
    status_code: int
    answer: str


Beginning: TypeAlias = Began | InFlight | Replay

_THIS = (IDEMPOTENCY.c.scope == bindparam("of_scope")) & (
    IDEMPOTENCY.c.request_key == bindparam("of_key")
)
_BEGIN = insert_ignore(IDEMPOTENCY)
_FIND = select(IDEMPOTENCY).where(_THIS)
_ANSWER = (
    update(IDEMPOTENCY)
    .where(_THIS)
    .values(
        state=bindparam("state"),
        status_code=bindparam("status_code"),
        answer=bindparam("answer"),
        progressed_at_ms=bindparam("progressed_at_ms"),
    )
)
_PROGRESS = update(IDEMPOTENCY).where(_THIS).values(progressed_at_ms=bindparam("progressed_at_ms"))
_OLDEST = (
    select(IDEMPOTENCY.c.created_at_ms)
    .where(IDEMPOTENCY.c.created_at_ms < bindparam("before_ms"))
    .order_by(IDEMPOTENCY.c.created_at_ms)
    .limit(bindparam("limit"))
    .subquery()
)
_LAST_OF_OLDEST = select(func.max(_OLDEST.c.created_at_ms))
_FORGET = delete(IDEMPOTENCY).where(IDEMPOTENCY.c.created_at_ms <= bindparam("until_ms"))


async def begin(
    tx: Tx, scope: str, key: str, request_hash: str, subject_id: str, now_ms: int
) -> Beginning:
    """Takes the key for `subject_id` (the id of what will be made) or tells what became of it.

    Raises `Refused` IDEMPOTENCY_CONFLICT when the key was used for another request.
    """
    if not 1 <= len(key) <= KEY_LENGTH:
        raise Invalid("Idempotency-Key", "LENGTH", f"a key has 1 to {KEY_LENGTH} characters")
    row = {
        "scope": scope,
        "request_key": key,
        "request_hash": request_hash,
        "state": State.IN_FLIGHT,
        "subject_id": subject_id,
        "created_at_ms": now_ms,
        "progressed_at_ms": now_ms,
    }
    if (await tx.run(_BEGIN, row)).rowcount == 1:
        return Began(subject_id)
    found = (await tx.run(_FIND, _of(scope, key))).one()
    if found["request_hash"] != request_hash:
        raise Refused("IDEMPOTENCY_CONFLICT", "the key was used for another request")
    return _earlier(found)


def _earlier(row: Row) -> Beginning:
    subject_id = cast(str, row["subject_id"])
    if row["state"] == State.ANSWERED:
        return Replay(subject_id, cast(int, row["status_code"]), cast(str, row["answer"]))
    return InFlight(subject_id, cast(int, row["progressed_at_ms"]))


async def answer(
    tx: Tx, scope: str, key: str, *, status_code: int, answer: str, now_ms: int
) -> None:
    """Keeps the answer (JSON) for replays. Raises `LookupError` for a key that never began."""
    row = {"state": State.ANSWERED, "status_code": status_code, "answer": answer}
    found = await tx.run(_ANSWER, {**_of(scope, key), **row, "progressed_at_ms": now_ms})
    if found.rowcount != 1:
        raise LookupError(f"no idempotency key {key!r} in {scope!r}")


async def progress(tx: Tx, scope: str, key: str, now_ms: int) -> None:
    """Notes that the work behind the key still moves."""
    await tx.run(_PROGRESS, {**_of(scope, key), "progressed_at_ms": now_ms})


async def purge(tx: Tx, now_ms: int, older_than_ms: int, *, limit: int = 1000) -> int:
    """Forgets about `limit` of the oldest keys; clients may repeat a request for 24 hours."""
    if older_than_ms < SHORTEST_MEMORY_MS:
        raise ValueError("an idempotency key is kept for 24 hours at least")
    oldest = {"before_ms": now_ms - older_than_ms, "limit": limit}
    until_ms = (await tx.run(_LAST_OF_OLDEST, oldest)).scalar()
    if until_ms is None:
        return 0
    return (await tx.run(_FORGET, {"until_ms": until_ms})).rowcount


def _of(scope: str, key: str) -> dict[str, object]:
    return {"of_scope": scope, "of_key": key}
