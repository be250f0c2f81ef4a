"""The object store: bytes under a name, in a folder of this machine or in S3."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from kessai.kernel.breaker import CircuitBreaker
from kessai.kernel.errors import Unknown

if TYPE_CHECKING:
    from obstore.store import S3Config

UNAVAILABLE = "OBJECTS_UNAVAILABLE"
_TIMEOUT_S = 10
_CONNECT_TIMEOUT_S = 2
_RETRIES = 2
# S3's own names, and the older ones that servers still have.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_S3_OPTIONS = frozenset({"endpoint", "region"})
# Looked for by `ping`; that it is missing is as good an answer as any.
_PROBE = "health"


class Objects(Protocol):
    """Raises `Unknown("OBJECTS_UNAVAILABLE")` when the store does not answer."""

    async def put(self, name: str, content: bytes, *, media_type: str) -> None:
        """All of it or nothing; what was there under this name is replaced."""
        ...

    async def get(self, name: str) -> bytes | None: ...

    async def ping(self) -> None: ...


class MemoryObjects:
    """Of this process, gone with it; for stories and simulations."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    async def put(self, name: str, content: bytes, *, media_type: str) -> None:  # noqa: ARG002
        self._contents[_checked(name)] = content

    async def get(self, name: str) -> bytes | None:
        return self._contents.get(_checked(name))

    async def ping(self) -> None:
        return None


class StoredObjects:
    """A store of obstore, which speaks to folders and to S3 alike."""

    def __init__(self, store: LocalStore | S3Store) -> None:
        self._store = store

    async def put(self, name: str, content: bytes, *, media_type: str) -> None:
        # A file has no media type; a bucket may be looked at without us.
        is_bucket = isinstance(self._store, S3Store)
        try:
            await self._store.put_async(
                _checked(name),
                content,
                attributes={"Content-Type": media_type} if is_bucket else None,
                use_multipart=False,
            )
        except (BaseError, OSError) as error:
            raise _unavailable(error) from error

    async def get(self, name: str) -> bytes | None:
        try:
            found = await self._store.get_async(_checked(name))
            return bytes(await found.bytes_async())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise _unavailable(error) from error

    async def ping(self) -> None:
        await self.get(_PROBE)


class GuardedObjects:
    """For readers whom a picture is not worth a long wait.

    A browser opens few connections to a shop: while some of them hung on a store that is away, the
    page behind them would hang too. So a read gives up soon, and after a few that failed the next
    are not even tried for a moment.
    """

    def __init__(self, objects: Objects, breaker: CircuitBreaker, *, within_s: float = 2.0) -> None:
        self._objects = objects
        self._breaker = breaker
        self._within_s = within_s

    async def put(self, name: str, content: bytes, *, media_type: str) -> None:
        await self._objects.put(name, content, media_type=media_type)

    async def get(self, name: str) -> bytes | None:
        return await self._breaker.call(lambda: self._get(name))

    async def ping(self) -> None:
        await self._objects.ping()

    async def _get(self, name: str) -> bytes | None:
        try:
            async with asyncio.timeout(self._within_s):
                return await self._objects.get(name)
        except TimeoutError as error:
            raise Unknown(UNAVAILABLE, f"no answer within {self._within_s:g} s") from error


def _checked(name: str) -> str:
    """Names are made by us from hashes; anything else is a bug before it is an attack."""
    parts = name.split("/")
    if not name.isascii() or any(not part.strip(".") or "\\" in part for part in parts):
        raise ValueError(f"{name!r} is no name of an object")
    return name


def _unavailable(error: Exception) -> Unknown:
    # The first line says what happened; the rest are debug lines that may show addresses.
    return Unknown(UNAVAILABLE, str(error).partition("\n")[0][:200])


def open_objects(url: str, folder: Path) -> StoredObjects:
    """By the scheme: `file:` below `folder`, `file:/path`, `s3://[key:secret@]bucket[/prefix]`.

    S3 takes `?endpoint=http://host:port&region=...`; without a key in the URL it takes the usual
    `AWS_*` variables. The bucket must exist. Raises `ValueError` for any other URL and
    for a folder that cannot be made.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.netloc:
        place = Path(unquote(parts.path)) if parts.path else folder
        try:
            return StoredObjects(LocalStore(prefix=place.absolute(), mkdir=True))
        except (BaseError, OSError) as error:
            raise ValueError(f"KESSAI_OBJECTS_URL: {place}: {error}") from error
    if parts.scheme == "s3" and parts.hostname:
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if unknown := sorted(options.keys() - _S3_OPTIONS):
            raise ValueError(f"KESSAI_OBJECTS_URL: unknown option {', '.join(unknown)}")
        key = (unquote(parts.username or ""), unquote(parts.password or ""))
        # Not `hostname`, which is in lower case whatever the bucket's name is.
        bucket = parts.netloc.rpartition("@")[2]
        if not _BUCKET.fullmatch(bucket):
            raise ValueError(
                f"KESSAI_OBJECTS_URL: {bucket!r} is no name of a bucket; ?endpoint= names a host"
            )
        return StoredObjects(_bucket(bucket, parts.path.strip("/"), key, options))
    raise ValueError("KESSAI_OBJECTS_URL is not file:[/path] or s3://bucket[/prefix][?endpoint=]")


def _bucket(bucket: str, prefix: str, key: tuple[str, str], options: Mapping[str, str]) -> S3Store:
    key_id, secret = key
    config: S3Config = {"region": options.get("region", "us-east-1")}
    if key_id:
        config |= {"access_key_id": key_id, "secret_access_key": secret}
    if endpoint := options.get("endpoint"):
        config |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=config,
        client_options={
            "allow_http": (endpoint or "").startswith("http://"),
            "timeout": f"{_TIMEOUT_S}s",
            "connect_timeout": f"{_CONNECT_TIMEOUT_S}s",
        },
        retry_config={
            "max_retries": _RETRIES,
            "retry_timeout": timedelta(seconds=_TIMEOUT_S),
        },
    )
