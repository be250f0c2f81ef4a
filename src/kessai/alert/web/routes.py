"""Calls of other services, and the records of the alerts' own topic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter

from kessai.alert.application.record import AlertBook
from kessai.contracts.alert import AlertService, read_alert_event
from kessai.kernel.bus import Record
from kessai.kernel.calls import mount


def routes(alerts: AlertService, *, token: str) -> APIRouter:
    return mount(AlertService, alerts, token=token)


def on_alert(book: AlertBook) -> Callable[[Record], Awaitable[None]]:
    async def handle(record: Record) -> None:
        await book.record(read_alert_event(record.value))

    return handle
