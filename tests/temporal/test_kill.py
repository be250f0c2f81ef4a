"""Workers killed with SIGKILL in the middle of sagas: others go on, no effect twice or lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.saga.kill_process import Ledger, prepared
from tests.saga.test_kill import all_rest, assert_nothing_lost_or_doubled
from tests.support.kernel import eventually
from tests.temporal.kill_process import an_engine
from tests.temporal.server import Server

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(240)]

ROOT = Path(__file__).resolve().parents[2]
# How many effects a process makes before it is killed.
WORK = 60


@dataclass
class Workers:
    """Processes on one database and one task queue; they end with the block, by their own pids."""

    words: list[str]
    folder: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, owner: str) -> None:
        path = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
        command = [sys.executable, "-m", "tests.temporal.kill_process", *self.words]
        with (self.folder / f"{owner}.log").open("ab") as log:
            self.running[owner] = subprocess.Popen(
                [*command, str(self.folder), owner],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": path},
                stdout=log,
                stderr=log,
            )

    def kill(self, owner: str) -> None:
        process = self.running.pop(owner)
        assert process.poll() is None, (self.folder / f"{owner}.log").read_text()[-3000:]
        process.send_signal(signal.SIGKILL)
        process.wait(10)


@contextmanager
def workers(words: list[str], folder: Path) -> Iterator[Workers]:
    made = Workers(words, folder)
    try:
        yield made
    finally:
        for owner in list(made.running):
            made.kill(owner)


async def test_after_kill_9_another_worker_finishes_every_saga(
    server: Server, tmp_path: Path
) -> None:
    temporal, url = server.url, f"sqlite:///{tmp_path}/saga.db"
    db, ledger = await prepared(url), Ledger(tmp_path)
    with workers([temporal, url], tmp_path) as processes:
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
    with workers([temporal, url], tmp_path) as processes:
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
