"""The rules over the local bus: true alerts, once, through crashes, wipes and leaping clocks."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

from kessai.alert.domain.rules import Windows
from kessai.alert.domain.story import Memory
from kessai.alert.gateway.codec import FactsCodec
from kessai.alert.main import INPUTS
from kessai.alert.web.watch import OrderWatch
from kessai.contracts.events import (
    OrderStatusChanged,
    OrderStatusPayload,
    PaymentSucceeded,
    RefundCompleted,
    write_event,
)
from kessai.contracts.moves import Method, OrderStatus
from kessai.kernel.bus import DEAD_LETTERS, Message
from kessai.kernel.clock import from_ms, wire
from kessai.kernel.local_bus import LocalBus, open_local_bus
from kessai.kernel.streams.local import LocalStream
from kessai.proof.virtual_time import VirtualClock, VirtualLoop
from kessai.topology import ALERTS_TOPIC, ORDERS_TOPIC, PARTITIONS, PAYMENTS_TOPIC

GROUP = "alert-service.rules"
Json = dict[str, Any]


class LeapingClock(VirtualClock):
    """Its wall can be set; its monotonic side goes on."""

    leap_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.leap_ms


@dataclass
class Desk:
    folder: Path
    bus: LocalBus
    clock: LeapingClock
    task: asyncio.Task[None] | None = None
    stream: LocalStream | None = None
    starts: int = field(default=0)

    async def start(self) -> None:
        self.stream = LocalStream(
            self.bus,
            GROUP,
            INPUTS.read,
            OrderWatch(INPUTS, FactsCodec(), Windows(), Memory()),
            folder=self.folder,
            clock=self.clock,
        )
        self.task = asyncio.create_task(self.stream.run())
        await self.stream.ready()

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def publish(self, topic: str, key: str, value: bytes) -> None:
        await self.bus.publish([Message(topic, key, value)])

    async def success(self, order: str, n: int = 1) -> None:
        event = PaymentSucceeded(
            event_id=f"s-{order}-{n}",
            occurred_at=wire(self.clock.now_ms()),
            order_id=order,
            merchant_payment_id=f"{order}-{n}",
            provider="PayPay",
            amount=100,
        )
        await self.publish(PAYMENTS_TOPIC, order, write_event(event))

    async def back(self, order: str, n: int = 1) -> None:
        event = RefundCompleted(
            event_id=f"b-{order}-{n}",
            occurred_at=wire(self.clock.now_ms()),
            order_id=order,
            merchant_payment_id=f"{order}-{n}",
            provider="PayPay",
            amount=100,
            refund_id=f"r-{order}-{n}",
        )
        await self.publish(PAYMENTS_TOPIC, order, write_event(event))

    async def status(self, order: str, status: OrderStatus) -> None:
        event = OrderStatusChanged(
            event_id=f"o-{order}-{status}",
            occurred_at=wire(self.clock.now_ms()),
            aggregate_id=order,
            version=3,
            payload=OrderStatusPayload(
                order_id=order, old_status=None, new_status=status, amount=100, method=Method.PAYPAY
            ),
        )
        await self.publish(ORDERS_TOPIC, order, write_event(event))

    async def records(self, topic: str) -> list[Json]:
        found = []
        for partition in range(PARTITIONS):
            found += await self.bus.read((topic, partition), 0, 10_000)
        return [{**json.loads(one.value), "_headers": one.headers} for one in found]

    async def alerts(self) -> list[tuple[str, str, str]]:
        """(order, rule, kind), sorted."""
        return sorted(
            (one["orderId"] or one["source"], one["rule"], one["eventType"])
            for one in await self.records(ALERTS_TOPIC)
        )


def on_a_desk(story: Callable[[Desk], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    @wraps(story)
    def test(tmp_path: Path) -> None:
        async def live() -> None:
            clock = LeapingClock(from_ms(1_800_000_000_000))
            bus = await open_local_bus(None, clock, partitions=PARTITIONS, instance="a")
            desk = Desk(tmp_path / "alert", bus, clock)
            await desk.start()
            try:
                await story(desk)
            finally:
                await desk.stop()
                await bus.close()

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(live())

    del test.__wrapped__
    test.__annotations__ = {"tmp_path": Path}
    return test


def order(n: int) -> str:
    return f"{n:026d}"


@on_a_desk
async def test_what_agrees_raises_nothing_and_what_does_not_is_told_within_a_second(
    desk: Desk,
) -> None:
    for n in range(20):
        await desk.success(order(n))
        if n % 2:
            await desk.status(order(n), OrderStatus.PAID)
    await asyncio.sleep(30.2)
    assert await desk.alerts() == []
    await asyncio.sleep(0.8)
    assert await desk.alerts() == [(order(n), "A", "AlertRaised") for n in range(0, 20, 2)]


@on_a_desk
async def test_the_missing_fact_closes_the_alert(desk: Desk) -> None:
    await desk.status(order(1), OrderStatus.PAID)
    await asyncio.sleep(40)
    await desk.success(order(1))
    await asyncio.sleep(1)
    raised, resolved = await desk.records(ALERTS_TOPIC)
    assert (raised["eventType"], resolved["eventType"]) == ("AlertRaised", "AlertResolved")
    assert raised["alertId"] == resolved["alertId"]
    assert raised["facts"]["orderConfirmedAt"] == "2027-01-15T08:00:00.000Z"
    assert raised["detectedAt"] == resolved["detectedAt"] == "2027-01-15T08:00:30.000Z"
    assert resolved["resolvedBy"] == "system"


@on_a_desk
async def test_twice_paid_is_told_at_once_and_repeats_are_not_twice(desk: Desk) -> None:
    await desk.status(order(1), OrderStatus.PAID)
    for _ in range(5):
        await desk.success(order(1))
    await asyncio.sleep(1)
    assert await desk.alerts() == []
    await desk.success(order(1), n=2)
    await asyncio.sleep(0.1)
    assert await desk.alerts() == [(order(1), "C", "AlertRaised")]
    await desk.back(order(1), n=2)
    await asyncio.sleep(0.1)
    assert len(await desk.alerts()) == 2


@on_a_desk
async def test_after_a_wipe_the_log_tells_the_same_alerts_and_none_again(desk: Desk) -> None:
    for n in range(12):
        await desk.success(order(n))
    await asyncio.sleep(32)
    before = await desk.alerts()
    assert len(before) == 12
    await desk.stop()
    shutil.rmtree(desk.folder)
    await desk.start()
    await asyncio.sleep(60)
    assert await desk.alerts() == before
    for n in range(12):
        await desk.status(order(n), OrderStatus.PAID)
    await asyncio.sleep(1)
    assert len(await desk.alerts()) == 24


@on_a_desk
async def test_what_fell_due_while_nobody_looked_is_told_and_what_came_in_time_is_not(
    desk: Desk,
) -> None:
    await desk.success(order(1))
    await desk.success(order(2))
    await asyncio.sleep(1)
    await desk.stop()
    await asyncio.sleep(20)
    await desk.status(order(2), OrderStatus.PAID)
    await asyncio.sleep(3600)
    await desk.start()
    await asyncio.sleep(1)
    assert await desk.alerts() == [(order(1), "A", "AlertRaised")]


@on_a_desk
async def test_a_wall_clock_that_leaps_raises_nothing(desk: Desk) -> None:
    for hour in (1, -2, 3):
        await desk.success(order(hour + 5))
        await asyncio.sleep(1)
        desk.clock.leap_ms += hour * 3_600_000
        await asyncio.sleep(15)
        await desk.status(order(hour + 5), OrderStatus.PAID)
        await asyncio.sleep(60)
    assert await desk.alerts() == []


@on_a_desk
async def test_what_cannot_be_read_goes_to_the_dead_letters_and_the_rest_goes_on(
    desk: Desk,
) -> None:
    bad = {
        "NotJson": b"\xff no json",
        "NotAsDescribed": b'{"eventType": 7}',
        "TooLarge": b"{" + b" " * 1_000_000,
        "NoOrder": _payment(desk, orderId=""),
        "UnknownVersion": _payment(desk, schemaVersion=2),
        "OutOfTime": _payment(desk, occurredAt="2026-01-15T08:00:00.000Z"),
    }
    for value in bad.values():
        await desk.publish(PAYMENTS_TOPIC, order(1), value)
    await desk.publish(PAYMENTS_TOPIC, order(1), _payment(desk, eventType="Later"))
    await desk.success(order(1))
    await asyncio.sleep(31)
    assert await desk.alerts() == [(order(1), "A", "AlertRaised")]
    letters = []
    for partition in range(PARTITIONS):
        letters += await desk.bus.read((PAYMENTS_TOPIC + DEAD_LETTERS, partition), 0, 100)
    assert [one.headers["dlt-error"] for one in letters] == list(bad)
    assert [one.value for one in letters] == list(bad.values())


def _payment(desk: Desk, **changes: object) -> bytes:
    event = {
        "eventType": "PaymentSucceeded",
        "eventId": "x",
        "occurredAt": wire(desk.clock.now_ms()),
        "orderId": order(1),
        "merchantPaymentId": "m",
        "provider": "PayPay",
        "amount": 1,
        **changes,
    }
    return json.dumps(event).encode()


@on_a_desk
async def test_closed_stories_leave_and_a_late_second_payment_is_still_seen(desk: Desk) -> None:
    assert desk.stream is not None
    for n in range(30):
        await desk.success(order(n))
        await desk.status(order(n), OrderStatus.PAID)
    await asyncio.sleep(3600)
    await desk.success(order(7))
    await asyncio.sleep(60)
    assert await desk.alerts() == []
    await desk.success(order(7), n=2)
    await asyncio.sleep(1)
    assert await desk.alerts() == [(order(7), "C", "AlertRaised")]
    await desk.back(order(7), n=2)
    await asyncio.sleep(26 * 3600)
    assert sum(shard.store.count() for shard in desk.stream.shards.values()) == 0
