"""payment-service put together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from fastapi import FastAPI

from kessai.contracts.payment import PaymentService
from kessai.contracts.paypay import Credentials
from kessai.contracts.signals import outbox_news
from kessai.kernel.actuator import HealthCheck
from kessai.kernel.app import create_app
from kessai.kernel.db import Db
from kessai.kernel.errors import JsonValue
from kessai.kernel.leases import Due
from kessai.kernel.metrics import Metrics
from kessai.kernel.migrations import migrate
from kessai.kernel.outbox import Outbox, open_outbox
from kessai.kernel.outbox_watch import watch_outbox
from kessai.kernel.runtime import Runtime
from kessai.kernel.service import Unit
from kessai.kernel.supervisor import Supervisor
from kessai.payment.application.balance import BalancePayments
from kessai.payment.application.close import Closing
from kessai.payment.application.create import Creation
from kessai.payment.application.due import DueRows
from kessai.payment.application.files import FileWorker
from kessai.payment.application.forget import Forgetting
from kessai.payment.application.ledger import LedgerCheck
from kessai.payment.application.look import Lookups, Visits
from kessai.payment.application.peers import Peers
from kessai.payment.application.ports import Books, Events, Provider, Work
from kessai.payment.application.reconcile import Reconciliation
from kessai.payment.application.refund import RefundDesk, RefundWorker
from kessai.payment.application.reports import Reports
from kessai.payment.application.service import PaymentDesk
from kessai.payment.application.settle import News, Settlement
from kessai.payment.application.silence import WebhookEar
from kessai.payment.application.webhook import HEARD, WebhookDoor, WebhookWorker
from kessai.payment.domain.attempt import Rules
from kessai.payment.domain.file_notice import LinkRules, host_of
from kessai.payment.gateway.attempts import SqlAttempts, SqlOrders
from kessai.payment.gateway.events import OutboxEvents
from kessai.payment.gateway.evidence import SqlEvidence, SqlWebhookInbox
from kessai.payment.gateway.ledger_books import SqlLedgerBooks
from kessai.payment.gateway.money import SqlLedger, SqlRefunds
from kessai.payment.gateway.paypay import Meters, PayPay, PayPayLimits
from kessai.payment.gateway.presence import SqlPresence
from kessai.payment.gateway.recovery import free_leases
from kessai.payment.gateway.settlement_books import SqlDayBooks
from kessai.payment.gateway.settlement_files import FileFetch, FolderDesk, SqlFiles
from kessai.payment.gateway.settlement_runs import SqlRuns
from kessai.payment.gateway.settlement_scratch import Scratch
from kessai.payment.gateway.silence import SqlHeard
from kessai.payment.gateway.work import FILE_WORK, REFUND_WORK, WEBHOOK_WORK
from kessai.payment.gateway.work import Visits as VisitWork
from kessai.payment.web import DueLoop, call_routes
from kessai.topology import PAYMENT, PAYMENTS_TOPIC, SIGNALS_TOPIC

# Work in flight, and how long another process waits before it takes over a row.
LOOKUPS_AT_ONCE = 32
WEBHOOKS_AT_ONCE = 32
REFUNDS_AT_ONCE = 8
WORK_LEASE_S = 20.0
# A file may take minutes, so its lease is prolonged; one at a time leaves the others their time.
FILES_AT_ONCE = 1
FILE_LEASE_S = 60.0
# Beyond the create call's own timeout: writing its result.
CREATE_LEASE_MARGIN_S = 10.0


@dataclass(frozen=True, slots=True)
class _Wake:
    visits: asyncio.Event = field(default_factory=asyncio.Event)
    webhooks: asyncio.Event = field(default_factory=asyncio.Event)
    refunds: asyncio.Event = field(default_factory=asyncio.Event)
    files: asyncio.Event = field(default_factory=asyncio.Event)


async def build(runtime: Runtime, *, provider: Provider | None = None) -> Unit[PaymentService]:
    """Calls no other service. `provider` replaces PayPay, in tests."""
    db = await runtime.open_db(PAYMENT.package)
    migrate(db, PAYMENT.package)
    supervisor = Supervisor(PAYMENT.name)
    metrics = Metrics(PAYMENT.name)
    outbox = open_outbox(runtime, db, PAYMENT.name)
    lag = watch_outbox(runtime, outbox, outbox_news(PAYMENT.name, SIGNALS_TOPIC, runtime.clock))
    books = _books(runtime, db, outbox)
    wake = _Wake()
    health: dict[str, HealthCheck] = {"db": _database_answers(db)}
    share_among: Callable[[int], None] = _alone
    if provider is None:
        provider = paypay = _paypay(runtime, metrics)
        health["paypay-clock"] = paypay.clock_agrees
        health["paypay-key"] = paypay.key_is_accepted
        share_among = paypay.share_among
    ear = WebhookEar(
        db,
        runtime.clock,
        SqlHeard(),
        books.events,
        window_s=runtime.settings.webhook_silence_s,
    )
    desk, loops = _use_cases(runtime, books, provider, supervisor, wake, metrics, ear)
    folder = FolderDesk(runtime.settings.data_dir, runtime.instance)
    loops.append(_files(runtime, books, folder, wake, metrics))

    async def start() -> None:
        async with db.transaction() as tx:
            await free_leases(tx, runtime.instance)
        folder.clear()
        if runtime.settings.webhook_silence_s:
            await ear.remember()
            supervisor.start("webhook-silence", ear.run)
        supervisor.start("forgetting", _forgetting(runtime, books).run)
        supervisor.start("peers", _peers(runtime, db, wake, share_among).run)
        supervisor.start("outbox-relay", outbox.relay)
        if runtime.settings.outbox_lag_s:
            supervisor.start("outbox-lag", lag.run)
        for loop in loops:
            supervisor.start(loop.name, loop.run)

    def build_app() -> FastAPI:
        return create_app(
            title=PAYMENT.name,
            runtime=runtime,
            routers=[call_routes(desk, token=runtime.settings.service_token.get_secret_value())],
            health=health,
            metrics=metrics,
            supervisor=supervisor,
        )

    return Unit(PAYMENT.name, build_app, desk, supervisor, start, closers=[db.close])


def _database_answers(db: Db) -> HealthCheck:
    async def check() -> Mapping[str, JsonValue] | None:
        await db.ping()
        return None

    return check


async def open_reconciliation(runtime: Runtime) -> tuple[Reconciliation, Db]:
    """Beside the service or without it: a big file shall not take the service's time."""
    db = await runtime.open_db(PAYMENT.package)
    migrate(db, PAYMENT.package)
    outbox = open_outbox(runtime, db, PAYMENT.name)
    return _reconciliation(runtime, db, _events(outbox), runtime.settings.data_dir), db


def _reconciliation(runtime: Runtime, db: Db, events: Events, folder: str) -> Reconciliation:
    return Reconciliation(
        db,
        runtime.clock,
        books=SqlDayBooks(db),
        runs=SqlRuns(),
        events=events,
        open_scratch=lambda: Scratch(folder),
        merchant_id=runtime.settings.paypay_merchant_id,
    )


def _events(outbox: Outbox) -> Events:
    return OutboxEvents(outbox, payments_topic=PAYMENTS_TOPIC, signals_topic=SIGNALS_TOPIC)


def _files(
    runtime: Runtime, books: Books, folder: FolderDesk, wake: _Wake, metrics: Metrics
) -> DueLoop:
    settings = runtime.settings
    outcomes = metrics.counter(
        "settlement_files", "Announced settlement files by what became of them", labels=("outcome",)
    )
    worker = FileWorker(
        books.db,
        books.clock,
        SqlFiles(),
        FILE_WORK,
        events=books.events,
        links=LinkRules(
            frozenset((host_of(settings.paypay_url), *settings.paypay_file_hosts)),
            local=settings.env == "local",
        ),
        fetch=FileFetch(
            runtime.http,
            limit_bytes=settings.paypay_file_limit_bytes,
            timeout_s=settings.paypay_file_timeout_s,
        ),
        desk=folder,
        reconciliation=_reconciliation(runtime, books.db, books.events, str(folder.folder)),
        lease_ms=int(FILE_LEASE_S * 1000),
        count=lambda outcome: outcomes.labels(outcome).inc(),
    )
    due = DueRows(books, FILE_WORK, lease_ms=int(FILE_LEASE_S * 1000))
    return DueLoop(
        "settlement-files",
        due,
        worker.work,
        at_once=FILES_AT_ONCE,
        pause_s=settings.idle_poll_s,
        wake=wake.files,
    )


def _forgetting(runtime: Runtime, books: Books) -> Forgetting:
    keep_ms = runtime.settings.webhook_keep_days * 86_400_000
    return Forgetting(books.db, books.clock, books.webhooks, SqlHeard(), keep_ms=keep_ms)


def _alone(processes: int) -> None:
    """A provider without a quota has nothing to share."""


def _peers(runtime: Runtime, db: Db, wake: _Wake, share_among: Callable[[int], None]) -> Peers:
    def wake_all() -> None:
        for loop in (wake.visits, wake.webhooks, wake.refunds, wake.files):
            loop.set()

    return Peers(
        db,
        runtime.clock,
        SqlPresence(),
        runtime.instance,
        free=free_leases,
        share_among=share_among,
        wake=wake_all,
    )


def _books(runtime: Runtime, db: Db, outbox: Outbox) -> Books:
    settings = runtime.settings
    return Books(
        db=db,
        clock=runtime.clock,
        rules=Rules(
            grace_ms=int(settings.paypay_grace_s * 1000),
            code_lifetime_ms=settings.paypay_code_lifetime_s * 1000,
            poll_first_ms=int(settings.poll_first_s * 1000),
            poll_max_ms=int(settings.poll_max_s * 1000),
            create_timeout_ms=int(settings.paypay_create_timeout_s * 1000),
        ),
        owner=runtime.instance,
        orders=SqlOrders(),
        attempts=SqlAttempts(runtime.instance),
        evidence=SqlEvidence(),
        webhooks=SqlWebhookInbox(),
        refunds=SqlRefunds(),
        ledger=SqlLedger(),
        events=_events(outbox),
        visits=VisitWork(),
        webhook_work=WEBHOOK_WORK,
        refund_work=REFUND_WORK,
    )


def _paypay(runtime: Runtime, metrics: Metrics) -> PayPay:
    settings = runtime.settings
    return PayPay(
        runtime.http,
        runtime.clock,
        runtime.chance,
        base_url=settings.paypay_url,
        credentials=Credentials(
            api_key=settings.paypay_api_key.get_secret_value(),
            api_secret=settings.paypay_api_secret.get_secret_value(),
            merchant_id=settings.paypay_merchant_id,
        ),
        limits=PayPayLimits(
            create_timeout_s=settings.paypay_create_timeout_s,
            timeout_s=settings.paypay_timeout_s,
            rate_per_s=settings.paypay_rate_per_s,
            max_wait_s=settings.paypay_rate_wait_s,
            creates_at_once=settings.paypay_creates_at_once,
            lookups_at_once=settings.paypay_lookups_at_once,
            changes_at_once=settings.paypay_changes_at_once,
            skew_alarm_s=settings.paypay_skew_alarm_s,
        ),
        meters=Meters(metrics),
    )


def _use_cases(
    runtime: Runtime,
    books: Books,
    provider: Provider,
    supervisor: Supervisor,
    wake: _Wake,
    metrics: Metrics,
    ear: WebhookEar,
) -> tuple[PaymentDesk, list[DueLoop]]:
    settings = runtime.settings
    news = News()
    lookups = Lookups(provider, books.clock, supervisor)
    settlement = Settlement(books, runtime.chance, news, wake.refunds.set, ear.found)
    create_lease_s = settings.paypay_create_timeout_s + CREATE_LEASE_MARGIN_S
    creation = Creation(
        books,
        provider,
        lookups,
        settlement,
        supervisor,
        lease_ms=int(create_lease_s * 1000),
        wake_visits=wake.visits.set,
    )
    desk = PaymentDesk(
        books,
        creation=creation,
        closing=Closing(books, news, wake.visits.set),
        lookups=lookups,
        settlement=settlement,
        balance=BalancePayments(books),
        refunds=RefundDesk(books, news, wake.refunds.set),
        webhooks=_webhook_door(runtime, books, wake, metrics, ear),
        ledger=LedgerCheck(books.db, SqlLedgerBooks()),
        reports=Reports(books.db, SqlRuns()),
    )
    visits = Visits(books, provider, lookups, settlement)
    webhooks = WebhookWorker(books, lookups, settlement)
    refunds = RefundWorker(books, provider, news, limit_ms=settings.refund_limit_s * 1000)
    loop = partial(_loop, books, settings.idle_poll_s)
    loops = [
        loop("visits", books.visits, visits.work, LOOKUPS_AT_ONCE, wake.visits),
        loop("webhooks", books.webhook_work, webhooks.work, WEBHOOKS_AT_ONCE, wake.webhooks),
        loop("refunds", books.refund_work, refunds.work, REFUNDS_AT_ONCE, wake.refunds),
    ]
    return desk, loops


def _webhook_door(
    runtime: Runtime, books: Books, wake: _Wake, metrics: Metrics, ear: WebhookEar
) -> WebhookDoor:
    received = metrics.counter(
        "webhooks_received", "Webhooks by what became of them", labels=("outcome",)
    )

    def count(outcome: str) -> None:
        received.labels(outcome).inc()
        if outcome in HEARD:
            ear.heard()

    return WebhookDoor(
        books,
        SqlFiles(),
        merchant_id=runtime.settings.paypay_merchant_id,
        body_limit=runtime.settings.body_limit_bytes,
        wake=wake.webhooks.set,
        wake_files=wake.files.set,
        count=count,
    )


def _loop(
    books: Books,
    pause_s: float,
    name: str,
    rows: Work,
    work: Callable[[Due], Awaitable[None]],
    at_once: int,
    wake: asyncio.Event,
) -> DueLoop:
    due = DueRows(books, rows, lease_ms=int(WORK_LEASE_S * 1000))
    return DueLoop(name, due, work, at_once=at_once, pause_s=pause_s, wake=wake)
