"""What the server's codes mean. The code decides: the driver's classes put NULL beside 1062."""

from __future__ import annotations

import re

from asyncmy import errors as driver

from kessai.kernel.errors import ConstraintViolated, DatabaseUnavailable, Duplicate, KessaiError


class DuplicateKey(Duplicate):
    """`key` is the name of the unique key, `PRIMARY` for the primary one."""

    def __init__(self, key: str) -> None:
        # The server's own text quotes the row's values, which do not belong into logs.
        super().__init__(f"UNIQUE constraint failed: {key}")
        self.key = key


class StatementTooLarge(ConstraintViolated):
    """More bytes than the server takes in one packet: no retry makes it fit."""


_DUPLICATE = frozenset({1022, 1062, 1586})
_TOO_LARGE = frozenset({1153, 1301})
_CONSTRAINTS = frozenset(
    {
        1048,  # NULL in a NOT NULL column
        1364,  # no value and no default
        1216,  # foreign keys: child and parent, old and new codes
        1217,
        1451,
        1452,
        3819,  # CHECK on MySQL
        4025,  # CHECK on MariaDB
        1264,  # out of range
        1265,  # truncated
        1292,  # not a value of this type
        1366,
        1406,  # too long
        1441,
        1690,
        1118,  # row too large for a page
        1300,  # not text of the character set
    }
)
_UNAVAILABLE = frozenset(
    {
        1205,  # lock wait timeout
        1213,  # deadlock
        3572,  # NOWAIT
        1020,  # snapshot isolation: the row has changed since it was read
        1040,  # too many connections, also of one user
        1203,
        1226,
        1053,  # shutting down
        1077,
        1079,
        1080,
        1129,  # the host is blocked
        1152,  # the connection was aborted, or died while something was read or written
        1158,
        1159,
        1160,
        1161,
        1184,
        1317,  # the query was interrupted
        1927,  # the connection was killed (MariaDB)
        1969,  # the statement ran too long: MariaDB, MySQL
        3024,
        4031,  # closed for being idle
        1021,  # disk full, and what the storage engine says then
        1026,
        1030,
        1114,
        1180,
        1181,
        1037,  # out of memory, locks, resources
        1038,
        1041,
        1206,
        1290,  # read only: the server, the transaction, the mode
        1792,
        1836,
        3100,  # a replication hook refused the commit
        3101,  # ... and undid it: another member of the group changed the same rows
        1047,  # a cluster node that is not ready (Galera)
    }
)
_KEY = re.compile(r"for key '(?:[^']*\.)?([^']+)'\s*$")


def meaning(error: BaseException) -> KessaiError | None:
    """None for a mistake in the statement, which is to be raised as it is."""
    code, text = code_of(error), str(error.args[-1]) if error.args else ""
    if is_lost(error) or code in _UNAVAILABLE:
        return DatabaseUnavailable(text)
    if code in _DUPLICATE:
        found = _KEY.search(text)
        return DuplicateKey(found[1] if found else "unknown")
    if code in _TOO_LARGE:
        return StatementTooLarge(text)
    if code in _CONSTRAINTS:
        return ConstraintViolated(text)
    return None


def is_lost(error: BaseException) -> bool:
    """Whether the connection cannot be used any more: nobody knows what the server did."""
    code = code_of(error)
    if code is None:
        # Not from the server: a packet out of order, a stream that broke.
        return isinstance(error, driver.InternalError | driver.InterfaceError)
    return code == 0 or 2000 <= code < 3000


def code_of(error: BaseException) -> int | None:
    code = error.args[0] if error.args else None
    return code if isinstance(code, int) else None
