"""What a database is to the rest of the house: bodies of statements, and what they return."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import structlog
from sqlalchemy import BigInteger, Integer, Table, insert
from sqlalchemy.engine import Connection, CursorResult
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.dml import Insert

Params = Mapping[str, object] | Sequence[Mapping[str, object]]
# Values by the name of their column.
Row = Mapping[str, Any]

# SQLite counts rows only in a column that is exactly INTEGER PRIMARY KEY.
SERIAL = BigInteger().with_variant(Integer(), "sqlite")

_log = structlog.get_logger(__name__)


class Rows:
    """What a statement returned, fetched at once, so nothing is read after the body ended."""

    __slots__ = ("_names", "_values", "rowcount")

    def __init__(
        self, names: Sequence[str], values: Sequence[Sequence[Any]], rowcount: int
    ) -> None:
        self._names = names
        self._values = values
        self.rowcount = rowcount

    @classmethod
    def of(cls, result: CursorResult[tuple[object, ...]]) -> Self:
        if not result.returns_rows:
            return cls((), (), result.rowcount)
        return cls(tuple(result.keys()), result.fetchall(), result.rowcount)

    def all(self) -> Sequence[Row]:
        """Plain dicts: a look-up in SQLAlchemy's mapping costs ten times as much."""
        names = self._names
        return [dict(zip(names, values, strict=True)) for values in self._values]

    def tuples(self) -> Sequence[Sequence[Any]]:
        """By position, for who reads a hundred thousand of them."""
        return self._values

    def first(self) -> Row | None:
        return self._row(self._values[0]) if self._values else None

    def one(self) -> Row:
        if len(self._values) != 1:
            raise LookupError(f"expected one row, found {len(self._values)}")
        return self._row(self._values[0])

    def scalar(self) -> object:
        """The first column of the first row, None without rows."""
        return self._values[0][0] if self._values else None

    def _row(self, values: Sequence[Any]) -> Row:
        return dict(zip(self._names, values, strict=True))


class Tx(Protocol):
    async def run(self, statement: Executable, params: Params | None = None) -> Rows:
        """`Duplicate` and `ConstraintViolated` undo this statement, and the body may go on.

        `DatabaseUnavailable` (gone, full, locked, a deadlock) undoes the whole body: what runs
        after it, and leaving the block, raise it again; a new body may try. Of a list of rows
        that is refused some may be there, so leave the body.
        """
        ...

    def after_commit(self, fn: Callable[[], None]) -> None:
        """Calls `fn` once the commit is durable; never if this body or its commit fails."""
        ...


class Body(Tx, Protocol):
    async def __aenter__(self) -> Tx: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Db(Protocol):
    def transaction(self) -> Body:
        """A body that awaits nothing but `run`. Leaving the block waits for the durable commit."""
        ...

    def read(self) -> Body:
        """A snapshot of what is committed; it sees no open neighbour and cannot write."""
        ...

    async def ping(self) -> None:
        """Raises `DatabaseUnavailable` when a write would not be accepted now."""
        ...

    def migrate(self, change: Callable[[Connection], None]) -> None:
        """Runs schema changes, one process at a time. Before any traffic only: the loop waits."""
        ...

    async def close(self) -> None: ...


def insert_ignore(table: Table) -> Insert:
    """Insert or leave as it is; `rowcount` tells 1 or 0. For key conflicts, not for repairs."""
    return (
        insert(table)
        .prefix_with("IGNORE", dialect="mysql")
        .prefix_with("IGNORE", dialect="mariadb")
        .prefix_with("OR IGNORE", dialect="sqlite")
    )


def call_listener(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:
        # The commit stands; a broken listener may not make its neighbours deaf.
        _log.exception("db.after_commit_failed")
