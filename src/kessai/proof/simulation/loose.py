"""Transactions as loose as MySQL's: what was only read may be changed by others before one writes.

SQLite has one writer at a time, so a body that reads and then writes is never disturbed, and a
forgotten version or lock would never be missed. Here such a body lets others go first, now and
then, between its last plain read and its first write or locking read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

from sqlalchemy.sql import Select
from sqlalchemy.sql.base import Executable

from kessai.kernel.db.inline import InlineDb, _WriteBody
from kessai.kernel.db.ports import Params, Rows


class LooseBody(_WriteBody):
    """`pause_s` says how long others may go first, None: not this time."""

    __slots__ = ("_has_read", "_is_out", "_is_writing", "_pause_s")

    def __init__(self, db: InlineDb, pause_s: Callable[[], float | None]) -> None:
        super().__init__(db)
        self._pause_s = pause_s
        self._has_read = self._is_writing = self._is_out = False

    async def run(self, statement: Executable, params: Params | None = None) -> Rows:
        if not self._is_writing:
            if isinstance(statement, Select) and statement._for_update_arg is None:
                self._has_read = True
            else:
                self._is_writing = True
                if self._has_read and (pause_s := self._pause_s()) is not None:
                    await self._let_others_go(pause_s)
        return await super().run(statement, params)

    async def _let_others_go(self, pause_s: float) -> None:
        """Nothing was written yet, so nothing is lost by ending here and beginning anew."""
        self._is_out = True
        self._db._leave(self, undo=True)
        await asyncio.sleep(pause_s)
        self._group = await self._db._enter(self)
        self._is_out = False

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._is_out:
            await super().__aexit__(kind, error, trace)
