"""One seed's world: every service over its disk, the lines between them, the clock, the bus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Context
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

import kessai.sim.firebase.main
from kessai.contracts.account import AccountService
from kessai.contracts.alert import AlertService
from kessai.contracts.order import OrderService
from kessai.contracts.payment import PaymentService
from kessai.contracts.search import SearchService
from kessai.contracts.storage import StorageService
from kessai.embedded import Ports, build_unit
from kessai.kernel.calls import absent, simulated
from kessai.kernel.clock import from_ms
from kessai.kernel.db import Db
from kessai.kernel.ids import RandomIds
from kessai.kernel.runtime import Runtime
from kessai.kernel.service import Unit
from kessai.kernel.settings import Settings
from kessai.proof.simulation.disk import Disk, SimDb
from kessai.proof.simulation.house import House, Shell
from kessai.proof.simulation.keys import known_key
from kessai.proof.simulation.loop import Life, SimLoop, bury
from kessai.proof.simulation.mix import MORTAL, LineFaults, Mix
from kessai.proof.simulation.network import Calls, Line, SimHttp
from kessai.proof.simulation.sim_bus import BusLine
from kessai.proof.simulation.trace import Trace
from kessai.sim.paypay.application.control import Control
from kessai.topology import (
    ACCOUNT,
    ALERT,
    FIREBASE_SIMULATOR,
    ORDER,
    PAYMENT,
    PAYPAY_SIMULATOR,
    SEARCH,
    SERVICES,
    SIMULATORS,
    STORAGE,
    ServiceCard,
)

P = TypeVar("P")
START = datetime(2026, 1, 15, 3, 0, tzinfo=UTC)
CUSTOMERS = "customers"
WEBHOOK_PATH = "/paypay/callback"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Whom the door needs is there before it.
CARDS = (*SIMULATORS, ACCOUNT, STORAGE, PAYMENT, ORDER, SERVICES[0])
_NO_FAULTS = LineFaults()


class SimSettings(Settings):
    """Without the environment: a seed must not know on which machine it runs."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the base class's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - left out on purpose
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


# Nobody looks at alerts here, so nobody needs to watch for them.
SETTINGS = SimSettings(
    instance="sim",
    data_dir="/nonexistent/kessai-simulation",
    frontend_dir="",
    outbox_lag_s=0,
    webhook_silence_s=0,
)


class SimClock:
    """Virtual time from a start that the world sets; apps keep the clock from seed to seed."""

    def __init__(self) -> None:
        self._start_ms = 0
        self._now_s: Callable[[], float] = float

    def begin(self, start: datetime, now_s: Callable[[], float]) -> None:
        self._start_ms = (start - _EPOCH) // timedelta(milliseconds=1)
        self._now_s = now_s

    @property
    def start_ms(self) -> int:
        return self._start_ms

    def now(self) -> datetime:
        return from_ms(self.now_ms())

    def now_ms(self) -> int:
        return self._start_ms + int(self._now_s() * 1000)

    def monotonic(self) -> float:
        return self._now_s()


class Stage:
    """What a process keeps from seed to seed."""

    def __init__(self) -> None:
        self.clock = SimClock()
        self.shells = {card.name: Shell(card) for card in CARDS}
        self.bus_disk = Disk("bus")

    def disks(self) -> dict[str, Disk]:
        return {**{name: shell.disk for name, shell in self.shells.items()}, "bus": self.bus_disk}


class World:
    def __init__(
        self, stage: Stage, mix: Mix, loop: SimLoop, trace: Trace, start: datetime
    ) -> None:
        self.mix = mix
        self.loop = loop
        self.trace = trace
        self.stage = stage
        self.clock = stage.clock
        self.clock.begin(start, loop.time)
        self.settings = SETTINGS.model_copy(update=dict(mix.settings))
        self.findings: list[str] = []
        # Bodies of webhooks that were answered: whoever sent them sends them no more.
        self.answered_webhooks: list[bytes] = []
        self.director = Life("director", 1, 1)
        self.people = Life(CUSTOMERS, 1, 2)
        self._broker = Life("bus", 1, 3)
        self.bus = BusLine(
            SimDb(stage.bus_disk, self._broker.context()), self.clock, mix.bus, mix.seed, trace
        )
        self.houses = {
            card.name: House(
                stage.shells[card.name],
                self._build,
                seed=mix.seed,
                code=number,
                bus=self.bus,
                busy=mix.busy.get(card.name, 0.0),
                away=[one for one in mix.away if one.service == card.name],
                loose=mix.loose if card.name in MORTAL else 0.0,
                trace=trace,
                findings=self.findings,
            )
            for number, card in enumerate(CARDS, 4)
        }
        self._by_origin = {house.origin: house for house in self.houses.values()}
        self._lines: dict[tuple[str, str], Line] = {}
        self.https = {name: self._http(name) for name in (CUSTOMERS, *self.houses)}

    async def open(self) -> None:
        for house in self.houses.values():
            await house.begin()

    @property
    def provider(self) -> Control:
        port = self.houses[PAYPAY_SIMULATOR.name].port
        if not isinstance(port, Control):
            raise LookupError("the provider is not there")
        return port

    def disk(self, card: ServiceCard) -> Disk:
        return self.stage.shells[card.name].disk

    def heal(self) -> None:
        """From now on nothing is lost; what is dead comes back, what is stopped goes on."""
        self.bus.healed = True
        for line in self._lines.values():
            line.healed = True
        for house in self.houses.values():
            house.healed = True
            house.resume(self.loop)

    def lives(self) -> list[Life]:
        of_houses = [life for house in self.houses.values() for life in house.lives]
        return [self.director, self.people, self._broker, *of_houses]

    def end(self) -> None:
        """Nobody is stepped any more; then what hangs can be freed without being seen."""
        for house in self.houses.values():
            house.vanish()
        self.bus.db.abandon()
        for life in self.lives():
            life.alive = False
            bury(life.tasks)

    def line(self, caller: str, callee: str) -> Line:
        found = self._lines.get((caller, callee))
        if found is None:
            faults = self.mix.lines.get(f"{caller}>{callee}", _NO_FAULTS)
            found = Line(caller, callee, faults, self.mix.seed, self.trace)
            self._lines[caller, callee] = found
        return found

    def _http(self, caller: str) -> SimHttp:
        lines: Mapping[str, Line] = {name: self.line(caller, name) for name in self.houses}
        return SimHttp(caller, self._by_origin, lines, self.trace, self._on_answer)

    def _on_answer(self, path: str, body: bytes) -> None:
        if path == WEBHOOK_PATH:
            self.answered_webhooks.append(body)

    async def _build(self, house: House, _life: Life) -> Unit[object]:
        chance = house.shell.chance
        if house.bus is None:
            raise LookupError(f"{house.name} has no bus")

        async def open_db(name: str) -> Db:
            return await house.open_db(name)

        runtime = Runtime(
            settings=self.settings.model_copy(update={"instance": house.instance}),
            clock=self.clock,
            ids=RandomIds(self.clock, chance),
            chance=chance,
            bus=house.bus,
            http=self.https[house.name],
            open_db=open_db,
        )
        if house.card == FIREBASE_SIMULATOR:
            return await kessai.sim.firebase.main.build(runtime, new_key=known_key)
        return await build_unit(runtime, house.card, self.ports_of(house.name))

    def ports_of(self, caller: str) -> Ports:
        port = partial(self._port, caller)
        return Ports(
            order=port(OrderService, ORDER),
            account=port(AccountService, ACCOUNT),
            storage=port(StorageService, STORAGE),
            payment=port(PaymentService, PAYMENT),
            # Pictures move no money.
            search=absent(SearchService, service=SEARCH.name),
            # Alerts only look on.
            alert=absent(AlertService, service=ALERT.name),
        )

    def _port(self, caller: str, port: type[P], card: ServiceCard) -> P:
        calls = Calls(self.line(caller, card.name), self.houses[card.name], self.trace)
        timeout_s = self.settings.call_timeout_s
        return simulated(port, calls, service=card.name, timeout_s=timeout_s)

    def context_of(self, name: str) -> Context:
        return self.houses[name].new_context()
