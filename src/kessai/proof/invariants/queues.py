"""Queues: what waits inside the services for its turn, and sagas that have not come to an end."""

from __future__ import annotations

from sqlalchemy import bindparam, or_, select, table

from kessai.proof.invariants.books import Look
from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.rows import SagaRow
from kessai.proof.invariants.sql import Statement, col, cols, made, rows_of

_MOST = 10_000

_SAGAS: Statement = (
    rows_of(SagaRow, "sg_machine")
    .where(
        or_(
            col("running") == 1,
            col("needs_operator") == 1,
            col("due_at").is_not(None),
            col("ended_at").is_(None),
        ),
    )
    .order_by(col("started_at"))
    .limit(_MOST)
)
_DUE: tuple[tuple[str, Statement], ...] = tuple(
    (
        name,
        select(*cols("id", "due_at_ms"))
        .select_from(table(name))
        .where(col("due_at_ms") < bindparam("before_ms"))
        .order_by(*cols("due_at_ms", "id"))
        .limit(_MOST),
    )
    for name in ("attempt", "refund", "webhook_inbox", "settlement_file")
)


async def queues_drain(look: Look, tally: Tally) -> None:
    """Every queue drains: no saga needs an operator or runs for longer than an order may, and
    nothing that is due waits for its turn for long."""
    limits = look.limits
    deadline_s = look.books.settings.order_deadline_s
    async with look.books.order.read() as tx:
        rows = made(SagaRow, await tx.run(_SAGAS))
    for saga in rows:
        tally.checked += 1
        name = f"{saga.name} of {saga.business_key}"
        if saga.needs_operator:
            tally.wrong(name, "needs an operator", saga)
            continue
        if (saga.running == 1) != (saga.ended_at is None):
            why = f"running is {saga.running}, its end {saga.ended_at}"
            tally.wrong(name, why, saga)
            continue
        limit_s = deadline_s + limits.order_end_s + limits.refund_s
        tally.unsettled(name, "has not ended", saga, saga.started_at, limit_s)
    for table_name, statement in _DUE:
        async with look.books.payment.read() as tx:
            found = (await tx.run(statement, {"before_ms": tally.now_ms})).all()
        for row in found:
            tally.checked += 1
            why = f"a row of {table_name} is due and nobody takes it"
            tally.unsettled(str(row["id"]), why, row, row["due_at_ms"], limits.message_s)
