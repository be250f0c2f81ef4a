"""MongoDB behind its URL: opened and looked at once, and every silence afterwards is `Unknown`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, ConfigurationError, OperationFailure, PyMongoError
from pymongo.read_preferences import ReadPreference
from pymongo.uri_parser import parse_uri
from pymongo.write_concern import WriteConcern

from kessai.kernel.errors import Unknown
from kessai.kernel.told import without_password

Document: TypeAlias = dict[str, Any]
Database: TypeAlias = AsyncDatabase[Document]

SCHEMES = ("mongodb", "mongodb+srv")
OLDEST = (6, 0)
_DATABASE = "kessai"
_SHAPE = "it is not mongodb://user:password@host:port/database"
_LOGIN_FAILED = 18
# Unless the URL says otherwise. `timeoutMS` is the whole of one operation, retries and all.
_PATIENCE_MS: Mapping[str, int] = {
    "serverSelectionTimeoutMS": 2000,
    "connectTimeoutMS": 2000,
    "timeoutMS": 5000,
}
# What a majority has on disk is not lost with any one machine.
_DURABLE = WriteConcern(w="majority", j=True)


async def open_mongo(url: str) -> Database:
    """The database that the URL names, else `kessai`. Close its `client`.

    Raises `ValueError` with a line for people, never with the password.
    """
    client = _client(url)
    try:
        await _look(client, url)
    except BaseException:
        await client.close()
        raise
    return client.get_default_database(
        _DATABASE, read_preference=ReadPreference.PRIMARY, write_concern=_DURABLE
    )


@asynccontextmanager
async def asking(code: str) -> AsyncIterator[None]:
    """What is no answer is `Unknown(code)`; a refused document stays `BulkWriteError`."""
    try:
        yield
    except BulkWriteError as error:
        if error.details.get("writeConcernErrors"):
            raise Unknown(code, "MongoDB has not said that a majority keeps it") from error
        raise
    except PyMongoError as error:
        raise Unknown(code, f"MongoDB does not answer ({type(error).__name__})") from error


def _client(url: str) -> AsyncMongoClient[Document]:
    if urlsplit(url).scheme not in SCHEMES:
        raise ValueError(_SHAPE)
    try:
        # Of an srv URL the rest is in the DNS, and is read when it connects.
        given = parse_uri(url, warn=False)["options"] if url.startswith("mongodb://") else {}
        known = {name.lower() for name in given}
        patience: dict[str, Any] = {
            name: ms for name, ms in _PATIENCE_MS.items() if name.lower() not in known
        }
        return AsyncMongoClient(url, tz_aware=True, appname="kessai", **patience)
    except (ConfigurationError, ValueError, TypeError) as error:
        raise ValueError(_told(error, url)) from None


async def _look(client: AsyncMongoClient[Document], url: str) -> None:
    try:
        found = await client.server_info()
    except OperationFailure as error:
        why = "it refuses the login" if error.code == _LOGIN_FAILED else _told(error, url)
        raise ValueError(why) from None
    except PyMongoError as error:
        raise ValueError(f"no server answers: {_told(error, url)}") from None
    require_version(found["version"])


def require_version(version: str) -> None:
    """Raises `ValueError` for a server that is too old."""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ValueError(f"MongoDB {version} is too old: {oldest} or newer, please")


def _told(error: Exception, url: str) -> str:
    """What happened, without the driver's long story of its servers."""
    text = without_password(error, url, _SHAPE)
    for beginning in (", Timeout:", " (configured timeouts:", ", full error:"):
        text = text.partition(beginning)[0]
    return text
