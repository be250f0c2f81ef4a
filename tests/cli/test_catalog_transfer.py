"""`kessai catalog export|reindex|check`, and an import of JSON lines with pictures."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from fastapi import FastAPI
from PIL import Image
from tests.cli.test_catalog import a_free_port, invoke, served
from tests.support.storage import a_row, a_runtime

import kessai.storage.main
from kessai.cli import catalog
from kessai.contracts.search import (
    CheckIndex,
    ImportedImage,
    IndexDrift,
    ProductImage,
    Reindexed,
    SearchService,
)
from kessai.contracts.storage import (
    ImportCatalogue,
    Line,
    ListSnapshots,
    ReservationById,
    ReserveStock,
    StorageService,
)
from kessai.contracts.wire import Nothing
from kessai.kernel.calls import mount
from kessai.kernel.errors import Refused, Unknown
from kessai.kernel.ids import content_id
from kessai.kernel.server import Binding

pytestmark = pytest.mark.network
TOKEN = "kessai-local-service-token"


@asynccontextmanager
async def a_shop(*, demo_goods: bool = False) -> AsyncIterator[tuple[StorageService, str]]:
    """storage-service and the address under which a command finds it."""
    async with a_runtime() as runtime:
        unit = await kessai.storage.main.build(runtime, demo_catalogue=demo_goods)
        async with served(Binding("storage-service", unit.app, 0)) as ports:
            yield unit.port, f"storage-service=http://127.0.0.1:{ports['storage-service']}"
        await unit.stop()


async def everything(storage: StorageService) -> list[dict[str, object]]:
    """Without what counts changes and sales, which no file carries."""
    page = await storage.list_snapshots(ListSnapshots(limit=500))
    return [item.model_dump(exclude={"version", "sold_count_30d"}) for item in page.items]


@pytest.mark.parametrize("name", ["all.csv", "all.jsonl"])
async def test_an_export_changes_nothing_here_and_makes_the_same_elsewhere(
    tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    async with a_shop(demo_goods=True) as (storage, urls):
        goods = await everything(storage)
        await storage.reserve_stock(
            ReserveStock(
                reservation_id="r",
                order_id=content_id("r"),
                lines=(Line(product_id=1001, quantity=2),),
            )
        )
        await storage.confirm_stock(ReservationById(reservation_id="r"))
        sold = await everything(storage)
        assert sold != goods
        code, out, _ = await invoke(catalog.app, "export", str(file), urls=urls)
        assert (code, out.split(",")[0]) == (0, f"{len(goods)} products to {file}")
        before = await storage.list_snapshots(ListSnapshots(limit=500))
        # What was sold since the first file makes no change of this one, now or the next time.
        for _ in range(2):
            code, out, _ = await invoke(catalog.app, "import", str(file), urls=urls)
            assert code == 0
            assert out.startswith(f"0 created, 0 changed, {len(goods)} unchanged, 0 bad, by")
        assert await storage.list_snapshots(ListSnapshots(limit=500)) == before
    async with a_shop() as (other, urls):
        code, out, _ = await invoke(catalog.app, "import", str(file), urls=urls)
        assert (code, out.split(",")[0]) == (0, f"{len(goods)} created")
        assert await everything(other) == sold


async def test_a_figure_that_was_only_noted_is_no_change_the_next_time_either() -> None:
    """The shop has three, a file says three, one more is sold: the same file says nothing new."""
    async with a_shop() as (storage, _):
        header = "productId,title,description,price,status,createdAt,imageFile,category,stock"

        async def load(stock: int) -> tuple[int, int]:
            csv = f"{header}\n{a_row(1, stock=stock)}".encode()
            done = await storage.import_catalogue(ImportCatalogue(csv=csv))
            return done.created, done.changed

        async def sell(quantity: int) -> None:
            order = content_id("o", str(quantity))
            lines = (Line(product_id=1, quantity=quantity),)
            await storage.reserve_stock(
                ReserveStock(reservation_id=f"{order}-1", order_id=order, lines=lines)
            )

        assert await load(5) == (1, 0)
        await sell(2)
        assert await load(3) == (0, 0)
        await sell(1)
        assert await load(3) == (0, 0)
        assert [item["stock"] for item in await everything(storage)] == [2]
        assert await load(5) == (0, 1)
        assert [item["stock"] for item in await everything(storage)] == [5]


async def test_an_export_needs_a_name_that_says_how(tmp_path: Path) -> None:
    code, _, error = await invoke(catalog.app, "export", str(tmp_path / "all.xlsx"), urls="")
    assert code == 2
    assert "must end in .csv or .jsonl" in error
    async with a_shop() as (_, urls):
        nowhere = tmp_path / "no" / "all.csv"
        code, _, error = await invoke(catalog.app, "export", str(nowhere), urls=urls)
        assert code == 2
        assert "No such file or directory" in error


class Index:
    """An es-service that is asked by commands."""

    def __init__(self) -> None:
        self.drift = IndexDrift(products=9, missing=0, stale=0, surplus=0, repaired=0)
        self.asked: list[object] = []
        self.refusal: Refused | Unknown | None = None

    def __getattr__(self, name: str) -> object:
        async def nobody_asks(command: object) -> object:
            raise NotImplementedError(f"{name}({command})")

        return nobody_asks

    async def reindex(self, command: Nothing) -> Reindexed:
        self.asked.append(command)
        if self.refusal:
            raise self.refusal
        return Reindexed(products=9)

    async def check_index(self, command: CheckIndex) -> IndexDrift:
        self.asked.append(command)
        return self.drift

    async def import_image(self, command: ProductImage) -> ImportedImage:
        self.asked.append(command.product_id)
        return ImportedImage(image_key="0" * 64)


@asynccontextmanager
async def an_index() -> AsyncIterator[tuple[Index, StorageService, str]]:
    index, app = Index(), FastAPI()
    app.include_router(mount(SearchService, cast(SearchService, index), token=TOKEN))
    async with a_shop() as (storage, urls), served(Binding("es-service", app, 0)) as ports:
        yield index, storage, f"{urls};es-service=http://127.0.0.1:{ports['es-service']}"


async def test_an_index_is_built_anew_by_the_one_who_has_it() -> None:
    async with an_index() as (index, _, urls):
        code, out, _ = await invoke(catalog.app, "reindex", urls=urls)
        assert code == 0
        assert out.startswith("9 products in a new index, by es-service at http://127.0.0.1:")
        index.refusal = Refused("ILLEGAL_STATE", "it is being built already")
        code, _, error = await invoke(catalog.app, "reindex", urls=urls)
        assert (code, "it is being built already" in error) == (2, True)
        index.refusal = Unknown("SEARCH_UNAVAILABLE", "the index does not answer")
        code, _, error = await invoke(catalog.app, "reindex", urls=urls)
        assert (code, "Traceback" in error) == (3, False)


@pytest.mark.parametrize(
    ("repaired", "arguments", "code"),
    [(6, ["check"], 0), (0, ["check", "--no-repair"], 1), (5, ["check"], 1)],
)
async def test_a_check_fails_where_something_differs_still(
    repaired: int, arguments: list[str], code: int
) -> None:
    async with an_index() as (index, _, urls):
        index.drift = IndexDrift(products=9, missing=1, stale=2, surplus=3, repaired=repaired)
        found = await invoke(catalog.app, *arguments, urls=urls)
        assert found[0] == code
        told = f"9 products: 1 missing, 2 stale, 3 surplus, {repaired} repaired, by es-service at "
        assert found[1].startswith(told)
        assert index.asked == [CheckIndex(repair="--no-repair" not in arguments)]


async def test_a_service_that_is_away_is_told_in_a_line() -> None:
    away = ";".join(
        f"{name}=http://127.0.0.1:{a_free_port()}" for name in ("storage-service", "es-service")
    )
    for command in ("reindex", "check"):
        code, out, error = await invoke(catalog.app, command, urls=away)
        assert (code, out, "Traceback" in error) == (3, "", False)


async def test_json_lines_come_in_with_their_pictures(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), (9, 9, 9)).save(picture, "PNG")
    (tmp_path / "good.png").write_bytes(picture.getvalue())
    (tmp_path / "folder.png").mkdir()
    pot = {"title": "碗", "price": 100, "status": "ACTIVE", "createdAt": "2026-01-05"}
    names = ("good.png", "folder.png", "../good.png", "a/b.png", "missing.png", None)
    lines = [
        json.dumps({**pot, "productId": n, "imageFile": name}) for n, name in enumerate(names, 1)
    ]
    file = tmp_path / "goods.jsonl"
    file.write_text("\n".join(lines), "utf-8")
    async with an_index() as (index, storage, urls):
        command = ("import", str(file), "--images", str(tmp_path))
        code, out, _ = await invoke(catalog.app, *command, urls=urls)
        assert code == 1
        assert out.splitlines()[:4] == [
            "row 2, imageFile: is no plain file",
            "row 3, imageFile: is not a plain file name",
            "row 4, imageFile: is not a plain file name",
            f"row 5, imageFile: cannot be read from {tmp_path}: No such file or directory",
        ]
        assert "4 created, 0 changed, 0 unchanged, 4 bad, 1 pictures, by" in out
        assert index.asked == [1]
        assert [item["product_id"] for item in await everything(storage)] == [1, 2, 5, 6]
