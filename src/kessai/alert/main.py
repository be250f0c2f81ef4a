"""Wiring of alert-service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from fastapi import FastAPI

from kessai.alert.application.desk import AlertDesk
from kessai.alert.application.evidence import Witnesses
from kessai.alert.application.ports import Notifier
from kessai.alert.application.record import AlertBook
from kessai.alert.application.remedies import Remedies
from kessai.alert.application.telling import Telling
from kessai.alert.domain.rules import Windows
from kessai.alert.domain.story import Memory
from kessai.alert.gateway.alerts import SqlAlerts
from kessai.alert.gateway.closings import OutboxClosings
from kessai.alert.gateway.codec import FactsCodec
from kessai.alert.gateway.notices import SqlNotices
from kessai.alert.gateway.notifiers import LogNotifier, WebhookNotifier
from kessai.alert.web.events import Topics
from kessai.alert.web.routes import on_alert, routes
from kessai.alert.web.watch import OrderWatch
from kessai.contracts.alert import AlertService
from kessai.contracts.order import OrderService
from kessai.contracts.payment import PaymentService
from kessai.contracts.storage import StorageService
from kessai.kernel.app import create_app
from kessai.kernel.calls import observed
from kessai.kernel.errors import JsonValue
from kessai.kernel.kafka_bus import cluster_of
from kessai.kernel.local_bus import LocalBus
from kessai.kernel.metrics import Metrics
from kessai.kernel.migrations import migrate
from kessai.kernel.outbox import open_outbox
from kessai.kernel.runtime import Runtime
from kessai.kernel.service import Unit
from kessai.kernel.settings import Settings
from kessai.kernel.streams.kafka import KafkaStream
from kessai.kernel.streams.kafka_log import LogMisfit
from kessai.kernel.streams.limits import StreamLimits
from kessai.kernel.streams.local import LocalStream
from kessai.kernel.streams.meters import PrometheusMeters
from kessai.kernel.streams.store import StoreInUse, StoreMisfit
from kessai.kernel.supervisor import Supervisor
from kessai.topology import (
    ALERT,
    ALERTS_TOPIC,
    ORDER,
    ORDERS_TOPIC,
    PARTITIONS,
    PAYMENT,
    PAYMENTS_TOPIC,
    SIGNALS_TOPIC,
    STATE_TOPIC,
    STORAGE,
)

# The schema that others read `sys_pay_alert` in.
SCHEMA = "system"
RULES_GROUP = "alert-service.rules"
TABLE_GROUP = "alert-service.table"
# Beyond the longest window: repeats and stragglers mostly come within it.
CALM_S = 60
INPUTS = Topics(ORDERS_TOPIC, PAYMENTS_TOPIC, SIGNALS_TOPIC, ALERTS_TOPIC)


class Stream(Protocol):
    async def check(self) -> None: ...

    async def run(self) -> None: ...

    async def health(self) -> Mapping[str, JsonValue]: ...


async def build(
    runtime: Runtime,
    *,
    order: OrderService,
    payment: PaymentService,
    storage: StorageService,
) -> Unit[AlertService]:
    metrics = Metrics(ALERT.name)
    told = metrics.observe_call
    order = observed(OrderService, order, ORDER.name, told)
    payment = observed(PaymentService, payment, PAYMENT.name, told)
    storage = observed(StorageService, storage, STORAGE.name, told)
    db = await runtime.open_db(SCHEMA)
    migrate(db, ALERT.package)
    supervisor = Supervisor(ALERT.name, stop_timeout_s=runtime.settings.stop_timeout_s)
    alerts = SqlAlerts()
    telling = Telling(db, runtime.clock, SqlNotices(), _notifier(runtime), owner=runtime.instance)
    book = AlertBook(db, alerts, telling.note)
    witnesses = Witnesses(
        order,
        payment,
        storage,
        runtime.clock,
        timeout_s=runtime.settings.call_timeout_s / 2,
    )
    remedies = Remedies(db, runtime.clock, alerts, order)
    outbox = open_outbox(runtime, db, ALERT.name)
    closings = OutboxClosings(outbox, alerts_topic=ALERTS_TOPIC, signals_topic=SIGNALS_TOPIC)
    desk = AlertDesk(db, runtime.clock, alerts, witnesses, remedies, telling.note, closings)
    stream = _stream(runtime, metrics)
    await _require(stream)
    table = runtime.bus.consumer(TABLE_GROUP, [ALERTS_TOPIC], on_alert(book))

    async def start() -> None:
        supervisor.start("rules", stream.run)
        supervisor.start("table", table.run)
        supervisor.start("telling", telling.run)
        supervisor.start("outbox", outbox.relay)

    def build_app() -> FastAPI:
        return create_app(
            title=ALERT.name,
            runtime=runtime,
            routers=[routes(desk, token=runtime.settings.service_token.get_secret_value())],
            health={"db": db.ping, "rules": stream.health},
            metrics=metrics,
            supervisor=supervisor,
        )

    return Unit(ALERT.name, build_app, desk, supervisor, start, closers=[db.close])


async def _require(stream: Stream) -> None:
    """Raises `ValueError` with a line for people that names the setting."""
    try:
        await stream.check()
    except StoreMisfit as error:
        raise ValueError(f"KESSAI_DATA_DIR: {error}") from error
    except StoreInUse as error:
        raise ValueError(
            f"KESSAI_INSTANCE: {error}; each process needs a name of its own"
        ) from error
    except LogMisfit as error:
        raise ValueError(f"KESSAI_BUS_URL: {error}") from error


def _notifier(runtime: Runtime) -> Notifier:
    settings = runtime.settings
    if not settings.alert_webhook_url:
        return LogNotifier()
    return WebhookNotifier(
        runtime.http,
        runtime.clock,
        url=settings.alert_webhook_url,
        secret=settings.alert_webhook_secret.get_secret_value(),
    )


def _stream(runtime: Runtime, metrics: Metrics) -> Stream:
    settings, meters = runtime.settings, PrometheusMeters(metrics)
    watch = OrderWatch(INPUTS, FactsCodec(), windows(settings), memory(settings))
    folder, limits = Path(settings.data_dir) / ALERT.package, StreamLimits(settings.alert_tick_s)
    if isinstance(runtime.bus, LocalBus):
        return LocalStream(
            runtime.bus,
            RULES_GROUP,
            INPUTS.read,
            watch,
            folder=folder,
            clock=runtime.clock,
            limits=limits,
            meters=meters,
        )
    return KafkaStream(
        cluster_of(settings.bus_url),
        RULES_GROUP,
        INPUTS.read,
        watch,
        changelog=STATE_TOPIC,
        partitions=PARTITIONS,
        folder=folder,
        clock=runtime.clock,
        instance=settings.instance,
        limits=limits,
        meters=meters,
    )


def memory(settings: Settings) -> Memory:
    """A story is calm when no rule could still open."""
    longest_s = max(settings.alert_window_s, settings.refund_limit_s)
    return Memory(calm_ms=(longest_s + CALM_S) * 1000)


def windows(settings: Settings) -> Windows:
    return Windows(pair_ms=settings.alert_window_s * 1000, refund_ms=settings.refund_limit_s * 1000)
