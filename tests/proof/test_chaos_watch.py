"""The oracle in the middle of chaos: it goes on without the provider's book, and it can fail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import cast

from sqlalchemy import text
from tests.support.shop import Shop, story
from tests.support.verified import books_of

from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import DatabaseUnavailable
from kessai.proof.chaos.rest import ends, still_open
from kessai.proof.chaos.watch import SAFETY, Watch
from kessai.proof.invariants.books import Books
from kessai.proof.verify import BooksUnreadable, ProviderRow


class NoBook:
    async def entries(self, after: str, below: str) -> Sequence[ProviderRow]:
        raise BooksUnreadable("the provider's book: ClientConnectorError")

    async def notified(self, since_ms: int) -> Sequence[str]:
        raise BooksUnreadable("the provider's book: ClientConnectorError")


async def looked(books: Books, for_s: float = 20) -> Watch:
    watch = Watch()
    looking = asyncio.ensure_future(watch.keep_looking(books))
    await asyncio.sleep(for_s)
    assert not looking.done()
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    return watch


@story(1)
async def test_every_look_asks_what_may_never_be(shop: Shop) -> None:
    customer = await shop.customer()
    await shop.wallet(await customer.buy())
    watch = await looked(books_of(shop))
    assert set(watch.looks) == set(SAFETY)
    assert set(watch.looks.values()) == {3}
    assert watch.things["I18"] > 0
    assert (watch.violations, watch.unreadable) == ([], {})


@story(1)
async def test_without_the_providers_book_our_own_are_asked(shop: Shop) -> None:
    await (await shop.customer()).buy()
    watch = await looked(replace(books_of(shop), provider=NoBook()))
    assert watch.unreadable == {"the provider's book: ClientConnectorError": 3}
    assert watch.looks["I18"] == 3


class AwayDb:
    """A server that does not answer."""

    def read(self) -> AbstractAsyncContextManager[Tx]:
        raise DatabaseUnavailable("cannot connect")


@story(1)
async def test_while_a_database_is_away_the_oracle_waits(shop: Shop) -> None:
    watch = await looked(replace(books_of(shop), order=cast(Db, AwayDb())))
    assert sum(watch.unreadable.values()) == 6
    assert (watch.looks, watch.violations) == ({}, [])


@story(1)
async def test_a_yen_too_much_is_seen_while_it_goes_on(shop: Shop) -> None:
    order_id = await (await shop.customer()).buy()
    async with shop.databases["order"].transaction() as tx:
        await tx.run(text("update orders set amount = amount + 1"))
    watch = await looked(books_of(shop), for_s=9)
    assert any(wrong.startswith("I7 after ") and order_id in wrong for wrong in watch.violations)


@story(1, order_deadline_s=30)
async def test_what_is_open_is_counted_until_it_is_not(shop: Shop) -> None:
    order_id = await (await shop.customer()).buy()
    await asyncio.sleep(1)
    left = await still_open(shop.databases)
    assert (left["orders open"], left["attempts live"], left["reservations open"]) == (1, 1, 1)
    await shop.wallet(order_id)
    await asyncio.sleep(5)
    assert await still_open(shop.databases) == {}
    assert await ends(shop.databases["order"]) == {"PAID": 1}
