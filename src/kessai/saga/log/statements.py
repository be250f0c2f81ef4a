"""Every statement of the log that goes through SQLAlchemy, built once."""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import (
    Select,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from kessai.saga.log.rows import Change, Filter
from kessai.saga.log.tables import SG_ENGINE, SG_EVENT, SG_MACHINE

Statement: TypeAlias = Select[Any]
MAX_PAGE = 1_000

_m = SG_MACHINE.c
_e = SG_EVENT.c
_n = SG_ENGINE.c

INSERT_EVENT = insert(SG_EVENT)
INSERT_MACHINE = insert(SG_MACHINE)
COMPENSATING = (
    update(SG_MACHINE)
    .where(_m.id == bindparam("m"))
    .values(status=literal_column("'UN'"), compensation=bindparam("c"))
)
END = (
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
CLAIM = (
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
MACHINE = select(SG_MACHINE).where(_m.id == bindparam("m"))
BY_KEY = select(SG_MACHINE).where(_m.name == bindparam("n"), _m.business_key == bindparam("k"))
CHILD = (
    select(SG_MACHINE)
    .where(_m.parent_id == bindparam("p"))
    .order_by(_m.started_at.desc(), _m.id.desc())
    .limit(literal_column("1"))
)
HISTORY = select(SG_EVENT).where(_e.machine_id == bindparam("m")).order_by(_e.seq)
EPOCH_AT = select(_e.epoch).where(_e.machine_id == bindparam("m"), _e.seq == bindparam("s"))
# What runs is never due. Asked for `running = 0` as well, SQLite would take that index.
DUE = select(_m.id).where(_m.due_at <= bindparam("now")).order_by(_m.due_at).limit(bindparam("n"))
COUNT_NEEDS_OPERATOR = (
    select(func.count()).select_from(SG_MACHINE).where(_m.needs_operator == literal_column("1"))
)

REGISTER = insert(SG_ENGINE)
RENEW = update(SG_ENGINE).where(_n.owner == bindparam("o")).values(lease_until=bindparam("t"))
PREDECESSORS = (
    update(SG_ENGINE)
    .where(_n.owner.like(bindparam("prefix"), escape="\\"), _n.owner != bindparam("o"))
    .values(lease_until=literal_column("0"))
)
# Without an order: asked for one by id, SQLite walks through every instance that ever was.
ORPHANS = (
    select(_m.id, _m.owner)
    .select_from(SG_MACHINE.outerjoin(SG_ENGINE, _m.owner == _n.owner))
    .where(
        _m.running == literal_column("1"),
        _m.owner != bindparam("o"),
        or_(_n.owner.is_(None), _n.lease_until < bindparam("now")),
    )
    .limit(bindparam("n"))
)
OWN = select(_m.id).where(
    _m.running == literal_column("1"),
    _m.owner == bindparam("o"),
    _m.started_at < bindparam("before"),
)
DEAD = (
    select(_n.owner)
    .where(
        _n.lease_until < bindparam("now"),
        _n.owner.not_in(select(_m.owner).where(_m.running == literal_column("1"))),
    )
    .order_by(_n.owner)
)
FORGET = delete(SG_ENGINE).where(_n.owner == bindparam("o"), _n.lease_until < bindparam("now"))
LEASE = select(_n.lease_until).where(_n.owner == bindparam("o"))

# Settled roots only: what is due again or waits for a person stays, with its sub machines.
OLD = (
    select(_m.id)
    .where(
        _m.ended_at < bindparam("before"),
        _m.parent_id.is_(None),
        _m.running != literal_column("1"),
        func.coalesce(_m.due_at, literal_column("0")) == literal_column("0"),
        _m.needs_operator != literal_column("1"),
    )
    .order_by(_m.ended_at)
    .limit(bindparam("n"))
)
# The children's parent_id is "<id>:<step>", and ";" comes right after ":".
CHILDREN = select(_m.id).where(_m.parent_id > bindparam("low"), _m.parent_id < bindparam("high"))
DELETE_EVENTS = delete(SG_EVENT).where(_e.machine_id == bindparam("m"))
DELETE_MACHINE = delete(SG_MACHINE).where(_m.id == bindparam("m"))


def end_values(instance_id: str, change: Change) -> dict[str, object]:
    return {
        "m": instance_id,
        "s": change.status,
        "c": change.compensation,
        "at": change.ended_at,
        "due": change.rest.due_ms,
        "operator": int(change.rest.needs_operator),
    }


def listing(wanted: Filter) -> Statement:
    """Newest first, by id, which is ordered by time; every filter has an index or is a key."""
    statement = select(SG_MACHINE).order_by(_m.id.desc()).limit(min(wanted.limit, MAX_PAGE))
    equal = {
        _m.status: wanted.status,
        _m.compensation: wanted.compensation,
        _m.name: wanted.machine,
        _m.business_key: wanted.business_key,
    }
    for column, value in equal.items():
        if value is not None:
            statement = statement.where(column == value)
    if wanted.running is not None:
        statement = statement.where(_m.running == int(wanted.running))
    if wanted.needs_operator is not None:
        statement = statement.where(_m.needs_operator == int(wanted.needs_operator))
    if wanted.before_id is not None:
        statement = statement.where(_m.id < wanted.before_id)
    return statement
