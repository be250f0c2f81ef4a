"""A database between whose first and second transaction something else happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType

from sqlalchemy import Connection
from sqlalchemy.sql.base import Executable

from kessai.kernel.db import Body, Db, Params, Rows, Tx


class GapDb:
    def __init__(self, db: Db, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._db = db
        self._meanwhile = meanwhile
        self._begun = 0

    def transaction(self) -> Body:
        self._begun += 1
        body = self._db.transaction()
        return _Later(body, self._meanwhile) if self._begun == 2 else body

    def read(self) -> Body:
        return self._db.read()

    async def ping(self) -> None:
        await self._db.ping()

    def migrate(self, change: Callable[[Connection], None]) -> None:
        self._db.migrate(change)

    async def close(self) -> None:
        await self._db.close()


class _Later:
    def __init__(self, body: Body, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._body = body
        self._meanwhile = meanwhile

    async def __aenter__(self) -> Tx:
        await self._meanwhile()
        return await self._body.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._body.__aexit__(kind, error, trace)

    async def run(self, statement: Executable, params: Params | None = None) -> Rows:
        return await self._body.run(statement, params)

    def after_commit(self, fn: Callable[[], None]) -> None:
        self._body.after_commit(fn)
