"""The table of the alerts as alert-service keeps it: written beside the rules, and read back."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import select
from tests.support.alert_orders import Told

from kessai.alert.application.record import AlertBook
from kessai.alert.application.telling import Telling
from kessai.alert.gateway.alerts import ALERT, ALERT_ACT, SqlAlerts
from kessai.alert.gateway.notices import SqlNotices
from kessai.alert.gateway.notifiers import LogNotifier
from kessai.alert.web.routes import on_alert
from kessai.contracts.alert import AlertStatus
from kessai.kernel.bus import Bus
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import Row, open_database
from kessai.kernel.migrations import migrate
from kessai.kernel.supervisor import Supervisor

_ROWS = select(ALERT.c.order_id, ALERT.c.source, ALERT.c.rule, ALERT.c.status)
_ACTS = select(ALERT.c.order_id, ALERT.c.source, ALERT.c.rule, ALERT_ACT.c.action).join_from(
    ALERT_ACT, ALERT, ALERT_ACT.c.alert_id == ALERT.c.alert_id
)
_KINDS = {"RAISED": "AlertRaised", "RESOLVED": "AlertResolved"}


@asynccontextmanager
async def kept(bus: Bus, topic: str, group: str, database: str) -> AsyncIterator[None]:
    """Follows the topic as the service does, with everything that one alert's row goes with."""
    db = await open_database(database)
    migrate(db, "alert")
    clock = SystemClock()
    telling = Telling(db, clock, SqlNotices(), LogNotifier(), owner=group)
    book = AlertBook(db, SqlAlerts(), telling.note)
    supervisor = Supervisor("alert-service")
    supervisor.start("table", bus.consumer(group, [topic], on_alert(book)).run)
    try:
        yield
    finally:
        await supervisor.stop()
        await db.close()


async def make_table(database: str) -> None:
    """Before anybody is killed who would."""
    db = await open_database(database)
    try:
        migrate(db, "alert")
    finally:
        await db.close()


@dataclass(frozen=True)
class Table:
    """What the rows say as they stand, and what was ever done to them."""

    rows: Counter[Told]
    acts: Counter[Told]


async def read_table(database: str) -> Table:
    db = await open_database(database)
    try:
        async with db.read() as tx:
            rows = (await tx.run(_ROWS)).all()
            acts = (await tx.run(_ACTS)).all()
    finally:
        await db.close()
    found = Counter[Told]()
    for row in rows:
        found[_told(row, "AlertRaised")] += 1
        if row["status"] == AlertStatus.RESOLVED:
            found[_told(row, "AlertResolved")] += 1
    return Table(found, Counter(_told(row, _KINDS[row["action"]]) for row in acts))


def _told(row: Row, kind: str) -> Told:
    return row["order_id"] or row["source"], row["rule"], kind
