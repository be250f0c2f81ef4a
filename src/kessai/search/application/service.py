"""es-service as the others see it: the Protocol of the contract over the use cases."""

from __future__ import annotations

from typing import Final

from kessai.contracts.search import (
    CheckIndex,
    ImportedImage,
    IndexDrift,
    Made,
    ProductImage,
    Reindexed,
    SearchPage,
    SearchProducts,
    Suggest,
    Suggestions,
    Thumbnail,
)
from kessai.contracts.wire import Nothing
from kessai.search.application.indexing import Indexing
from kessai.search.application.pictures import Pictures
from kessai.search.application.ports import ProductIndex
from kessai.search.application.remembered import Remembered
from kessai.search.application.searching import Searching

# A page of products is some 1.5 KB, packed; what is begun to be typed has half as many of them.
_SEARCHES: Final = 4_096
_SUGGESTIONS: Final = 2_048


class Search:
    """Implements `contracts.search.SearchService`."""

    def __init__(
        self,
        index: ProductIndex,
        searching: Searching,
        indexing: Indexing,
        pictures: Pictures,
    ) -> None:
        self._search = Remembered(index, searching.search, SearchPage, size=_SEARCHES)
        self._suggest = Remembered(index, searching.suggest, Suggestions, size=_SUGGESTIONS)
        self._indexing = indexing
        self._pictures = pictures

    async def search_products(self, command: SearchProducts) -> SearchPage:
        await self._indexing.ready()
        return await self._search(command)

    async def suggest(self, command: Suggest) -> Suggestions:
        await self._indexing.ready()
        return await self._suggest(command)

    async def init_index(self, command: Nothing) -> Reindexed:  # noqa: ARG002
        return await self._indexing.init()

    async def reindex(self, command: Nothing) -> Reindexed:  # noqa: ARG002
        return await self._indexing.reindex()

    async def check_index(self, command: CheckIndex) -> IndexDrift:
        return await self._indexing.check(command)

    async def import_image(self, command: ProductImage) -> ImportedImage:
        return await self._pictures.import_image(command)

    async def make_thumbnail(self, command: Thumbnail) -> Made:
        return await self._pictures.make_thumbnail(command)

    async def ping(self, command: Nothing) -> Nothing:
        return await self._pictures.ping(command)
