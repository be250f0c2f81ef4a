"""The real servers, by the command that people type: up, used, killed, repaired, taken down."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import asyncmy
import pytest
from asyncmy.errors import OperationalError
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from pymongo import AsyncMongoClient
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError
from sqlalchemy.engine import make_url
from tests.support.stack import Shell, is_alive

pytestmark = [pytest.mark.stack, pytest.mark.network, pytest.mark.timeout(900)]

# Toxiproxy is left out: building it is not this test's business.
SERVERS = ("redis", "mariadb", "kafka", "mongodb")
UP_LIMIT_S = 600


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    made = Shell(tmp_path_factory.mktemp("stack"))
    try:
        up = made.run("up", *SERVERS, limit_s=UP_LIMIT_S)
        assert up.returncode == 0, up.stdout + up.stderr
        yield made
    finally:
        made.run("wipe")


async def test_redis_answers_those_who_know_its_password(shell: Shell) -> None:
    url = shell.settings()["KESSAI_REDIS_URL"]
    async with Redis.from_url(url) as redis:
        assert await redis.set("t1_key", "value")
        assert await redis.get("t1_key") == b"value"
        assert (await redis.config_get("appendfsync")) == {"appendfsync": "always"}
    host = url.rpartition("@")[2]
    async with Redis.from_url(f"redis://:wrong@{host}") as stranger:
        with pytest.raises(AuthenticationError):
            await stranger.ping()


async def test_mariadb_has_the_services_schemas_to_give(shell: Shell) -> None:
    url = make_url(shell.settings()["KESSAI_SQL_URL"])
    connection = await asyncmy.connect(
        host=url.host, port=url.port, user=url.username, password=url.password
    )
    async with connection.cursor() as cursor:
        for schema in ("ec_order", "t1_order"):
            await cursor.execute(f"CREATE DATABASE {schema}")
            await cursor.execute(f"CREATE TABLE {schema}.one (id INT PRIMARY KEY)")
        await cursor.execute("SELECT @@tx_isolation, @@collation_server, @@time_zone")
        assert await cursor.fetchone() == ("READ-COMMITTED", "utf8mb4_bin", "+00:00")
        with pytest.raises(OperationalError, match="Access denied"):
            await cursor.execute("CREATE DATABASE another")
    connection.close()


def test_kafka_serves_topics_and_groups_at_once(shell: Shell) -> None:
    servers: dict[str, Any] = {
        "bootstrap.servers": shell.settings()["KESSAI_BUS_URL"].removeprefix("kafka://")
    }
    admin = AdminClient(servers)
    for made in admin.create_topics([NewTopic("t1_orders", 6, 1)]).values():
        made.result(30)
    producer = Producer({**servers, "enable.idempotence": True})
    producer.produce("t1_orders", b"hello", key=b"order")
    assert producer.flush(30) == 0
    group = {"group.id": "t1_group", "auto.offset.reset": "earliest"}
    consumer = Consumer({**servers, **group})
    consumer.subscribe(["t1_orders"])
    (message,) = consumer.consume(1, 30)
    assert (message.key(), message.value()) == (b"order", b"hello")
    consumer.commit(asynchronous=False)
    consumer.close()


async def test_mongodb_has_transactions(shell: Shell) -> None:
    async with AsyncMongoClient[dict[str, Any]](shell.settings()["KESSAI_AUDIT_URL"]) as client:
        rows = client.t1_audit.rows
        async with client.start_session() as session, await session.start_transaction():
            await rows.insert_one({"_id": 1}, session=session)
        assert await rows.count_documents({}) == 1


def test_all_are_ready_and_small(shell: Shell) -> None:
    found = shell.status()
    assert {found[name]["state"] for name in SERVERS} == {"ready"}
    assert sum(found[name]["rssBytes"] for name in SERVERS) < 2_000_000_000


@pytest.mark.parametrize("name", SERVERS)
def test_a_killed_server_is_seen_and_repaired(shell: Shell, name: str) -> None:
    before = shell.status()
    for pid in before[name]["pids"].values():
        os.kill(pid, signal.SIGKILL)
    seen = shell.run("status", name)
    assert seen.returncode == 1
    assert "was killed" in seen.stdout
    up = shell.run("up", name)
    assert up.returncode == 0, up.stdout + up.stderr
    after = shell.status()
    assert after[name]["pids"] != before[name]["pids"]
    assert after[name]["ports"] == before[name]["ports"]
    others = [other for other in SERVERS if other != name]
    assert [after[other]["pids"] for other in others] == [before[o]["pids"] for o in others]


def test_secrets_are_in_no_output(shell: Shell) -> None:
    kept = json.loads((shell.folder / "stack" / "secrets.json").read_text())
    secrets = [secret for name, secret in kept.items() if not name.startswith("kafka")]
    said = shell.run("up", *SERVERS).stdout + shell.run("logs", "-n", "10000").stdout
    assert "KESSAI_REDIS_URL='redis://:****@" in said
    assert not any(secret in said for secret in secrets)


def test_down_ends_them_all(shell: Shell) -> None:
    pids = [pid for name in SERVERS for pid in shell.status()[name]["pids"].values()]
    down = shell.run("down")
    assert down.returncode == 0, down.stdout + down.stderr
    assert not any(is_alive(pid) for pid in pids)
    assert {shell.status()[name]["state"] for name in SERVERS} == {"stopped"}
    assert shell.settings() == {}
