"""What storage tells the others by itself: products that changed, reservations nobody ended."""

from __future__ import annotations

from dataclasses import dataclass

from kessai.contracts.events import ProductChanged, Signal, write_event
from kessai.contracts.storage import ProductSnapshot
from kessai.kernel.clock import Clock, wire
from kessai.kernel.db import Db, Tx
from kessai.kernel.ids import content_id
from kessai.kernel.outbox import Leaving, Outbox
from kessai.storage.application.ports import (
    Announcement,
    Overdue,
    ProductBook,
    ReservationBook,
)
from kessai.storage.domain.movements import sold_since

STOCK_NOT_SETTLED, STOCK_SETTLED = "StockNotSettled", "StockSettled"
_SOURCE = "storage-service"


@dataclass(frozen=True, slots=True)
class AnnounceLimits:
    batch: int = 100
    # One event a second at most for each product, however often it is bought.
    pause_ms: int = 1000
    # An order's deadline and what its end may take; then somebody should look.
    reservation_age_s: float = 900 + 600


@dataclass(frozen=True, slots=True)
class Topics:
    products: str
    signals: str


class Announcements:
    def __init__(
        self,
        db: Db,
        clock: Clock,
        outbox: Outbox,
        products: ProductBook,
        reservations: ReservationBook,
        *,
        topics: Topics,
        limits: AnnounceLimits | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._outbox = outbox
        self._products = products
        self._reservations = reservations
        self._topics = topics
        self._limits = limits or AnnounceLimits()

    async def announce_products(self) -> int:
        """One round over what has changed; returns how many products were announced."""
        now_ms = self._clock.now_ms()
        before_ms = now_ms - self._limits.pause_ms
        async with self._db.read() as tx:
            due = await self._products.unannounced(tx, before_ms, self._limits.batch)
        if not due:
            return 0
        announcement = Announcement(before_ms, now_ms, sold_since(now_ms))
        async with self._db.transaction() as tx:
            snapshots = await self._products.announce(tx, due, announcement)
            events = [_product_changed(snapshot, now_ms) for snapshot in snapshots]
            await self._outbox.add_all(
                tx,
                self._topics.products,
                [
                    Leaving(event.aggregate_id, write_event(event), event.event_id)
                    for event in events
                ],
            )
        return len(events)

    async def signal_reservations(self) -> int:
        """One signal for each reservation that is open for longer than any order may be, and one
        for the end of each of those."""
        now_ms = self._clock.now_ms()
        before_ms = now_ms - int(self._limits.reservation_age_s * 1000)
        async with self._db.read() as tx:
            overdue = await self._reservations.overdue(tx, before_ms, self._limits.batch)
            settled = await self._reservations.settled_late(tx, self._limits.batch)
        if not overdue and not settled:
            return 0
        async with self._db.transaction() as tx:
            count = 0
            for one in overdue:
                if await self._reservations.signalled(tx, one.reservation_id):
                    await self._signal(tx, STOCK_NOT_SETTLED, one, now_ms)
                    count += 1
            for one in settled:
                if await self._reservations.told_settled(tx, one.reservation_id):
                    await self._signal(tx, STOCK_SETTLED, one, now_ms)
                    count += 1
        return count

    async def _signal(self, tx: Tx, name: str, reservation: Overdue, now_ms: int) -> None:
        signal = _about(name, reservation, now_ms)
        key = reservation.order_id or _SOURCE
        await self._outbox.add(
            tx, self._topics.signals, key, write_event(signal), event_id=signal.event_id
        )


def _product_changed(snapshot: ProductSnapshot, now_ms: int) -> ProductChanged:
    product_id = str(snapshot.product_id)
    return ProductChanged(
        event_id=content_id("product", product_id, str(snapshot.version)),
        occurred_at=wire(now_ms),
        aggregate_id=product_id,
        version=snapshot.version,
        payload=snapshot.model_dump(mode="json", by_alias=True),
    )


def _about(name: str, reservation: Overdue, now_ms: int) -> Signal:
    return Signal(
        event_id=content_id("signal", name, reservation.reservation_id),
        occurred_at=wire(now_ms),
        signal=name,
        source=_SOURCE,
        order_id=reservation.order_id,
        facts={
            "reservationId": reservation.reservation_id,
            "reservedAt": wire(reservation.created_at_ms),
        },
    )
