"""One transaction per request or record, on SQLite inline or on MySQL through a pool."""

from __future__ import annotations

from pathlib import Path

from kessai.kernel.db.inline import InlineDb
from kessai.kernel.db.ports import SERIAL, Body, Db, Params, Rows, Tx, insert_ignore

__all__ = [
    "SERIAL",
    "Body",
    "Db",
    "InlineDb",
    "Params",
    "Rows",
    "Tx",
    "insert_ignore",
    "open_database",
]


async def open_database(url: str, *, lock_timeout_s: float = 5.0, durable: bool = True) -> Db:
    """`sqlite:` in memory, `sqlite:///relative`, `sqlite:////absolute`. Other schemes raise.

    Not `durable`: a commit survives kill -9 but not a power loss (a simulator's book).
    """
    scheme, _, rest = url.partition(":")
    if scheme != "sqlite":
        raise ValueError(f"no SQL adapter for scheme {scheme!r}: use sqlite:///FILE")
    path = rest.removeprefix("///")
    if path:
        await _ensure_folder(path)
    return InlineDb(path or None, lock_timeout_s=lock_timeout_s, durable=durable)


async def _ensure_folder(path: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
