"""What the Temporal engine reads and writes in the service's own database."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, insert, literal_column, select, update

from kessai.saga.log.tables import SG_ANSWER, SG_EVENT, SG_INTENT, SG_MACHINE

_m = SG_MACHINE.c
_e = SG_EVENT.c
_i = SG_INTENT.c
_a = SG_ANSWER.c

INTEND = insert(SG_INTENT)
INTENTS = (
    select(_i.machine_id, _i.correlation, _i.traceparent)
    .where(_i.at <= bindparam("before"))
    .order_by(_i.at)
    .limit(bindparam("n"))
)
INTENT = select(_i.correlation, _i.traceparent).where(_i.machine_id == bindparam("m"))
STARTED = delete(SG_INTENT).where(_i.machine_id == bindparam("m"))

ANSWER = insert(SG_ANSWER)
ANSWERED = select(_a.data).where(_a.machine_id == bindparam("m"), _a.asked == bindparam("asked"))
# Of instances that rest: nothing asks for these answers again.
OLD_ANSWERS = (
    select(_a.machine_id, _a.asked)
    .where(
        _a.at < bindparam("before"),
        _a.machine_id.not_in(select(_m.id).where(_m.running == literal_column("1"))),
    )
    .order_by(_a.at)
    .limit(bindparam("n"))
)
FORGET_ANSWER = delete(SG_ANSWER).where(
    _a.machine_id == bindparam("m"), _a.asked == bindparam("asked")
)

EPOCHS = select(_e.seq, _e.epoch).where(
    _e.machine_id == bindparam("m"), _e.seq >= bindparam("first")
)
LAST_SEQ = (
    select(_e.seq)
    .where(_e.machine_id == bindparam("m"))
    .order_by(_e.seq.desc())
    .limit(literal_column("1"))
)
PUT_MACHINE = (
    update(SG_MACHINE)
    .where(_m.id == bindparam("m"))
    .values(
        owner=bindparam("o"),
        status=bindparam("s"),
        compensation=bindparam("c"),
        running=bindparam("run"),
        epoch=bindparam("e"),
        redrives=bindparam("r"),
        needs_operator=bindparam("operator"),
        ended_at=bindparam("ended"),
        due_at=None,
    )
)
# Of this engine, running for a while: the workflow behind it may have been ended by hand.
RUNNING = (
    select(_m.id)
    .where(
        _m.running == literal_column("1"),
        _m.owner == bindparam("o"),
        _m.id > bindparam("after"),
        _m.started_at < bindparam("before"),
        _m.parent_id.is_(None),
    )
    .order_by(_m.id)
    .limit(bindparam("n"))
)
