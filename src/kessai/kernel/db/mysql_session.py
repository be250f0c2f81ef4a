"""Connections to MySQL and MariaDB: the address, and a session that behaves alike on both."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from asyncmy import errors as driver
from asyncmy.connection import Connection
from asyncmy.constants.CLIENT import FOUND_ROWS, MULTI_STATEMENTS
from asyncmy.cursors import Cursor
from sqlalchemy.engine import make_url

from kessai.kernel.db.mysql_errors import code_of, is_lost
from kessai.kernel.errors import DatabaseUnavailable

SCHEME = "mysql+asyncmy"
Isolation = Literal["READ COMMITTED", "REPEATABLE READ"]

_SQL_MODE = (
    "STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY"
)
_SCHEMATA = "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s"
_TLS = {"ssl_ca": "ca", "ssl_cert": "cert", "ssl_key": "key"}


@dataclass(frozen=True, slots=True)
class MySqlLimits:
    """How many, how long, how large."""

    writers: int = 16
    readers: int = 8
    pool_wait_s: float = 5.0
    connect_s: float = 5.0
    answer_s: float = 30.0
    migrate_wait_s: float = 60.0
    # The protocol cuts larger packets in two, where drivers and proxies differ.
    packet_bytes: int = (1 << 24) - 1


@dataclass(frozen=True, slots=True)
class Address:
    """Where the schema is; who we are stays out of every text."""

    host: str
    port: int
    schema: str
    user: str = field(repr=False)
    password: str = field(repr=False)
    tls: dict[str, str]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.schema}"


def parse_address(url: str) -> Address:
    """`mysql+asyncmy://user:pw@host:port/schema`, with `?ssl_ca=FILE` for a verified server."""
    parsed = make_url(url)
    if not parsed.database or not parsed.username:
        raise ValueError(
            f"{SCHEME}:// needs a user and a schema: {SCHEME}://user:pw@host:port/schema"
        )
    if unknown := sorted(parsed.query.keys() - _TLS):
        raise ValueError(
            f"{SCHEME}:// does not know {', '.join(unknown)}: it knows {', '.join(_TLS)}"
        )
    return Address(
        host=parsed.host or "127.0.0.1",
        port=parsed.port or 3306,
        schema=parsed.database,
        user=parsed.username,
        password=str(parsed.password or ""),
        tls={_TLS[name]: str(value) for name, value in parsed.query.items()},
    )


class QuietCursor(Cursor):
    """Asks for no warnings: they cost a round trip and put values of rows into the log."""

    async def _show_warnings(self, _: Connection) -> None:
        return None


class Session(Connection):
    """A connection that takes one statement at a time, unless it was made for several."""

    # What the driver has and does not show.
    _client_flag: int
    _stream_broken: bool

    def __init__(self, address: Address, *, connect_s: float, several: bool) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            host=address.host,
            port=address.port,
            user=address.user,
            # The driver would write it in latin1, where many a password has no form.
            password=address.password.encode(),
            database=address.schema or None,
            charset="utf8mb4",
            client_flag=FOUND_ROWS,
            connect_timeout=connect_s,
            ssl=dict(address.tls) or None,
            cursor_cls=QuietCursor,
            autocommit=None,
        )
        if not several:
            # A hole in an SQL text could hide a second statement behind the first.
            self._client_flag &= ~MULTI_STATEMENTS

    def character_set_name(self) -> None:
        """SQLAlchemy is told nothing: it would say SET NAMES after us, without our collation."""

    @property
    def is_open(self) -> bool:
        """As far as this side knows, without asking the server."""
        return bool(self.connected and not self._stream_broken)


async def open_session(
    address: Address,
    *,
    isolation: Isolation,
    lock_timeout_s: float,
    connect_s: float,
    autocommit: bool = False,
    several: bool = False,
) -> Session:
    """Raises `DatabaseUnavailable`, whose text names neither user nor password."""
    try:
        session = Session(address, connect_s=connect_s, several=several)
        try:
            async with asyncio.timeout(connect_s):
                await session.connect()
                for statement in _settings(isolation, lock_timeout_s, autocommit=autocommit):
                    await session.query(statement)  # type: ignore[no-untyped-call]
        except BaseException:
            session.close()
            raise
    except driver.Error as error:
        # The server's own text would say who tried to get in.
        why = error.args[-1] if is_lost(error) else f"error {code_of(error)}"
        raise DatabaseUnavailable(f"cannot connect to {address}: {why}") from None
    except OSError as error:
        why = str(error) or f"no answer within {connect_s} s"
        raise DatabaseUnavailable(f"cannot connect to {address}: {why}") from error
    return session


async def ensure_schema(address: Address, *, connect_s: float) -> None:
    """Creates the schema when it is missing. Raises `DatabaseUnavailable`."""
    server = replace(address, schema="")
    session = await open_session(
        server, isolation="READ COMMITTED", lock_timeout_s=connect_s, connect_s=connect_s
    )
    try:
        async with session.cursor() as cursor:
            await cursor.execute(_SCHEMATA, (address.schema,))
            if await cursor.fetchone() is None:
                quoted = address.schema.replace("`", "``")
                await cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{quoted}`")
    except driver.Error as error:
        why = f"error {code_of(error)}"
        raise DatabaseUnavailable(f"there is no {address}, and creating it: {why}") from None
    finally:
        session.close()


def _settings(isolation: Isolation, lock_timeout_s: float, *, autocommit: bool) -> Sequence[str]:
    wait_s = max(1, round(lock_timeout_s))
    return (
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
        # The variable has another name on MySQL 8 than on MariaDB 10.11; this form is common.
        f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}",
        f"SET SESSION autocommit = {int(autocommit)}, sql_mode = '{_SQL_MODE}', "
        f"time_zone = '+00:00', innodb_lock_wait_timeout = {wait_s}, lock_wait_timeout = {wait_s}",
    )
