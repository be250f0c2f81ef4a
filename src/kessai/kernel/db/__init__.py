"""One transaction per request or record, on SQLite inline or on MySQL through a pool."""

from __future__ import annotations

from pathlib import Path

from kessai.kernel.db.inline import InlineDb
from kessai.kernel.db.mysql import MySqlDb
from kessai.kernel.db.mysql_batch import Batch, RowsInsert, Statement, Value
from kessai.kernel.db.mysql_errors import DuplicateKey, StatementTooLarge
from kessai.kernel.db.mysql_session import SCHEME, MySqlLimits
from kessai.kernel.db.ports import SERIAL, Body, Db, Params, Row, Rows, Tx, insert_ignore

__all__ = [
    "SERIAL",
    "Batch",
    "Body",
    "Db",
    "DuplicateKey",
    "InlineDb",
    "MySqlDb",
    "MySqlLimits",
    "Params",
    "Row",
    "Rows",
    "RowsInsert",
    "Statement",
    "StatementTooLarge",
    "Tx",
    "Value",
    "insert_ignore",
    "open_database",
]


async def open_database(
    url: str, *, lock_timeout_s: float = 5.0, durable: bool = True, read_only: bool = False
) -> Db:
    """`sqlite:` in memory, `sqlite:///relative`, `sqlite:////absolute`, or
    `mysql+asyncmy://user:pw@host:port/schema`. Other schemes raise.

    Not `durable`: a commit survives kill -9 but not a power loss (a simulator's book). On MySQL
    the server decides. `read_only`: makes no file, and SQLite refuses every write; raises
    `FileNotFoundError` where there is nothing to read.
    """
    scheme, _, rest = url.partition(":")
    if scheme == SCHEME:
        return MySqlDb(url, lock_timeout_s=lock_timeout_s)
    if scheme != "sqlite":
        raise ValueError(f"no SQL adapter for scheme {scheme!r}: use sqlite:///FILE or {SCHEME}://")
    path = rest.removeprefix("///")
    if read_only:
        _require_file(path)
    elif path:
        await _ensure_folder(path)
    return InlineDb(
        path or None, lock_timeout_s=lock_timeout_s, durable=durable, read_only=read_only
    )


def _require_file(path: str) -> None:
    if not Path(path).is_file():
        raise FileNotFoundError(f"no database {path or 'in memory'}")


async def _ensure_folder(path: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
