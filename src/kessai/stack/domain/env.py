"""The settings that switch Kessai to the servers that are ready."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from kessai.stack.domain.place import BUCKET, HOST, USER, Place

CACHE_SETTING = "KESSAI_STACK_CACHE"
_PASSWORD = re.compile(r"(?<=://)([^:@/]*):[^@/]+@")


def settings(place: Place, ready: Iterable[str], *, proxied: bool = False) -> dict[str, str]:
    """Name to value, in the order of the table; through toxiproxy if `proxied`."""
    found = {}
    for server in ready:
        if (entry := _URLS.get(server)) is not None:
            name, url = entry
            found[name] = url(place, ".proxy" if proxied else "")
    return found


def env_lines(values: Mapping[str, str], *, masked: bool = False) -> list[str]:
    """For `.env` readers and shells alike: single quotes, since a URL may hold `&`."""
    return [f"{name}='{mask(value) if masked else value}'" for name, value in values.items()]


def read_lines(text: str) -> dict[str, str]:
    """What `env_lines` wrote; a line that is none of ours is passed over."""
    found = {}
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        if separator and name.isidentifier():
            found[name] = value.strip().strip("'")
    return found


def mask(url: str) -> str:
    return _PASSWORD.sub(r"\1:****@", url)


def _sql(place: Place, way: str) -> str:
    return f"mysql+asyncmy://{USER}:{place.secrets['mariadb']}@{_at(place, 'mariadb.sql', way)}"


def _redis(place: Place, way: str) -> str:
    return f"redis://:{place.secrets['redis']}@{_at(place, 'redis.redis', way)}/0"


def _kafka(place: Place, way: str) -> str:
    port = "proxied" if way else "broker"
    brokers = (_at(place, f"kafka.{port}{n}", way) for n in range(1, place.brokers + 1))
    return f"kafka://{','.join(brokers)}"


def _mongodb(place: Place, way: str) -> str:
    # A client that follows the replica set would leave the proxy for the member's own address.
    how = "directConnection=true" if way else "replicaSet=rs0"
    return (
        f"mongodb://{USER}:{place.secrets['mongodb']}@{_at(place, 'mongodb.mongodb', way)}"
        f"/kessai?authSource=admin&{how}"
    )


def _minio(place: Place, way: str) -> str:
    endpoint = f"http://{_at(place, 'minio.s3', way)}"
    return f"s3://{USER}:{place.secrets['minio']}@{BUCKET}?endpoint={endpoint}"


def _elasticsearch(place: Place, way: str) -> str:
    return f"http://{_at(place, 'elasticsearch.http', way)}"


def _at(place: Place, key: str, way: str) -> str:
    return f"{HOST}:{place.ports[key + way]}"


_URLS: Mapping[str, tuple[str, Callable[[Place, str], str]]] = {
    "mariadb": ("KESSAI_SQL_URL", _sql),
    "kafka": ("KESSAI_BUS_URL", _kafka),
    "redis": ("KESSAI_REDIS_URL", _redis),
    "mongodb": ("KESSAI_AUDIT_URL", _mongodb),
    "elasticsearch": ("KESSAI_SEARCH_URL", _elasticsearch),
    "minio": ("KESSAI_OBJECTS_URL", _minio),
}
