"""MySQL 8 and MariaDB 10.11 in their common subset, through two bounded pools.

Bodies that write run READ COMMITTED; `read` is a REPEATABLE READ snapshot on connections of its
own, so that long reads cannot take the writers' places. The server groups commits by itself.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from sqlalchemy import event, text
from sqlalchemy import exc as sql_errors
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import AdaptedConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool
from sqlalchemy.sql.base import Executable

from kessai.kernel.crash_points import reached
from kessai.kernel.db.mysql_batch import Batch
from kessai.kernel.db.mysql_errors import is_lost, meaning
from kessai.kernel.db.mysql_session import (
    SCHEME,
    Isolation,
    MySqlLimits,
    Session,
    ensure_schema,
    open_session,
    parse_address,
)
from kessai.kernel.db.ports import Body, Params, Rows, call_listener
from kessai.kernel.errors import DatabaseUnavailable

_SNAPSHOT = text("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
_WRITABLE = text("START TRANSACTION READ WRITE")
_LOCK = text("SELECT GET_LOCK(:name, :wait_s)")
_COLLATION = text("SELECT @@collation_database")
_BINARY = "utf8mb4_bin"


class MySqlDb:
    """One schema. Connects at the first use; `batch` is for who writes many rows at once."""

    def __init__(
        self, url: str, *, lock_timeout_s: float = 5.0, limits: MySqlLimits | None = None
    ) -> None:
        self.limits = limits or MySqlLimits()
        self._address = parse_address(url)
        self._lock_timeout_s = lock_timeout_s
        self._writers = self._pool("READ COMMITTED", self.limits.writers)
        self._readers = self._pool("REPEATABLE READ", self.limits.readers)
        self._points = tuple(
            f"commit:{self._address.schema}:{side}" for side in ("before", "after")
        )
        # A dict keeps their order, which a set of tasks does not.
        self._ending: dict[asyncio.Task[None], None] = {}
        self._batches: list[Batch] = []

    def transaction(self) -> Body:
        return _WriteBody(self)

    def read(self) -> Body:
        return _ReadBody(self)

    def batch(self) -> Batch:
        """A writer with a connection of its own; one for each task that writes."""
        made = Batch(
            lambda: self._open("READ COMMITTED", autocommit=True, several=True),
            limits=self.limits,
            points=self._points,
        )
        self._batches.append(made)
        return made

    async def ping(self) -> None:
        async with self.transaction() as tx:
            await tx.run(_WRITABLE)

    def migrate(self, change: Callable[[Connection], None]) -> None:
        """Each statement of a schema commits by itself here: a change that fails half-way leaves
        what it did. New tables get the collation `utf8mb4_bin`.
        """
        context = contextvars.copy_context()
        with ThreadPoolExecutor(1, thread_name_prefix="migrate") as thread:
            thread.submit(context.run, asyncio.run, self._migrate(change)).result()

    async def close(self) -> None:
        while self._ending:
            await asyncio.wait(self._ending)
        for batch in self._batches:
            await batch.close()
        await self._writers.dispose()
        await self._readers.dispose()

    def _pool(self, isolation: Isolation, size: int) -> AsyncEngine:
        engine = create_async_engine(
            f"{SCHEME}://",
            async_creator=lambda: self._open(isolation),
            poolclass=AsyncAdaptedQueuePool,
            pool_size=size,
            max_overflow=0,
            pool_timeout=self.limits.pool_wait_s,
            pool_use_lifo=True,
            hide_parameters=True,
        )
        event.listen(engine.sync_engine, "checkout", _refuse_closed)
        _speak_alike(engine)
        return engine

    async def _open(
        self, isolation: Isolation, *, autocommit: bool = False, several: bool = False
    ) -> Session:
        return await open_session(
            self._address,
            isolation=isolation,
            lock_timeout_s=self._lock_timeout_s,
            connect_s=self.limits.connect_s,
            autocommit=autocommit,
            several=several,
        )

    async def _migrate(self, change: Callable[[Connection], None]) -> None:
        await ensure_schema(self._address, connect_s=self.limits.connect_s)
        engine = create_async_engine(
            f"{SCHEME}://",
            async_creator=lambda: self._open("READ COMMITTED"),
            poolclass=NullPool,
            hide_parameters=True,
        )
        _speak_alike(engine)
        schema = self._address.schema
        # The lock is the server's, not the schema's, and its name may have 64 characters.
        lock = f"kessai.migrate.{hashlib.sha256(schema.encode()).hexdigest()[:32]}"
        wait_s = max(1, round(self.limits.migrate_wait_s))
        try:
            # Closing the connection gives the lock back.
            async with engine.connect() as connection:
                if await connection.scalar(_LOCK, {"name": lock, "wait_s": wait_s}) != 1:
                    raise DatabaseUnavailable(f"another process is changing {self._address}")
                if await connection.scalar(_COLLATION) != _BINARY:
                    # Ids and keys are bytes: 'a' is not 'A', as on SQLite. New tables inherit it.
                    quoted = schema.replace("`", "``")
                    await connection.exec_driver_sql(
                        f"ALTER DATABASE `{quoted}` CHARACTER SET utf8mb4 COLLATE {_BINARY}"
                    )
                await connection.run_sync(change)
                await connection.commit()
        finally:
            await engine.dispose()

    async def _checkout(self, engine: AsyncEngine) -> AsyncConnection:
        try:
            return await engine.connect()
        except sql_errors.TimeoutError as error:
            wait_s = self.limits.pool_wait_s
            raise DatabaseUnavailable(f"no connection became free within {wait_s} s") from error
        except sql_errors.DBAPIError as error:
            raise DatabaseUnavailable(f"cannot connect to {self._address}") from error

    async def _to_the_end(self, work: Coroutine[None, None, None]) -> None:
        """A cancelled caller leaves; the COMMIT or ROLLBACK goes on and gives its place back."""
        task = asyncio.create_task(work)
        self._ending[task] = None
        task.add_done_callback(self._ending.pop)
        await asyncio.shield(task)

    async def _commit(
        self, connection: AsyncConnection, callbacks: list[Callable[[], None]]
    ) -> None:
        reached(self._points[0])
        try:
            async with asyncio.timeout(self.limits.answer_s):
                await connection.commit()
        except (sql_errors.DBAPIError, TimeoutError) as error:
            await connection.invalidate()
            cause = error.orig if isinstance(error, sql_errors.DBAPIError) else "no answer"
            raise DatabaseUnavailable(f"not known to be committed: {cause}") from error
        finally:
            await connection.close()
        reached(self._points[1])
        for callback in callbacks:
            call_listener(callback)

    async def _undo(self, connection: AsyncConnection) -> None:
        try:
            async with asyncio.timeout(self.limits.answer_s):
                await connection.rollback()
        except (sql_errors.DBAPIError, TimeoutError):
            # Without a connection the server rolls back by itself.
            await connection.invalidate()
        finally:
            await connection.close()

    async def _run(
        self, connection: AsyncConnection, statement: Executable, params: Params | None
    ) -> Rows:
        try:
            async with asyncio.timeout(self.limits.answer_s):
                return Rows.of(await connection.execute(statement, params))
        except TimeoutError as error:
            wait_s = self.limits.answer_s
            raise DatabaseUnavailable(f"no answer within {wait_s} s") from error
        except sql_errors.DBAPIError as error:
            cause = error.orig or error
            if is_lost(cause):
                await connection.invalidate(cause)
            meant = meaning(cause)
            if meant is None:
                raise
            raise meant from error


class _MySqlBody:
    """A body holds its connection until the block is left."""

    __slots__ = ("_connection", "_db", "_undone")

    def __init__(self, db: MySqlDb) -> None:
        self._db = db
        self._connection: AsyncConnection | None = None
        self._undone = False

    async def run(self, statement: Executable, params: Params | None = None) -> Rows:
        if self._connection is None:
            raise RuntimeError("this transaction has ended")
        if self._undone:
            raise DatabaseUnavailable("the transaction was rolled back")
        try:
            return await self._db._run(self._connection, statement, params)
        except (DatabaseUnavailable, asyncio.CancelledError):
            # A lock wait undoes its statement only: what came before may not be committed alone.
            self._undone = True
            raise

    def _end(self) -> AsyncConnection:
        connection, self._connection = self._connection, None
        if connection is None:
            raise RuntimeError("this transaction has not begun")
        return connection


class _WriteBody(_MySqlBody):
    """One transaction; `DatabaseUnavailable` (a deadlock, too) ends it, and a new one may try."""

    __slots__ = ("_callbacks",)

    def __init__(self, db: MySqlDb) -> None:
        super().__init__(db)
        self._callbacks: list[Callable[[], None]] = []

    async def __aenter__(self) -> Self:
        self._connection = await self._db._checkout(self._db._writers)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        connection, db = self._end(), self._db
        if error is None and not self._undone:
            await db._to_the_end(db._commit(connection, self._callbacks))
            return
        await db._to_the_end(db._undo(connection))
        if error is None:
            raise DatabaseUnavailable("the transaction was rolled back")

    def after_commit(self, fn: Callable[[], None]) -> None:
        self._callbacks.append(fn)


class _ReadBody(_MySqlBody):
    """A snapshot of the moment in which the block was entered."""

    __slots__ = ()

    async def __aenter__(self) -> Self:
        self._connection = await self._db._checkout(self._db._readers)
        try:
            await self.run(_SNAPSHOT)
        except BaseException:
            await self._db._to_the_end(self._db._undo(self._end()))
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._db._to_the_end(self._db._undo(self._end()))

    def after_commit(self, fn: Callable[[], None]) -> None:
        raise RuntimeError(f"a read has no commit to call {fn} after")


def _speak_alike(engine: AsyncEngine) -> None:
    """SQLAlchemy finds out at a connection that MariaDB knows RETURNING; MySQL does not."""

    def forget_returning(*_: object) -> None:
        engine.dialect.insert_returning = False
        engine.dialect.delete_returning = False

    event.listen(engine.sync_engine, "connect", forget_returning)


def _refuse_closed(connection: AdaptedConnection, *_: object) -> None:
    """The pool opens another one then, so that the first after a quiet night does not fail."""
    session = connection.driver_connection
    if isinstance(session, Session) and not session.is_open:
        raise sql_errors.DisconnectionError("the server closed the connection")
