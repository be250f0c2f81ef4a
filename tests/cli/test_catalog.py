"""`kessai catalog import` and `kessai account role`: what they print, do and return."""

from __future__ import annotations

import asyncio
import hashlib
import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from fastapi import FastAPI
from PIL import Image
from tests.support.storage import HEADER, a_row, a_runtime
from typer.testing import CliRunner

import kessai.account.main
import kessai.search.main
import kessai.storage.main
from kessai.cli import account, catalog
from kessai.cli.catalog_transfer import Tally, import_rows
from kessai.cli.reach import reach
from kessai.contracts.account import SyncUser
from kessai.contracts.storage import (
    BadRow,
    ImportCatalogue,
    Imported,
    ListProducts,
    StorageService,
)
from kessai.kernel.calls import mount
from kessai.kernel.server import Binding, serve_all
from kessai.kernel.settings import Settings
from kessai.topology import STORAGE

pytestmark = pytest.mark.network


def a_free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def a_file(folder: Path, *rows: str) -> Path:
    path = folder / "products.csv"
    path.write_text("\n".join((HEADER, *rows)), "utf-8")
    return path


@asynccontextmanager
async def served(*bindings: Binding) -> AsyncIterator[dict[str, int]]:
    ready: asyncio.Future[dict[str, int]] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    serving = asyncio.create_task(
        serve_all(bindings, stop, on_ready=lambda ports: ready.set_result(dict(ports)))
    )
    try:
        yield await ready
    finally:
        stop.set()
        await serving


async def invoke(app: object, *arguments: str, urls: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr; in a thread, since a command runs a loop of its own."""
    environment = {"KESSAI_SERVICE_URLS": urls, "COLUMNS": "200"}
    result = await asyncio.to_thread(
        CliRunner().invoke,
        app,  # type: ignore[arg-type]
        list(arguments),
        env=environment,
    )
    return result.exit_code, result.stdout, result.stderr


async def test_it_imports_over_the_running_service(tmp_path: Path) -> None:
    async with a_runtime() as runtime:
        unit = await kessai.storage.main.build(runtime, demo_catalogue=False)
        file = a_file(tmp_path, *(a_row(n) for n in range(1, 451)), "bad", a_row(3))
        async with served(Binding("storage-service", unit.app, 0)) as ports:
            urls = f"storage-service=http://127.0.0.1:{ports['storage-service']}"
            where = f"by storage-service at http://127.0.0.1:{ports['storage-service']}"
            tried = await invoke(catalog.app, "import", str(file), "--dry-run", urls=urls)
            assert tried[:2] == (
                1,
                "row 452: has 1 cells, the header has 9\n"
                "row 453, productId: repeats row 4\n"
                f"would be: 450 created, 0 changed, 0 unchanged, 2 bad, {where}\n",
            )
            assert (await unit.port.list_products(ListProducts())).items == ()
            code, out, error = await invoke(catalog.app, "import", str(file), urls=urls)
            assert code == 1
            assert out.endswith(f"\n450 created, 0 changed, 0 unchanged, 2 bad, {where}\n")
            assert "452/452" in error
            good = a_file(tmp_path, *(a_row(n) for n in range(1, 451)))
            again = await invoke(catalog.app, "import", str(good), urls=urls)
            assert again[:2] == (0, f"0 created, 0 changed, 450 unchanged, 0 bad, {where}\n")
        await unit.stop()


class NewerStorage:
    """A service that is stricter than this command: it finds the last row of each chunk bad."""

    def __init__(self, storage: StorageService) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> object:
        return getattr(self._storage, name)

    async def import_catalogue(self, command: ImportCatalogue) -> Imported:
        rows = len(command.csv.splitlines())
        bad = BadRow(row=rows, column="title", why="is not nice")
        return Imported(created=rows - 2, changed=0, unchanged=0, bad=(bad,))


async def test_rows_that_the_service_refuses_have_the_numbers_of_the_file(tmp_path: Path) -> None:
    async with a_runtime() as runtime:
        unit = await kessai.storage.main.build(runtime, demo_catalogue=False)
        stricter = cast(StorageService, NewerStorage(unit.port))
        app = FastAPI()
        app.include_router(mount(StorageService, stricter, token="kessai-local-service-token"))
        file = a_file(tmp_path, "bad", *(a_row(n) for n in range(1, 601)))
        async with served(Binding("storage-service", app, 0)) as ports:
            urls = f"storage-service=http://127.0.0.1:{ports['storage-service']}"
            code, out, _ = await invoke(catalog.app, "import", str(file), urls=urls)
        assert code == 1
        assert out.splitlines()[:3] == [
            "row 2: has 1 cells, the header has 9",
            "row 501, title: is not nice",
            "row 602, title: is not nice",
        ]
        await unit.stop()


async def test_pictures_come_in_after_their_products(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), (9, 9, 9)).save(picture, "PNG")
    (tmp_path / "good.png").write_bytes(picture.getvalue())
    (tmp_path / "bad.png").write_bytes(b"no picture")
    names = ("good.png", "bad.png", "missing.png", "")
    rows = [a_row(n).replace("Z,,", f"Z,{name},") for n, name in enumerate(names, 1)]
    async with a_runtime() as runtime:
        unit = await kessai.storage.main.build(runtime, demo_catalogue=False)
        search = await kessai.search.main.build(runtime, storage=unit.port)
        file = a_file(tmp_path, *rows)
        bindings = (
            Binding("storage-service", unit.app, 0),
            Binding("es-service", search.app, 0),
        )
        async with served(*bindings) as ports:
            urls = ";".join(f"{name}=http://127.0.0.1:{port}" for name, port in ports.items())
            command = ("import", str(file), "--images", str(tmp_path))
            tried = await invoke(catalog.app, *command, "--dry-run", urls=urls)
            assert tried[0] == 1
            assert tried[1].splitlines()[:2] == [
                "row 3, imageFile: the file is no PNG, JPEG or WebP that opens",
                f"row 4, imageFile: cannot be read from {tmp_path}: No such file or directory",
            ]
            assert "would be: 4 created, 0 changed, 0 unchanged, 2 bad, 1 pictures" in tried[1]
            assert (await unit.port.list_products(ListProducts())).items == ()
            code, out, _ = await invoke(catalog.app, *command, urls=urls)
            again = await invoke(catalog.app, *command, urls=urls)
        assert code == 1
        assert out.splitlines()[:2] == [
            "row 3, imageFile: the file is no PNG, JPEG or WebP that opens",
            f"row 4, imageFile: cannot be read from {tmp_path}: No such file or directory",
        ]
        assert "4 created, 0 changed, 0 unchanged, 2 bad, 1 pictures, by" in out
        assert "0 created, 0 changed, 4 unchanged, 2 bad, 1 pictures, by" in again[1]
        products = (await unit.port.list_products(ListProducts())).items
        key = hashlib.sha256(picture.getvalue()).hexdigest()
        assert [product.image_key for product in products] == [key, None, None, None]
        await search.stop()
        await unit.stop()


async def test_a_file_that_is_none_and_a_service_that_is_away(tmp_path: Path) -> None:
    urls = f"storage-service=http://127.0.0.1:{a_free_port()}"
    no_csv = tmp_path / "picture.png"
    no_csv.write_bytes(b"\x89PNG")
    code, out, error = await invoke(catalog.app, "import", str(no_csv), urls=urls)
    assert (code, out) == (2, "")
    assert "the file is not UTF-8 (at byte 0)" in error
    code, out, error = await invoke(
        catalog.app, "import", str(a_file(tmp_path, a_row(1))), urls=urls
    )
    assert (code, out) == (3, "")
    assert "0 created" in error
    assert "Traceback" not in error


async def test_without_a_running_service_the_database_is_opened(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data_dir=str(tmp_path / "kept"))
    card = replace(STORAGE, port=a_free_port())
    tally = Tally()
    where = await import_rows(settings, card, a_file(tmp_path, a_row(7)), tally, dry_run=False)
    assert "does not run" in where
    assert (tally.created, tally.bad) == (1, [])
    async with reach(settings, card, StorageService, kessai.storage.main.build) as (storage, _):
        # The own catalogue is there, so the demo goods stay away.
        found = await storage.list_products(ListProducts())
        assert [item.product_id for item in found.items] == [7]


async def test_a_given_address_is_never_replaced_by_a_local_database(tmp_path: Path) -> None:
    settings = Settings(
        _env_file=None,
        data_dir=str(tmp_path / "kept"),
        service_urls=f"storage-service=http://127.0.0.1:{a_free_port()}",
    )
    async with reach(settings, STORAGE, StorageService, kessai.storage.main.build) as (_, where):
        assert where.startswith("storage-service at http://127.0.0.1:")
    assert not (tmp_path / "kept" / "storage.db").exists()


async def test_the_first_operator_is_made_by_uid() -> None:
    async with a_runtime() as runtime:
        unit = await kessai.account.main.build(runtime)
        await unit.port.sync_user(SyncUser(firebase_uid="uid-1", email="mei@example.com"))
        async with served(Binding("account-service", unit.app, 0)) as ports:
            urls = f"account-service=http://127.0.0.1:{ports['account-service']}"
            code, out, _ = await invoke(account.app, "role", "uid-1", "operator", urls=urls)
            assert code == 0
            assert out.startswith("uid-1 (mei@example.com) is operator now")
            user = await unit.port.sync_user(SyncUser(firebase_uid="uid-1"))
            assert user.role == "operator"
            code, _, error = await invoke(account.app, "role", "nobody", "operator", urls=urls)
            assert code == 2
            assert "no such user" in error
            code, _, _ = await invoke(account.app, "role", "uid-1", "king", urls=urls)
            assert code == 2
        away = f"account-service=http://127.0.0.1:{a_free_port()}"
        code, _, error = await invoke(account.app, "role", "uid-1", "viewer", urls=away)
        assert (code, "Traceback" in error) == (3, False)
        assert (await unit.port.sync_user(SyncUser(firebase_uid="uid-1"))).role == "operator"
        await unit.stop()
