"""Recorded cases on Temporal: statuses and calls as on the engine of our own, step by step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from tests.temporal.server import Server, engine_on

from kessai.kernel.db import open_database
from kessai.saga.conformance.demo import Demo, classify_java
from kessai.saga.conformance.files import read_cases, read_library
from kessai.saga.conformance.seen import Json, Seen, sorted_json
from kessai.saga.conformance.stages import Played
from kessai.saga.conformance.traces import limits_of, play, services_of
from kessai.saga.history import Run
from kessai.saga.language import Machine
from kessai.saga.language.model import ServiceTask
from kessai.saga.log import METADATA
from kessai.saga.temporal.engine import TemporalEngine

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(900)]

OURS = Path(__file__).parents[1] / "saga" / "cases" / "runs.json"
SEATA = Path(__file__).resolve().parents[3] / "shared" / "seata"
WAIT_S = 20.0
AT_ONCE = 4
BEHIND_S = 1.0
LIMIT_MS = 3_000
LEAST = {"runs.json": 250, "cases.json": 100, "cases_probes.json": 30}


class TemporalStage:
    """Workflows have Temporal's time, which nobody can advance: a service that sleeps does sleep.

    A case with a time limit is `stretched`, so that a busy machine does not decide it.
    """

    def __init__(self, server: Server, stretched: float) -> None:
        self._server = server
        self._stretched = stretched
        self._engine: TemporalEngine | None = None
        self._behind_s = 0.0

    def advance(self, by_ms: int) -> None:
        if self._stretched:
            time.sleep(by_ms / 1000 * self._stretched)

    @asynccontextmanager
    async def open(
        self, case: Json, machines: Mapping[str, Machine], demo: Demo
    ) -> AsyncIterator[Played]:
        db = await open_database("sqlite:")
        db.migrate(METADATA.create_all)
        # A busy or sleeping loop sends no heartbeats, and a step would be asked again.
        limits = replace(limits_of(case), lease_s=60.0)
        tasks = [one for machine in machines.values() for one in machine.states.values()]
        if any(isinstance(one, ServiceTask) and one.is_async for one in tasks):
            self._behind_s = BEHIND_S
        if limits.machine_timeout_s is not None:
            limit_s = limits.machine_timeout_s * self._stretched
            limits = replace(limits, machine_timeout_s=limit_s)
        try:
            async with engine_on(
                self._server.url,
                db,
                services_of(demo, machines),
                list(machines.values()),
                limits,
                classify=classify_java,
            ) as engine:
                self._engine = engine
                yield engine
        finally:
            await db.close()

    def clear(self) -> None:
        """Ends are read from the database."""

    async def of(self, instance_id: str) -> Run | None:
        assert self._engine is not None
        if await self._engine.wait(instance_id, WAIT_S) is None:
            return None
        # The calls of asynchronous states: nobody waits for them.
        await asyncio.sleep(self._behind_s)
        _, run, _ = await self._engine.inspect(instance_id)
        return run


def outcome(seen: Seen, *, alone: bool) -> list[object]:
    calls = seen.calls or []
    return [
        seen.status,
        seen.compensation,
        seen.running,
        seen.thrown,
        calls if alone else sorted_json(calls),
    ]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(
            path,
            id=path.name,
            marks=pytest.mark.skipif(
                not path.is_file(), reason="Seata's recorded cases are not beside the repository"
            ),
        )
        for path in (OURS, SEATA / "cases.json", SEATA / "cases_probes.json")
    ],
)
async def test_statuses_and_calls_are_those_of_our_own_engine(server: Server, path: Path) -> None:
    library = read_library(path, [])
    slots = asyncio.Semaphore(AT_ONCE)
    wrong: list[object] = []
    played: list[object] = []

    async def compare(case: Json, machines: Mapping[str, Machine], stretched: float = 0) -> None:
        async with slots:
            ours = await play(case, machines)
            theirs = await play(case, machines, TemporalStage(server, stretched))
        alone = case.get("trace_stable") is not False
        wanted = [outcome(one.ours, alone=alone) for one in ours]
        found = [outcome(one.ours, alone=alone) for one in theirs]
        # Both stop where Seata did otherwise, and what they show beyond statuses may differ.
        steps = min(len(wanted), len(found))
        played.append(case.get("id"))
        if wanted[:steps] != found[:steps] or (wanted and not found):
            wrong.append((case.get("id"), wanted, found))

    timed: list[tuple[Json, Mapping[str, Machine]]] = []
    async with asyncio.TaskGroup() as tasks:
        for case in read_cases(path):
            file = Path(str(case.get("json_file") or "")).name
            machine = library.by_file.get(file) or library.by_name.get(str(case["machine_name"]))
            # What has IsPersist false is refused: it has no log, and Temporal is one.
            if machine is None or file in library.refused or not machine.persist:
                continue
            machines = library.needed(machine)
            if case.get("trans_timeout_ms") is None:
                tasks.create_task(compare(case, machines))
            else:
                timed.append((case, machines))
    for case, machines in timed:
        limit_ms = cast("int", case["trans_timeout_ms"])
        await compare(case, machines, max(1.0, LIMIT_MS / limit_ms))
    assert wrong == []
    assert len(played) > LEAST[path.name]
