"""The index is a picture of the catalogue: late events, rebuilds, differences and their repair."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from tests.support.search_shop import SPLIT, SearchShop, a_product, a_search_shop

from kessai.contracts.search import CheckIndex
from kessai.contracts.storage import ProductSnapshot, StorageService
from kessai.kernel.aside import at_once
from kessai.kernel.clock import SystemClock
from kessai.kernel.errors import Refused, Unknown
from kessai.search.application.indexing import Indexing, Intake
from kessai.search.application.ports import Indexed
from kessai.search.application.wordlist import WordList
from kessai.search.gateway.tantivy_index import TantivyIndex

POT, CUP = a_product(1, "急須"), a_product(2, "湯のみ")


async def test_late_and_repeated_events_change_nothing() -> None:
    shop = await a_search_shop([POT])
    newer = POT.model_copy(update={"version": 5, "title": "土瓶"})
    assert await shop.indexing.put([newer]) == 1
    assert await shop.indexing.put([newer, POT]) == 0
    assert await shop.find("土瓶") == [1]
    assert await shop.find("急須") == []


async def test_of_two_versions_in_one_batch_the_newer_stays() -> None:
    shop = await a_search_shop([])
    newer = POT.model_copy(update={"version": 2, "title": "土瓶"})
    await shop.indexing.put([newer, POT])
    assert await shop.find("土瓶") == [1]


async def test_differences_are_counted_and_repaired() -> None:
    shop = await a_search_shop([POT, CUP, a_product(3, "茶托")])
    changed = CUP.model_copy(update={"version": 2, "title": "湯呑み"})
    shop.shelf.products = {1: POT, 2: changed, 4: a_product(4, "茶筒")}
    found = await shop.indexing.check(CheckIndex(repair=False))
    assert (found.products, found.missing, found.stale, found.surplus) == (3, 1, 1, 1)
    assert found.repaired == 0
    assert await shop.find("茶筒") == []
    assert (await shop.indexing.check(CheckIndex())).repaired == 3
    assert await shop.find("茶筒") == [4]
    assert await shop.find("茶托") == []
    after = await shop.indexing.check(CheckIndex())
    assert (after.missing, after.stale, after.surplus, after.repaired) == (0, 0, 0, 0)


async def test_a_rebuild_is_searched_only_when_it_is_whole() -> None:
    shop = await a_search_shop([a_product(n, "急須") for n in range(1, 1201)])
    seen: list[int] = []
    ended = asyncio.Event()

    async def keep_searching() -> None:
        while not ended.is_set():
            seen.append(len(await shop.find("急須", size=100)))
            await asyncio.sleep(0)

    looking = asyncio.create_task(keep_searching())
    await shop.indexing.reindex()
    ended.set()
    await looking
    assert len(seen) > 1
    assert set(seen) == {100}


async def test_a_second_rebuild_is_refused_while_one_runs() -> None:
    shop = await a_search_shop([POT])
    first = asyncio.create_task(shop.indexing.reindex())
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refused:
        await shop.indexing.reindex()
    assert refused.value.code == "ILLEGAL_STATE"
    assert (await first).products == 1


async def test_an_event_that_comes_during_a_rebuild_is_not_lost() -> None:
    shop = await a_search_shop([POT])
    newer = CUP.model_copy(update={"version": 3})
    async with shop.index.rebuild() as upcoming:
        assert await upcoming.put([]) == 0
        await shop.indexing.put([newer])
    assert await shop.find("湯のみ") == [2]


async def test_files_outlive_the_process_and_another_analysis_is_built_anew(
    tmp_path: Path,
) -> None:
    shop = await a_search_shop([POT])
    index = await TantivyIndex.open(tmp_path, at_once)
    assert not await index.fits()
    with pytest.raises(Unknown) as unknown:
        await index.indexed(0, 10)
    assert unknown.value.code == "SEARCH_UNAVAILABLE"
    words = WordList(index, SystemClock())
    kept = Indexing(index, cast(StorageService, shop.shelf), words, SPLIT)
    await kept.init()
    await index.close()
    again = await TantivyIndex.open(tmp_path, at_once)
    assert await again.indexed(0, 10) == [Indexed(1, 1)]
    await again.close()
    current = tmp_path / "current"
    current.write_text("0-1")
    assert not await (await TantivyIndex.open(tmp_path, at_once)).fits()
    assert names(tmp_path) == ["current"]


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_an_index_on_demand_is_filled_by_the_first_who_asks() -> None:
    shop = await a_search_shop([])
    shop.shelf.set([POT])
    index = await TantivyIndex.open(None, at_once)
    words = WordList(index, SystemClock())
    lazy = Indexing(index, cast(StorageService, shop.shelf), words, SPLIT, on_demand=True)
    assert await lazy.put([POT]) == 0
    await asyncio.gather(lazy.ready(), lazy.ready())
    assert await index.indexed(0, 10) == [Indexed(1, 1)]
    assert await lazy.put([CUP]) == 1


class Slow:
    """Writes when it is let, all that waits by then."""

    def __init__(self, shop: SearchShop) -> None:
        self.batches: list[list[int]] = []
        self.error: Exception | None = None
        self._shop = shop

    async def put(self, products: Sequence[ProductSnapshot]) -> int:
        self.batches.append([product.product_id for product in products])
        if self.error is not None:
            raise self.error
        return await self._shop.indexing.put(products)


async def test_events_share_a_commit() -> None:
    slow = Slow(await a_search_shop([]))
    intake = Intake(slow, linger_s=0)
    await asyncio.gather(*(intake.take(a_product(n, "急須")) for n in range(1, 8)))
    assert slow.batches == [[1, 2, 3, 4, 5, 6, 7]]


async def test_a_backlog_does_not_wait_for_a_moment_to_pass() -> None:
    slow = Slow(await a_search_shop([]))
    intake = Intake(slow, linger_s=60, enough=3)
    async with asyncio.timeout(30):
        for first in (1, 4):
            three = range(first, first + 3)
            await asyncio.gather(*(intake.take(a_product(n, "急須")) for n in three))
    assert slow.batches == [[1, 2, 3], [4, 5, 6]]
    late = asyncio.create_task(intake.take(POT))
    await asyncio.sleep(0.01)
    # One alone still waits for others.
    assert len(slow.batches) == 2
    late.cancel()


async def test_whoever_shares_a_commit_that_fails_hears_of_it() -> None:
    slow = Slow(await a_search_shop([]))
    slow.error = Unknown("SEARCH_UNAVAILABLE", "away")
    intake = Intake(slow, linger_s=0)
    ended = await asyncio.gather(
        *(intake.take(a_product(n, "急須")) for n in (1, 2)), return_exceptions=True
    )
    assert [getattr(one, "code", one) for one in ended] == ["SEARCH_UNAVAILABLE"] * 2
    slow.error = None
    await intake.take(POT)


async def test_a_writer_that_is_cancelled_leaves_nobody_waiting() -> None:
    slow = Slow(await a_search_shop([]))
    intake = Intake(slow, linger_s=60)
    first = asyncio.create_task(intake.take(POT))
    second = asyncio.create_task(intake.take(CUP))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(Unknown):
        await second
    with pytest.raises(asyncio.CancelledError):
        await first
