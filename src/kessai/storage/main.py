"""Wiring of storage-service."""

from __future__ import annotations

from importlib import resources

from fastapi import FastAPI

from kessai.contracts.signals import outbox_news
from kessai.contracts.storage import StorageService
from kessai.kernel.app import create_app
from kessai.kernel.db import Db
from kessai.kernel.migrations import migrate
from kessai.kernel.outbox import Outbox, open_outbox
from kessai.kernel.outbox_watch import watch_outbox
from kessai.kernel.runtime import Runtime
from kessai.kernel.service import Unit
from kessai.kernel.supervisor import Supervisor
from kessai.storage.application.announcements import AnnounceLimits, Announcements, Topics
from kessai.storage.application.catalogue import Catalogue
from kessai.storage.application.catalogue_import import CatalogueImport
from kessai.storage.application.pictures import Pictures
from kessai.storage.application.reservations import Reservations
from kessai.storage.application.service import Storage
from kessai.storage.domain.catalogue_file import FileLimits
from kessai.storage.gateway.products import SqlProductBook
from kessai.storage.gateway.stock import SqlReservationBook, SqlStockBook
from kessai.storage.web import IMPORT_PATH, keep_doing, routes
from kessai.topology import PRODUCTS_TOPIC, SIGNALS_TOPIC, STORAGE

OVERDUE_EVERY_S = 30.0
# A large import makes work for a long time, which others in this process share.
ANNOUNCE_BREATH_S = 0.05
# Nobody waits for the index as long as files are coming in, but a person for the file.
WHILE_IMPORTING_S = 0.5
# What an order may still take after its deadline before its open reservation is worth a signal.
SETTLE_MARGIN_S = 600
_CALL_PATH = "/internal/calls/import_catalogue"


async def build(runtime: Runtime, *, demo_catalogue: bool = True) -> Unit[StorageService]:
    """An empty shop on a local machine opens with the demo catalogue, a production one does not."""
    db = await runtime.open_db("storage")
    migrate(db, "storage")
    outbox = open_outbox(runtime, db, STORAGE.name)
    imports = CatalogueImport(
        db, runtime.clock, runtime.ids, SqlProductBook(), SqlStockBook(), limits=FileLimits()
    )
    if demo_catalogue and runtime.settings.env == "local":
        await imports.seed(resources.files("kessai.storage").joinpath("catalogue.csv").read_bytes())
    reservations = Reservations(db, runtime.clock, SqlReservationBook(), SqlStockBook())
    pictures = Pictures(db, SqlProductBook(), SqlStockBook())
    catalogue = Catalogue(db, runtime.clock, SqlProductBook())
    port = Storage(db, catalogue, imports, reservations, pictures)
    supervisor = Supervisor(STORAGE.name, stop_timeout_s=runtime.settings.stop_timeout_s)
    announcements = _announcements(runtime, db, outbox)
    lag = watch_outbox(runtime, outbox, outbox_news(STORAGE.name, SIGNALS_TOPIC, runtime.clock))
    products = announcements.announce_products
    overdue = announcements.signal_reservations

    def breath_s() -> float:
        return WHILE_IMPORTING_S if imports.is_running else ANNOUNCE_BREATH_S

    async def start() -> None:
        supervisor.start("outbox", outbox.relay)
        if runtime.settings.outbox_lag_s:
            supervisor.start("outbox-lag", lag.run)
        supervisor.start(
            "announce",
            keep_doing(products, every_s=runtime.settings.idle_poll_s, breath_s=breath_s),
        )
        supervisor.start("overdue", keep_doing(overdue, every_s=OVERDUE_EVERY_S))

    return Unit(
        name=STORAGE.name,
        build_app=lambda: _app(runtime, db, port, supervisor),
        port=port,
        supervisor=supervisor,
        start=start,
        closers=[db.close],
    )


def _announcements(runtime: Runtime, db: Db, outbox: Outbox) -> Announcements:
    age_s = float(runtime.settings.order_deadline_s + SETTLE_MARGIN_S)
    return Announcements(
        db,
        runtime.clock,
        outbox,
        SqlProductBook(),
        SqlReservationBook(),
        topics=Topics(products=PRODUCTS_TOPIC, signals=SIGNALS_TOPIC),
        limits=AnnounceLimits(reservation_age_s=age_s),
    )


def _app(runtime: Runtime, db: Db, port: StorageService, supervisor: Supervisor) -> FastAPI:
    import_bytes = FileLimits().max_bytes
    return create_app(
        title=STORAGE.name,
        runtime=runtime,
        routers=routes(port, token=runtime.settings.service_token.get_secret_value()),
        health={"db": db.ping},
        supervisor=supervisor,
        # Base64 in a call, boundaries in a form.
        body_limits={_CALL_PATH: import_bytes * 3 // 2, IMPORT_PATH: import_bytes + 65_536},
    )
