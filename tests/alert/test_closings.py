"""What a person closed stays closed: the topic says so, and the rules hold their peace."""

from __future__ import annotations

import asyncio
import json

from tests.support.shop import Shop, story

from kessai.contracts.alert import ActOnAlert, AlertPage, AlertResolved, ListAlerts
from kessai.contracts.signals import source_signal
from kessai.kernel.bus import Message, Record
from kessai.topology import ALERTS_TOPIC, SIGNALS_TOPIC


async def signalled(shop: Shop, name: str, subject: str) -> None:
    signal = source_signal(name, "payment-service", subject, shop.runtime.clock.now_ms())
    value = signal.model_dump_json(by_alias=True).encode()
    await shop.runtime.bus.publish([Message(SIGNALS_TOPIC, signal.source, value)])
    await asyncio.sleep(15)


async def alerts(shop: Shop) -> AlertPage:
    return await shop.ports.alert.list_alerts(ListAlerts())


async def on_the_topic(shop: Shop) -> list[dict[str, object]]:
    """All that is there, as a reader of its own sees it."""
    found: list[dict[str, object]] = []

    async def handle(record: Record) -> None:
        found.append(json.loads(record.value))

    reader = shop.runtime.bus.consumer("test.reader", [ALERTS_TOPIC], handle)
    task = asyncio.create_task(reader.run())
    await asyncio.sleep(5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return found


@story()
async def test_a_person_closes_one_and_the_next_is_a_new_one(shop: Shop) -> None:
    await signalled(shop, "SettlementDifference", "d-1")
    (first,) = (await alerts(shop)).alerts
    assert (first.rule, first.order_id, first.source) == ("J", None, "payment-service")
    order = ActOnAlert(alert_id=first.alert_id, version=1, actor="hanako", reason="booked by hand")
    await shop.ports.alert.resolve_alert(order)
    await asyncio.sleep(15)
    # Told again, it stays closed; when it agrees after all, nobody hears of it twice.
    await signalled(shop, "SettlementDifference", "d-1")
    await signalled(shop, "SettlementAgrees", "d-1")
    await signalled(shop, "SettlementDifference", "d-2")
    rows = {row.alert_id: row for row in (await alerts(shop)).alerts}
    assert len(rows) == 2
    closed = rows.pop(first.alert_id)
    assert (closed.status, closed.resolved_by, closed.version) == ("RESOLVED", "hanako", 2)
    assert [row.status for row in rows.values()] == ["NEW"]
    ends = [one for one in await on_the_topic(shop) if one["eventType"] == "AlertResolved"]
    (end,) = ends
    told = AlertResolved.model_validate(end)
    assert (told.alert_id, told.resolved_by, told.rule) == (first.alert_id, "hanako", "J")


@story()
async def test_signals_of_one_source_are_one_alert_each(shop: Shop) -> None:
    for subject in ("d-1", "d-2", "d-1"):
        await signalled(shop, "SettlementDifference", subject)
    await signalled(shop, "SettlementAgrees", "d-1")
    statuses = sorted(row.status for row in (await alerts(shop)).alerts)
    assert statuses == ["NEW", "RESOLVED"]
