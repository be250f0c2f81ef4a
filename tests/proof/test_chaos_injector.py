"""Every fault at its moment and taken back, on virtual time and machines that only note it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from kessai.kernel.db import open_database
from kessai.kernel.errors import DatabaseUnavailable
from kessai.kernel.http import Answer, NotSent
from kessai.proof.chaos.faults import PROVIDER, Fault, Kind
from kessai.proof.chaos.fleet import CannotStart
from kessai.proof.chaos.injector import FULL_DISK_BYTES, Injector
from kessai.proof.chaos.plan import Profile, draw_plan
from kessai.proof.chaos.provider import Provider
from kessai.proof.chaos.stores import hold_lock
from kessai.proof.virtual_time import VirtualLoop


@dataclass
class NotedHosts:
    data: Path = Path()
    notes: list[tuple[float, str]] = field(default_factory=list)
    gone: tuple[str, ...] = ()

    def _note(self, what: str, name: str) -> bool:
        self.notes.append((round(asyncio.get_running_loop().time(), 3), f"{what} {name}"))
        return name not in self.gone

    def start(self, name: str, **extra: str) -> None:
        settings = "".join(f" {key}={value}" for key, value in extra.items())
        self._note("start", name + settings)

    def kill(self, name: str) -> bool:
        return self._note("kill", name)

    async def terminate(self, name: str) -> bool:
        return self._note("terminate", name)

    def freeze(self, name: str) -> bool:
        return self._note("freeze", name)

    def thaw(self, name: str) -> bool:
        return self._note("thaw", name)

    def limit_files(self, name: str, limit_bytes: int | None) -> bool:
        return self._note(f"limit {limit_bytes}", name)

    def heal(self) -> None:
        self._note("heal", "all")

    async def ready(self, name: str) -> None:
        self._note("ready", name)


@dataclass
class NotedServers:
    """It takes a server 10 s to come up."""

    hosts: NotedHosts

    async def up(self, *names: str) -> Mapping[str, str]:
        self.hosts._note("up", ",".join(names) or "all servers")
        await asyncio.sleep(10)
        return {}

    async def kill(self, name: str) -> bool:
        return self.hosts._note("kill", name)

    async def end(self) -> None:
        self.hosts._note("end", "servers")


@dataclass
class NotedWeather:
    hosts: NotedHosts
    set_to: list[Mapping[str, JsonValue]] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)

    async def replace(self, knobs: Mapping[str, JsonValue]) -> bool:
        self.hosts._note("weather", ",".join(knobs))
        self.set_to.append(knobs)
        return True

    async def look(self) -> None:
        return

    async def will_end(self) -> None:
        return


def on_virtual_time(story: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story)


async def injected(*faults: Fault, gone: tuple[str, ...] = ()) -> tuple[Injector, NotedHosts]:
    hosts = NotedHosts(gone=gone)
    injector = Injector(hosts, NotedWeather(hosts))
    await injector.run(faults)
    return injector, hosts


@pytest.mark.parametrize(
    ("kind", "target", "expected"),
    [
        (Kind.KILL, "bff", [(2.0, "kill bff"), (5.0, "start bff")]),
        (Kind.RESTART, "bff", [(2.0, "terminate bff"), (5.0, "start bff")]),
        (Kind.FREEZE, "bff", [(2.0, "freeze bff"), (5.0, "thaw bff")]),
        (
            Kind.DISK_FULL,
            "order",
            [
                (2.0, f"limit {FULL_DISK_BYTES} order-service"),
                (5.0, "limit None order-service"),
            ],
        ),
        (
            Kind.READ_ONLY,
            "payment",
            [(2.0, "limit 0 payment-service"), (5.0, "limit None payment-service")],
        ),
        (Kind.UNREACHABLE, PROVIDER, [(2.0, f"terminate {PROVIDER}"), (5.0, f"start {PROVIDER}")]),
        (Kind.RUSH, "the hot product", []),
    ],
)
def test_a_fault_happens_at_its_time_and_is_taken_back(
    kind: Kind, target: str, expected: list[tuple[float, str]]
) -> None:
    async def story() -> None:
        injector, hosts = await injected(Fault(2.0, 3.0, kind, target))
        assert hosts.notes == expected
        assert injector.fired == {f"{kind} {target}": 1}
        (happened,) = injector.happened
        assert (happened.began_s, happened.ended_s) == (2.0, 5.0)

    on_virtual_time(story())


def test_a_clock_step_is_another_start_and_ends_with_one() -> None:
    async def story() -> None:
        step = Fault(1.0, 4.0, Kind.CLOCK_STEP, "bff", {"skewS": -300})
        _, hosts = await injected(step)
        assert hosts.notes == [
            (1.0, "kill bff"),
            (1.0, "start bff KESSAI_CLOCK_SKEW_S=-300"),
            (5.0, "kill bff"),
            (5.0, "start bff"),
        ]

    on_virtual_time(story())


def test_a_killed_server_is_ill_until_it_is_up_again_and_healing_waits_for_all() -> None:
    async def story() -> None:
        hosts = NotedHosts()
        injector = Injector(hosts, NotedWeather(hosts), NotedServers(hosts))
        await injector.run([Fault(1.0, 2.0, Kind.KILL_SERVER, "kafka")])
        await injector.heal()
        assert hosts.notes[:4] == [
            (1.0, "kill kafka"),
            (3.0, "up kafka"),
            (13.0, "up all servers"),
            (23.0, "heal all"),
        ]
        assert injector.fired == {"kill -9 server kafka": 1}
        assert injector.happened[0].ended_s == 13.0

    on_virtual_time(story())


def test_a_server_that_is_coming_up_is_not_killed_again() -> None:
    async def story() -> None:
        hosts = NotedHosts()
        injector = Injector(hosts, NotedWeather(hosts), NotedServers(hosts))
        again = [Fault(at_s, 2.0, Kind.KILL_SERVER, "kafka") for at_s in (1.0, 4.0, 14.0)]
        await injector.run(again)
        assert [one for one in hosts.notes if "kill" in one[1]] == [
            (1.0, "kill kafka"),
            (14.0, "kill kafka"),
        ]
        assert injector.fired == {"kill -9 server kafka": 2}

    on_virtual_time(story())


class LostServers(NotedServers):
    async def up(self, *names: str) -> Mapping[str, str]:
        raise CannotStart(f"{names[0]}: it ended at once")


def test_a_server_that_does_not_come_back_ends_the_campaign_with_its_line() -> None:
    async def story() -> None:
        hosts = NotedHosts()
        injector = Injector(hosts, NotedWeather(hosts), LostServers(hosts))
        with pytest.raises(CannotStart, match="kafka: it ended at once"):
            await injector.run([Fault(1.0, 2.0, Kind.KILL_SERVER, "kafka")])

    on_virtual_time(story())


def test_without_servers_none_is_killed() -> None:
    async def story() -> None:
        injector, hosts = await injected(Fault(1.0, 1.0, Kind.KILL_SERVER, "redis"))
        assert (hosts.notes, injector.happened) == ([], [])

    on_virtual_time(story())


def test_what_could_not_be_done_did_not_fire() -> None:
    async def story() -> None:
        faults = [
            Fault(1.0, 1.0, kind, "bff")
            for kind in (Kind.KILL, Kind.FREEZE, Kind.RESTART, Kind.CLOCK_STEP)
        ]
        injector, _ = await injected(*faults, gone=("bff",))
        assert injector.fired == {}
        assert injector.happened == []

    on_virtual_time(story())


def test_a_weather_is_counted_by_what_it_did() -> None:
    async def story() -> None:
        knobs: dict[str, JsonValue] = {"webhooks": {"drop": 100}}
        injector, hosts = await injected(Fault(1.0, 2.0, Kind.WEATHER, PROVIDER, knobs))
        assert hosts.notes == [(1.0, "weather webhooks")]
        assert injector.fired == {}
        assert len(injector.happened) == 1
        await injector.heal()
        assert [what for _, what in hosts.notes[1:]] == [
            "heal all",
            f"ready {PROVIDER}",
            "weather ",
        ]

    on_virtual_time(story())


def test_a_whole_plan_happens_in_its_time() -> None:
    async def story() -> None:
        plan = draw_plan(5, 3, Profile.ALL)
        faults = [fault for fault in plan.faults if fault.kind is not Kind.LOCKED]
        injector, _ = await injected(*faults)
        assert len(injector.happened) == len(faults)
        assert asyncio.get_running_loop().time() <= plan.length_s + 0.1
        planned = {(fault.at_s, fault.end_s) for fault in faults}
        for one in injector.happened:
            assert any(
                one.began_s == pytest.approx(at_s) and one.ended_s == pytest.approx(end_s)
                for at_s, end_s in planned
            )

    on_virtual_time(story())


async def test_a_lock_stops_writers_and_no_readers(tmp_path: Path) -> None:
    path = tmp_path / "order.db"
    db = await open_database(f"sqlite:///{path}", lock_timeout_s=0.1)
    holding = asyncio.ensure_future(hold_lock(path, 0.6))
    try:
        await asyncio.sleep(0.05)
        with pytest.raises(DatabaseUnavailable):
            async with db.transaction():
                pass
        async with db.read():
            pass
        assert await holding
        async with db.transaction():
            pass
    finally:
        await db.close()


async def test_a_lock_that_another_holds_is_not_had(tmp_path: Path) -> None:
    path = tmp_path / "order.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert not await hold_lock(path, 0.1, try_for_s=0.2)
    finally:
        other.close()


class Simulator:
    """Answers `GET` with these counters, or not at all."""

    def __init__(self, *fired: dict[str, object] | None) -> None:
        self._fired = list(fired)
        self.sent: list[bytes | None] = []

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float,
    ) -> Answer:
        if method == "PUT":
            self.sent.append(body)
            return Answer(200, {}, b"{}")
        fired = self._fired.pop(0)
        if fired is None:
            raise NotSent
        return Answer(200, {}, json.dumps({"fired": fired}).encode())

    async def close(self) -> None:
        return


async def test_counters_go_on_over_a_restart_of_the_simulator() -> None:
    first = {"webhooks": {"drop": 3}, "api": {"createCode": {"error": 2}}, "blackout": 1}
    second = {"webhooks": {"drop": 1}, "answers": {"refund": {"NO_SUCH": 7}}, "blackout": 0}
    provider = Provider(Simulator(first, None, second), "http://sim")
    await provider.will_end()
    await provider.look()
    assert provider.fired == {"webhooks.drop": 3, "api.createCode.error": 2, "blackout": 1}
    await provider.look()
    assert provider.fired["webhooks.drop"] == 4
    assert "answers.refund.NO_SUCH" not in provider.fired


async def test_a_weather_replaces_the_one_before() -> None:
    simulator = Simulator()
    provider = Provider(simulator, "http://sim")
    await provider.replace({"webhooks": {"drop": 20}})
    assert len(simulator.sent) == 2
    assert b'"webhooks": null' in (simulator.sent[0] or b"")
    assert simulator.sent[1] == b'{"webhooks": {"drop": 20}}'
