"""A service in the simulation: what of it survives, the life it has now, its death and return."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context

from fastapi import FastAPI

from kessai.kernel.calls import unavailable_code
from kessai.kernel.errors import Unknown
from kessai.kernel.service import Unit
from kessai.proof.simulation.dice import Dice, StandingChance
from kessai.proof.simulation.disk import Disk, SimDb
from kessai.proof.simulation.loop import Life, SimLoop
from kessai.proof.simulation.mix import Away
from kessai.proof.simulation.sim_bus import BusLine, SimBus
from kessai.proof.simulation.trace import Trace
from kessai.topology import ServiceCard


class Shell:
    """What outlives seeds, being dear to build: the disk's connection, the app, its chance."""

    def __init__(self, card: ServiceCard) -> None:
        self.card = card
        self.disk = Disk(card.name)
        self.chance = StandingChance()
        self.app: FastAPI | None = None
        self._doors: Sequence[object] = ()

    def wear(self, unit: Unit[object]) -> None:
        """The app that was built once now answers for this life."""
        if self.app is None:
            self.app, self._doors = unit.app, unit.doors
        else:
            for old, new in zip(self._doors, unit.doors, strict=True):
                _become(old, new)
        # Built anew at the next request: it counts requests, and the dead never end theirs.
        self.app.middleware_stack = None


def _become(old: object, new: object) -> None:
    """Whoever holds the old object sees the new one's parts from now on."""
    if hasattr(old, "__dict__"):
        old.__dict__ = new.__dict__
        return
    for kind in type(new).__mro__:
        for name in getattr(kind, "__slots__", ()):
            object.__setattr__(old, name, getattr(new, name))


Build = Callable[["House", Life], Awaitable[Unit[object]]]


class House:
    def __init__(
        self,
        shell: Shell,
        build: Build,
        *,
        seed: int,
        code: int,
        bus: BusLine,
        busy: float,
        away: Sequence[Away],
        loose: float,
        trace: Trace,
        findings: list[str],
    ) -> None:
        self.card = shell.card
        self.name = shell.card.name
        self.origin = f"http://127.0.0.1:{shell.card.port}"
        self.shell = shell
        self.port: object = None
        self.unit: Unit[object] | None = None
        self.life: Life | None = None
        self.is_up = False
        self.healed = False
        self.bus: SimBus | None = None
        self.lives: list[Life] = []
        self._build = build
        self._seed = seed
        self._code = code
        self._bus_line = bus
        self._busy = busy
        self._away = away
        self._loose = loose
        self._trace = trace
        self._findings = findings
        self._dice = Dice("house", seed, self.name)
        self._db: SimDb | None = None
        self._dbs: list[SimDb] = []
        self._twins = 0
        self._hanging: dict[asyncio.Future[str], asyncio.Task[None]] = {}

    @property
    def app(self) -> FastAPI:
        if self.shell.app is None:
            raise LookupError(f"{self.name} answers no HTTP")
        return self.shell.app

    def new_context(self) -> Context:
        if self.life is None:
            raise LookupError(f"{self.name} is not there")
        return self.life.context()

    def tell(self, text: str) -> None:
        self._findings.append(f"{self.name}: {text}")

    @property
    def instance(self) -> str:
        """The name of the process: the same after a restart, another one beside it."""
        return f"sim-{self._twins}" if self._twins else "sim"

    def begin_twin(self) -> asyncio.Task[None]:
        """Another process in the place of one that seems to be dead; calls go to the new one."""
        self._twins += 1
        self.is_up = False
        return self.begin()

    def begin(self) -> asyncio.Task[None]:
        """A new process over what is on the disk."""
        life = Life(self.name, len(self.lives) + 1, self._code)
        self.lives.append(life)
        self.life = life
        self.shell.chance.reseed(self._seed, self.name, life.number)
        self._trace.note("start", self.name, self.name, f"life {life.number}")
        loop = asyncio.get_running_loop()
        return loop.create_task(self._open(life), name=self.name, context=life.context())

    async def _open(self, life: Life) -> None:
        context = life.context()
        self._db = SimDb(
            self.shell.disk, context, self._is_busy, self._pause_s if self._loose else None
        )
        self._dbs.append(self._db)
        self.bus = SimBus(self._bus_line, self.name, context, self.instance)
        unit = await self._build(self, life)
        if unit.doors:
            self.shell.wear(unit)
        await unit.start()
        self.unit, self.port, self.is_up = unit, unit.port, True

    async def open_db(self, name: str) -> SimDb:
        if self._db is None:
            raise LookupError(f"{self.name} has no database {name}")
        return self._db

    def opened(self, context: Context) -> SimDb:
        """What is on the disk, whether somebody works on it or not."""
        if self._db is not None and self.life is not None and self.life.alive:
            return self._db
        return SimDb(self.shell.disk, context)

    def _is_busy(self) -> bool:
        if self.healed or not self.is_up:
            return False
        now_s = asyncio.get_running_loop().time()
        is_away = any(one.at_s <= now_s < one.at_s + one.for_s for one in self._away)
        if not is_away and not self._dice.hits(self._busy):
            return False
        self._trace.fault("db.away" if is_away else "db.busy", self.name, self.name)
        return True

    def _pause_s(self) -> float | None:
        """Between what a transaction read and its first write, when others go first."""
        if self.healed or not self._dice.hits(self._loose):
            return None
        self._trace.fault("db.overtaken", self.name, self.name)
        return self._dice.pick((0.002, 0.05, 1.0))

    async def wait_for(self, answer: asyncio.Future[str], task: asyncio.Task[None]) -> str:
        """By a caller of this life's task."""
        self._hanging[answer] = task
        try:
            return await answer
        finally:
            self._hanging.pop(answer, None)

    def die(self) -> None:
        """As by kill -9. Some callers see the connection break, the others only silence."""
        life = self.life
        if life is None or not life.alive:
            return
        life.alive = False
        self.is_up = False
        self._trace.fault("crash", self.name, self.name, f"life {life.number}")
        if self._db is not None:
            self._db.abandon()
        if self.bus is not None:
            self._bus_line.detach(self.bus)
        for answer in list(self._hanging):
            if not answer.done() and self._dice.hits(0.5):
                code = unavailable_code(self.name)
                answer.set_exception(Unknown(code, "the connection broke"))
        self._hanging.clear()

    async def close(self) -> None:
        """A graceful end."""
        if self.unit is not None:
            await self.unit.stop()

    def vanish(self) -> None:
        """The world ends: no trace of it, and no touch of the disk any more."""
        for db in self._dbs:
            db.abandon()

    def stop(self) -> None:
        """As by SIGSTOP: it is not dead, and knows nothing of the time that passes."""
        if self.life is not None and self.life.alive and not self.life.paused:
            self.life.paused = True
            self._trace.fault("stop", self.name, self.name, f"life {self.life.number}")

    def resume(self, loop: SimLoop) -> None:
        for life in self.lives:
            if life.alive and life.paused:
                self._trace.note("resume", self.name, self.name, f"life {life.number}")
                loop.resume(life)
