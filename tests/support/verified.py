"""The books of a story's shop as verify reads them."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from tests.support.shop import PAYPAY, Shop

from kessai.kernel.local_bus import LocalBus
from kessai.proof.verify import Books, HttpProviderBook, Report, check


def books_of(shop: Shop) -> Books:
    databases = shop.databases
    return Books(
        order=databases["order"],
        payment=databases["payment"],
        storage=databases["storage"],
        account=databases["account"],
        settings=shop.runtime.settings,
        clock=shop.runtime.clock,
        bus=cast(LocalBus, shop.runtime.bus).db,
        provider=HttpProviderBook(shop.http, PAYPAY),
    )


async def verify(shop: Shop, only: Collection[str] | None = None) -> Report:
    return await check(books_of(shop), only)
