"""A database that another process holds: an uncommitted writer of ours, for a while."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Final

_TRY_EVERY_S: Final = 0.01
TRY_FOR_S: Final = 3.0


async def hold_lock(path: Path, for_s: float, *, try_for_s: float = TRY_FOR_S) -> bool:
    """SQLite's one write lock, while readers go on. False when it could not be had."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        if not await _begin(connection, try_for_s):
            return False
        await asyncio.sleep(for_s)
        connection.execute("ROLLBACK")
        return True
    finally:
        connection.close()


async def _begin(connection: sqlite3.Connection, for_s: float) -> bool:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + for_s
    while loop.time() < end_s:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            await asyncio.sleep(_TRY_EVERY_S)
        else:
            return True
    return False
