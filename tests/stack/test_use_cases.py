"""Up, status, down and wipe over a machine of paper."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kessai.kernel.clock import SystemClock
from kessai.stack.application import CannotHave, Remembered, Running, Stack, StackError
from kessai.stack.domain.place import Launch, Place, Plan
from kessai.stack.domain.reports import Report, State
from kessai.stack.domain.server import SERVERS, ServerCard, chosen


@dataclass
class PaperMachine:
    alive: dict[str, int] = field(default_factory=dict)
    notes: set[str] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)
    deaf: set[str] = field(default_factory=set)
    ended: list[tuple[str, bool]] = field(default_factory=list)
    started: list[str] = field(default_factory=list)

    def user(self) -> str:
        return "someone"

    def is_free(self, port: int) -> bool:
        return port not in self.taken

    def start(self, server: str, launch: Launch) -> None:
        self.started.append(launch.name)
        self.alive[launch.name] = 1000 + len(self.started)
        self.notes.add(launch.name)

    def running(self, server: str, process: str) -> tuple[Running, ...]:
        pid = self.alive.get(process)
        return () if pid is None else (Running(process, pid, 5_000_000),)

    def was_started(self, server: str, process: str) -> bool:
        return process in self.notes

    def end(self, server: str, process: str, *, at_once: bool) -> None:
        self.ended.append((process, at_once))
        if at_once or process not in self.deaf:
            self.alive.pop(process, None)

    def forget(self, server: str, process: str) -> None:
        self.notes.discard(process)


@dataclass
class PaperFolder:
    path: Path = Path("/data/stack")
    kept: Remembered = field(default_factory=lambda: Remembered({}))
    prepared: set[str] = field(default_factory=set)
    env: list[str] = field(default_factory=list)
    wiped: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        yield

    def load(self) -> Remembered:
        return self.kept

    def save(self, remembered: Remembered) -> None:
        self.kept = remembered

    def secrets(self, names: Iterable[str]) -> Mapping[str, str]:
        return {name: f"secret-of-{name}" for name in names}

    def write(self, plan: Plan) -> None:
        pass

    def is_prepared(self, server: str) -> bool:
        return server in self.prepared

    async def prepare(self, server: str, plan: Plan) -> None:
        self.prepared.add(server)

    def write_env(self, lines: Sequence[str]) -> None:
        self.env = list(lines)

    def log_tail(self, server: str, process: str, lines: int) -> list[str]:
        return ["first", "its last words"][-lines:]

    def wipe(self, server: str) -> None:
        self.prepared.discard(server)
        self.wiped.append(server)

    def wipe_rest(self) -> None:
        self.wiped.append("rest")


@dataclass
class PaperPrograms:
    absent: set[str] = field(default_factory=set)

    async def fetch(self, card: ServerCard) -> Mapping[str, Path]:
        if card.name in self.absent:
            raise CannotHave("it needs the Go toolchain")
        names = (
            "mariadbd",
            "mariadb-install-db",
            "redis-server",
            "minio",
            "elasticsearch",
            "java-home",
            "java",
            "libs",
            "mongod",
            "server",
        )
        return {name: Path(f"/programs/{name}") for name in names}


@dataclass
class PaperProbes:
    machine: PaperMachine
    dies: set[str] = field(default_factory=set)
    # Ready when it is asked for the first time, and then too busy to say so.
    busy: dict[str, int] = field(default_factory=dict)

    async def why_not_ready(self, server: str, place: Place) -> str | None:
        if server in self.dies:
            self.machine.alive.pop(server, None)
            return "no answer"
        if server in self.busy:
            self.busy[server] += 1
            return None if self.busy[server] == 1 else "no answer within its limit"
        up = [name for name in self.machine.alive if name.startswith(server)]
        return None if up else "no answer"


class Leaping(SystemClock):
    """An hour passes at every look."""

    def __init__(self) -> None:
        super().__init__()
        self.at_s = 0.0

    def monotonic(self) -> float:
        self.at_s += 3600
        return self.at_s


@dataclass
class World:
    machine: PaperMachine = field(default_factory=PaperMachine)
    folder: PaperFolder = field(default_factory=PaperFolder)
    programs: PaperPrograms = field(default_factory=PaperPrograms)
    told: list[Report] = field(default_factory=list)
    dies: set[str] = field(default_factory=set)
    busy: dict[str, int] = field(default_factory=dict)

    @property
    def stack(self) -> Stack:
        probes = PaperProbes(self.machine, self.dies, self.busy)
        return Stack(self.folder, self.machine, self.programs, probes, Leaping())

    async def up(self, *names: str, brokers: int | None = None) -> dict[str, State]:
        reports = await self.stack.up(chosen(names), self.told.append, brokers=brokers)
        return {report.server: report.state for report in reports}

    async def states(self) -> dict[str, State]:
        return {r.server: r.state for r in await self.stack.status(SERVERS)}


@pytest.fixture
def world() -> World:
    return World()


async def test_a_server_that_is_busy_right_after_it_was_ready_is_in_the_settings(
    world: World,
) -> None:
    world.busy["redis"] = 0
    assert await world.up("redis") == {"redis": State.READY}
    assert [line.partition("=")[0] for line in world.folder.env] == ["KESSAI_REDIS_URL"]


async def test_killed_it_is_down_until_it_is_brought_up_again(world: World) -> None:
    await world.up("redis", "kafka")
    (redis,) = chosen(["redis"])
    assert await world.stack.kill(redis)
    assert ("redis", True) in world.machine.ended
    assert (await world.states())["redis"] is State.ENDED
    assert (await world.states())["kafka"] is State.READY
    assert not await world.stack.kill(redis)
    assert await world.up("redis") == {"redis": State.READY}


async def test_all_come_up_and_are_named_in_the_settings(world: World) -> None:
    assert set((await world.up()).values()) == {State.READY}
    assert [line.partition("=")[0] for line in world.folder.env] == [
        "KESSAI_SEARCH_URL",
        "KESSAI_OBJECTS_URL",
        "KESSAI_BUS_URL",
        "KESSAI_SQL_URL",
        "KESSAI_AUDIT_URL",
        "KESSAI_REDIS_URL",
    ]
    assert "secret-of" not in str(world.stack.shown_settings(world.told))


async def test_a_second_up_starts_nothing(world: World) -> None:
    await world.up()
    started = list(world.machine.started)
    assert set((await world.up()).values()) == {State.READY}
    assert world.machine.started == started


async def test_what_cannot_be_had_keeps_no_other_from_coming_up(world: World) -> None:
    world.programs.absent = {"toxiproxy"}
    states = await world.up("toxiproxy", "redis")
    assert states == {"redis": State.READY, "toxiproxy": State.ABSENT}
    assert {r.why for r in world.told if r.server == "toxiproxy"} == {"it needs the Go toolchain"}
    assert world.machine.started == ["redis"]


async def test_what_is_fetched_is_not_started(world: World) -> None:
    world.programs.absent = {"toxiproxy"}
    reports = await world.stack.fetch(chosen(["toxiproxy", "kafka"]), world.told.append)
    assert {report.server: report.state for report in reports} == {
        "kafka": State.FETCHED,
        "toxiproxy": State.ABSENT,
    }
    assert sorted(world.told, key=str) == sorted(reports, key=str)
    assert world.machine.started == []
    assert world.folder.kept == Remembered({})
    assert world.folder.env == []


async def test_one_that_ends_at_once_is_told_with_its_last_words(world: World) -> None:
    world.dies = {"redis"}
    assert await world.up("redis") == {"redis": State.FAILED}
    assert "its last words" in world.told[0].why
    assert world.folder.env == []


async def test_one_that_was_killed_is_told_and_repaired(world: World) -> None:
    await world.up("redis", "kafka", brokers=3)
    del world.machine.alive["kafka2"]
    states = await world.states()
    assert states["kafka"] is State.ENDED
    assert states["redis"] is State.READY
    assert states["mariadb"] is State.STOPPED
    world.machine.started.clear()
    await world.up("redis", "kafka")
    assert world.machine.started == ["kafka2"]


async def test_the_number_of_brokers_is_kept_until_it_is_wiped(world: World) -> None:
    await world.up("kafka", brokers=3)
    await world.stack.down(SERVERS)
    await world.up("kafka")
    assert sorted(world.machine.alive) == ["kafka1", "kafka2", "kafka3"]
    with pytest.raises(StackError, match=r"made with 3 broker\(s\) here, not 1"):
        await world.up("kafka", brokers=1)
    await world.stack.wipe(chosen(["kafka"]))
    await world.up("kafka", brokers=1)
    assert sorted(world.machine.alive) == ["kafka1"]


async def test_a_port_that_another_took_is_left_to_it(world: World) -> None:
    await world.up("redis")
    before = world.folder.kept.ports["redis.redis"]
    await world.stack.down(SERVERS)
    world.machine.taken = {before}
    assert await world.up("redis") == {"redis": State.READY}
    assert world.folder.kept.ports["redis.redis"] != before


async def test_kafka_cannot_move_once_it_has_data(world: World) -> None:
    await world.up("kafka")
    port = world.folder.kept.ports["kafka.broker1"]
    await world.stack.down(SERVERS)
    world.machine.taken = {port}
    world.told.clear()
    assert await world.up("kafka", "redis") == {"kafka": State.FAILED, "redis": State.READY}
    assert f"its port {port} is taken by another process" in str(world.told)
    assert "kafka1" not in world.machine.alive


async def test_down_ends_what_runs_and_clears_the_settings(world: World) -> None:
    await world.up("redis", "mariadb")
    reports = await world.stack.down(chosen(["redis"]))
    assert [(report.server, report.state) for report in reports] == [("redis", State.STOPPED)]
    assert world.machine.ended == [("redis", False)]
    assert list(world.machine.alive) == ["mariadb"]
    assert [line.partition("=")[0] for line in world.folder.env] == ["KESSAI_SQL_URL"]
    assert await world.stack.down(chosen(["redis"])) == []


async def test_one_that_does_not_listen_is_killed(world: World) -> None:
    await world.up("redis")
    world.machine.deaf = {"redis"}
    await asyncio.wait_for(world.stack.down(SERVERS), 10)
    assert world.machine.ended == [("redis", False), ("redis", True)]
    assert world.machine.alive == {}


async def test_down_of_something_killed_takes_the_note_back(world: World) -> None:
    await world.up("redis")
    world.machine.alive.clear()
    assert (await world.states())["redis"] is State.ENDED
    assert await world.stack.down(SERVERS) == []
    assert (await world.states())["redis"] is State.STOPPED


async def test_wipe_removes_what_is_named_and_the_rest_only_with_all(world: World) -> None:
    await world.up("redis", "mariadb")
    await world.stack.wipe(chosen(["redis"]))
    assert world.folder.wiped == ["redis"]
    assert list(world.machine.alive) == ["mariadb"]
    await world.stack.wipe(SERVERS)
    assert world.folder.wiped[-1] == "rest"
    assert world.machine.alive == {}
