"""The demo's last step: a payment whose order nobody knows, so that rule A has to tell of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.table import Table

from kessai.cli.alerts_replay import Alerting, alerts_on_topic, orders_on_bus
from kessai.contracts.alert import AlertById, AlertRow, AlertService, AlertStatus, alert_id
from kessai.contracts.events import (
    PaymentSucceeded,
    RefundCompleted,
    payment_event_id,
    refund_id,
    write_event,
)
from kessai.embedded import open_runtime, own_url, remote_port, service_urls
from kessai.kernel.bus import Message
from kessai.kernel.clock import wire
from kessai.kernel.errors import Refused
from kessai.kernel.runtime import Runtime
from kessai.kernel.settings import Settings
from kessai.topology import ALERT, PAYMENTS_TOPIC

_AMOUNT_YEN = 1200
# Beyond the window: a tick, the way to the table, and a busy machine.
_MARGIN_S = 30.0


class Expecting(Protocol):
    def expect(self, sentence: str, holds: bool, seen: object = "") -> None: ...


@dataclass(frozen=True, slots=True)
class Stray:
    """Money for an order that no service has: what rule A is for."""

    order_id: str

    @property
    def payment(self) -> str:
        return f"{self.order_id}-1"

    @property
    def paid_event_id(self) -> str:
        return payment_event_id(self.payment, "PaymentSucceeded")

    def paid(self, now_ms: int) -> PaymentSucceeded:
        return PaymentSucceeded(
            event_id=self.paid_event_id,
            occurred_at=wire(now_ms),
            order_id=self.order_id,
            merchant_payment_id=self.payment,
            provider="PayPay",
            amount=_AMOUNT_YEN,
        )

    def given_back(self, now_ms: int) -> RefundCompleted:
        id_ = refund_id(self.payment, "DEMO")
        return RefundCompleted(
            event_id=payment_event_id(self.payment, "RefundCompleted", id_),
            occurred_at=wire(now_ms),
            order_id=self.order_id,
            merchant_payment_id=self.payment,
            provider="PayPay",
            amount=_AMOUNT_YEN,
            refund_id=id_,
        )


async def force_rule_a(
    console: Console, settings: Settings, bought: Collection[str], findings: Expecting
) -> None:
    """`bought`: orders of this demo, by which the shop's own bus is known."""
    async with _at(settings) as (runtime, alerts):
        if not await orders_on_bus(settings, runtime.clock, bought):
            console.print(
                "[yellow]Left out: the bus of this shop is not the one that KESSAI_DATA_DIR and"
                " KESSAI_BUS_URL name here.[/yellow]"
            )
            return
        stray = Stray(runtime.ids.new())
        wanted = alert_id("A", stray.order_id, stray.paid_event_id)
        console.print(
            f"PaymentSucceeded for order {stray.order_id}, which is in no book; rule A waits"
            f" {settings.alert_window_s} s for its confirmation."
        )
        await _publish(runtime, stray.order_id, write_event(stray.paid(runtime.clock.now_ms())))
        raised = await _row(alerts, wanted, settings, tuple(AlertStatus))
        told = (await alerts_on_topic(settings, runtime.clock)).get(wanted)
        findings.expect("rule A: raised once, on the topic", told is not None, wanted)
        findings.expect("rule A: a row of sys_pay_alert", raised is not None, wanted)
        await _publish(
            runtime, stray.order_id, write_event(stray.given_back(runtime.clock.now_ms()))
        )
        ended = await _row(alerts, wanted, settings, (AlertStatus.RESOLVED,))
        by = ended.resolved_by if ended is not None else None
        findings.expect("rule A: ends by itself when the money is back", by == "system", by)
        console.print(_table(told, ended or raised))


@asynccontextmanager
async def _at(settings: Settings) -> AsyncIterator[tuple[Runtime, AlertService]]:
    runtime = await open_runtime(settings, part="demo")
    urls = service_urls(settings).get(ALERT.name) or [own_url(runtime, ALERT)]
    try:
        yield runtime, remote_port(runtime, AlertService, ALERT, urls)
    finally:
        await runtime.bus.close()
        await runtime.http.close()


async def _publish(runtime: Runtime, key: str, value: bytes) -> None:
    # Without the header of an event's id: that is for what is in an outbox.
    await runtime.bus.publish([Message(PAYMENTS_TOPIC, key, value)])


async def _row(
    alerts: AlertService, id_: str, settings: Settings, statuses: Collection[AlertStatus]
) -> AlertRow | None:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + settings.alert_window_s + settings.alert_tick_s + _MARGIN_S
    while loop.time() < end_s:
        try:
            row = (await alerts.get_alert(AlertById(alert_id=id_))).alert
        except Refused as refused:
            if refused.code != "NOT_FOUND":
                raise
            row = None
        if row is not None and row.status in statuses:
            return row
        await asyncio.sleep(0.2)
    return None


def _table(told: Alerting | None, row: AlertRow | None) -> Table:
    table = Table("where", "what", title="Rule A: paid, and no order confirmed within the window")
    if told is not None:
        table.add_row("topic", f"AlertRaised {told.alert_id} at {told.detected_at}")
    if row is not None:
        table.add_row("table", f"{row.rule} {row.severity} {row.status} order {row.order_id}")
        table.add_row("", row.sentence)
        table.add_row("what to do", row.remedy)
        table.add_row("resolved", f"{row.resolved_at} by {row.resolved_by}")
    return table
