"""A Temporal dev server of this machine, and engines on it: each with a task queue of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from kessai.kernel.chance import SystemChance
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import Db
from kessai.kernel.ids import RandomIds
from kessai.saga.driver import Classify
from kessai.saga.engine import Engine
from kessai.saga.language import Machine
from kessai.saga.limits import EngineLimits
from kessai.saga.services import classify
from kessai.saga.tasks import end_all
from kessai.saga.temporal.engine import TemporalEngine
from kessai.saga.temporal.opening import connect

READY_S = 60.0


@dataclass(frozen=True)
class Server:
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """With a queue that nobody else listens to."""
        return f"127.0.0.1:{self.port}?queue=t{uuid4().hex[:12]}"


def command() -> str:
    """Skips without it, which with `CI=true` is a failure."""
    found = shutil.which("temporal", path=str(Path(sys.executable).parent)) or shutil.which(
        "temporal"
    )
    if found is None:
        text = "no Temporal dev server here: `make test-temporal` installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)
    return found


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


@contextmanager
def dev_server(folder: Path, port: int | None = None, database: str = "") -> Iterator[Server]:
    own, http, metrics = free_ports(3)
    words = [command(), "server", "start-dev", "--headless", "--ip", "127.0.0.1"]
    words += ["--port", str(port or own), "--http-port", str(http)]
    words += ["--metrics-port", str(metrics), "--log-level", "error"]
    # So that a history is long soon: the suggestion to begin a new one comes after 4,096 entries.
    words += ["--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=60"]
    if database:
        words += ["--db-filename", str(folder / database)]
    with (folder / "temporal.log").open("ab") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        wait_for(port or own, process)
        yield Server(port or own, process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            # What it holds is of no use to anybody.
            process.kill()
            process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        assert process.poll() is None, "the dev server ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the dev server does not answer")


@asynccontextmanager
async def engine_on(
    url: str,
    db: Db,
    services: Mapping[str, object],
    machines: Sequence[Machine],
    limits: EngineLimits,
    *,
    owner: str = "a",
    classify: Classify = classify,
) -> AsyncIterator[TemporalEngine]:
    clock, chance = SystemClock(), SystemChance()
    ids = RandomIds(clock, chance)
    before = Engine(db, services, machines, clock, ids, chance, owner, limits, classify=classify)
    client, address = await connect(url, identity="test")
    engine = TemporalEngine(
        client, address, before, db, services, machines, clock, limits, classify=classify
    )
    running = asyncio.get_running_loop().create_task(engine.run())
    try:
        yield engine
    finally:
        await end_all([running])
        await engine.close()
