"""storage-service as a process of its own: calls and files come in behind the service token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from tests.support.storage import HEADER, a_row, a_runtime

from kessai.contracts.storage import ListProducts, StorageService
from kessai.kernel.bus import Record
from kessai.kernel.service import Unit
from kessai.kernel.settings import Settings
from kessai.storage.main import build
from kessai.storage.web import keep_doing
from kessai.topology import PRODUCTS_TOPIC

TOKEN = {"Authorization": "Bearer kessai-local-service-token"}
IMPORT = "/internal/products/import"


@asynccontextmanager
async def a_service(
    settings: Settings | None = None, *, demo_catalogue: bool = True
) -> AsyncIterator[tuple[Unit[StorageService], httpx2.AsyncClient]]:
    async with a_runtime(settings) as runtime:
        unit = await build(runtime, demo_catalogue=demo_catalogue)
        transport = httpx2.ASGITransport(app=unit.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://storage") as client:
            try:
                yield unit, client
            finally:
                await unit.stop()


async def test_it_answers_calls_with_the_token_only() -> None:
    async with a_service() as (_, client):
        call = "/internal/calls/list_products"
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            assert (await client.post(call, json={}, headers=headers)).status_code == 403
        answer = await client.post(call, json={"limit": 2}, headers=TOKEN)
        assert [item["productId"] for item in answer.json()["items"]] == [1001, 1002]
        bad = await client.post(call, json={"limit": 101}, headers=TOKEN)
        assert (bad.status_code, bad.json()["code"]) == (422, "VALIDATION")
        assert (await client.get("/actuator/health")).status_code == 200


async def test_a_file_is_imported_by_form() -> None:
    async with a_service(demo_catalogue=False) as (unit, client):
        content = f"{HEADER}\n{a_row(1)}\nbad\n".encode()
        form = {"file": ("products.csv", content, "text/csv")}
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            assert (await client.post(IMPORT, files=form, headers=headers)).status_code == 403
        assert (await unit.port.list_products(ListProducts())).items == ()
        tried = await client.post(IMPORT, files=form, data={"dryRun": "true"}, headers=TOKEN)
        assert tried.json()["created"] == 1
        assert (await unit.port.list_products(ListProducts())).items == ()
        done = await client.post(IMPORT, files=form, headers=TOKEN)
        assert done.json() == {
            "created": 1,
            "changed": 0,
            "unchanged": 0,
            "bad": [{"row": 3, "column": "", "why": "has 1 cells, the header has 9"}],
        }
        assert len((await unit.port.list_products(ListProducts())).items) == 1
        no_csv = {"file": ("products.csv", b"\xff\xfe", "text/csv")}
        refused = await client.post(IMPORT, files=no_csv, headers=TOKEN)
        assert (refused.status_code, refused.json()["code"]) == (422, "VALIDATION")


async def test_a_production_shop_opens_empty() -> None:
    production = Settings(_env_file=None).model_copy(update={"env": "production"})
    async with a_service(production) as (unit, _):
        assert (await unit.port.list_products(ListProducts())).items == ()


async def test_the_whole_catalogue_is_announced_after_the_first_start() -> None:
    keys: list[str] = []
    complete = asyncio.Event()

    async def on_record(record: Record) -> None:
        keys.append(record.key)
        if len(keys) == 180:
            complete.set()

    async with a_runtime() as runtime, asyncio.timeout(30):
        unit = await build(runtime)
        await unit.start()
        reading = asyncio.create_task(
            runtime.bus.consumer("test", [PRODUCTS_TOPIC], on_record).run()
        )
        await complete.wait()
        reading.cancel()
        await asyncio.wait([reading])
        await unit.stop()
    assert sorted(keys) == [str(product_id) for product_id in range(1001, 1181)]


async def test_a_loop_rests_only_when_there_is_nothing_to_do() -> None:
    found = iter([2, 1, 0])
    rounds = 0

    async def look() -> int:
        nonlocal rounds
        rounds += 1
        return next(found, 0)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await keep_doing(look, every_s=60)()
    assert rounds == 3
