"""What comes in: calls of other services, operators of sagas, and the records of payments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter

from kessai.contracts.events import PaymentEvent, read_payment_event
from kessai.contracts.order import OrderService
from kessai.kernel.bus import Record
from kessai.kernel.calls import mount
from kessai.kernel.telemetry import correlated
from kessai.saga.port import SagaEngine
from kessai.saga.records import Records
from kessai.saga.web import operator_routes

CORRELATION_HEADER = "X-Correlation-ID"


def routes(
    orders: OrderService, engine: SagaEngine, records: Records, *, token: str
) -> list[APIRouter]:
    return [
        mount(OrderService, orders, token=token),
        operator_routes(engine, records, token=token),
    ]


def payment_records(
    apply_payment_event: Callable[[PaymentEvent], Awaitable[None]],
) -> Callable[[Record], Awaitable[None]]:
    """Acknowledged after the commit; an event of a later version is skipped.

    Raises `ValueError` for what is no event: the bus puts it among the dead letters.
    """

    async def on_record(record: Record) -> None:
        event = read_payment_event(record.value)
        if event is None:
            return
        headers = record.headers
        with correlated(
            headers.get(CORRELATION_HEADER, ""), traceparent=headers.get("traceparent", "")
        ):
            await apply_payment_event(event)

    return on_record


def order_records(move: Callable[[str], Awaitable[object]]) -> Callable[[Record], Awaitable[None]]:
    """Whatever an event says of an order, its audit trail may have grown."""

    async def on_record(record: Record) -> None:
        await move(record.key)

    return on_record
