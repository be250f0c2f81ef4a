"""Ready means that it does its work for a client, not that its port is open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import aiohttp
import asyncmy
from asyncmy.errors import MySQLError
from pymongo.errors import PyMongoError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kessai.stack.domain.place import HOST, USER, Place
from kessai.stack.domain.plans import proxies
from kessai.stack.gateway import kafka_wire, mongodb

_LIMIT_S = 5.0


class ServerProbes:
    async def why_not_ready(self, server: str, place: Place) -> str | None:
        """None when it is ready."""
        try:
            async with asyncio.timeout(_LIMIT_S):
                return await _PROBES[server](place)
        except (
            OSError,
            EOFError,
            MySQLError,
            PyMongoError,
            RedisError,
            aiohttp.ClientError,
            kafka_wire.NotKafka,
        ) as error:
            return f"{type(error).__name__}: {str(error)[:200]}"


async def _mariadb(place: Place) -> str | None:
    connection = await asyncmy.connect(
        host=HOST,
        port=place.ports["mariadb.sql"],
        user=USER,
        password=place.secrets["mariadb"],
        connect_timeout=int(_LIMIT_S),
    )
    try:
        async with connection.cursor() as cursor:
            await cursor.execute("SELECT 1")
    finally:
        connection.close()
    return None


async def _redis(place: Place) -> str | None:
    client = Redis(host=HOST, port=place.ports["redis.redis"], password=place.secrets["redis"])
    try:
        # Refused while it loads what it had.
        await client.get("kessai-stack")
    finally:
        await client.aclose()
    return None


async def _kafka(place: Place) -> str | None:
    for node in range(1, place.brokers + 1):
        port = place.ports[f"kafka.broker{node}"]
        for ask in (kafka_wire.coordinator_error, kafka_wire.groups_error):
            if (error := await ask(HOST, port)) != kafka_wire.NO_ERROR:
                return f"broker {node} answers error {error}"
    return None


async def _mongodb(place: Place) -> str | None:
    return await mongodb.why_not_ready(place)


async def _minio(place: Place) -> str | None:
    url = f"http://{HOST}:{place.ports['minio.s3']}/minio/health/ready"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return None if answer.status == HTTPStatus.OK else f"it answers {answer.status}"


async def _elasticsearch(place: Place) -> str | None:
    url = f"http://{HOST}:{place.ports['elasticsearch.http']}/_cluster/health"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        if answer.status != HTTPStatus.OK:
            return f"it answers {answer.status}"
        status = (await answer.json())["status"]
    return None if status in ("green", "yellow") else f"the cluster is {status}"


async def _toxiproxy(place: Place) -> str | None:
    api = f"http://{HOST}:{place.ports['toxiproxy.api']}"
    async with aiohttp.ClientSession() as session, session.get(f"{api}/proxies") as answer:
        found = await answer.json()
    behind = {proxy["name"]: proxy["upstream"] for proxy in found.values()}
    wanted = {str(proxy["name"]): proxy["upstream"] for proxy in proxies(place)}
    if behind == wanted:
        return None
    # A server has moved since it was started.
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{api}/populate", json=proxies(place)) as answer,
    ):
        return f"its proxies are set anew ({answer.status})"


_PROBES: Mapping[str, Callable[[Place], Awaitable[str | None]]] = {
    "mariadb": _mariadb,
    "redis": _redis,
    "kafka": _kafka,
    "mongodb": _mongodb,
    "minio": _minio,
    "elasticsearch": _elasticsearch,
    "toxiproxy": _toxiproxy,
}
