"""The saga log in SQL: append-only events whose primary key is the fence (design.md section 6)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.engine import RowMapping

from kessai.kernel.db import Tx
from kessai.kernel.errors import Duplicate, Fenced, JsonValue
from kessai.saga.history import Event, EventKind, Run, apply_claim

METADATA = MetaData()
MEDIUM_TEXT = 16_777_215

SG_EVENT = Table(
    "sg_event",
    METADATA,
    Column("machine_id", String(26), nullable=False),
    Column("seq", Integer, nullable=False, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("name", String(128), nullable=False),
    Column("status", String(2), nullable=False),
    Column("data", Text(MEDIUM_TEXT), nullable=False),
    PrimaryKeyConstraint("machine_id", "seq", name="pk_sg_event"),
)

SG_MACHINE = Table(
    "sg_machine",
    METADATA,
    Column("id", String(26), nullable=False),
    Column("name", String(128), nullable=False),
    Column("version", String(32), nullable=False),
    Column("business_key", String(128), nullable=True),
    Column("status", String(2), nullable=False),
    Column("compensation", String(2), nullable=True),
    Column("running", Integer, nullable=False),
    Column("owner", String(100), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("redrives", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=True),
    Column("needs_operator", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=True),
    PrimaryKeyConstraint("id", name="pk_sg_machine"),
    UniqueConstraint("name", "business_key", name="uq_sg_machine_name_business_key"),
    Index("ix_sg_machine_running_owner", "running", "owner"),
    Index("ix_sg_machine_due_at", "due_at"),
    Index("ix_sg_machine_needs_operator", "needs_operator"),
)

SG_ENGINE = Table(
    "sg_engine",
    METADATA,
    Column("owner", String(100), nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    PrimaryKeyConstraint("owner", name="pk_sg_engine"),
)

_m = SG_MACHINE.c
_e = SG_EVENT.c

_INSERT_EVENT = insert(SG_EVENT)
_INSERT_MACHINE = insert(SG_MACHINE)
_COMPENSATING = (
    update(SG_MACHINE).where(_m.id == bindparam("m")).values(compensation=bindparam("c"))
)
_END = (
    update(SG_MACHINE)
    .where(_m.id == bindparam("m"))
    .values(
        status=bindparam("s"),
        compensation=bindparam("c"),
        running=literal_column("0"),
        ended_at=bindparam("at"),
        due_at=bindparam("due"),
        needs_operator=bindparam("operator"),
    )
)
_CLAIM = (
    update(SG_MACHINE)
    .where(_m.id == bindparam("m"), _m.epoch == bindparam("old"))
    .values(
        owner=bindparam("o"),
        epoch=bindparam("new"),
        running=literal_column("1"),
        status=bindparam("s"),
        compensation=bindparam("c"),
        redrives=bindparam("r"),
        due_at=None,
        needs_operator=literal_column("0"),
        ended_at=None,
    )
)
_MACHINE = select(SG_MACHINE).where(_m.id == bindparam("m"))
_BY_KEY = select(SG_MACHINE).where(_m.name == bindparam("n"), _m.business_key == bindparam("k"))
_HISTORY = select(SG_EVENT).where(_e.machine_id == bindparam("m")).order_by(_e.seq)
_EPOCH_AT = select(_e.epoch).where(_e.machine_id == bindparam("m"), _e.seq == bindparam("s"))
_DUE = (
    select(_m.id)
    .where(_m.due_at <= bindparam("now"), _m.running == literal_column("0"))
    .order_by(_m.due_at)
    .limit(bindparam("n"))
)
_COUNT_NEEDS_OPERATOR = (
    select(func.count()).select_from(SG_MACHINE).where(_m.needs_operator == literal_column("1"))
)


@dataclass(frozen=True, slots=True)
class Rest:
    """Where an instance stays after its end: nowhere, due again, or with an operator."""

    due_ms: int | None = None
    needs_operator: bool = False


NO_REST = Rest()


@dataclass(slots=True)
class Instance:
    """A run in this process, and under which epoch it may write."""

    run: Run
    epoch: int
    redrives: int = 0
    started_at: int = 0


def encode(body: Mapping[str, JsonValue]) -> str:
    """Raises ValueError for what JSON cannot keep."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def decode(row: RowMapping) -> Event:
    return Event(EventKind(row["kind"]), row["name"], row["status"], json.loads(row["data"]))


async def create(tx: Tx, instance: Instance, event: Event, *, owner: str, at: int) -> None:
    """The machine row and its first event. Raises `Duplicate` for a taken business key."""
    run = instance.run
    end = cast("Mapping[str, JsonValue] | None", event.body.get("end"))
    row = {
        "id": run.instance_id,
        "name": run.machine.name,
        "version": run.machine.version,
        "business_key": run.business_key,
        "status": end["status"] if end else run.status,
        "compensation": None,
        "running": 0 if end else 1,
        "owner": owner,
        "epoch": instance.epoch,
        "redrives": 0,
        "due_at": None,
        "needs_operator": 0,
        "started_at": at,
        "ended_at": at if end else None,
    }
    await tx.run(_INSERT_MACHINE, row)
    await tx.run(_INSERT_EVENT, _row(instance, event, encode(event.body), at))


async def append(
    tx: Tx, instance: Instance, event: Event, encoded: str, rest: Rest, *, at: int
) -> None:
    """The next row of an instance; `Fenced` when that place in its history is taken."""
    try:
        await tx.run(_INSERT_EVENT, _row(instance, event, encoded, at))
    except Duplicate as error:
        raise Fenced(f"instance {instance.run.instance_id} has another owner") from error
    await _update_machine(tx, instance, event, rest, at)


async def claim(
    tx: Tx, instance: Instance, event: Event, rest: Rest, *, owner: str, at: int
) -> None:
    """A takeover: the claim row fences the old owner, then the machine row changes hands.

    `instance` carries the new epoch and the run before the claim is applied.
    """
    try:
        await tx.run(_INSERT_EVENT, _row(instance, event, encode(event.body), at))
    except Duplicate as error:
        raise Fenced(f"instance {instance.run.instance_id} was claimed") from error
    status, compensation = after_claim(instance.run, event)
    change = {
        "m": instance.run.instance_id,
        "old": instance.epoch - 1,
        "new": instance.epoch,
        "o": owner,
        "s": status,
        "c": compensation,
        "r": instance.redrives,
    }
    if (await tx.run(_CLAIM, change)).rowcount != 1:
        raise Fenced(f"instance {instance.run.instance_id} was claimed")
    await _update_machine(tx, instance, event, rest, at)


async def machine_row(tx: Tx, instance_id: str) -> RowMapping | None:
    return (await tx.run(_MACHINE, {"m": instance_id})).first()


async def machine_by_key(tx: Tx, name: str, business_key: str) -> RowMapping | None:
    return (await tx.run(_BY_KEY, {"n": name, "k": business_key})).first()


async def history(tx: Tx, instance_id: str) -> Sequence[RowMapping]:
    return (await tx.run(_HISTORY, {"m": instance_id})).all()


async def epoch_at(tx: Tx, instance_id: str, seq: int) -> int | None:
    return cast("int | None", (await tx.run(_EPOCH_AT, {"m": instance_id, "s": seq})).scalar())


async def due(tx: Tx, now_ms: int, limit: int) -> list[str]:
    rows = await tx.run(_DUE, {"now": now_ms, "n": limit})
    return [row["id"] for row in rows.all()]


async def count_needing_operator(tx: Tx) -> int:
    return cast("int", (await tx.run(_COUNT_NEEDS_OPERATOR)).scalar())


def after_claim(run: Run, event: Event) -> tuple[str, str | None]:
    """Statuses that the machine row shows while the instance runs again."""
    from_claim = Run(run.machine, run.instance_id, status=run.status, compensation=run.compensation)
    apply_claim(from_claim, event.body)
    return from_claim.status, from_claim.compensation


async def _update_machine(tx: Tx, instance: Instance, event: Event, rest: Rest, at: int) -> None:
    body = event.body
    end = cast("Mapping[str, JsonValue] | None", body.get("end"))
    if end is not None:
        change = {
            "m": instance.run.instance_id,
            "s": end["status"],
            "c": end["compensation"],
            "at": at,
            "due": rest.due_ms,
            "operator": int(rest.needs_operator),
        }
        await tx.run(_END, change)
    elif "undo" in body:
        await tx.run(_COMPENSATING, {"m": instance.run.instance_id, "c": "RU"})


def _row(instance: Instance, event: Event, encoded: str, at: int) -> dict[str, object]:
    return {
        "machine_id": instance.run.instance_id,
        "seq": instance.run.seq + 1,
        "epoch": instance.epoch,
        "kind": event.kind.value,
        "at": at,
        "name": event.name,
        "status": event.status,
        "data": encoded,
    }
