"""Who waits for the end of an instance in this process; other processes look at the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class News:
    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    @contextmanager
    def of(self, instance_id: str) -> Iterator[asyncio.Future[None]]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(instance_id, [])
        waiting.append(future)
        try:
            yield future
        finally:
            waiting.remove(future)
            if not waiting and self._waiting.get(instance_id) is waiting:
                del self._waiting[instance_id]

    def tell(self, instance_id: str) -> None:
        for future in self._waiting.get(instance_id, ()):
            if not future.done():
                future.set_result(None)
