"""Two of every service on MariaDB, Kafka and Redis, behind one door; one of each is killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.fleet import (
    SHORT_WINDOWS,
    Shoppers,
    children,
    kill_one_of_each,
    require_agreement,
    wait_until_up,
)
from tests.support.outages import own_stack
from tests.support.process import Processes, processes

from kessai.topology import BFF, SERVICES

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.network, pytest.mark.timeout(600)]

UP = "up --profile stack --instances 2"
DOOR = 8480


@contextmanager
def balanced(system: Processes) -> Iterator[str]:
    """The address before both bffs."""
    door = DOOR + system.offset
    behind = [BFF.port + system.offset, BFF.port + system.offset + 100]
    command = [sys.executable, "-m", "tests.support.balancer", *map(str, [door, *behind])]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        yield f"http://127.0.0.1:{door}"
    finally:
        process.kill()
        process.wait()


def test_one_of_each_is_killed_and_all_converges(tmp_path: Path) -> None:
    stack = own_stack()
    with processes(tmp_path, **SHORT_WINDOWS) as system, balanced(system) as door:
        system.env |= {"KESSAI_DATA_DIR": str(stack.folder), "KESSAI_PUBLIC_URL": door}
        system.start(*UP.split())
        wait_until_up(system)
        supervisor = system.running[UP].pid
        assert len(children(supervisor)) == 2 * len(SERVICES)
        shoppers = Shoppers(system, [door], orders=40, over_s=25)
        try:
            kill_one_of_each(system, UP, [card.name for card in SERVICES], pause_s=3)
            assert shoppers.are_there
            (crowd,) = shoppers.to_their_end(timeout_s=200)
        finally:
            shoppers.end()
        system.env |= stack.settings()
        assert require_agreement(system)["orders"] >= int(str(crowd["orders"])) == 40
        assert system.stop(UP, timeout_s=60) == 0
        assert children(supervisor) == {}
