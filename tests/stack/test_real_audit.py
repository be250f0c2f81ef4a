"""The audit trail in MongoDB: of a running shop, through an outage, with a narrow login."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.support.audit import entries_of
from tests.support.mongo import a_database, own_url
from tests.support.process import Processes, processes
from tests.support.servers import private_servers, private_url

from kessai.contracts.order import OrderById
from kessai.embedded import open_runtime, remote_ports
from kessai.kernel.errors import Unknown
from kessai.kernel.mongo import open_mongo
from kessai.kernel.settings import Settings
from kessai.order.gateway.archive import COLLECTION, MongoAuditArchive
from kessai.proof.customer import Customer, SeenOrder

pytestmark = [pytest.mark.stack, pytest.mark.network, pytest.mark.timeout(400)]

AUDIT = "KESSAI_AUDIT_URL"
WITHIN_S = 60.0
OF_AUDIT = {"I14", "I16", "I24", "I28", "I29", "I30"}


def books(system: Processes) -> tuple[dict[str, Any], dict[str, Any]]:
    report = json.loads(system.run("verify", "--json"))
    return report, {one["id"]: one for one in report["findings"] if one["id"] in OF_AUDIT}


async def buy(system: Processes, count: int) -> list[SeenOrder]:
    orders = []
    async with Customer(system.urls) as customer:
        await customer.sign_in("shopper@example.com", "kessai-demo")
        product = next(int(str(p["id"])) for p in await customer.products() if p["stock"])
        for n in range(count):
            order = await customer.purchase([(product, 1)], key=f"key-{time.monotonic_ns()}-{n}")
            await customer.pay(f"{order.order_id}-1")
            orders.append(order)
    return orders


@asynccontextmanager
async def order_service(system: Processes) -> AsyncIterator[Any]:
    folder = str(system.folder / "asker")
    runtime = await open_runtime(
        Settings(_env_file=None, port_offset=system.offset, data_dir=folder)
    )
    try:
        yield remote_ports(runtime).order
    finally:
        await runtime.bus.close()
        await runtime.http.close()


async def until_kept(url: str, orders: int) -> None:
    """Each paid order has eight entries; nothing but the archive is asked."""
    database = await open_mongo(url)
    end = time.monotonic() + WITHIN_S
    try:
        while (found := await database[COLLECTION].count_documents({})) < 8 * orders:
            assert time.monotonic() < end, f"{found} entries of {orders} orders"
            await asyncio.sleep(0.2)
    finally:
        await database.client.close()


@pytest.mark.long
async def test_an_outage_leaves_orders_alone_and_is_caught_up(tmp_path: Path) -> None:
    url, servers = own_url(private_url(AUDIT)), private_servers()
    with processes(tmp_path, KESSAI_AUDIT_URL=url) as system:
        system.start("up")
        assert "Everything agrees" in system.run("demo")
        before = await buy(system, 2)
        await until_kept(url, 5)
        report, asked = books(system)
        assert report["ok"], report
        assert {(one["result"], one["notAsked"]) for one in asked.values()} == {("OK", None)}
        assert asked["I29"]["checked"] >= 40

        assert servers.run("down", "mongodb").returncode == 0
        try:
            orders = await buy(system, 3)
            async with order_service(system) as desk:
                # What every door of the product answers with 503.
                with pytest.raises(Unknown) as told:
                    await desk.audit_order(OrderById(order_id=orders[0].order_id))
            assert told.value.code == "AUDIT_UNAVAILABLE"
            report, asked = books(system)
            assert report["ok"], report
            assert {one["result"] for one in asked.values()} == {"NOT_ASKED"}
            assert all("KESSAI_AUDIT_URL" in one["notAsked"] for one in asked.values())
        finally:
            assert servers.run("up", "mongodb").returncode == 0

        await until_kept(url, 8)
        report, asked = books(system)
        assert report["ok"], report
        assert {one["result"] for one in asked.values()} == {"OK"}
        async with order_service(system) as desk:
            for order in (*before, *orders):
                trail = await desk.audit_order(OrderById(order_id=order.order_id))
                assert trail.intact, trail
        await a_forged_entry_is_found(system, url, orders[0].order_id)
        assert system.stop("up") == 0
    await drop(url)


async def a_forged_entry_is_found(system: Processes, url: str, order_id: str) -> None:
    database = await open_mongo(url)
    of = {"orderId": order_id, "sequence": 4}
    await database[COLLECTION].update_one(of, {"$set": {"cause": "nothing happened"}})
    await database.client.close()
    async with order_service(system) as desk:
        trail = await desk.audit_order(OrderById(order_id=order_id))
    assert (trail.intact, trail.broken_at) == (False, 4)


async def drop(url: str) -> None:
    database = await open_mongo(url)
    await database.client.drop_database(database.name)
    await database.client.close()


async def test_a_switch_moves_what_is_there_and_cannot_be_taken_back(tmp_path: Path) -> None:
    url = own_url(private_url(AUDIT))
    with processes(tmp_path) as system:
        system.start("up", KESSAI_AUDIT_URL="sql:")
        orders = await buy(system, 2)
        async with order_service(system) as desk:
            for order in orders:
                assert (await desk.audit_order(OrderById(order_id=order.order_id))).intact
        assert system.stop("up") == 0
        system.start("up", KESSAI_AUDIT_URL=url)
        await until_kept(url, 2)
        system.env["KESSAI_AUDIT_URL"] = url
        report, _ = books(system)
        assert report["ok"], report
        assert system.stop("up") == 0
        with pytest.raises(RuntimeError, match="was moved to MongoDB"):
            system.start("up", KESSAI_AUDIT_URL="sql:")
        assert system.running.pop("up").wait(10) == 2
    await drop(url)


async def test_a_login_that_may_find_and_insert_is_enough() -> None:
    """Once the index is there: nobody with it can change or remove an entry."""
    async with a_database(private_url(AUDIT)) as database:
        await MongoAuditArchive(database).prepare()
        may = ["find", "insert", "listIndexes"]
        of = {"db": database.name, "collection": COLLECTION}
        privileges = [{"resource": of, "actions": may}]
        await database.command("createRole", "writer", privileges=privileges, roles=[])
        await database.command("createUser", "audit", pwd="pw", roles=["writer"])
        parts = urlsplit(private_url(AUDIT))
        login = parts._replace(
            netloc=f"audit:pw@{parts.netloc.rpartition('@')[2]}",
            path=f"/{database.name}",
            query=f"replicaSet=rs0&authSource={database.name}",
        )
        narrow = await open_mongo(login.geturl())
        archive, entries = MongoAuditArchive(narrow), entries_of("0" * 26, 3)
        await archive.prepare()
        await archive.keep(entries)
        await archive.keep(entries)
        assert list(await archive.read("0" * 26)) == entries
        for forbidden in (
            narrow[COLLECTION].delete_many({}),
            narrow[COLLECTION].update_many({}, {"$set": {"cause": ""}}),
        ):
            with pytest.raises(Exception, match="not authorized"):
                await forbidden
        await database[COLLECTION].drop()
        # It may not make the index either, and says so.
        with pytest.raises(ValueError, match="no unique index"):
            await archive.prepare()
        await database.command("dropUser", "audit")
        with pytest.raises(Unknown):
            await archive.keep(entries)
        await narrow.client.close()
        await database.command("dropRole", "writer")
