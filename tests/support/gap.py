"""A database between whose first and second transaction something else happens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

from tests.support.storage import CountingDb

from kessai.kernel.db import Body, Db, Tx


class GapDb(CountingDb):
    def __init__(self, db: Db, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(db)
        self._meanwhile = meanwhile

    def transaction(self) -> Body:
        body = super().transaction()
        return cast(Body, self._after_gap(body)) if len(self.transactions) == 2 else body

    @asynccontextmanager
    async def _after_gap(self, body: Body) -> AsyncIterator[Tx]:
        await self._meanwhile()
        async with body as tx:
            yield tx
