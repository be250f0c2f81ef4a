"""es-service started before anything else is there: nothing waits, warns or is missed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from structlog.testing import capture_logs
from tests.support.kernel import eventually
from tests.support.storage import HEADER, a_runtime

import kessai.search.main
import kessai.storage.main
from kessai.contracts.search import SearchProducts
from kessai.contracts.storage import ImportCatalogue, ListSnapshots, SnapshotPage, StorageService
from kessai.kernel.errors import Unknown


class AwayAtFirst:
    """The catalogue, which does not answer until it is `there`."""

    there = False

    def __init__(self, storage: StorageService) -> None:
        self._storage = storage
        self.asked = asyncio.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._storage, name)

    async def list_snapshots(self, command: ListSnapshots) -> SnapshotPage:
        self.asked.set()
        if not self.there:
            raise Unknown("STORAGE_SERVICE_UNAVAILABLE", "nobody is there")
        return await self._storage.list_snapshots(command)


async def test_events_wait_for_the_index_without_a_word_and_none_is_missed(tmp_path: Path) -> None:
    rows = [f"{n},急須 {n},説明,500,ACTIVE,2026-01-05T00:00:00Z,,台所,5" for n in range(1, 31)]
    async with a_runtime() as runtime:
        settings = runtime.settings.model_copy(
            update={
                "search_url": "tantivy:",
                "data_dir": str(tmp_path),
                "env": "production",
                "idle_poll_s": 1.0,
            }
        )
        runtime = replace(runtime, settings=settings)
        storage = await kessai.storage.main.build(runtime, demo_catalogue=False)
        catalogue = AwayAtFirst(storage.port)
        found = await kessai.search.main.build(runtime, storage=catalogue)  # type: ignore[arg-type]
        with capture_logs() as lines:
            await storage.start()
            starting = asyncio.ensure_future(found.start())
            await catalogue.asked.wait()
            content = "\n".join((HEADER, *rows)).encode()
            await storage.port.import_catalogue(ImportCatalogue(csv=content))
            # Time for a consumer to meet an index that is not there.
            await asyncio.sleep(1.5)
            catalogue.there = True
            await starting

            async def all_found() -> bool:
                try:
                    page = await found.port.search_products(SearchProducts(q="急須"))
                except Unknown:
                    return False
                return page.total == len(rows)

            await eventually(all_found, within_s=20)
            await found.stop()
            await storage.stop()
        assert [line["event"] for line in lines if line["log_level"] == "warning"] == []
