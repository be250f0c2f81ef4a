"""Finds the extra when it is asked for, and says in one line when it is not there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Protocol, cast

from kessai.kernel.clock import Clock
from kessai.kernel.db import Db
from kessai.saga.engine import Engine
from kessai.saga.language import Machine
from kessai.saga.limits import EngineLimits
from kessai.saga.port import SagaEngine
from kessai.saga.records import Records

EXTRA = "temporalio"


class Attach(Protocol):
    """Over the engine of the service's own database, which goes on with what it began itself."""

    def engine(
        self,
        before: Engine,
        db: Db,
        services: Mapping[str, object],
        machines: Iterable[Machine],
        clock: Clock,
        limits: EngineLimits,
    ) -> SagaEngine: ...

    def records(self, db: Db, machines: Iterable[Machine], clock: Clock) -> Records:
        """What runs is asked of its workflow; the database has it once it rests."""
        ...


class _Module(Protocol):
    async def attach(self, url: str) -> Attach: ...


async def load_temporal(url: str) -> Attach:
    """Raises `ValueError` with a line for people: no extra, no server, no such namespace."""
    try:
        import_module(EXTRA)
    except ImportError as error:
        raise ValueError(
            "KESSAI_SAGA_ENGINE=temporal needs an extra that is not installed: "
            "pip install 'kessai[temporal]'"
        ) from error
    module = cast("_Module", import_module("kessai.saga.temporal.engine"))
    return await module.attach(url)
