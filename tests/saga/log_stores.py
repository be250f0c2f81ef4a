"""The stores that keep the promises of a saga log, each with two writers on the same rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.saga.log_world import (
    Writer,
)
from tests.support.mariadb import MARIADB, server

from kessai.kernel.db import Db, MySqlDb, MySqlLimits, open_database
from kessai.saga.log import (
    METADATA,
    Filter,
    MemoryLog,
    SagaLog,
    SqlLog,
    log_of,
)


@dataclass
class World:
    """`open` gives another process's log of the same rows; a memory has only the one."""

    open: Callable[[], Awaitable[SagaLog]]
    one: Writer
    two: Writer


@pytest.fixture(params=["sql", "sqlite", "memory", pytest.param("mariadb", marks=MARIADB)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    databases: list[Db] = []
    logs: list[SagaLog] = []
    url = f"sqlite:///{tmp_path}/saga.db"
    if request.param == "mariadb":
        url = server().url(server().fresh_schema())

    async def open_one() -> SagaLog:
        if request.param == "memory":
            logs[1:] = logs[:1] or [MemoryLog()]
            return logs[-1]
        if request.param == "mariadb":
            databases.append(MySqlDb(url, limits=MySqlLimits(writers=4, readers=2)))
        else:
            databases.append(await open_database(url))
        if len(databases) == 1:
            databases[0].migrate(METADATA.create_all)
        db = databases[-1]
        logs.append(SqlLog(db) if request.param == "sql" else log_of(db))
        return logs[-1]

    one, two = Writer(await open_one()), Writer(await open_one(), "two#1")
    yield World(open_one, one, two)
    for log in logs:
        await log.close()
    for db in databases:
        await db.close()


@pytest.fixture
def one(world: World) -> Writer:
    return world.one


@pytest.fixture
def two(world: World) -> Writer:
    return world.two


async def listed(writer: Writer, **wanted: object) -> list[str]:
    async with writer.log.reading() as session:
        return [row.id for row in await session.list(Filter(**wanted))]  # type: ignore[arg-type]
