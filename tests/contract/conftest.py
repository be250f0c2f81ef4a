"""A product index of each kind at a place of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.indexes import Place, TantivyPlace, elastic_place, fill
from tests.support.servers import server_url

from kessai.search.application.ports import ProductIndex


@pytest.fixture(params=["tantivy", pytest.param("elasticsearch", marks=pytest.mark.stack)])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param == "tantivy":
        yield TantivyPlace(tmp_path / "search")
        return
    async with elastic_place(server_url("KESSAI_SEARCH_URL")) as made:
        yield made


@pytest.fixture
async def index(place: Place) -> AsyncIterator[ProductIndex]:
    """With nothing in it yet."""
    made = await place.open()
    await fill(made)
    yield made
    await made.close()
