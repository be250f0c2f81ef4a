"""Instances that share an index on Elasticsearch, and what crashed rebuilds leave there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.support.indexes import (
    SHELF,
    ElasticPlace,
    elastic_place,
    fill,
    find,
    product,
    unavailable,
)
from tests.support.servers import server_url

from kessai.kernel.elastic import elastic_at
from kessai.search.application.ports import Indexed, ProductIndex
from kessai.search.domain.document import ANALYSIS_VERSION
from kessai.search.domain.wanted import Term

pytestmark = [pytest.mark.stack, pytest.mark.network]


@pytest.fixture
async def shared() -> AsyncIterator[ElasticPlace]:
    async with elastic_place(server_url("KESSAI_SEARCH_URL")) as made:
        yield made


@pytest.fixture
async def two(shared: ElasticPlace) -> AsyncIterator[tuple[ProductIndex, ProductIndex]]:
    one, other = await shared.open("a"), await shared.open("b")
    yield one, other
    await one.close()
    await other.close()


async def test_two_that_initialise_at_once_do_not_break_each_other(
    shared: ElasticPlace, two: tuple[ProductIndex, ProductIndex]
) -> None:
    one, other = two
    for _ in range(4):
        await asyncio.gather(fill(one, SHELF), fill(other, SHELF))
        assert (await one.fits(), await other.fits()) == (True, True)
        assert sorted(await find(one)) == sorted(await find(other)) == [1, 2, 3, 4, 5]
    await fill(one, SHELF)
    assert len(await shared.parts()) == 1


async def test_what_another_puts_during_a_rebuild_is_there_afterwards(
    two: tuple[ProductIndex, ProductIndex],
) -> None:
    one, other = two
    await fill(one, SHELF)
    async with one.rebuild() as new:
        assert await other.put([product(1, "newer", version=2), product(6, "new")]) == 2
        await new.put(SHELF)
        await other.remove([5])
    assert await find(other, Term("title", "newer")) == [1]
    expected = [Indexed(1, 2), *(Indexed(n, 1) for n in (2, 3, 4, 6))]
    assert await one.indexed(0, 10) == expected


async def test_what_a_crashed_rebuild_left_goes_with_the_next_of_that_instance(
    shared: ElasticPlace, two: tuple[ProductIndex, ProductIndex]
) -> None:
    one, other = two
    await fill(one, SHELF)
    crashed = one.rebuild()
    new = await crashed.__aenter__()
    await new.put(SHELF)
    assert len(await shared.parts()) == 2
    # To another it may be one that is being built.
    await fill(other, SHELF)
    assert len(await shared.parts()) == 2
    # Puts go on, whatever lies about.
    assert await other.put([product(1, "newer", version=2)]) == 1
    again = await shared.open("a")
    await fill(again, SHELF)
    (left,) = await shared.parts()
    # Had it only been slow, it would not have come through either.
    with unavailable():
        await crashed.__aexit__(None, None, None)
    assert await shared.parts() == [left]
    assert len(await find(again)) == 5
    await again.close()


async def test_a_rebuild_whose_index_was_taken_away_leaves_nothing(
    shared: ElasticPlace, two: tuple[ProductIndex, ProductIndex]
) -> None:
    one, _ = two
    await fill(one, SHELF)
    before = await shared.parts()

    async def rebuild() -> None:
        async with one.rebuild() as new:
            server = elastic_at(shared.url)
            (name,) = set(await shared.parts()) - set(before)
            await server.client.indices.delete(index=name)
            await server.client.close()
            await new.put(SHELF)

    with unavailable():
        await rebuild()
    assert await shared.parts() == before
    assert len(await find(one)) == 5


@pytest.mark.parametrize("apart", [-1, 1])
async def test_an_index_of_another_analysis_does_not_fit(shared: ElasticPlace, apart: int) -> None:
    index = await shared.open()
    await fill(index, SHELF)
    server = elastic_at(shared.url)
    (name,) = await shared.parts()
    other = f"{server.prefix}-products-{ANALYSIS_VERSION + apart}-1"
    alias = f"{server.prefix}-products"
    await server.client.indices.put_settings(index=name, settings={"index.blocks.write": True})
    await server.client.indices.clone(index=name, target=other)
    await server.client.indices.put_settings(index=other, settings={"index.blocks.write": False})
    await server.client.indices.update_aliases(
        actions=[
            {"remove_index": {"index": name}},
            {"add": {"index": other, "alias": alias}},
            {"add": {"index": other, "alias": f"{other}-own"}},
        ]
    )
    await server.client.close()
    assert await index.fits() is False
    # It is searched until there is a better one.
    assert len(await find(index)) == 5
    if apart > 0:
        # Tokens of an older analysis would stay there, under the version of the product.
        with unavailable():
            await index.put([product(9, "late")])
    else:
        assert await index.put([product(9, "late")]) == 1
    await fill(index, SHELF)
    assert await index.fits() is True
    assert [other in await shared.parts(), len(await shared.parts())] == [False, 1]
    await index.close()


async def test_an_index_of_another_shop_is_left_alone(shared: ElasticPlace) -> None:
    """Also where its name begins as ours does."""
    server = elastic_at(shared.url)
    near = f"{server.prefix}-products-x"
    neighbour = ElasticPlace(shared.url.replace(server.prefix, near))
    theirs, ours = await neighbour.open(), await shared.open()
    await fill(theirs, SHELF)
    await fill(ours, SHELF[:1])
    await fill(ours, SHELF[:2])
    assert sorted(await find(theirs)) == [1, 2, 3, 4, 5]
    assert sorted(await find(ours)) == [1, 2]
    for index in (theirs, ours):
        await index.close()
    await server.client.close()
