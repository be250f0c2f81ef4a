"""A service as the runner sees it: an app on a port, loops, and its published interface."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeVar

from fastapi import FastAPI

from kessai.kernel.supervisor import Supervisor
from kessai.kernel.tls import TlsDoor

P = TypeVar("P", covariant=True)


@dataclass(frozen=True)
class Unit(Generic[P]):
    """Built by a service's `main.build`; `port` implements its Protocol of `contracts`.

    `start` begins the background loops, `closers` run after they ended, last one first. The app
    is built when it is first asked for: a simulation starts a service many times, and its routes
    are most of what a start costs. `doors` are the objects that the routes hold.
    """

    name: str
    build_app: Callable[[], FastAPI]
    port: P
    supervisor: Supervisor
    start: Callable[[], Awaitable[None]]
    build_management: Callable[[FastAPI], FastAPI] | None = None
    tls: TlsDoor | None = None
    closers: Sequence[Callable[[], Awaitable[None]]] = field(default=())
    doors: Sequence[object] = field(default=())

    @cached_property
    def app(self) -> FastAPI:
        return self.build_app()

    @cached_property
    def management(self) -> FastAPI | None:
        """The app of a port that is not public, where the service has one."""
        return None if self.build_management is None else self.build_management(self.app)

    async def stop(self) -> None:
        await self.supervisor.stop()
        for close in reversed(self.closers):
            await close()
