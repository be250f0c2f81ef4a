"""Several processes of payment-service on one database: who lives, who asks how much, who died."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from tests.support.payment import ORDER, Till, on_the_till

from kessai.contracts.moves import AttemptStatus
from kessai.kernel.db import Db, Tx, open_database
from kessai.kernel.limits import TokenBucket
from kessai.kernel.migrations import migrate
from kessai.payment.application.peers import DEAD_AFTER_S, Peers
from kessai.payment.gateway.presence import SqlPresence
from kessai.payment.gateway.work import Visits
from kessai.payment.main import LOOKUPS_AT_ONCE, WORK_LEASE_S
from kessai.proof.virtual_time import VirtualClock, VirtualLoop


@dataclass
class Clock:
    ms: int = 1_000_000

    def now_ms(self) -> int:
        return self.ms

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.ms / 1000, UTC)

    def monotonic(self) -> float:
        return self.ms / 1000


@dataclass
class Told:
    """What one process was told by its beats."""

    shares: list[int] = field(default_factory=list)
    freed: list[str] = field(default_factory=list)
    woken: int = 0

    async def free(self, _tx: Tx, owner: str) -> int:
        self.freed.append(owner)
        return 1

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
async def db() -> AsyncIterator[Db]:
    db = await open_database("sqlite:")
    migrate(db, "payment")
    yield db
    await db.close()


def a_peer(db: Db, clock: Clock, owner: str) -> tuple[Peers, Told]:
    told = Told()
    peers = Peers(
        db,
        clock,
        SqlPresence(),
        owner,
        free=told.free,
        share_among=told.shares.append,
        wake=told.wake,
    )
    return peers, told


async def test_each_process_learns_how_many_share_the_quota(db: Db) -> None:
    clock = Clock()
    one, told_one = a_peer(db, clock, "one")
    two, told_two = a_peer(db, clock, "two")
    await one.beat()
    await two.beat()
    await one.beat()
    assert (told_one.shares, told_two.shares) == ([2], [2])
    await one.beat()
    assert told_one.shares == [2]


async def test_who_shows_no_more_beats_is_dead_once_and_gives_its_share_back(db: Db) -> None:
    clock = Clock()
    peers = {name: a_peer(db, clock, name) for name in ("one", "two", "three")}
    for peer, _ in (*peers.values(), *peers.values()):
        await peer.beat()
    clock.ms += int(DEAD_AFTER_S * 1000) - 1
    for name in ("one", "two"):
        await peers[name][0].beat()
    assert peers["one"][1].freed == []
    clock.ms += 1
    for name in ("one", "two", "one", "two"):
        await peers[name][0].beat()
    freed = peers["one"][1].freed + peers["two"][1].freed
    assert freed == ["three"]
    assert peers["one"][1].shares[-1] == peers["two"][1].shares[-1] == 2
    assert peers["one"][1].woken + peers["two"][1].woken == 1


async def test_a_process_that_was_only_slow_is_one_of_them_again(db: Db) -> None:
    clock = Clock()
    (one, told_one), (two, told_two) = a_peer(db, clock, "one"), a_peer(db, clock, "two")
    for peer in (one, two, one):
        await peer.beat()
    clock.ms += 60_000
    await one.beat()
    await two.beat()
    await one.beat()
    assert told_one.freed == ["two"]
    assert told_one.shares == [2, 1, 2]
    # Its own row is anew, so it buries nobody and takes its own part.
    assert (told_two.freed, told_two.shares) == ([], [2])


async def test_a_lone_process_that_comes_back_has_all_of_the_quota(db: Db) -> None:
    clock = Clock()
    one, told = a_peer(db, clock, "one")
    await one.beat()
    clock.ms += 3_600_000
    await one.beat()
    assert (told.shares, told.freed) == ([], [])


@on_the_till()
async def test_what_a_killed_process_had_taken_is_looked_at_within_an_interval(till: Till) -> None:
    """Another process asked, was killed while it did, and its lease would last for long."""
    await till.create()
    till.provider.pay(f"{ORDER}-1")
    now_ms = till.now_ms
    async with till.db.transaction() as tx:
        await SqlPresence().show(tx, "killed", now_ms=now_ms, until_ms=now_ms + 3_000)
        (due,) = await Visits().claim_due(
            tx,
            owner="killed",
            lease_ms=int(WORK_LEASE_S * 1000),
            now_ms=now_ms + 3_000,
            limit=LOOKUPS_AT_ONCE,
        )
    assert due.id == f"{ORDER}-1"
    await asyncio.sleep(5)
    assert await till.statuses() == [AttemptStatus.SUCCEEDED]


@pytest.mark.parametrize(("rate", "seconds"), [(50.0, 2.0), (25.0, 4.0), (12.5, 8.0)])
def test_a_share_of_the_rate_is_what_is_let_through(rate: float, seconds: float) -> None:
    async def hundred() -> float:
        clock = VirtualClock()
        bucket = TokenBucket(clock, rate_per_s=50.0, burst=50.0)
        while bucket.try_take():
            pass
        bucket.set_rate(rate, rate)
        begun = clock.monotonic()
        for _ in range(100):
            await bucket.take()
        return clock.monotonic() - begun

    assert in_virtual_time(hundred) == pytest.approx(seconds, rel=0.01)


def test_a_smaller_burst_gives_up_what_was_saved() -> None:
    async def taken() -> int:
        bucket = TokenBucket(VirtualClock(), rate_per_s=50.0, burst=50.0)
        bucket.set_rate(10.0, 10.0)
        count = 0
        while bucket.try_take():
            count += 1
        return count

    assert in_virtual_time(taken) == 10


def in_virtual_time(tale: Callable[[], Coroutine[None, None, float]]) -> float:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(tale())
