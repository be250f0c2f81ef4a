"""Every product index is built beside the one that is searched, and changes over unseen."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.indexes import SHELF, Place, fill, find, ids, product, unavailable

from kessai.search.application.ports import Indexed, ProductIndex
from kessai.search.domain.wanted import Request, Term


async def test_without_an_index_there_is_no_answer(place: Place) -> None:
    index = await place.open()
    assert await index.fits() is False
    with unavailable():
        await index.search(Request(None))
    with unavailable():
        await index.put([product(1)])
    with unavailable():
        await index.indexed(0, 1)
    with unavailable():
        await index.words(1)
    with unavailable():
        await index.remove([1])
    assert await place.parts() == []
    await index.close()


async def test_what_is_put_while_the_first_one_is_built_is_in_it(place: Place) -> None:
    index = await place.open()
    async with index.rebuild() as new:
        assert await index.put([product(1, "late", version=2)]) == 1
        assert await new.put([product(1, "early", version=1), product(2, "early")]) == 1
    assert await index.fits()
    assert await find(index, Term("title", "late")) == [1]
    assert await find(index, Term("title", "early")) == [2]
    await index.close()


async def test_it_is_there_again_when_it_is_opened_again(place: Place) -> None:
    first = await place.open()
    await fill(first, SHELF)
    await first.put([product(6, "tea", words=("tea",))])
    await first.close()
    again = await place.open()
    assert await again.fits()
    assert sorted(await find(again, Term("title", "tea"))) == [1, 2, 3, 6]
    assert await again.put([product(6, "tea")]) == 0
    await again.ping()
    await again.close()


async def test_a_rebuild_leaves_out_what_is_no_more(index: ProductIndex, place: Place) -> None:
    await index.put(SHELF)
    await fill(index, SHELF[1:3])
    assert sorted(await find(index)) == [2, 3]
    assert len(await place.parts()) == 1


async def test_no_search_misses_anything_while_it_is_rebuilt(index: ProductIndex) -> None:
    shelf = [product(number, "tea") for number in range(1, 31)]
    await index.put(shelf)
    done = asyncio.Event()

    async def look() -> int:
        looks = 0
        while not done.is_set():
            found = await index.search(Request(Term("title", "tea"), limit=100))
            assert (found.total, len(ids(found))) == (30, 30)
            assert len(await index.indexed(0, 100)) == 30
            looks += 1
            await asyncio.sleep(0)
        return looks

    async with asyncio.TaskGroup() as group:
        looking = [group.create_task(look()) for _ in range(4)]
        for _ in range(6):
            async with index.rebuild() as new:
                for start in range(0, 30, 10):
                    await new.put(shelf[start : start + 10])
                    await asyncio.sleep(0)
        done.set()
    assert min(task.result() for task in looking) > 6


async def test_what_is_put_during_rebuilds_is_there_afterwards(index: ProductIndex) -> None:
    """Whatever a rebuild had read before, the newest of each product stays."""
    stored = {number: product(number, "old") for number in range(1, 11)}
    await index.put(list(stored.values()))
    done = asyncio.Event()

    async def write() -> int:
        version = 1
        while not done.is_set():
            version += 1
            number = version % 10 + 1
            stored[number] = product(number, f"v{version}", version=version)
            assert await index.put([stored[number]]) == 1
            await asyncio.sleep(0)
        return version

    async with asyncio.TaskGroup() as group:
        writing = group.create_task(write())
        for _ in range(3):
            async with index.rebuild() as new:
                for number in range(1, 11):
                    await new.put([stored[number]])
                    await asyncio.sleep(0)
        done.set()
    expected = [Indexed(number, stored[number].version) for number in range(1, 11)]
    assert await index.indexed(0, 100) == expected
    newest = writing.result()
    assert newest > 2
    assert await find(index, Term("title", f"v{newest}")) == [newest % 10 + 1]


async def test_a_rebuild_that_fails_changes_nothing(index: ProductIndex, place: Place) -> None:
    await index.put(SHELF)
    before = await place.parts()

    async def fail() -> None:
        async with index.rebuild() as new:
            await new.put([product(1, "other", version=9)])
            await index.put([product(2, "put meanwhile", version=2)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await place.parts() == before
    assert await find(index, Term("title", "other")) == []
    assert await find(index, Term("title", "meanwhile")) == [2]
    assert await index.put([product(1, "after", version=2)]) == 1
    await fill(index, SHELF)
    assert len(await find(index)) == 5


async def test_a_rebuild_that_is_cancelled_changes_nothing(
    index: ProductIndex, place: Place
) -> None:
    await index.put(SHELF)
    before = await place.parts()
    begun = asyncio.Event()

    async def rebuild() -> None:
        async with index.rebuild() as new:
            await new.put(SHELF[:1])
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(rebuild())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await place.parts() == before
    assert len(await find(index)) == 5
