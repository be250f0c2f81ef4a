"""Builders for tests of web shells: a runtime on a still clock, a client without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, cast

import httpx2
from starlette.types import ASGIApp

from kessai.kernel.bus import Bus
from kessai.kernel.chance import SeededChance
from kessai.kernel.clock import from_ms
from kessai.kernel.db import Db
from kessai.kernel.http import AsgiHttp
from kessai.kernel.ids import RandomIds
from kessai.kernel.runtime import Runtime
from kessai.kernel.settings import Settings
from kessai.proof.virtual_time import VirtualLoop

T = TypeVar("T")
START_MS = 1_800_000_000_000  # 2027-01-15T08:00:00.000Z


@dataclass
class StillClock:
    """Moves only when it is told to."""

    ms: int = START_MS
    passed_s: float = field(default=0.0)

    def now(self) -> datetime:
        return from_ms(self.now_ms())

    def now_ms(self) -> int:
        return self.ms + round(self.passed_s * 1000)

    def monotonic(self) -> float:
        return self.passed_s

    def pass_s(self, seconds: float) -> None:
        self.passed_s += seconds


async def no_database(url: str) -> Db:
    raise AssertionError(f"opened {url}")


def a_runtime(*, clock: StillClock | None = None, **settings: object) -> Runtime:
    now = clock or StillClock()
    chance = SeededChance(1)
    return Runtime(
        settings=Settings(_env_file=None, **settings),  # type: ignore[arg-type]
        clock=now,
        ids=RandomIds(now, chance),
        chance=chance,
        bus=cast(Bus, None),  # a web shell publishes nothing
        http=AsgiHttp(),
        open_db=no_database,
    )


@asynccontextmanager
async def a_client(
    app: ASGIApp, *, address: str = "127.0.0.1"
) -> AsyncIterator[httpx2.AsyncClient]:
    """Calls `app` as if from `address`."""
    transport = httpx2.ASGITransport(app=app, client=(address, 4711))
    async with httpx2.AsyncClient(transport=transport, base_url="http://shop.test") as client:
        yield client


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Runs `main` to its end; hours of sleep take no time and end exactly when they should."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
