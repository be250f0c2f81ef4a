"""The rules on a real Kafka: each alert once, whatever dies, and nothing from who was replaced.

Its instances are given seconds of the clock, so by its name it comes when all servers of a run are
up: while they start, two cores have none to spare.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from pathlib import Path

import pytest
from tests.support import alert_campaign
from tests.support.alert_fleet import Deed, Fleet
from tests.support.alert_orders import MANY, crowd
from tests.support.alert_process import Job
from tests.support.servers import server_url

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.network, pytest.mark.timeout(300)]

WINDOW_MS = 4_000
_names = itertools.count()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(
        bus=server_url("KESSAI_BUS_URL"),
        prefix=f"t{os.getpid()}-{next(_names)}",
        folder=str(tmp_path / "state"),
        database=f"sqlite:///{tmp_path / 'system.db'}",
        instance="a",
        window_ms=WINDOW_MS,
        refund_ms=2 * WINDOW_MS,
    )


def again(fleet: Fleet, name: str, *, wiped: bool = False) -> None:
    fleet.kill(name)
    if wiped:
        fleet.wipe(name)
    fleet.start(name)


DEEDS: list[Deed] = [
    (4.0, lambda fleet: again(fleet, "a")),
    (8.0, lambda fleet: fleet.start("b")),
    (13.0, lambda fleet: again(fleet, "b", wiped=True)),
    (17.0, lambda fleet: again(fleet, "a")),
    (20.0, lambda fleet: fleet.stop("b")),
    (22.0, lambda fleet: again(fleet, "a", wiped=True)),
]


def test_each_alert_is_told_once_through_kills_wipes_and_changing_numbers_of_instances(
    job: Job, tmp_path: Path
) -> None:
    people = crowd(1_500, seed=20_261_126, over_ms=24_000, window_ms=WINDOW_MS, mix=MANY)
    result = asyncio.run(alert_campaign.run(job, people, DEEDS, logs=tmp_path))
    for judged in (result.topic, result.table, result.acts):
        assert (judged.missing, judged.unexpected, judged.doubled) == ([], [], [])
    assert result.expected > 400
    # Else too little was judged by when it was meant to be published.
    assert result.late < result.orders / 5
