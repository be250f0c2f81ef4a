"""Alerts: each is raised once on its topic, has its row, and ends when what it misses is there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import bindparam, select, table

from kessai.proof.invariants.books import Look
from kessai.proof.invariants.bus_book import RecordRow
from kessai.proof.invariants.doubts import Tally
from kessai.proof.invariants.rows import OrderRow
from kessai.proof.invariants.sql import Statement, col, cols, made, rows_of
from kessai.topology import ALERTS_TOPIC

_PAGE = 500
_OPEN: Final = ("NEW", "ACKNOWLEDGED")
RAISED, RESOLVED, BY_FACTS = "AlertRaised", "AlertResolved", "system"
# The alert of these is over as soon as the order is so: A misses the confirmation.
_OVER: Final = {"A": ("PAID", "REFUNDING", "REFUNDED", "PARTIALLY_REFUNDED")}


class AlertRow(NamedTuple):
    alert_id: str
    rule: str
    severity: str
    order_id: str | None
    source: str | None
    status: str
    detected_at: int
    resolved_at: int | None
    resolved_by: str | None
    last_seen: int


class _Told(msgspec.Struct, rename="camel", gc=False):
    event_type: str
    alert_id: str
    rule: str
    severity: str = ""
    order_id: str | None = None
    source: str | None = None
    resolved_by: str = BY_FACTS


@dataclass(slots=True)
class _Story:
    """An alert as its topic tells it."""

    said: _Told
    raised: list[RecordRow] = field(default_factory=list)
    ended: list[RecordRow] = field(default_factory=list)
    ended_by_facts: int = 0


_ROWS: Statement = (
    rows_of(AlertRow, "sys_pay_alert")
    .where(col("alert_id") > bindparam("after"))
    .order_by(col("alert_id"))
    .limit(_PAGE)
)
_ACTS: Statement = (
    select(*cols("alert_id", "action", "actor"))
    .select_from(table("sys_pay_alert_act"))
    .where(col("alert_id").in_(bindparam("ids", expanding=True)))
)
_ORDERS: Statement = rows_of(OrderRow, "orders").where(
    col("order_id").in_(bindparam("ids", expanding=True))
)


async def alerts_are_raised_once(look: Look, tally: Tally) -> None:
    """Each alert is raised once, and ended by the facts once, on its topic; each that was raised
    has its row, which says the same of it, each row was raised, and who did what is on record."""
    if look.books.alert is None or look.books.bus is None:
        return
    stories, is_whole = await _topic(look, tally)
    rows = {row.alert_id: row async for row in _rows(look)}
    for alert_id, story in stories.items():
        tally.checked += 1
        if len(story.raised) > 1:
            tally.wrong(alert_id, f"raised {len(story.raised)} times", story.raised[1].shown())
        if story.ended_by_facts > 1:
            why = f"ended by the facts {story.ended_by_facts} times"
            tally.wrong(alert_id, why, story.ended[-1].shown())
        if story.ended and not story.raised and is_whole:
            tally.wrong(alert_id, "ended, and never raised", story.ended[0].shown())
        if alert_id not in rows:
            first = (*story.raised, *story.ended)[0]
            why, limit_s = "on its topic, and it has no row", look.limits.message_s
            tally.unsettled(alert_id, why, first.shown(), first.at_ms, limit_s)
    for alert_id, row in rows.items():
        tally.checked += 1
        if alert_id in stories:
            said = stories[alert_id].said
            if _about(said) != _about(row):
                tally.wrong(alert_id, f"told as {_about(said)}, the row is {_about(row)}", row)
        elif is_whole:
            tally.wrong(alert_id, "a row, and never raised on the topic", row)
    await _acts_are_on_record(look, list(rows.values()), tally)


def _about(alert: _Told | AlertRow) -> tuple[str, str, str | None, str | None]:
    return (alert.rule, alert.severity, alert.order_id, alert.source)


async def _acts_are_on_record(look: Look, rows: Sequence[AlertRow], tally: Tally) -> None:
    assert look.books.alert is not None
    for start in range(0, len(rows), _PAGE):
        page = rows[start : start + _PAGE]
        async with look.books.alert.read() as tx:
            found = (await tx.run(_ACTS, {"ids": [row.alert_id for row in page]})).tuples()
        acts = set(found)
        for row in page:
            if (row.alert_id, "RAISED", BY_FACTS) not in acts:
                tally.wrong(row.alert_id, "nobody is on record as having raised it", row)
            # Where the desk's end came as an event, to a row that was restored, the rules wrote it.
            ends = {(row.alert_id, "RESOLVED", by) for by in (row.resolved_by, BY_FACTS)}
            if row.status == "RESOLVED" and acts.isdisjoint(ends):
                why = f"{row.resolved_by} is not on record as having resolved it"
                tally.wrong(row.alert_id, why, row)


async def alerts_end_by_the_facts(look: Look, tally: Tally) -> None:
    """An alert that its topic ended is resolved in its row, and none stays open that says an order
    is not confirmed while it is."""
    if look.books.alert is None or look.books.bus is None:
        return
    stories, _ = await _topic(look, tally)
    open_: list[AlertRow] = []
    async for row in _rows(look):
        tally.checked += 1
        if row.status == "RESOLVED":
            if row.resolved_at is None or not row.resolved_by:
                tally.wrong(row.alert_id, "resolved by nobody, or never", row)
            continue
        open_.append(row)
        ended = stories[row.alert_id].ended if row.alert_id in stories else []
        if ended:
            why, limit_s = "ended on its topic, and open in its row", look.limits.message_s
            tally.unsettled(row.alert_id, why, row, ended[0].at_ms, limit_s)
        if row.status not in _OPEN:
            tally.wrong(row.alert_id, f"there is no status {row.status}", row)
        elif row.resolved_at is not None or row.resolved_by is not None:
            tally.wrong(row.alert_id, f"{row.status}, and resolved by {row.resolved_by}", row)
    statuses = await _statuses(look, [row.order_id for row in open_ if row.order_id])
    for row in open_:
        over = _OVER.get(row.rule, ())
        status, since_ms = statuses.get(row.order_id or "", ("", 0))
        if status in over:
            limit_s = look.limits.message_s + look.books.settings.alert_tick_s
            why = f"open, and its order is {status}"
            tally.unsettled(row.alert_id, why, row, max(since_ms, row.detected_at), limit_s)


async def _rows(look: Look) -> AsyncIterator[AlertRow]:
    assert look.books.alert is not None
    after = ""
    while True:
        async with look.books.alert.read() as tx:
            page = made(AlertRow, await tx.run(_ROWS, {"after": after}))
        for row in page:
            yield row
        if len(page) < _PAGE:
            return
        after = page[-1].alert_id


async def _topic(look: Look, tally: Tally) -> tuple[dict[str, _Story], bool]:
    """What the topic tells, once a look; second, whether nothing of it is gone yet."""
    found: tuple[dict[str, _Story], bool] | None = look.kept.get("alerts")
    if found is not None:
        return found
    bus = look.books.bus
    assert bus is not None
    stories: dict[str, _Story] = {}
    is_whole = True
    for head in await bus.heads():
        if head.topic == ALERTS_TOPIC:
            is_whole = is_whole and head.first_position == 0
            async for page in bus.pages(head, head.first_position):
                _note(page, stories, tally)
    found = look.kept["alerts"] = (stories, is_whole)
    return found


def _note(page: Iterable[RecordRow], stories: dict[str, _Story], tally: Tally) -> None:
    for record in page:
        try:
            told = msgspec.json.decode(record.value, type=_Told)
        except msgspec.MsgspecError as error:
            tally.unreadable(record.message_key, error, record.shown())
            continue
        story = stories.setdefault(told.alert_id, _Story(told))
        if told.event_type == RAISED:
            story.raised.append(record)
        elif told.event_type == RESOLVED:
            story.ended.append(record)
            story.ended_by_facts += told.resolved_by == BY_FACTS


async def _statuses(look: Look, order_ids: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Of each order, and since when it is so."""
    found: dict[str, tuple[str, int]] = {}
    for start in range(0, len(order_ids), _PAGE):
        async with look.books.order.read() as tx:
            page = made(OrderRow, await tx.run(_ORDERS, {"ids": order_ids[start : start + _PAGE]}))
        found |= {row.order_id: (row.status, row.updated_at_ms) for row in page}
    return found
