"""Many rows in one packet, one transaction, one answer: what a single writer needs (design.md 6).

SQLAlchemy costs about 1 ms of Python for a transaction; here it is a few microseconds a value.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import TypeAlias

from asyncmy import errors as driver
from sqlalchemy import Table, insert
from sqlalchemy.dialects import mysql

from kessai.kernel.crash_points import reached
from kessai.kernel.db.mysql_errors import StatementTooLarge, is_lost, meaning
from kessai.kernel.db.mysql_session import MySqlLimits, Session
from kessai.kernel.errors import ConstraintViolated, DatabaseUnavailable

Value: TypeAlias = "str | int | float | bytes | None"
Statement: TypeAlias = tuple[str, Sequence[Value]]

_KEPT_TEXTS = 256
_PACKET_LIMIT = b"SELECT @@max_allowed_packet"


class Batch:
    """One connection, opened at the first use and again after a loss. One call at a time."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Session]],
        *,
        limits: MySqlLimits,
        points: Sequence[str],
    ) -> None:
        self._connect = connect
        self._limits = limits
        self._points = points
        self._session: Session | None = None
        self._packet_bytes = limits.packet_bytes
        self._busy = False

    async def run(self, statements: Sequence[Statement]) -> list[int]:
        """All or nothing; the matched rows of each. `%s` takes a value, `%%` is a percent.

        Raises `DuplicateKey`, `ConstraintViolated` (`StatementTooLarge`) and mistakes of the
        statement, with nothing kept. `DatabaseUnavailable`: nothing kept (a deadlock), or nobody
        knows (no answer, cancelled); send the same rows again, and they meet themselves.
        """
        texts = [_bind(statement) for statement in statements]
        if not texts:
            return []
        alone = len(texts) == 1
        packet = _encode(texts[0] if alone else f"START TRANSACTION;{';'.join(texts)};COMMIT")
        session = await self._take()
        try:
            self._refuse_too_large(packet)
            reached(self._points[0])
            counts, _ = await self._ask(session, packet, undo=not alone)
            reached(self._points[1])
        finally:
            self._busy = False
        return counts if alone else counts[1:-1]

    async def select(self, sql: str, params: Sequence[Value] = ()) -> Sequence[tuple[object, ...]]:
        """One SELECT between batches, in no transaction."""
        packet = _encode(_bind((sql, params)))
        session = await self._take()
        try:
            self._refuse_too_large(packet)
            return (await self._ask(session, packet, undo=False))[1]
        finally:
            self._busy = False

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.ensure_closed()

    async def _take(self) -> Session:
        """The connection, reserved for this call. Raises `DatabaseUnavailable`."""
        if self._busy:
            raise RuntimeError("a batch takes one call at a time")
        self._busy = True
        try:
            if self._session is None or not self._session.is_open:
                self._session = None
                self._session = await self._open()
        except BaseException:
            self._busy = False
            raise
        return self._session

    async def _open(self) -> Session:
        session = await self._connect()
        try:
            _, rows = await self._ask(session, _PACKET_LIMIT, undo=False)
        except BaseException:
            session.close()
            raise
        self._packet_bytes = min(self._limits.packet_bytes, int(str(rows[0][0])))
        return session

    def _refuse_too_large(self, packet: bytes) -> None:
        # A larger one would look like a lost connection, and be sent again for ever.
        if len(packet) >= self._packet_bytes:
            raise StatementTooLarge(f"{len(packet)} bytes, the limit is {self._packet_bytes}")

    async def _ask(
        self, session: Session, packet: bytes, *, undo: bool
    ) -> tuple[list[int], Sequence[tuple[object, ...]]]:
        """The counts of all statements and the rows of the last one."""
        cursor = session.cursor()
        try:
            async with asyncio.timeout(self._limits.answer_s):
                counts = [await cursor.execute(packet)]
                # An error of a later statement shows only when its result is asked for.
                while await cursor.nextset():
                    counts.append(int(str(cursor.rowcount)))
                return counts, await cursor.fetchall()
        except driver.Error as error:
            await self._clean(session, error, undo=undo)
            meant = meaning(error)
            if meant is None:
                raise
            raise meant from error
        except TimeoutError as error:
            session.close()
            raise DatabaseUnavailable(f"no answer within {self._limits.answer_s} s") from error
        except BaseException:
            # Cancelled: the rest of the answer would be taken for that of the next packet.
            session.close()
            raise

    async def _clean(self, session: Session, error: driver.Error, *, undo: bool) -> None:
        """A failed statement leaves its transaction open and a lock on the row that it met."""
        if is_lost(error):
            session.close()
        elif undo:
            try:
                async with asyncio.timeout(self._limits.answer_s):
                    await session.rollback()
            except (driver.Error, TimeoutError):
                # Without a connection the server rolls back by itself.
                session.close()
            except BaseException:
                session.close()
                raise


class RowsInsert:
    """The INSERT of whole rows into one table. Make it once: it keeps the texts that it built."""

    def __init__(self, table: Table) -> None:
        compiled = str(insert(table).compile(dialect=mysql.dialect()))
        self._head, _, self._row = compiled.partition(" VALUES ")
        self._texts: dict[int, str] = {}

    def __call__(self, rows: Sequence[Sequence[Value]]) -> Statement:
        """Each row has all columns in the table's order."""
        count = len(rows)
        text = self._texts.get(count)
        if text is None:
            text = f"{self._head} VALUES {','.join([self._row] * count)}"
            if count <= _KEPT_TEXTS:
                self._texts[count] = text
        return text, tuple(chain.from_iterable(rows))


def _bind(statement: Statement) -> str:
    """In our sessions' sql_mode a backslash and a quote are all that a text must escape.

    The driver escapes five more for the reader of a log, character by character: JSON is full of
    those, and 130 characters take it 3.6 us instead of 0.2. A call for each value costs as much
    as the rest, hence the one expression.
    """
    sql, params = statement
    return sql % tuple(
        [
            "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
            if type(value) is str
            else value
            if type(value) is int
            else _literal(value)
            for value in params
        ]
    )


def _literal(value: Value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return _bind(("%s", (str(value),)))
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    raise TypeError(f"no SQL form for {type(value).__name__}")


def _float(value: float) -> str:
    if value - value != 0:
        raise ConstraintViolated(f"{value} has no SQL form")
    return repr(value)


def _encode(sql: str) -> bytes:
    try:
        return sql.encode()
    except UnicodeEncodeError as error:
        raise ConstraintViolated("a text with half a surrogate pair") from error
