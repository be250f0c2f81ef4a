"""Databases that outlive their services: one connection in memory each, filled from an image."""

from __future__ import annotations

import asyncio
import marshal
import sqlite3
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import cast

from sqlalchemy.engine import Connection

from kessai.kernel.db import InlineDb
from kessai.kernel.db.inline import connect, raw_of
from kessai.kernel.db.ports import Body
from kessai.kernel.db.prepared import Statements
from kessai.kernel.errors import DatabaseUnavailable
from kessai.proof.simulation.loose import LooseBody


class Disk:
    """Kept over many seeds: the connection's compiled and prepared statements are what costs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.connection = connect(None)
        self.raw = raw_of(self.connection)
        self.statements = Statements(self.connection, self.raw)
        self.is_filled = False
        # Whose transaction is open: processes of one service share this one connection.
        self.writer: SimDb | None = None

    def fill(self, image: bytes) -> None:
        if not image:
            return
        if self.raw.in_transaction:
            self.raw.execute("ROLLBACK")
        self.raw.deserialize(image)
        self.is_filled = True

    def reverse(self, *, unordered: bool) -> None:
        """Without ORDER BY rows come in any order: here in the other one."""
        self.raw.execute(f"PRAGMA reverse_unordered_selects = {int(unordered)}")

    def image(self) -> bytes:
        """Nothing of a disk that nobody uses, which SQLite cannot write out."""
        used = self.raw.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return self.raw.serialize() if used else b""

    def content(self) -> Iterator[bytes]:
        """Every row of every table. Not the file's bytes: what its pages hold beside the rows
        depends on the memory that SQLite was given."""
        tables = self.raw.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")
        for (table,) in tables.fetchall():
            rows = self.raw.execute(f'SELECT * FROM "{table}"').fetchall()  # noqa: S608 - its own name
            # Of later versions the bytes depend on which of the texts are the same object.
            yield marshal.dumps(rows, 0)

    def rows(self, query: str, *values: object) -> list[dict[str, object]]:
        """What is written now, for the oracle; nobody's transaction is touched."""
        cursor = self.raw.execute(query, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def count(self, query: str, *values: object) -> int:
        return cast(int, self.raw.execute(query, values).fetchone()[0])


class SimDb(InlineDb):
    """One service's hold of its disk. `context` is whose task a commit is."""

    def __init__(
        self,
        disk: Disk,
        context: Context,
        is_busy: Callable[[], bool] = lambda: False,
        pause_s: Callable[[], float | None] | None = None,
    ) -> None:
        """`pause_s`: as `LooseBody`; None: transactions are SQLite's own."""
        super().__init__(None, lock_timeout_s=5.0, connection=disk.connection)
        self._statements = self._reads = disk.statements
        self._disk = disk
        self._context = context
        self._is_busy = is_busy
        self._pause_s = pause_s

    def _soon(self, callback: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(callback, context=self._context)

    def _begin(self) -> bool:
        if self._is_busy():
            raise DatabaseUnavailable("the disk does not answer")
        self._let_others_commit()
        self._disk.writer = self
        return super()._begin()

    def transaction(self) -> Body:
        return LooseBody(self, self._pause_s) if self._pause_s else super().transaction()

    def read(self) -> Body:
        self._let_others_commit()
        return super().read()

    def _let_others_commit(self) -> None:
        """Another process's group is committed a moment sooner, instead of being waited for."""
        other = self._disk.writer
        if other is not None and other is not self:
            other.write_out()

    def write_out(self) -> None:
        """What its tasks have written, as the one that they are of."""
        self._context.copy().run(self._flush)

    def migrate(self, change: Callable[[Connection], None]) -> None:
        """An image has its schema: looking for migrations costs more than the whole start."""
        if not self._disk.is_filled:
            super().migrate(change)

    async def close(self) -> None:
        self._flush()

    def abandon(self) -> None:
        """The process is gone: what it had not committed is undone, and it touches nothing more."""
        raw, is_writer = self._raw, self._group is not None
        self._group = None
        self._raw = self._raw_reader = cast(sqlite3.Connection, _Gone())
        self._writer = self._reader = cast(Connection, _Gone())
        self._statements = self._reads = cast(Statements, _Gone())
        if is_writer and raw.in_transaction:
            raw.execute("ROLLBACK")


class _Gone:
    in_transaction = False

    def execute(self, *_: object) -> None:
        raise DatabaseUnavailable("the process is gone")
