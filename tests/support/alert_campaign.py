"""Exactly once under fire: a crowd of orders, processes killed and wiped, and what was told.

The same campaign on both buses. A run is judged by what the topic of the alerts holds in the end:
what is missing, what should not be there, and what is there twice.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support.alert_orders import Crowd, Event, Told
from tests.support.alert_process import Job
from tests.support.alert_topics import Topics, open_topics, told

from kessai.kernel.bus import Message, partition_of
from kessai.kernel.clock import SystemClock
from kessai.topology import PARTITIONS

_STEP_S = 0.02
_LOOK_S = 1.0
_STOP_S = 15.0


@dataclass(frozen=True)
class Result:
    orders: int
    events: int
    expected: int
    missing: list[Told]
    unexpected: list[Told]
    doubled: list[Told]
    did: list[str]
    took_s: float

    @property
    def is_exact(self) -> bool:
        return not (self.missing or self.unexpected or self.doubled)


@dataclass
class Fleet:
    """Instances of the rules; `job.folder` is the parent of their folders."""

    job: Job
    logs: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)

    def start(self, name: str) -> None:
        job = replace(self.job, instance=name)
        root = Path(__file__).parents[2]
        with (self.logs / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(job.words(), stdout=log, stderr=log, cwd=root)
        self.did.append(f"start {name}")

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(_STOP_S)
        self.did.append(f"kill {name}")

    def stop(self, name: str) -> None:
        process = self.running.pop(name)
        process.terminate()
        process.wait(_STOP_S)
        self.did.append(f"stop {name}")

    def wipe(self, name: str) -> None:
        """Its state on this machine. On the local bus all processes share one."""
        is_own = self.job.bus.startswith("kafka:")
        folder = Path(self.job.folder) / name if is_own else Path(self.job.folder)
        shutil.rmtree(folder, ignore_errors=True)
        self.did.append(f"wipe {name}")

    def require_alive(self) -> None:
        for name, process in self.running.items():
            if process.poll() is not None:
                log = (self.logs / f"{name}.log").read_text("utf-8", "replace")
                raise AssertionError(f"{name} ended by itself: {log[-2000:]}")


@contextmanager
def fleet(job: Job, logs: Path) -> Iterator[Fleet]:
    logs.mkdir(parents=True, exist_ok=True)
    made = Fleet(job, logs)
    try:
        yield made
    finally:
        for process in made.running.values():
            process.kill()
            process.wait()


# What is done at a moment of the run: (seconds after its beginning, the deed).
Deed = tuple[float, Callable[[Fleet], Awaitable[None] | None]]


def random_deeds(kills: int, *, wipes: int, over_s: float, seed: int) -> list[Deed]:
    """Each kill hits one of those that run; one to three of them run at a time."""
    chance = random.Random(seed)
    moments = sorted(over_s * (0.05 + 0.9 * chance.random()) for _ in range(kills))
    wiped = set(chance.sample(range(kills), min(wipes, kills)))
    return [
        (moment, lambda fleet, wipe=number in wiped: _strike(fleet, chance, wipe=wipe))  # type: ignore[misc]
        for number, moment in enumerate(moments)
    ]


def _strike(fleet: Fleet, chance: random.Random, *, wipe: bool) -> None:
    victim = chance.choice(sorted(fleet.running))
    shared = not fleet.job.bus.startswith("kafka:")
    killed = sorted(fleet.running) if wipe and shared else [victim]
    for name in killed:
        fleet.kill(name)
    if wipe:
        fleet.wipe(victim)
    # Sometimes the partitions must go to another, and come back later.
    if not fleet.running or chance.random() < 0.7:
        fleet.start(victim)
    idle = sorted({"a", "b", "c"} - set(fleet.running))
    if idle and chance.random() < 0.4:
        fleet.start(idle[0])


async def run(
    job: Job, people: Crowd, deeds: list[Deed], *, logs: Path, patience_s: float = 90.0
) -> Result:
    topics = await open_topics(job)
    began_s = time.monotonic()
    try:
        with fleet(job, logs) as made:
            made.start("a")
            await _publish(topics, job, people, deeds, made)
            last = _last_orders(people, job)
            expected = people.expected | last.expected
            await _publish(topics, job, last, [], made)
            counted = await _until_told(topics, job, expected, made, patience_s)
            for name in sorted(made.running):
                made.stop(name)
            counted = await told(topics, job)
    finally:
        await topics.close()
    return _judge(people, expected, counted, made.did, time.monotonic() - began_s)


async def _publish(topics: Topics, job: Job, people: Crowd, deeds: list[Deed], made: Fleet) -> None:
    """Each event when it is due; what is late goes in one batch."""
    clock, began_s = SystemClock(), time.monotonic()
    waiting, at = list(deeds), 0
    while at < len(people.events) or waiting:
        passed_s = time.monotonic() - began_s
        batch: list[Event] = []
        while at < len(people.events) and people.events[at].after_ms <= passed_s * 1000:
            batch.append(people.events[at])
            at += 1
        if batch:
            await topics.publish([_message(job, event, clock.now_ms()) for event in batch])
        made.require_alive()
        while waiting and waiting[0][0] <= passed_s:
            done = waiting.pop(0)[1](made)
            if done is not None:
                await done
        await asyncio.sleep(_STEP_S)


def _message(job: Job, event: Event, now_ms: int) -> Message:
    topic = job.topics.payments if event.topic == "payments" else job.topics.orders
    return Message(topic, event.order, event.value(now_ms))


def _last_orders(people: Crowd, job: Job) -> Crowd:
    """One in each partition that alerts at its time: then all before it had theirs."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < PARTITIONS:
        order = f"last{os.getpid():010d}{number:012d}"
        found.setdefault(partition_of(order, PARTITIONS), order)
        number += 1
    events = [
        Event(0, order, what) for order in found.values() for what in ("FAILED", "PaymentSucceeded")
    ]
    expected = {(order, rule, "AlertRaised") for order in found.values() for rule in "AD"}
    return Crowd(events, frozenset(expected))


async def _until_told(
    topics: Topics, job: Job, expected: frozenset[Told], made: Fleet, patience_s: float
) -> Counter[Told]:
    end_s = time.monotonic() + patience_s + job.refund_ms / 1000
    while True:
        counted = await told(topics, job)
        if expected <= counted.keys() or time.monotonic() > end_s:
            return counted
        made.require_alive()
        await asyncio.sleep(_LOOK_S)


def _judge(
    people: Crowd, expected: frozenset[Told], counted: Counter[Told], did: list[str], took_s: float
) -> Result:
    return Result(
        orders=len({event.order for event in people.events}),
        events=len(people.events),
        expected=len(expected),
        missing=sorted(expected - counted.keys()),
        unexpected=sorted(counted.keys() - expected),
        doubled=sorted(one for one, count in counted.items() if count > 1),
        did=did,
        took_s=took_s,
    )
