"""Whether a database has the schema that this program reads."""

from __future__ import annotations

from sqlalchemy import exc as sql_errors
from sqlalchemy import select, table

from kessai.kernel.db import Db
from kessai.kernel.errors import DatabaseUnavailable
from kessai.kernel.migrations import newest, version_table
from kessai.proof.invariants.books import BooksUnreadable
from kessai.proof.invariants.sql import Statement, col


async def require_schema(db: Db, name: str) -> None:
    """Raises `BooksUnreadable`, and says what to do."""
    statement: Statement = select(col("version_num")).select_from(table(version_table(name)))
    try:
        async with db.read() as tx:
            found = {str(row["version_num"]) for row in (await tx.run(statement)).all()}
    except sql_errors.DBAPIError:
        raise BooksUnreadable(f"{name}: this is no database of Kessai, or an empty one") from None
    except DatabaseUnavailable as error:
        raise BooksUnreadable(f"{name}: {error}") from error
    known = newest(name)
    if found != known:
        at = ", ".join(sorted(found)) or "nothing"
        raise BooksUnreadable(
            f"{name}: the schema is at {at}, this program reads {', '.join(sorted(known))}: "
            "finish its migration (start the service) or use the program that wrote it"
        )
