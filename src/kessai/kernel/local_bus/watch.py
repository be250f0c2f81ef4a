"""Notices that some process has committed to the bus file, for the price of one number."""

from __future__ import annotations

import sqlite3
from typing import cast

from kessai.kernel.errors import DatabaseUnavailable


class Watch:
    """A connection of its own below `kernel.db`: 20 looks a second cost 0.1 % CPU instead of 1."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._seen: int | None = None

    def changed(self) -> bool:
        """True when there were commits since the last look, and at the first one."""
        try:
            row = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            raise DatabaseUnavailable(str(error)) from error
        before, self._seen = self._seen, cast(int, row[0])
        return before != self._seen

    def again(self) -> None:
        """The change that was seen last counts as unseen: following it has failed."""
        self._seen = None

    def close(self) -> None:
        self._connection.close()
