"""One cell of the matrix: a shop that breaks at a point in a way, and whether all agrees after."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, get_type_hints

from sqlalchemy import text
from starlette.requests import Request as WebRequest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from tests.crash.lockstep import STOPPED_S, FollowerLoop, LeaderLoop, PipeHttp
from tests.crash.points import INSTANCE
from tests.crash.world import INSIDE, LOST_FOR_S, GaveUp, People, WorldHttp
from tests.support.agreement import Books, disagreements, read_books
from tests.support.shop import SHOP, Shop

import kessai.sim.firebase.main
import kessai.sim.paypay.main
from kessai.embedded import Ports, System, build_system
from kessai.kernel import crash_points
from kessai.kernel.calls import operations
from kessai.kernel.chance import SeededChance
from kessai.kernel.crash_points import Mode
from kessai.kernel.db import Db, open_database
from kessai.kernel.errors import Refused, Unknown
from kessai.kernel.http import AsgiHttp, HttpClient
from kessai.kernel.ids import RandomIds
from kessai.kernel.local_bus import open_local_bus
from kessai.kernel.runtime import Runtime
from kessai.kernel.settings import Settings
from kessai.proof.virtual_time import VirtualClock
from kessai.topology import PARTITIONS, service

OWN = ("account", "order", "payment", "storage")
SETTLES_S = 6.0
REST_WITHIN_S = 240.0
LOCK_TIMEOUT_S = 0.5
STARTS = 10
RESTART_AFTER_S = 3.0


@dataclass(frozen=True)
class Life:
    """One process of the shop."""

    folder: Path
    instance: str
    seed: int


@dataclass(frozen=True)
class Place:
    """The nth time that a point is reached in a chapter."""

    point: str
    chapter: str
    nth: int


@dataclass(frozen=True)
class Chain:
    """Cells of one mode and one chapter that are played one after the other."""

    mode: Mode
    chapter: str
    places: tuple[Place, ...]


@dataclass
class Outcome:
    point: str
    mode: str
    wrong: list[str] = field(default_factory=list)
    was_reached: bool = True


def shop_process(pipe: Connection, life: Life) -> None:
    """The whole shop without the strangers; it runs until it is killed."""
    log = os.open(life.folder / f"{life.instance}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    loop = FollowerLoop(pipe)
    loop.wait_turn()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(_serve(loop, life))


async def _serve(loop: FollowerLoop, life: Life) -> None:
    local, http = AsgiHttp(), PipeHttp(loop.send_off)
    loop.follow(http, local)
    databases: dict[str, Db] = {}
    runtime = await _runtime(life, http, databases)
    system = await build_system(runtime, simulators=False)
    for db in databases.values():
        # Another process's lock is waited for in virtual time only.
        async with db.transaction() as tx:
            await tx.run(text("PRAGMA busy_timeout=0"))
    await system.start()
    for unit in system.units:
        local.route(f"http://127.0.0.1:{service(unit.name).port}", unit.app)
    assert system.ports is not None
    local.route(INSIDE, _Inside(system.ports, loop))
    await asyncio.Event().wait()


async def _runtime(life: Life, http: HttpClient, databases: dict[str, Db]) -> Runtime:
    clock, chance = VirtualClock(), SeededChance(life.seed)

    async def open_db(name: str) -> Db:
        databases[name] = await open_database(
            f"sqlite:///{life.folder / name}.db", lock_timeout_s=LOCK_TIMEOUT_S
        )
        return databases[name]

    bus = await open_local_bus(
        str(life.folder / "bus.db"), clock, partitions=PARTITIONS, instance=life.instance
    )
    databases["bus"] = bus.db
    return Runtime(
        settings=_settings(life.instance, data_dir=str(life.folder)),
        clock=clock,
        ids=RandomIds(clock, chance),
        chance=chance,
        bus=bus,
        http=http,
        open_db=open_db,
    )


def _settings(instance: str, **more: Any) -> Settings:
    return Settings(_env_file=None, instance=instance, paypay_code_lifetime_s=LOST_FOR_S, **more)


class _Inside:
    """What is asked of the process itself: `/arm`, `/reached`, and any call as `/<port>/<name>`.

    So the calls that no customer causes are asked where their seams are.
    """

    def __init__(self, ports: Ports, loop: FollowerLoop) -> None:
        self._loop = loop
        self._reached = Counter[str]()
        self._calls: dict[str, Any] = {}
        for name, port in get_type_hints(Ports).items():
            target = getattr(ports, name)
            for one in operations(port):
                self._calls[f"/{name}/{one.name}"] = (one.command, getattr(target, one.name))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, content = await self._answer(scope["path"], await _body(scope, receive))
        await JSONResponse(content, status)(scope, receive, send)

    async def _answer(self, path: str, body: bytes) -> tuple[int, object]:
        if path == "/arm":
            self._reached.clear()
            crash_points.record(lambda point: self._reached.update([point]))
            if body:
                crash_points.arm(body.decode(), self._act)
            return 200, {}
        if path == "/reached":
            return 200, dict(self._reached)
        command, call = self._calls[path]
        try:
            await call(command.model_validate_json(body))
        except Refused as refused:
            return 409, {"code": refused.code}
        except Unknown as unknown:
            return 503, {"code": unknown.code}
        return 200, {}

    def _act(self, mode: Mode) -> None:
        match mode:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stop":
                self._loop.stop_here()
            case "full":
                self._loop.say("full")
                crash_points.fill_disk()


async def _body(scope: Scope, receive: Receive) -> bytes:
    return await WebRequest(scope, receive).body()


def run_chain(chain: Chain, template: Path) -> list[Outcome]:
    """One cell after the other, in one world: what is left of the shop is broken again.

    It ends early where something is wrong, since everything after that may be wrong as well.
    """
    outcomes = [Outcome(place.point, chain.mode) for place in chain.places]
    with _copy(template) as folder:
        world = _World(LeaderLoop(), folder, 1)
        wishes = [f"{place.point}#{place.nth}={chain.mode}" for place in chain.places]
        done = world.live(chain.chapter, wishes, outcomes)
    return outcomes[:done]


def traced(chapter: str, template: Path) -> tuple[Outcome, dict[str, int]]:
    """How often each point is reached when nothing breaks."""
    outcome = Outcome("", "")
    with _copy(template) as folder:
        world = _World(LeaderLoop(), folder, 1)
        world.live(chapter, [""], [outcome])
    return outcome, world.reached


def make_template(folder: Path) -> None:
    """A shop's folder after its first start: migrated, with the catalogue."""
    folder.mkdir()
    _World(LeaderLoop(), folder, 0).live("", [], [])


@contextmanager
def _copy(template: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kessai-crash-", dir=memory()) as place:
        yield Path(shutil.copytree(template, Path(place) / "data"))


def memory() -> str | None:
    """Kill -9 loses nothing of a file in memory either, and its fsync is free."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class _World:
    """The leader's side: strangers and customers, and a shop that is broken again and again."""

    def __init__(self, loop: LeaderLoop, folder: Path, seed: int) -> None:
        self.reached: dict[str, int] = {}
        self._loop = loop
        self._folder = folder
        self._http = WorldHttp(AsgiHttp())
        self._seeds = itertools.count(seed)
        self._seed = seed
        self._done = 0

    def live(self, chapter: str, wishes: Sequence[str], outcomes: Sequence[Outcome]) -> int:
        """How many of the wishes were played, the last one perhaps with a bad end."""
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._live(chapter, wishes, outcomes))
        finally:
            self._loop.end_children()
        return self._done

    async def _live(self, chapter: str, wishes: Sequence[str], outcomes: Sequence[Outcome]) -> None:
        self._loop.lead(self._http.strangers)
        opening = _opening_stock(self._folder)
        strangers = await self._strangers()
        await self._enter(INSTANCE)
        watching = asyncio.ensure_future(self._watch())
        try:
            for number, (wish, outcome) in enumerate(zip(wishes, outcomes, strict=True)):
                self._done += 1
                await self._turn(number, chapter, wish, outcome)
                if not outcome.wrong:
                    outcome.wrong = await self._disagreements(strangers, opening)
                if outcome.wrong or not outcome.was_reached:
                    break
        finally:
            watching.cancel()
            await strangers.stop()

    async def _turn(self, number: int, chapter: str, wish: str, outcome: Outcome) -> None:
        before = len(self._loop.said)
        await self._ask_inside("arm", wish.encode())
        try:
            await People(self._http, f"crash{number}@example.com").live(chapter)
        except GaveUp as gave_up:
            outcome.wrong = [str(gave_up)]
        if not wish:
            self.reached = json.loads(await self._ask_inside("reached"))
        outcome.was_reached = (len(self._loop.said) > before) == bool(wish)
        if "stopped" in self._loop.said[before:]:
            # It has to come back first, and to try whatever it still believes.
            await asyncio.sleep(STOPPED_S + SETTLES_S)
            self._loop.end_children(but=self._http.shop)

    async def _ask_inside(self, what: str, body: bytes = b"") -> bytes:
        return (await self._http.send("POST", f"{INSIDE}/{what}", body=body, timeout_s=5)).body

    async def _strangers(self) -> System:
        async def open_db(name: str) -> Db:
            return await open_database("sqlite:", durable=False)

        clock, chance = VirtualClock(), SeededChance(self._seed)
        runtime = Runtime(
            settings=_settings(INSTANCE),
            clock=clock,
            ids=RandomIds(clock, chance),
            chance=chance,
            bus=await open_local_bus(None, clock, partitions=PARTITIONS, instance="world"),
            http=self._http,
            open_db=open_db,
        )
        units = [
            await kessai.sim.firebase.main.build(runtime),
            await kessai.sim.paypay.main.build(runtime),
        ]
        for unit in units:
            self._http.strangers.route(f"http://127.0.0.1:{service(unit.name).port}", unit.app)
            await unit.start()
        return System(runtime, units)

    async def _enter(self, instance: str) -> None:
        """A new process; it serves the customers as soon as it answers."""
        life = Life(self._folder, instance, next(self._seeds))
        for _ in range(STARTS):
            child = self._loop.fork(lambda pipe: shop_process(pipe, life))
            while child.alive:
                try:
                    await child.http.send("GET", f"{SHOP}/actuator/health", timeout_s=5)
                except Unknown:
                    await asyncio.sleep(0.05)
                else:
                    self._http.shop = child
                    return
            # One that stands still may hold a lock; whoever starts services starts them again.
            await asyncio.sleep(RESTART_AFTER_S)
        raise GaveUp(f"{instance} does not start")

    async def _watch(self) -> None:
        """When a shop dies, or stands still, another one takes over on the same files."""
        number = 1
        while True:
            await asyncio.sleep(0.1)
            shop = self._http.shop
            if shop is None or (shop.alive and shop.stopped_until_s is None):
                continue
            number += 1
            self._http.shop = None
            await self._enter(f"{INSTANCE}-{number}" if shop.alive else INSTANCE)

    async def _disagreements(self, strangers: System, opening: dict[int, int]) -> list[str]:
        """Waits until everything is at rest, at most so long; what is wrong then stays wrong."""
        end_s = self._loop.time() + REST_WITHIN_S
        while True:
            await asyncio.sleep(SETTLES_S)
            wrong = disagreements(await self._read(strangers, opening), crashed=True)
            if not wrong or self._loop.time() > end_s:
                return wrong

    async def _read(self, strangers: System, opening: dict[int, int]) -> Books:
        """Opened and closed each time: an open file of SQLite must not live through a fork."""
        runtime = strangers.runtime
        bus = await open_local_bus(
            str(self._folder / "bus.db"), runtime.clock, partitions=PARTITIONS, instance="reader"
        )
        databases = {
            name: await open_database(f"sqlite:///{self._folder / name}.db") for name in OWN
        }
        system = System(replace(runtime, bus=bus), strangers.units)
        shop = Shop(system, self._http, databases, 0, opening_stock=opening)  # type: ignore[arg-type]
        try:
            return await read_books(shop)
        finally:
            await bus.close()
            for db in databases.values():
                await db.close()


def _opening_stock(folder: Path) -> dict[int, int]:
    if not (folder / "storage.db").exists():
        return {}
    raw = sqlite3.connect(folder / "storage.db")
    try:
        return dict(raw.execute("select product_id, available from stock").fetchall())
    finally:
        raw.close()
