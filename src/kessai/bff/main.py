"""Wiring of the door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI

from kessai.bff.application import Images, Sessions, SessionStore
from kessai.bff.domain import SessionLimits, networks
from kessai.bff.gateway import (
    FirebaseIdentity,
    MemorySessionStore,
    RedisSessionStore,
    read_pages,
)
from kessai.bff.web.catalogue import catalogue_routes, search_routes
from kessai.bff.web.console import console_routes
from kessai.bff.web.door import Door, Limits
from kessai.bff.web.feed import AlertFeed
from kessai.bff.web.home import home_routes
from kessai.bff.web.images import image_routes
from kessai.bff.web.live import Hub, live_routes
from kessai.bff.web.orders import order_routes, purchase_routes, qr_routes
from kessai.bff.web.pages import page_routes
from kessai.bff.web.session import account_routes, session_routes
from kessai.bff.web.webhooks import webhook_routes
from kessai.contracts.account import AccountService
from kessai.contracts.alert import AlertService
from kessai.contracts.order import OrderService
from kessai.contracts.payment import PaymentService
from kessai.contracts.search import SearchService
from kessai.contracts.storage import StorageService
from kessai.kernel.app import create_app, management_app
from kessai.kernel.breaker import CircuitBreaker
from kessai.kernel.calls import observed
from kessai.kernel.limits import MemoryRateLimit, RateLimit
from kessai.kernel.metrics import Metrics
from kessai.kernel.objects import UNAVAILABLE, GuardedObjects
from kessai.kernel.oidc import TokenVerifier
from kessai.kernel.redis_limits import RedisRateLimit
from kessai.kernel.redis_server import RedisServer, open_shared_memory
from kessai.kernel.runtime import Runtime
from kessai.kernel.service import Unit
from kessai.kernel.supervisor import Supervisor
from kessai.topology import (
    ACCOUNT,
    ALERT,
    ALERTS_TOPIC,
    BFF,
    ORDER,
    ORDERS_TOPIC,
    PAYMENT,
    SEARCH,
    STORAGE,
)


async def build(
    runtime: Runtime,
    *,
    order: OrderService,
    account: AccountService,
    storage: StorageService,
    payment: PaymentService,
    search: SearchService,
    alert: AlertService,
) -> Unit[Door]:
    settings = runtime.settings
    supervisor = Supervisor(BFF.name, stop_timeout_s=1.0)
    metrics = Metrics(BFF.name)
    told = metrics.observe_call
    account = observed(AccountService, account, ACCOUNT.name, told)
    search = observed(SearchService, search, SEARCH.name, told)
    alert = observed(AlertService, alert, ALERT.name, told)
    redis = await open_shared_memory(settings)
    store = session_store(runtime, redis)
    door = Door(
        settings=settings,
        clock=runtime.clock,
        sessions=_sessions(runtime, store, account, metrics),
        orders=observed(OrderService, order, ORDER.name, told),
        accounts=account,
        catalogue=observed(StorageService, storage, STORAGE.name, told),
        payments=observed(PaymentService, payment, PAYMENT.name, told),
        alerts=alert,
        images=Images(_guarded(runtime), search),
        limits=_limits(runtime, redis),
        trusted_proxies=networks(settings.trusted_proxies),
        webhook_sources=networks(settings.paypay_webhook_sources),
    )
    hub, feed = Hub(), AlertFeed(alert)
    return Unit(
        name=BFF.name,
        build_app=lambda: _app(runtime, door, search, hub, feed, supervisor, metrics),
        port=door,
        supervisor=supervisor,
        start=_pushing(runtime, supervisor, hub, feed),
        build_management=lambda app: management_app(app, runtime=runtime),
        closers=[redis.close if redis else store.close],
        doors=[door, hub, feed],
    )


def _pushing(
    runtime: Runtime, supervisor: Supervisor, hub: Hub, feed: AlertFeed
) -> Callable[[], Awaitable[None]]:
    """Starts the loops through which orders and alerts come to who watches them."""
    # A group of its own for each instance: every one of them pushes to its own sockets.
    consumer = runtime.bus.consumer(
        f"bff.{runtime.instance}", [ORDERS_TOPIC], hub.on_record, start="latest"
    )
    alerts = runtime.bus.consumer(
        f"bff.alerts.{runtime.instance}", [ALERTS_TOPIC], feed.on_record, start="latest"
    )

    async def start() -> None:
        supervisor.start("order-events", consumer.run)
        supervisor.start("alert-events", alerts.run)
        supervisor.start("alert-changes", feed.watch)
        await consumer.ready()
        await alerts.ready()

    return start


def _app(
    runtime: Runtime,
    door: Door,
    search: SearchService,
    hub: Hub,
    feed: AlertFeed,
    supervisor: Supervisor,
    metrics: Metrics,
) -> FastAPI:
    metrics.gauge("live_sockets", "Open live channels").set_function(lambda: float(hub.count))
    streams = metrics.gauge("alert_streams", "Consoles that follow the alerts")
    streams.set_function(lambda: float(feed.count))
    folder = runtime.settings.frontend_dir
    pages = read_pages(Path(folder)) if folder else None
    # Routes are tried in this order, and no other has to answer five hundred times a second.
    routers = [
        webhook_routes(door),
        session_routes(door),
        account_routes(door),
        search_routes(search),
        catalogue_routes(door),
        image_routes(door.images),
        purchase_routes(door),
        order_routes(door),
        qr_routes(door),
        live_routes(door, hub),
        console_routes(door, feed),
        # The last one: it takes every address that is nobody else's.
        page_routes(door, pages) if pages else home_routes(door),
    ]
    app = create_app(
        title=BFF.name,
        runtime=runtime,
        routers=routers,
        health={"sessions": door.sessions.ping},
        docs=runtime.settings.env == "local",
        metrics=metrics,
        supervisor=supervisor,
        actuator="status",
    )
    app.state.closing = feed.close
    return app


def session_store(runtime: Runtime, redis: RedisServer | None) -> SessionStore:
    return MemorySessionStore(runtime.clock) if redis is None else RedisSessionStore(redis.client)


def _sessions(
    runtime: Runtime, store: SessionStore, account: AccountService, metrics: Metrics
) -> Sessions:
    settings = runtime.settings
    verifier = TokenVerifier(
        runtime.http,
        runtime.clock,
        issuer=f"https://securetoken.google.com/{settings.firebase_project}",
        audience=settings.firebase_project,
        keys_url=settings.firebase_keys_url,
        metrics=metrics,
    )
    return Sessions(
        store,
        FirebaseIdentity(verifier),
        account,
        clock=runtime.clock,
        chance=runtime.chance,
        limits=SessionLimits(
            idle_ms=settings.session_idle_s * 1000, absolute_ms=settings.session_absolute_s * 1000
        ),
        ticket_ms=settings.channel_token_s * 1000,
    )


def _guarded(runtime: Runtime) -> GuardedObjects:
    breaker = CircuitBreaker(runtime.clock, name="objects", code=UNAVAILABLE, failures=3, open_s=5)
    return GuardedObjects(runtime.objects, breaker)


def _limits(runtime: Runtime, redis: RedisServer | None) -> Limits:
    settings = runtime.settings

    def per_minute(name: str, requests: int) -> RateLimit:
        if redis is None:
            return MemoryRateLimit(runtime.clock, requests=requests, period_s=60)
        return RedisRateLimit(redis.client, name, requests=requests, period_s=60)

    return Limits(
        purchases=per_minute("purchases", settings.purchases_per_minute),
        checks=per_minute("checks", settings.checks_per_minute),
        sign_ins=per_minute("sign-ins", settings.sign_ins_per_minute),
    )
