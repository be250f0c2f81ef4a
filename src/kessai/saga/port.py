"""What a saga engine is to the rest of the house, whatever it runs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from kessai.kernel.db import Tx
from kessai.kernel.errors import JsonValue
from kessai.saga.history import Event, Run
from kessai.saga.log import Filter, MachineRow
from kessai.saga.outcome import Outcome
from kessai.saga.steering import Order

Params: TypeAlias = Mapping[str, JsonValue]


class Steer(Protocol):
    async def __call__(
        self, instance_id: str, params: Params = ..., *, order: Order = ...
    ) -> bool: ...


class SagaEngine(Protocol):
    """See `engine.Engine`, which runs on the service's own database."""

    async def start(
        self, tx: Tx, machine_name: str, business_key: str | None, params: Params
    ) -> str: ...

    async def start_once(
        self, tx: Tx, machine_name: str, business_key: str, params: Params
    ) -> str: ...

    async def find(self, machine_name: str, business_key: str) -> str | None: ...

    async def wait(self, instance_id: str, timeout_s: float | None) -> Outcome | None: ...

    async def list(self, wanted: Filter) -> Sequence[MachineRow]: ...

    async def inspect(self, instance_id: str) -> tuple[MachineRow, Run, Sequence[Event]]: ...

    @property
    def forward(self) -> Steer: ...

    @property
    def compensate(self) -> Steer: ...

    @property
    def skip(self) -> Steer: ...

    async def run(self) -> None: ...

    async def tick(self) -> None: ...

    async def close(self) -> None: ...
