"""Exactly once under fire: a crowd of orders, processes killed and wiped, and what was told.

The same campaign on both buses. A run is judged by what the topic of the alerts and the table that
follows it hold in the end: what is missing, what should not be there, and what is there twice.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.alert_fleet import Deed, Fleet, fleet
from tests.support.alert_orders import Crowd, Event, Told
from tests.support.alert_process import Job
from tests.support.alert_table import make_table, read_table
from tests.support.alert_topics import Topics, open_topics, told

from kessai.kernel.bus import Message, partition_of
from kessai.kernel.clock import SystemClock
from kessai.topology import PARTITIONS

_STEP_S = 0.02
_LOOK_S = 1.0
# The crowd's time goes no faster than it can publish: what should be far apart never comes at once.
_LONGEST_STEP_S = 0.25


@dataclass(frozen=True)
class Judged:
    missing: list[Told]
    unexpected: list[Told]
    doubled: list[Told]

    @property
    def is_exact(self) -> bool:
        return not (self.missing or self.unexpected or self.doubled)


@dataclass(frozen=True)
class Result:
    """`table` and `acts` where the job keeps the table: its rows, and all that was done to them.

    `late`: orders whose own events were held up so long that they did disagree for a while.
    """

    orders: int
    events: int
    expected: int
    topic: Judged
    table: Judged
    acts: Judged
    did: list[str]
    took_s: float
    held_up_s: float
    late: int

    @property
    def is_exact(self) -> bool:
        return self.topic.is_exact and self.table.is_exact and self.acts.is_exact


@dataclass(frozen=True)
class _Found:
    topic: Counter[Told]
    table: Counter[Told]
    acts: Counter[Told]

    def has(self, expected: frozenset[Told]) -> bool:
        return all(expected <= told.keys() for told in (self.topic, self.table, self.acts))


async def run(
    job: Job, people: Crowd, deeds: list[Deed], *, logs: Path, patience_s: float = 90.0
) -> Result:
    topics = await open_topics(job)
    if job.database:
        await make_table(job.database)
    began_s = time.monotonic()
    try:
        with fleet(job, logs) as made:
            made.start("a")
            pace = _Pace(job.window_ms)
            held_up_s = await _publish(topics, job, people, deeds, made, pace)
            last = _last_orders(people, job)
            expected = people.expected | last.expected
            await _publish(topics, job, last, [], made, pace)
            await _until_told(topics, job, expected, made, patience_s)
            for name in sorted(made.running):
                made.stop(name)
            found = await _found(topics, job)
    finally:
        await topics.close()
    return Result(
        orders=len({event.order for event in people.events}),
        events=len(people.events),
        expected=len(expected),
        topic=_judge(expected, found.topic, pace.late),
        table=_judge(expected, found.table, pace.late),
        acts=_judge(expected, found.acts, pace.late),
        did=made.did,
        took_s=time.monotonic() - began_s,
        held_up_s=held_up_s,
        late=len(pace.late),
    )


class _Pace:
    """Whose events came further apart than they were meant to: a broker that is killed, or a
    machine that is busy, holds up the crowd itself."""

    def __init__(self, window_ms: int) -> None:
        # Those who agree do so within two fifths of a window.
        self._room_s = window_ms * 0.4 / 1000
        self._last: dict[str, tuple[int, float]] = {}
        self.late: set[str] = set()

    def published(self, batch: Sequence[Event], began_s: float) -> None:
        ended_s = time.monotonic()
        for event in batch:
            after_ms, before_s = self._last.get(event.order, (event.after_ms, ended_s))
            meant_s = (event.after_ms - after_ms) / 1000
            if ended_s - before_s - meant_s > self._room_s:
                self.late.add(event.order)
            self._last[event.order] = event.after_ms, began_s


async def _publish(
    topics: Topics, job: Job, people: Crowd, deeds: list[Deed], made: Fleet, pace: _Pace
) -> float:
    """Each event when it is due by the crowd's time, which stands still while a deed is done.

    The longest that a step took.
    """
    clock = SystemClock()
    waiting, at = sorted(deeds, key=lambda deed: deed[0]), 0
    passed_s, longest_s, looked_s = 0.0, 0.0, time.monotonic()
    while at < len(people.events) or waiting:
        batch: list[Event] = []
        while at < len(people.events) and people.events[at].after_ms <= passed_s * 1000:
            batch.append(people.events[at])
            at += 1
        if batch:
            began_s = time.monotonic()
            await topics.publish([_message(job, event, clock.now_ms()) for event in batch])
            pace.published(batch, began_s)
        made.require_alive()
        await asyncio.sleep(_STEP_S)
        took_s = time.monotonic() - looked_s
        longest_s = max(longest_s, took_s)
        passed_s += min(took_s, _LONGEST_STEP_S)
        while waiting and waiting[0][0] <= passed_s:
            done = waiting.pop(0)[1](made)
            if done is not None:
                await done
        looked_s = time.monotonic()
    return longest_s


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
) -> None:
    """Or until nothing more has come for so long."""
    patience_s += job.refund_ms / 1000
    found, heard_s = await _found(topics, job), time.monotonic()
    while not found.has(expected) and time.monotonic() < heard_s + patience_s:
        made.require_alive()
        await asyncio.sleep(_LOOK_S)
        now = await _found(topics, job)
        if now != found:
            found, heard_s = now, time.monotonic()


async def _found(topics: Topics, job: Job) -> _Found:
    on_topic = await told(topics, job)
    if not job.database:
        return _Found(on_topic, on_topic, on_topic)
    table = await read_table(job.database)
    return _Found(on_topic, table.rows, table.acts)


def _judge(expected: frozenset[Told], counted: Counter[Told], late: Collection[str]) -> Judged:
    """Of an order whose events were held up, an alert that came and went is right, too."""
    ways = ("AlertRaised", "AlertResolved")
    excused = {
        (order, rule, told)
        for order, rule, told in counted
        if order in late and all((order, rule, way) in counted for way in ways)
    }
    return Judged(
        missing=sorted(expected - counted.keys()),
        unexpected=sorted(counted.keys() - expected - excused),
        doubled=sorted(one for one, count in counted.items() if count > 1),
    )
