"""One URL per need, and its scheme picks the adapter; what is wrong with one names its setting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from kessai.kernel.bus import Bus
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, open_database
from kessai.kernel.kafka_bus import BusMisfit, BusUnavailable, open_kafka_bus
from kessai.kernel.local_bus import open_local_bus
from kessai.kernel.mongo import Database, open_mongo
from kessai.kernel.settings import Settings

SCHEMAS = "ec_"
_LOCAL_BUS = "local:"
_SQLITE = "sqlite:"
_WITH_THE_ORDERS = "sql:"


def database_url(settings: Settings, name: str) -> str:
    """A file below KESSAI_DATA_DIR, or the schema `ec_<name>` of the server at KESSAI_SQL_URL.

    A path in the URL takes the place of `ec_`, so that several systems can share a server.
    """
    if settings.sql_url == _SQLITE:
        return f"sqlite:///{Path(settings.data_dir) / name}.db"
    parts = urlsplit(settings.sql_url)
    prefix = parts.path.lstrip("/") or SCHEMAS
    return urlunsplit(parts._replace(path=f"/{prefix}{name}"))


async def open_schema(settings: Settings, name: str) -> Db:
    """Raises `ValueError` with a line for people."""
    try:
        return await open_database(database_url(settings, name))
    except ValueError as error:
        raise ValueError(f"KESSAI_SQL_URL: {error}") from error


async def open_bus(
    settings: Settings, clock: Clock, *, instance: str, partitions: int, topics: Sequence[str]
) -> Bus:
    """Raises `ValueError` with a line for people."""
    url = settings.bus_url
    if url == _LOCAL_BUS:
        path = str(Path(settings.data_dir) / "bus.db")
        return await open_local_bus(path, clock, partitions=partitions, instance=instance)
    try:
        return await open_kafka_bus(url, partitions=partitions, instance=instance, topics=topics)
    except BusUnavailable as error:
        raise ValueError(f"KESSAI_BUS_URL: no broker answers ({error})") from error
    except (BusMisfit, ValueError) as error:
        raise ValueError(f"KESSAI_BUS_URL: {error}") from error


async def open_audit(settings: Settings) -> Database | None:
    """None where the audit trail lies with the orders. Raises `ValueError` with a line for people.

    Close its `client`.
    """
    if settings.audit_url == _WITH_THE_ORDERS:
        return None
    try:
        return await open_mongo(settings.audit_url)
    except ValueError as error:
        raise ValueError(f"KESSAI_AUDIT_URL: {error}") from error
