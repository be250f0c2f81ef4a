"""An alert desk of its own for a test: real tables, services that answer as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from pydantic import BaseModel
from tests.support.web import StillClock

from kessai.alert.application.desk import AlertDesk
from kessai.alert.application.evidence import Witnesses
from kessai.alert.application.record import AlertBook
from kessai.alert.application.remedies import Remedies
from kessai.alert.domain.alert import Alert
from kessai.alert.gateway.alerts import SqlAlerts
from kessai.contracts.alert import (
    ActOnAlert,
    AlertById,
    AlertDetail,
    AlertRaised,
    AlertResolved,
    alert_event_id,
    alert_id,
)
from kessai.contracts.moves import Method, OrderStatus, ReservationStatus
from kessai.contracts.order import Order, OrderById, OrderService, RemedyApplied, RemedyOrder
from kessai.contracts.payment import Payments, PaymentService, PaymentsOfOrder
from kessai.contracts.storage import (
    Reservation,
    Reservations,
    ReservationsOfOrder,
    StorageService,
)
from kessai.kernel.clock import wire
from kessai.kernel.db import Db, Tx
from kessai.kernel.migrations import migrate

M = TypeVar("M", bound=BaseModel)
ORDER = "0mk3z4a5b6c7d8e9f0g1h2j3k4"
AT_MS = 1_800_000_000_000


def an_order(order_id: str = ORDER, status: OrderStatus = OrderStatus.PAID) -> Order:
    return Order(
        order_id=order_id,
        order_number="K-20270115-h2j3k4",
        user_id="user-bob",
        created_at=wire(AT_MS),
        method=Method.PAYPAY,
        amount=1200,
        tax_yen=109,
        status=status,
        view_version=4,
        payment_url="https://qr.example/secret",
        hold_until=wire(AT_MS + 900_000),
        items=(),
    )


@dataclass
class Services:
    """order, payment and storage as the desk sees them; `trouble` is met instead of an answer."""

    trouble: dict[str, Exception] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    remedies: list[RemedyOrder] = field(default_factory=list)
    applied: RemedyApplied = field(default_factory=lambda: RemedyApplied(order=an_order()))
    before_answer: Callable[[], Awaitable[None]] | None = None

    async def view_order(self, command: OrderById) -> Order:
        return await self._answer("order", an_order(command.order_id))

    async def get_payments(self, command: PaymentsOfOrder) -> Payments:
        return await self._answer("payment", Payments(order_id=command.order_id))

    async def list_reservations(self, command: ReservationsOfOrder) -> Reservations:
        kept = Reservation(
            reservation_id=f"{command.order_id}-1",
            order_id=command.order_id,
            status=ReservationStatus.CONFIRMED,
        )
        return await self._answer("storage", Reservations(items=(kept,)))

    async def remedy_order(self, command: RemedyOrder) -> RemedyApplied:
        self.remedies.append(command)
        if self.before_answer is not None:
            await self.before_answer()
        return await self._answer("remedy", self.applied)

    async def _answer(self, name: str, answer: M) -> M:
        if name in self.silent:
            await asyncio.Event().wait()
        if name in self.trouble:
            raise self.trouble[name]
        return answer


@dataclass
class Closed:
    """Alerts whose closing by a person was told, with its commit."""

    alerts: list[Alert] = field(default_factory=list)

    async def tell(self, tx: Tx, alert: Alert) -> None:
        tx.after_commit(lambda: self.alerts.append(alert))


@dataclass
class AlertRoom:
    """One process of alert-service on `db`."""

    db: Db
    clock: StillClock
    services: Services
    desk: AlertDesk
    book: AlertBook
    told: list[Alert]
    closings: Closed

    async def detail(self, alert: str) -> AlertDetail:
        return await self.desk.get_alert(AlertById(alert_id=alert))

    async def history(self, alert: str) -> list[tuple[str, str, str | None]]:
        found = (await self.detail(alert)).history
        return [(one.action, one.actor, one.note) for one in found]


def a_room(db: Db, services: Services | None = None, clock: StillClock | None = None) -> AlertRoom:
    """`db` has the tables already, or gets them."""
    migrate(db, "alert")
    clock, services = clock or StillClock(), services or Services()
    alerts, told = SqlAlerts(), cast("list[Alert]", [])

    async def tell(tx: Tx, alert: Alert, news: str) -> None:
        del news
        tx.after_commit(lambda: told.append(alert))

    witnesses = Witnesses(
        cast(OrderService, services),
        cast(PaymentService, services),
        cast(StorageService, services),
        clock,
        timeout_s=0.05,
    )
    remedies = Remedies(db, clock, alerts, cast(OrderService, services))
    closings = Closed()
    desk = AlertDesk(db, clock, alerts, witnesses, remedies, tell, closings)
    return AlertRoom(db, clock, services, desk, AlertBook(db, alerts, tell), told, closings)


def raised(
    rule: str = "A",
    *,
    order_id: str | None = ORDER,
    episode: str = "e1",
    at_ms: int = AT_MS,
    **facts: Any,
) -> AlertRaised:
    key = order_id or "payment-service"
    id_ = alert_id(rule, key, episode)
    return AlertRaised(
        event_id=alert_event_id(id_, "AlertRaised"),
        occurred_at=wire(at_ms),
        alert_id=id_,
        rule=rule,
        severity="P1" if rule in "CDEFJK" else "P2",
        order_id=order_id,
        source=None if order_id else key,
        detected_at=wire(at_ms),
        facts=facts,
    )


def resolved(event: AlertRaised, at_ms: int = AT_MS + 60_000) -> AlertResolved:
    return AlertResolved(
        event_id=alert_event_id(event.alert_id, "AlertResolved"),
        occurred_at=wire(at_ms),
        resolved_at=wire(at_ms),
        **event.model_dump(exclude={"event_type", "event_id", "occurred_at"}),
    )


def act(alert: str, version: int, actor: str = "hanako", reason: str = "looked") -> ActOnAlert:
    return ActOnAlert(alert_id=alert, version=version, actor=actor, reason=reason)
