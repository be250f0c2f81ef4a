"""Workers killed with SIGKILL in the middle of sagas: others go on, no effect twice or lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.saga.kill_process import Ledger, prepared
from tests.saga.test_kill import all_rest, assert_nothing_lost_or_doubled
from tests.support.kernel import eventually
from tests.support.saga_kills import engines
from tests.temporal.kill_process import an_engine
from tests.temporal.server import Server

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(240)]

PROCESS = "tests.temporal.kill_process"
# How many effects a process makes before it is killed.
WORK = 60


async def test_after_kill_9_another_worker_finishes_every_saga(
    server: Server, tmp_path: Path
) -> None:
    temporal, url = server.url, f"sqlite:///{tmp_path}/saga.db"
    db, ledger = await prepared(url), Ledger(tmp_path)
    with engines(PROCESS, temporal, url, folder=tmp_path) as processes:
        processes.start("one")
        await eventually(lambda: ledger.count() > WORK, within_s=60)
        processes.kill("one")

    async with an_engine(temporal, db, ledger, "two"):
        await eventually(lambda: all_rest(db), within_s=60)
    await assert_nothing_lost_or_doubled(db, ledger)
    ledger.close()
    await db.close()


async def test_two_workers_of_which_one_is_killed_again_and_again(
    server: Server, tmp_path: Path
) -> None:
    temporal, url = server.url, f"sqlite:///{tmp_path}/saga.db"
    db, ledger = await prepared(url), Ledger(tmp_path)
    with engines(PROCESS, temporal, url, folder=tmp_path) as processes:
        processes.start("one")
        processes.start("two")
        for victim in ("one", "two", "one"):
            before = ledger.count()
            await eventually(lambda: ledger.count() > before + WORK, within_s=60)  # noqa: B023
            processes.kill(victim)
            processes.start(victim)
        (tmp_path / "stop").touch()
        await eventually(lambda: all_rest(db), within_s=60)
    await assert_nothing_lost_or_doubled(db, ledger)
    ledger.close()
    await db.close()
