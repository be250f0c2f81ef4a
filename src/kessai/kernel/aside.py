"""Work that would hold the loop up, done beside it; in a simulation there is no beside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Aside(Protocol):
    """`work` must touch nothing that the loop touches too."""

    async def __call__(self, work: Callable[[], T]) -> T: ...


async def at_once(work: Callable[[], T]) -> T:
    """In the loop: deterministic, and so for stories and simulations."""
    return work()


class InThread:
    """In a thread, one piece of work at a time, so that answers keep the other processor."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(1)

    async def __call__(self, work: Callable[[], T]) -> T:
        async with self._free:
            return await asyncio.to_thread(work)
