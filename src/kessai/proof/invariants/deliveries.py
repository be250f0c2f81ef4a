"""The way of the events: from each outbox over the bus to whoever must hear them; and webhooks.

The bus is read before the outboxes, and its newest records once more after them: what an outbox
calls sent is then on the bus, whatever was sent meanwhile. Events are kept as eight bytes each.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, func, select, table

from kessai.kernel.db import Db
from kessai.proof.invariants.books import Look
from kessai.proof.invariants.bus import BusSeen, read_bus
from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.rows import WebhookRow
from kessai.proof.invariants.sql import Statement, col, made, rows_of
from kessai.proof.invariants.told import OutboxRow

_PAGE = 5000
_NAMES = 500
# The consumer of payment events; its group on the bus has the same name.
CONSUMER = "order-service.payments"

_FIRST: Statement = select(func.min(col("id"))).select_from(table("outbox"))
_EARLIER: Statement = (
    select(func.count().label("rows"))
    .select_from(table("outbox"))
    .where(col("event_id") == bindparam("event"), col("id") < bindparam("below"))
)
_HEARD: Statement = (
    select(col("event_id"))
    .select_from(table("inbox"))
    .where(col("consumer") == bindparam("consumer"), col("event_id") > bindparam("after"))
    .order_by(col("event_id"))
    .limit(_PAGE)
)
_WEBHOOKS: Statement = (
    rows_of(WebhookRow, "webhook_inbox")
    .where(col("id") > bindparam("after"))
    .order_by(col("id"))
    .limit(_PAGE)
)


async def every_message_arrives(look: Look, tally: Tally) -> None:
    """Every row of an outbox reaches the bus soon, as it was written, and nothing else is there, in
    the order of each order's versions; and what the consumer of payments has handled it has
    applied, once."""
    books = look.books
    if books.bus is None:
        return
    seen = await _bus(look)
    for subject, why, shown in seen.disordered:
        tally.wrong(subject, why, shown)
    missing: list[tuple[Db, OutboxRow]] = []
    for outbox in look.outboxes:
        async for rows in outbox.pages():
            _compare(look, outbox.db, rows, seen, missing, tally)
    await seen.catch_up(books.bus)
    for db, row in missing:
        if not seen.has(row) and not await _is_repeat(db, row):
            why = "sent, and it is not on the bus, or not with this content"
            tally.wrong(row.event_id, why, row.shown())
    for record in await seen.unexplained(books.bus):
        why = "on the bus, and in no outbox, or not with this content"
        tally.wrong(record.message_key, why, record.shown())
    await _is_applied(look, seen, tally)
    for record in seen.behind:
        why = f"waits for {CONSUMER}"
        limit_s = look.limits.message_s
        tally.unsettled(record.message_key, why, record.shown(), record.at_ms, limit_s)


async def _bus(look: Look) -> BusSeen:
    found: BusSeen | None = look.kept.get("bus")
    if found is None:
        books = look.books
        assert books.bus is not None
        from_ms = 0
        for outbox in look.outboxes:
            async with outbox.db.read() as tx:
                if (await tx.run(_FIRST)).scalar() != 1:
                    # Sent rows are forgotten: only younger records can be compared.
                    from_ms = books.clock.now_ms() - int(look.limits.outbox_kept_s * 1000)
        found = look.kept["bus"] = await read_bus(books.bus, CONSUMER, from_ms)
    return found


def _compare(
    look: Look,
    db: Db,
    rows: list[OutboxRow],
    seen: BusSeen,
    missing: list[tuple[Db, OutboxRow]],
    tally: Tally,
) -> None:
    tally.checked += len(rows)
    for row in rows:
        if seen.explain(row, row.event_id):
            # The relay marks late and for many at once, so it may be on the bus and not marked.
            continue
        if row.sent == 0:
            limit_s, since_ms = look.limits.message_s, row.created_at_ms
            tally.unsettled(row.event_id, "not sent yet", row.shown(), since_ms, limit_s)
        elif seen.must_have(row.topic, row.created_at_ms):
            missing.append((db, row))


async def _is_repeat(db: Db, row: OutboxRow) -> bool:
    """The same fact told twice is one event: the first of the two rows explained the record."""
    of = {"event": row.event_id, "below": row.id}
    async with db.read() as tx:
        return bool((await tx.run(_EARLIER, of)).scalar())


async def _is_applied(look: Look, seen: BusSeen, tally: Tally) -> None:
    tally.checked += len(seen.due)
    after = ""
    while seen.due:
        async with look.books.order.read() as tx:
            heard = (await tx.run(_HEARD, {"consumer": CONSUMER, "after": after})).tuples()
        for (event_id,) in heard:
            seen.due.pop(event_id, None)
        if len(heard) < _PAGE:
            break
        after = heard[-1][0]
    for event_id in seen.due:
        if event_id not in seen.buried:
            why = f"handled by {CONSUMER}, and it was never applied"
            tally.wrong(event_id, why, {"event_id": event_id})


async def dead_letters_are_counted(look: Look, tally: Tally) -> None:
    """Each partition has every record from its first position to its next, no consumer is beyond
    its end, and a dead letter names the record that it was and waits for an operator."""
    if look.books.bus is None:
        return
    seen = await _bus(look)
    tally.checked += seen.records
    for subject, why, row in seen.miscounted:
        tally.wrong(subject, why, row)
    for letter in seen.dead:
        limit_s = look.limits.dead_letter_s
        why = f"a dead letter of {letter.consumer}: {letter.error}"
        tally.unsettled(letter.name, why, letter.row, letter.at_ms, limit_s)


async def webhooks_are_worked_off(look: Look, tally: Tally) -> None:
    """A webhook that was answered is stored, and each stored one is looked into soon, or parked,
    with the reason."""
    after = ""
    while True:
        async with look.books.payment.read() as tx:
            rows = made(WebhookRow, await tx.run(_WEBHOOKS, {"after": after}))
        tally.checked += len(rows)
        for row in rows:
            if row.status == "NEW":
                why = f"not looked into after {row.tries} tries"
                limit_s = look.limits.webhook_s
                tally.unsettled(row.id, why, row, row.received_at_ms, limit_s)
            elif row.status not in ("DONE", "PARKED") or not row.reason:
                tally.wrong(row.id, f"{row.status} for no reason", row)
        if len(rows) < _PAGE:
            return await _answered_are_stored(look, tally)
        after = rows[-1].id


async def _answered_are_stored(look: Look, tally: Tally) -> None:
    provider = look.books.provider
    # What is older may be forgotten by now.
    since_ms = look.books.clock.now_ms() - int(look.limits.webhook_kept_s * 1000)
    names = [] if provider is None else await provider.notified(since_ms)
    for start in range(0, len(names), _NAMES):
        page = names[start : start + _NAMES]
        async with look.books.payment.read() as tx:
            rows = (await tx.run(_STORED, {"names": page})).all()
        stored: dict[str, Any] = {row["merchant_payment_id"]: None for row in rows}
        tally.checked += len(page)
        for name in page:
            if name not in stored:
                tally.wrong(name, "its webhook was answered and is not stored", {"name": name})


_STORED: Statement = (
    select(col("merchant_payment_id"))
    .select_from(table("webhook_inbox"))
    .where(col("merchant_payment_id").in_(bindparam("names", expanding=True)))
)
