"""A service as the runner sees it: an app on a port, loops, and its published interface."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fastapi import FastAPI

from kessai.kernel.supervisor import Supervisor
from kessai.kernel.tls import TlsDoor

P = TypeVar("P", covariant=True)


@dataclass(frozen=True, slots=True)
class Unit(Generic[P]):
    """Built by a service's `main.build`; `port` implements its Protocol of `contracts`.

    `start` begins the background loops, `closers` run after they ended, last one first.
    """

    name: str
    app: FastAPI
    port: P
    supervisor: Supervisor
    start: Callable[[], Awaitable[None]]
    management: FastAPI | None = None
    tls: TlsDoor | None = None
    closers: Sequence[Callable[[], Awaitable[None]]] = field(default=())

    async def stop(self) -> None:
        await self.supervisor.stop()
        for close in reversed(self.closers):
            await close()
