"""How each server is run: its configuration, its first steps, its processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from kessai.stack.domain.elasticsearch import elasticsearch_plan
from kessai.stack.domain.kafka import kafka_plan
from kessai.stack.domain.place import BUCKET, HOST, USER, Launch, Place, Plan
from kessai.stack.domain.server import KAFKA, SERVERS

Programs: TypeAlias = Mapping[str, Path]

_SQL_MODE = (
    "STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY"
)
# The services' schemas, and those of tests.
_SCHEMAS = (r"ec\_%", r"t%")


def plan(server: str, place: Place, programs: Programs) -> Plan:
    return _PLANS[server](place, programs)


def _mariadb(place: Place, programs: Programs) -> Plan:
    data = place.data("mariadb")
    accounts = place.of("mariadb") / "accounts.sql"
    common = ("--no-defaults", f"--user={place.system_user}", f"--datadir={data}")
    make = (
        str(programs["mariadb-install-db"]),
        *common,
        "--auth-root-authentication-method=socket",
        f"--auth-root-socket-user={place.system_user}",
        "--skip-test-db",
    )
    run = (
        str(programs["mariadbd"]),
        *common,
        f"--port={place.ports['mariadb.sql']}",
        f"--bind-address={HOST}",
        # Within the data folder: the path of a socket may not be long.
        "--socket=mariadb.sock",
        "--pid-file=mariadb.pid",
        # Run at each start and before the first client, so that the password is always ours.
        f"--init-file={accounts}",
        "--skip-name-resolve",
        "--skip-log-bin",
        "--character-set-server=utf8mb4",
        "--collation-server=utf8mb4_bin",
        "--transaction-isolation=READ-COMMITTED",
        "--default-time-zone=+00:00",
        f"--sql-mode={_SQL_MODE}",
        "--innodb-flush-log-at-trx-commit=1",
        "--innodb-lock-wait-timeout=5",
        "--max-connections=400",
    )
    return Plan(
        files={accounts: _accounts(place.secrets["mariadb"])},
        folders=(data,),
        first=(make,),
        launches=(Launch("mariadb", run),),
    )


def _accounts(password: str) -> str:
    account = f"'{USER}'@'{HOST}'"
    return "\n".join(
        (
            f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{password}';",
            f"ALTER USER {account} IDENTIFIED BY '{password}';",
            *(f"GRANT ALL ON `{schemas}`.* TO {account};" for schemas in _SCHEMAS),
            "",
        )
    )


def _redis(place: Place, programs: Programs) -> Plan:
    data = place.data("redis")
    conf = place.of("redis") / "redis.conf"
    lines = (
        f"bind {HOST}",
        f"port {place.ports['redis.redis']}",
        f'dir "{data}"',
        f"requirepass {place.secrets['redis']}",
        "daemonize no",
        'save ""',
        "appendonly yes",
        # What was acknowledged survives a kill; `everysec` would lose a second.
        "appendfsync always",
        "maxmemory 256mb",
        "maxmemory-policy noeviction",
        "",
    )
    return Plan(
        files={conf: "\n".join(lines)},
        folders=(data,),
        first=(),
        launches=(Launch("redis", (str(programs["redis-server"]), str(conf))),),
    )


def _mongodb(place: Place, programs: Programs) -> Plan:
    data = place.data("mongodb")
    key = place.of("mongodb") / "members.key"
    run = (
        str(programs["mongod"]),
        *("--dbpath", str(data)),
        *("--bind_ip", HOST),
        *("--port", str(place.ports["mongodb.mongodb"])),
        *("--replSet", "rs0", "--oplogSize", "64"),
        *("--wiredTigerCacheSizeGB", "0.25"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        "--nounixsocket",
        *("--auth", "--keyFile", str(key)),
    )
    return Plan(
        files={key: place.secrets["mongodb-members"] + "\n"},
        folders=(data,),
        first=(),
        launches=(Launch("mongodb", run),),
    )


def _minio(place: Place, programs: Programs) -> Plan:
    data = place.data("minio")
    address = f"{HOST}:{place.ports['minio.s3']}"
    env = {
        "MINIO_ROOT_USER": USER,
        "MINIO_ROOT_PASSWORD": place.secrets["minio"],
        "MINIO_UPDATE": "off",
        "MINIO_BROWSER": "off",
    }
    run = (str(programs["minio"]), "server", "--quiet", "--address", address, str(data))
    return Plan(
        files={},
        # A folder of a single drive is a bucket.
        folders=(data, data / BUCKET),
        first=(),
        launches=(Launch("minio", run, env),),
    )


def _toxiproxy(place: Place, programs: Programs) -> Plan:
    file = place.of("toxiproxy") / "proxies.json"
    run = (
        str(programs["server"]),
        *("-host", HOST),
        *("-port", str(place.ports["toxiproxy.api"])),
        *("-config", str(file)),
    )
    return Plan(
        files={file: json.dumps(proxies(place), indent=2) + "\n"},
        folders=(),
        first=(),
        launches=(Launch("toxiproxy", run),),
    )


def proxies(place: Place) -> list[dict[str, str | bool]]:
    """One in front of each server, one in front of each broker."""
    return [
        {
            "name": name,
            "listen": f"{HOST}:{place.ports[f'{server}.{port}.proxy']}",
            "upstream": f"{HOST}:{place.ports[f'{server}.{port}']}",
            "enabled": True,
        }
        for name, server, port in _proxied(place.brokers)
    ]


def _proxied(brokers: int) -> list[tuple[str, str, str]]:
    return [
        (f"kafka{n}" if card is KAFKA else card.name, card.name, port)
        for card in SERVERS
        for n, port in enumerate(card.proxied, start=1)
        if card is not KAFKA or n <= brokers
    ]


_PLANS: Mapping[str, Callable[[Place, Programs], Plan]] = {
    "mariadb": _mariadb,
    "redis": _redis,
    "kafka": kafka_plan,
    "mongodb": _mongodb,
    "minio": _minio,
    "elasticsearch": elasticsearch_plan,
    "toxiproxy": _toxiproxy,
}
