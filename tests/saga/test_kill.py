"""Real processes killed with SIGKILL: whoever is left finishes every saga, no effect twice."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.saga.kill_process import Ledger, an_engine, machines, prepared
from tests.saga.world import notes_in
from tests.support.kernel import eventually
from tests.support.mariadb import MARIADB, server
from tests.support.saga_kills import engines

from kessai.kernel.db import Db
from kessai.saga import SG_EVENT, SG_MACHINE
from kessai.saga.library import living

PROCESS = "tests.saga.kill_process"
KILLS = int(os.environ.get("KESSAI_SAGA_KILLS", "5"))
# How many effects a process makes before it is killed.
WORK = 120
DONE = {
    ("order", "SU"): {"reserve": 1, "pay": 1, "ship": 1},
    ("order", "UN"): {"reserve": 1, "pay": 1, "refund": 1, "release": 1},
    ("bulk", "SU"): {"pick": 3, "ship": 1},
    ("bulk", "UN"): {"pick": 3, "unpick": 3},
    ("packing", "SU"): {"box": 1, "label": 1},
}
UNDONE = {"box": 1, "label": 1, "unbox": 1}


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=MARIADB)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "mariadb":
        return server().url(server().fresh_schema())
    return f"sqlite:///{tmp_path}/saga.db"


@pytest.mark.crash
async def test_after_kill_9_a_successor_finishes_every_saga(url: str, tmp_path: Path) -> None:
    db, ledger = await prepared(url), Ledger(tmp_path)
    with engines(PROCESS, url, folder=tmp_path) as processes:
        processes.start("one")
        await eventually(lambda: ledger.count() > WORK, within_s=60)
        processes.kill("one")

    engine = an_engine(db, ledger, "one")
    async with living(engine):
        await eventually(lambda: all_rest(db), within_s=30)
    await assert_nothing_lost_or_doubled(db, ledger)
    ledger.close()
    await db.close()


@pytest.mark.crash
@pytest.mark.timeout(60 + 20 * KILLS, func_only=True)
async def test_two_engines_of_which_one_is_killed_again_and_again(url: str, tmp_path: Path) -> None:
    db, ledger = await prepared(url), Ledger(tmp_path)
    with engines(PROCESS, url, folder=tmp_path) as processes:
        processes.start("one")
        processes.start("two")
        for kill in range(KILLS):
            before = ledger.count()
            await eventually(lambda: ledger.count() > before + WORK, within_s=60)  # noqa: B023
            victim = ("one", "two")[kill % 2]
            processes.kill(victim)
            processes.start(victim)
        (tmp_path / "stop").touch()
        await eventually(lambda: all_rest(db), within_s=30)
        # Nothing was begun by whoever had not seen yet that it should stop.
        await asyncio.sleep(0.5)
        await eventually(lambda: all_rest(db), within_s=30)

    await assert_nothing_lost_or_doubled(db, ledger)
    ledger.close()
    await db.close()


_MOVING = select(SG_MACHINE.c.id).where(
    (SG_MACHINE.c.running == 1) | SG_MACHINE.c.due_at.is_not(None)
)


async def all_rest(db: Db) -> bool:
    async with db.read() as tx:
        return not (await tx.run(_MOVING.limit(1))).all()


async def assert_nothing_lost_or_doubled(db: Db, ledger: Ledger) -> None:
    async with db.read() as tx:
        rows = (await tx.run(select(SG_MACHINE))).all()
        events = (await tx.run(select(SG_EVENT.c.machine_id, SG_EVENT.c.seq))).all()
    by_id = {row["id"]: row for row in rows}
    effects = ledger.effects()

    assert set(ledger.begun()) <= set(by_id), "a start that was acknowledged is gone"
    assert set(effects) <= set(by_id), "an effect of an instance that nobody knows"
    for row in rows:
        expected = DONE[row["name"], row["status"]]
        undone = row["name"] == "packing" and row["compensation"] == "SU"
        found = Counter(effects[row["id"]])
        assert found == (UNDONE if undone else expected), (row["name"], row["id"])
        assert row["needs_operator"] == 0
        assert row["compensation"] == ("SU" if row["status"] == "UN" or undone else None)
    orders = [row for row in rows if row["name"] == "order"]
    assert len(await notes_in(db)) == len(orders) > 10
    assert {row["name"] for row in rows} == {machine.name for machine in machines()}

    histories: dict[str, list[int]] = {}
    for event in events:
        histories.setdefault(event["machine_id"], []).append(event["seq"])
    assert sorted(histories) == sorted(by_id)
    for seqs in histories.values():
        assert sorted(seqs) == list(range(1, len(seqs) + 1))
