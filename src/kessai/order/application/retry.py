"""A transaction that is tried again when another one was faster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import Unknown, VersionConflict

T = TypeVar("T")


async def in_transaction(db: Db, tries: int, body: Callable[[Tx], Awaitable[T]]) -> T:
    """Raises `Unknown` ORDER_BUSY when the row moved on every time."""
    for _ in range(tries):
        try:
            async with db.transaction() as tx:
                answer = await body(tx)
        except VersionConflict:
            continue
        return answer
    raise Unknown("ORDER_BUSY", f"the order changed during {tries} tries")
