"""Everything in one process, or one service alone: the only file that sees several, and wires them.

A service is loaded by whoever builds it: a process of order-service has no picture library, and a
command that only calls the shop loads no service.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kessai.contracts.account import AccountService
from kessai.contracts.alert import AlertService
from kessai.contracts.order import OrderService
from kessai.contracts.payment import PaymentService
from kessai.contracts.search import SearchService
from kessai.contracts.storage import StorageService
from kessai.kernel.adapters import open_bus, open_schema
from kessai.kernel.addresses import Address, Addresses
from kessai.kernel.aside import InThread
from kessai.kernel.breaker import CircuitBreaker
from kessai.kernel.calls import http, local, unavailable_code
from kessai.kernel.chance import SystemChance
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import Db, open_database
from kessai.kernel.http import AiohttpHttp
from kessai.kernel.ids import RandomIds
from kessai.kernel.objects import open_objects
from kessai.kernel.runtime import Runtime
from kessai.kernel.server import Binding, url_on_this_machine
from kessai.kernel.service import Unit
from kessai.kernel.settings import Settings
from kessai.topology import (
    ACCOUNT,
    ALERT,
    BFF,
    FIREBASE_SIMULATOR,
    ORDER,
    PARTITIONS,
    PAYMENT,
    PAYPAY_SIMULATOR,
    SEARCH,
    SIMULATORS,
    STORAGE,
    TOPICS,
    ServiceCard,
    service,
)

P = TypeVar("P")
AnyUnit = Unit[object]
_ADDRESS = re.compile(r"https?://[^\s/?#@]+")


@dataclass(frozen=True, slots=True)
class Ports:
    """The services as one caller sees them, called directly or over HTTP."""

    order: OrderService
    account: AccountService
    storage: StorageService
    payment: PaymentService
    search: SearchService
    alert: AlertService


@dataclass(frozen=True, slots=True)
class System:
    """Services and simulators of this process, in the order in which they start.

    `port` is where a single one listens when its card's port is another instance's; its
    management port keeps its distance.
    """

    runtime: Runtime
    units: Sequence[Unit[object]]
    ports: Ports | None = None
    port: int | None = None

    async def start(self) -> None:
        for unit in self.units:
            await unit.start()

    async def stop(self) -> None:
        """The door first, so that nothing new comes in while the rest ends."""
        for unit in reversed(self.units):
            await unit.stop()
        await self.runtime.bus.close()
        await self.runtime.http.close()

    def bindings(self) -> list[Binding]:
        """What is public listens on KESSAI_HOST, all else on KESSAI_BIND_HOST."""
        settings = self.runtime.settings
        bindings = []
        for unit in self.units:
            card = service(unit.name)
            address = settings.host if card.public else settings.bind_host
            port = self.port or card.port + settings.port_offset
            bindings.append(Binding(unit.name, unit.app, port, address))
            if unit.management is not None and card.management_port is not None:
                name = f"{unit.name} (management)"
                beside = port + card.management_port - card.port
                bindings.append(Binding(name, unit.management, beside, settings.bind_host))
            if unit.tls is not None:
                name, pair = f"{unit.name} (TLS)", unit.tls.pair
                bindings.append(
                    Binding(name, unit.app, unit.tls.port, address, tls=pair, also=True)
                )
        return bindings


async def open_runtime(settings: Settings, *, part: str = "") -> Runtime:
    """The real machine: system clock and chance, files below `KESSAI_DATA_DIR`, sockets.

    `part` tells processes of one instance apart on the shared bus.
    """
    # Refused where everything is in one process, too: a misspelt one is not passed over.
    service_urls(settings)
    clock, chance = SystemClock(settings.clock_skew_s), SystemChance()
    folder = Path(settings.data_dir)

    async def open_db(name: str) -> Db:
        if name in {card.name for card in SIMULATORS}:
            # What stands in for a stranger need not outlive a power loss, nor leave this machine.
            return await open_database(f"sqlite:///{folder / name}.db", durable=False)
        return await open_schema(settings, name)

    instance = f"{settings.instance}-{part}" if part else settings.instance
    return Runtime(
        settings=settings.model_copy(update={"instance": instance}),
        clock=clock,
        ids=RandomIds(clock, chance),
        chance=chance,
        bus=await open_bus(
            settings, clock, instance=instance, partitions=PARTITIONS, topics=TOPICS
        ),
        http=AiohttpHttp(),
        open_db=open_db,
        objects=open_objects(settings.objects_url, folder / "objects"),
        aside=InThread(),
    )


async def build_system(
    runtime: Runtime, *, simulators: bool = True, round_trip: bool = False
) -> System:
    """Every service with the `Local` adapters of the others. Nothing runs before `start`."""
    timeout_s = runtime.settings.call_timeout_s

    def call(port: type[P], unit: Unit[P]) -> P:
        return local(port, unit.port, service=unit.name, timeout_s=timeout_s, round_trip=round_trip)

    sims = [await _firebase(runtime), await _paypay(runtime)] if simulators else []
    account = await _account(runtime)
    storage = await _storage(runtime)
    payment = await _payment(runtime)
    account_port = call(AccountService, account)
    storage_port = call(StorageService, storage)
    payment_port = call(PaymentService, payment)
    search = await _search(runtime, storage_port)
    order = await _order(runtime, account_port, storage_port, payment_port)
    order_port = call(OrderService, order)
    alert = await _alert(runtime, order_port, payment_port, storage_port)
    ports = Ports(
        order_port,
        account_port,
        storage_port,
        payment_port,
        call(SearchService, search),
        call(AlertService, alert),
    )
    bff = await _bff(runtime, ports)
    return System(runtime, [*sims, account, storage, payment, search, order, alert, bff], ports)


async def _account(runtime: Runtime) -> Unit[AccountService]:
    from kessai.account.main import build

    return await build(runtime)


async def _storage(runtime: Runtime) -> Unit[StorageService]:
    from kessai.storage.main import build

    return await build(runtime)


async def _payment(runtime: Runtime) -> Unit[PaymentService]:
    from kessai.payment.main import build

    return await build(runtime)


async def _search(runtime: Runtime, storage: StorageService) -> Unit[SearchService]:
    from kessai.search.main import build

    return await build(runtime, storage=storage)


async def _order(
    runtime: Runtime, account: AccountService, storage: StorageService, payment: PaymentService
) -> Unit[OrderService]:
    from kessai.order.main import build

    return await build(runtime, account=account, storage=storage, payment=payment)


async def _alert(
    runtime: Runtime, order: OrderService, payment: PaymentService, storage: StorageService
) -> Unit[AlertService]:
    from kessai.alert.main import build

    return await build(runtime, order=order, payment=payment, storage=storage)


async def _bff(runtime: Runtime, ports: Ports) -> AnyUnit:
    from kessai.bff.main import build

    return await build(
        runtime,
        order=ports.order,
        account=ports.account,
        storage=ports.storage,
        payment=ports.payment,
        search=ports.search,
        alert=ports.alert,
    )


async def _paypay(runtime: Runtime) -> AnyUnit:
    from kessai.sim.paypay.main import build

    return await build(runtime)


async def _firebase(runtime: Runtime) -> AnyUnit:
    from kessai.sim.firebase.main import build

    return await build(runtime)


async def build_service(runtime: Runtime, card: ServiceCard, *, port: int | None = None) -> System:
    """One service alone; the others are called over HTTP at `KESSAI_SERVICE_URLS`."""
    return System(runtime, [await build_unit(runtime, card, remote_ports(runtime))], port=port)


async def build_unit(runtime: Runtime, card: ServiceCard, ports: Ports) -> AnyUnit:
    """One service or simulator that sees the others through `ports`."""
    builders: dict[str, Callable[[], Awaitable[AnyUnit]]] = {
        ACCOUNT.name: lambda: _account(runtime),
        STORAGE.name: lambda: _storage(runtime),
        PAYMENT.name: lambda: _payment(runtime),
        ORDER.name: lambda: _order(runtime, ports.account, ports.storage, ports.payment),
        ALERT.name: lambda: _alert(runtime, ports.order, ports.payment, ports.storage),
        BFF.name: lambda: _bff(runtime, ports),
        SEARCH.name: lambda: _search(runtime, ports.storage),
        PAYPAY_SIMULATOR.name: lambda: _paypay(runtime),
        FIREBASE_SIMULATOR.name: lambda: _firebase(runtime),
    }
    return await builders[card.name]()


def remote_ports(runtime: Runtime) -> Ports:
    """Every service over HTTP."""
    urls = service_urls(runtime.settings)

    def call(port: type[P], card: ServiceCard) -> P:
        return remote_port(runtime, port, card, urls.get(card.name) or [own_url(runtime, card)])

    return Ports(
        order=call(OrderService, ORDER),
        account=call(AccountService, ACCOUNT),
        storage=call(StorageService, STORAGE),
        payment=call(PaymentService, PAYMENT),
        search=call(SearchService, SEARCH),
        alert=call(AlertService, ALERT),
    )


def remote_port(runtime: Runtime, port: type[P], card: ServiceCard, urls: Sequence[str]) -> P:
    """One service over HTTP at the addresses of its instances."""
    settings, code = runtime.settings, unavailable_code(card.name)

    def address(url: str) -> Address:
        name = card.name if len(urls) == 1 else f"{card.name} at {url}"
        return Address(url, CircuitBreaker(runtime.clock, name=name, code=code))

    return http(
        port,
        Addresses([address(url) for url in urls]),
        service=card.name,
        token=settings.service_token.get_secret_value(),
        client=runtime.http,
        timeout_s=settings.call_timeout_s,
    )


def own_url(runtime: Runtime, card: ServiceCard) -> str:
    """On this machine, at the port of its card."""
    settings = runtime.settings
    host = settings.host if card.public else settings.bind_host
    return url_on_this_machine(host, card.port + settings.port_offset)


def service_urls(settings: Settings) -> dict[str, list[str]]:
    """`order-service=http://a:8082|http://b:8082;...`: the addresses of each service's instances.

    Raises `ValueError` for an unknown service, an entry without `=` or what is no address.
    """
    urls: dict[str, list[str]] = {}
    for entry in filter(None, (part.strip() for part in settings.service_urls.split(";"))):
        name, separator, addresses = entry.partition("=")
        if not separator:
            raise ValueError(f"KESSAI_SERVICE_URLS: {entry!r} is not name=url")
        try:
            card = service(name.strip())
        except LookupError as error:
            raise ValueError(f"KESSAI_SERVICE_URLS: {error}") from error
        given = [address.strip().rstrip("/") for address in addresses.split("|")]
        for url in given:
            if not _ADDRESS.fullmatch(url):
                raise ValueError(f"KESSAI_SERVICE_URLS: {url!r} of {card.name} is no http address")
        urls.setdefault(card.name, []).extend(given)
    return urls
