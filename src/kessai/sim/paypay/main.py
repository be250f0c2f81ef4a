"""Wiring of the PayPay simulator, embedded on 8090 or alone as `kessai sim paypay`."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI

from kessai.contracts.paypay import Credentials
from kessai.kernel.app import create_app
from kessai.kernel.db import Db
from kessai.kernel.migrations import migrate
from kessai.kernel.runtime import Runtime
from kessai.kernel.service import Unit
from kessai.kernel.settings import Settings
from kessai.kernel.supervisor import Supervisor
from kessai.kernel.tls import LOCAL_NAMES, KeyPair, TlsDoor, check, self_signed
from kessai.sim.paypay.application.alarms import Alarms
from kessai.sim.paypay.application.authorisations import Authorisations
from kessai.sim.paypay.application.book import Book
from kessai.sim.paypay.application.control import Control
from kessai.sim.paypay.application.customer import Customer
from kessai.sim.paypay.application.faults import FaultBox
from kessai.sim.paypay.application.happenings import Happenings
from kessai.sim.paypay.application.merchant import Merchant
from kessai.sim.paypay.application.settlement import Settlement
from kessai.sim.paypay.application.webhooks import Webhooks
from kessai.sim.paypay.gateway import HttpCourier, SqlStore
from kessai.sim.paypay.web.api import api_routes
from kessai.sim.paypay.web.control import control_routes
from kessai.sim.paypay.web.gate import Gate
from kessai.sim.paypay.web.home import home_routes
from kessai.sim.paypay.web.page import page_routes
from kessai.sim.paypay.web.settlement import settlement_routes
from kessai.topology import PAYPAY_SIMULATOR


async def build(runtime: Runtime) -> Unit[Control]:
    """Opens the book that an earlier process left.

    Raises `ValueError` in production, and for a certificate that cannot be used.
    """
    settings = runtime.settings
    if settings.env == "production":
        raise ValueError(f"{PAYPAY_SIMULATOR.name} does not run in production")
    tls = _tls_door(runtime)
    db = await runtime.open_db(PAYPAY_SIMULATOR.name)
    migrate(db, PAYPAY_SIMULATOR.package)
    supervisor = Supervisor(PAYPAY_SIMULATOR.name, stop_timeout_s=settings.stop_timeout_s)
    control = _control(runtime, db, supervisor)
    await control.open()

    async def start() -> None:
        supervisor.start("alarms", control.alarms.run)

    return Unit(
        name=PAYPAY_SIMULATOR.name,
        build_app=lambda: _app(runtime, db, supervisor, control),
        port=control,
        supervisor=supervisor,
        start=start,
        tls=tls,
        closers=[db.close],
        doors=[
            control,
            control.book,
            control.merchant,
            control.authorisations,
            control.customer,
            control.faults,
            control.settlement,
        ],
    )


def _control(runtime: Runtime, db: Db, supervisor: Supervisor) -> Control:
    clock, chance = runtime.clock, runtime.chance
    store = SqlStore(db)
    happenings = Happenings(clock)
    book = Book(store)
    faults = FaultBox(store, clock, happenings)
    webhooks = Webhooks(
        book,
        faults,
        HttpCourier(runtime.http, runtime.settings.sim_webhook_url),
        happenings,
        spawn=supervisor.spawn,
        merchant_id=runtime.settings.paypay_merchant_id,
    )
    alarms = Alarms(book, webhooks, happenings, clock)
    customer = Customer(
        book, store, faults, webhooks, alarms, happenings, clock=clock, chance=chance
    )
    merchant = Merchant(book, faults, alarms, customer, happenings, clock=clock, chance=chance)
    authorisations = Authorisations(book, faults, alarms, webhooks, happenings, clock=clock)
    settlement = Settlement(
        book,
        faults,
        webhooks,
        happenings,
        clock=clock,
        chance=chance,
        merchant_id=runtime.settings.paypay_merchant_id,
    )
    return Control(
        book, merchant, authorisations, customer, webhooks, faults, happenings, alarms, settlement
    )


def _app(runtime: Runtime, db: Db, supervisor: Supervisor, control: Control) -> FastAPI:
    settings = runtime.settings
    base_url = settings.sim_public_url.rstrip("/")
    gate = Gate(_credentials(settings), control.faults, clock=runtime.clock, chance=runtime.chance)
    return create_app(
        title=PAYPAY_SIMULATOR.name,
        runtime=runtime,
        routers=[
            home_routes(control.book, runtime.clock, base_url=base_url),
            api_routes(gate, control.merchant, control.authorisations, base_url=base_url),
            control_routes(control, runtime.clock, base_url=base_url),
            settlement_routes(control.settlement, base_url=base_url),
            page_routes(control.customer, control.book, runtime.clock),
        ],
        health={"book": db.ping},
        docs=settings.env == "local",
        supervisor=supervisor,
    )


def _tls_door(runtime: Runtime) -> TlsDoor | None:
    """Some of PayPay's own SDKs speak https only."""
    settings = runtime.settings
    if not settings.sim_tls_port:
        return None
    if settings.sim_tls_certificate:
        pair = KeyPair(Path(settings.sim_tls_certificate), Path(settings.sim_tls_key))
        check(pair)
    else:
        host = urlsplit(settings.sim_public_url).hostname
        names = LOCAL_NAMES if host is None else (*LOCAL_NAMES, host)
        pair = self_signed(Path(settings.data_dir) / "tls", names, runtime.clock.now())
    return TlsDoor(settings.sim_tls_port, pair)


def _credentials(settings: Settings) -> Credentials:
    return Credentials(
        settings.paypay_api_key.get_secret_value(),
        settings.paypay_api_secret.get_secret_value(),
        settings.paypay_merchant_id,
    )
