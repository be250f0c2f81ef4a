"""Wiring of order-service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from fastapi import FastAPI

from kessai.contracts.account import AccountService
from kessai.contracts.order import OrderService
from kessai.contracts.payment import PaymentService
from kessai.contracts.signals import outbox_news
from kessai.contracts.storage import StorageService
from kessai.kernel.adapters import open_audit
from kessai.kernel.app import create_app
from kessai.kernel.bus import Consumer
from kessai.kernel.calls import observed
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import JsonValue
from kessai.kernel.metrics import Metrics
from kessai.kernel.migrations import migrate
from kessai.kernel.outbox import Outbox, open_outbox
from kessai.kernel.outbox_watch import watch_outbox
from kessai.kernel.runtime import Runtime
from kessai.kernel.service import Unit
from kessai.kernel.settings import Settings
from kessai.kernel.supervisor import Supervisor
from kessai.order.application.archive import CONSUMER as ARCHIVER
from kessai.order.application.archive import Archiving
from kessai.order.application.desk import OrderDesk
from kessai.order.application.journal import Journal
from kessai.order.application.moves import OrderMoves
from kessai.order.application.news import CONSUMER, PaymentNews
from kessai.order.application.operators import OperatorRequests
from kessai.order.application.ports import AuditArchive, AuditTrail, Limits, Topics
from kessai.order.application.promise import Promise
from kessai.order.application.purchase import Purchases
from kessai.order.application.refunding import Refunding
from kessai.order.application.remedies import Remedies
from kessai.order.application.requests import CustomerRequests
from kessai.order.application.steps import AccountSteps, PaymentSteps, StorageSteps
from kessai.order.application.watch import Watch
from kessai.order.domain.order import Policy
from kessai.order.gateway.archive import MongoAuditArchive
from kessai.order.gateway.board import MetricsArchiveBoard, MetricsBoard
from kessai.order.gateway.orders import SqlOrders
from kessai.order.gateway.promise import SqlSamples
from kessai.order.gateway.sagas import EngineSagas
from kessai.order.gateway.sides import SqlAuditTrail, SqlCarts, SqlRefunds
from kessai.order.web import order_records, payment_records, routes
from kessai.saga.engine import Engine
from kessai.saga.language import Machine, load
from kessai.saga.limits import EngineLimits
from kessai.saga.log import SqlLog
from kessai.saga.port import SagaEngine
from kessai.saga.records import Records
from kessai.saga.services import Local
from kessai.saga.temporal import Attach, load_temporal
from kessai.topology import (
    ACCOUNT,
    ORDER,
    ORDERS_TOPIC,
    PAYMENT,
    PAYMENTS_TOPIC,
    SIGNALS_TOPIC,
    STORAGE,
)

MACHINES = (
    "order_create_saga",
    "order_settle_saga",
    "order_cancel_saga",
    "order_refund_saga",
    "reduce_inventory_and_balance",
)
TOPICS = Topics(ORDERS_TOPIC, SIGNALS_TOPIC)


async def build(
    runtime: Runtime,
    storage: StorageService,
    payment: PaymentService,
    account: AccountService,
) -> Unit[OrderService]:
    db = await runtime.open_db("order")
    migrate(db, "order")
    metrics = Metrics(ORDER.name)
    told = metrics.observe_call
    archive = await _open_archive(runtime, db)
    temporal = await _temporal(runtime.settings)
    house = assemble(
        runtime,
        db,
        observed(StorageService, storage, STORAGE.name, told),
        observed(PaymentService, payment, PAYMENT.name, told),
        observed(AccountService, account, ACCOUNT.name, told),
        metrics=metrics,
        archive=archive,
        temporal=temporal,
    )
    news = outbox_news(ORDER.name, SIGNALS_TOPIC, runtime.clock)
    lag = watch_outbox(runtime, house.outbox, news)
    supervisor = Supervisor(ORDER.name, stop_timeout_s=runtime.settings.stop_timeout_s)

    async def start() -> None:
        supervisor.start("outbox", house.outbox.relay)
        if runtime.settings.outbox_lag_s:
            supervisor.start("outbox-lag", lag.run)
        supervisor.start("sagas", house.engine.run)
        supervisor.start("payments", house.consumer.run)
        supervisor.start("deadlines", house.watch.deadlines)
        supervisor.start("fallback", house.watch.fallback)
        supervisor.start("forgetting", house.watch.forgetting)
        supervisor.start("promise", house.promise.watching)
        if house.archiving is not None and house.archiver is not None:
            supervisor.start("audit", house.archiver.run)
            supervisor.start("audit-late", house.archiving.looking)

    def build_app() -> FastAPI:
        token = runtime.settings.service_token.get_secret_value()
        over = temporal.records if temporal else _records
        records = over(db, machines(), runtime.clock)
        return create_app(
            title=ORDER.name,
            runtime=runtime,
            routers=routes(house.desk, house.engine, records, token=token),
            health={"db": db.ping},
            metrics=metrics,
            supervisor=supervisor,
        )

    return Unit(
        name=ORDER.name,
        build_app=build_app,
        port=house.desk,
        supervisor=supervisor,
        start=start,
        closers=[db.close, house.engine.close, *([archive.close] if archive else [])],
    )


@dataclass(frozen=True, slots=True)
class House:
    """The objects of one order-service, without loops and without an app."""

    desk: OrderDesk
    news: PaymentNews
    watch: Watch
    promise: Promise
    engine: SagaEngine
    outbox: Outbox
    consumer: Consumer
    # With an archive of the audit trail only.
    archiving: Archiving | None = None
    archiver: Consumer | None = None


def assemble(
    runtime: Runtime,
    db: Db,
    storage: StorageService,
    payment: PaymentService,
    account: AccountService,
    *,
    metrics: Metrics | None = None,
    archive: AuditArchive | None = None,
    temporal: Attach | None = None,
) -> House:
    clock, limits, url = runtime.clock, limits_of(runtime.settings), runtime.settings.public_url
    orders, refunds, audit, samples = SqlOrders(), SqlRefunds(), SqlAuditTrail(), SqlSamples()
    outbox = open_outbox(runtime, db, ORDER.name)
    journal = Journal(orders, audit, outbox, samples, TOPICS, clock)
    late = _LateSagas()
    refunding = Refunding(refunds, journal, late, clock)
    steps = {
        "storage": StorageSteps(storage),
        "payment": PaymentSteps(payment),
        "account": AccountSteps(account),
        "orders": Local(OrderMoves(orders, refunds, journal, refunding, clock)),
    }
    engine = late.engine = _engine(runtime, db, steps, metrics, temporal)
    news = PaymentNews(
        db, orders, refunds, journal, refunding, engine, payment, samples, clock, limits
    )
    requests = CustomerRequests(
        db, orders, journal, news, refunding, engine, payment, clock, limits, public_url=url
    )
    operators = OperatorRequests(db, orders, refunds, refunding, limits)
    mend = (db, orders, refunds, journal, refunding, news, EngineSagas(engine))
    sell = (db, orders, SqlCarts(), journal, engine, storage, clock, runtime.ids, limits)
    purchases = Purchases(*sell, public_url=url)
    promise = Promise(db, samples, MetricsBoard(metrics) if metrics else None, clock, limits)
    archiving = _archiving(db, audit, archive, metrics, clock, limits)
    served = (purchases, requests, operators, Remedies(*mend, payment, storage, clock, limits))
    return House(
        desk=OrderDesk(db, orders, audit, *served, promise, clock, limits, archiving),
        news=news,
        watch=Watch(db, orders, refunds, requests, news, payment, clock, limits),
        promise=promise,
        engine=engine,
        outbox=outbox,
        consumer=runtime.bus.consumer(
            CONSUMER, [PAYMENTS_TOPIC], payment_records(news.apply_payment_event)
        ),
        archiving=archiving,
        archiver=_archiver(runtime, archiving) if archiving else None,
    )


def _archiver(runtime: Runtime, archiving: Archiving) -> Consumer:
    # What waits from before its first event is found by looking.
    on_record = order_records(archiving.move)
    return runtime.bus.consumer(ARCHIVER, [ORDERS_TOPIC], on_record, start="latest")


async def _open_archive(runtime: Runtime, db: Db) -> MongoAuditArchive | None:
    """Raises `ValueError` with a line for people."""
    database = await open_audit(runtime.settings)
    if database is None:
        async with db.read() as tx:
            if await SqlAuditTrail().is_elsewhere(tx):
                raise ValueError(
                    "KESSAI_AUDIT_URL: the audit trail of these orders was moved to MongoDB; "
                    "name that server"
                )
        return None
    archive = MongoAuditArchive(database)
    try:
        await archive.prepare()
    except ValueError as error:
        await archive.close()
        raise ValueError(f"KESSAI_AUDIT_URL: {error}") from error
    return archive


def _archiving(
    db: Db,
    trail: AuditTrail,
    archive: AuditArchive | None,
    metrics: Metrics | None,
    clock: Clock,
    limits: Limits,
) -> Archiving | None:
    if archive is None:
        return None
    board = MetricsArchiveBoard(metrics) if metrics else None
    return Archiving(db, trail, archive, board, clock, limits)


def limits_of(settings: Settings) -> Limits:
    return Limits(
        policy=Policy(
            deadline_ms=settings.order_deadline_s * 1000,
            customer_refund_ms=settings.customer_refund_s * 1000,
            code_lifetime_ms=settings.paypay_code_lifetime_s * 1000,
        ),
        purchase_answer_s=settings.purchase_answer_s,
        fallback_after_ms=round(settings.fallback_after_s * 1000),
        fallback_every_s=settings.fallback_every_s,
        promise_keep_ms=settings.slo_keep_days * 24 * 3600 * 1000,
    )


@cache
def machines() -> tuple[Machine, ...]:
    folder = resources.files("kessai.order").joinpath("statelang")
    return tuple(load(folder.joinpath(f"{name}.json").read_text("utf-8")) for name in MACHINES)


async def _temporal(settings: Settings) -> Attach | None:
    """Raises `ValueError` with a line for people."""
    if settings.saga_engine != "temporal":
        return None
    return await load_temporal(settings.temporal_url)


def _records(db: Db, machines: Iterable[Machine], clock: Clock) -> Records:
    return Records(SqlLog(db), machines, clock)


def _engine(
    runtime: Runtime,
    db: Db,
    steps: Mapping[str, object],
    metrics: Metrics | None,
    temporal: Attach | None,
) -> SagaEngine:
    settings = runtime.settings
    limits = EngineLimits(
        lease_s=settings.saga_lease_s,
        heartbeat_s=settings.saga_heartbeat_s,
        retry_max_s=settings.saga_retry_max_s,
        retention_s=settings.saga_keep_days * 86_400,
    )
    engine = Engine(
        db,
        steps,
        machines(),
        runtime.clock,
        runtime.ids,
        runtime.chance,
        runtime.instance,
        limits,
        metrics=metrics,
    )
    if temporal is None:
        return engine
    return temporal.engine(engine, db, steps, machines(), runtime.clock, limits)


class _LateSagas:
    """The engine for those whom the engine itself calls: bound once it is built."""

    engine: SagaEngine

    async def start_once(
        self, tx: Tx, machine_name: str, business_key: str, params: Mapping[str, JsonValue]
    ) -> str:
        return await self.engine.start_once(tx, machine_name, business_key, params)

    async def find(self, machine_name: str, business_key: str) -> str | None:
        return await self.engine.find(machine_name, business_key)

    async def wait(self, instance_id: str, timeout_s: float) -> object:
        return await self.engine.wait(instance_id, timeout_s)
