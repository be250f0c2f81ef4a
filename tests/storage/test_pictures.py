"""Which picture a product has: set all or none, told as a change, and never set twice."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from tests.support.storage import StorageStory, a_row, a_storage

from kessai.contracts.storage import (
    ListPictureless,
    Picture,
    PicturesSet,
    ProductById,
    Quote,
    SetPictures,
)
from kessai.contracts.wire import Nothing
from kessai.kernel.errors import NotFound

A, B, C = "a" * 64, "b" * 64, "c" * 64


def row(product_id: int, file: str, category: str = "台所") -> str:
    return f"{product_id},品 {product_id},説明,500,ACTIVE,2026-01-05,{file},{category},3"


async def set_pictures(story: StorageStory, keys: dict[int, str]) -> PicturesSet:
    items = tuple(Picture(product_id=product, image_key=key) for product, key in keys.items())
    return await story.storage.set_pictures(SetPictures(items=items))


async def key_of(story: StorageStory, product_id: int) -> str | None:
    return (await story.storage.get_product(ProductById(product_id=product_id))).image_key


async def test_a_picture_is_shown_and_announced_once() -> None:
    async with a_storage({1: 5, 2: 5}) as story:
        await story.rows("UPDATE stock SET dirty = 0 RETURNING 1")
        assert await set_pictures(story, {1: A}) == PicturesSet(changed=1)
        assert await key_of(story, 1) == A
        assert await key_of(story, 2) is None
        quoted = await story.storage.quote(
            Quote.model_validate({"lines": [{"productId": 1, "quantity": 1}]})
        )
        assert quoted.lines[0].image_key == A
        told = await story.rows("SELECT product_id, version FROM stock WHERE dirty = 1")
        assert [row["product_id"] for row in told] == [1]
        assert await set_pictures(story, {1: A}) == PicturesSet(changed=0)
        assert await story.rows("SELECT product_id, version FROM stock WHERE dirty = 1") == told
        assert await set_pictures(story, {1: B}) == PicturesSet(changed=1)
        assert await key_of(story, 1) == B


async def test_with_an_unknown_product_none_is_set() -> None:
    async with a_storage({1: 5}) as story:
        with pytest.raises(NotFound, match="no product 9"):
            await set_pictures(story, {1: A, 9: B})
        assert await key_of(story, 1) is None
        assert await set_pictures(story, {}) == PicturesSet(changed=0)


async def test_a_category_takes_the_picture_of_its_first_product_and_keeps_it() -> None:
    async with a_storage() as story:
        await story.load(row(1, ""), row(2, ""), row(3, "", "器"))
        await set_pictures(story, {2: B})
        categories = (await story.storage.list_categories(Nothing())).items
        assert [(c.name, c.image_key) for c in categories] == [("台所", B), ("器", None)]
        await set_pictures(story, {1: A, 3: C})
        categories = (await story.storage.list_categories(Nothing())).items
        assert [(c.name, c.image_key) for c in categories] == [("台所", B), ("器", C)]


async def test_who_waits_for_a_picture_is_listed_page_by_page() -> None:
    async with a_storage() as story:
        await story.load(row(1, "a.png"), row(2, ""), row(3, "c.png"), row(4, "d.png"))
        await set_pictures(story, {3: C})
        first = await story.storage.list_pictureless(ListPictureless(limit=1))
        assert [(item.product_id, item.image_file) for item in first.items] == [(1, "a.png")]
        rest = await story.storage.list_pictureless(ListPictureless(after=1))
        assert [(item.product_id, item.image_file) for item in rest.items] == [(4, "d.png")]
        assert (await story.storage.list_pictureless(ListPictureless(after=4))).items == ()


async def test_an_import_leaves_the_picture() -> None:
    async with a_storage() as story:
        await story.load(row(1, "a.png"))
        await set_pictures(story, {1: A})
        loaded = await story.load(a_row(1, price=700))
        assert loaded.changed == 1
        assert await key_of(story, 1) == A


@pytest.mark.parametrize("key", ["", "a" * 63, "A" * 64, "g" * 64, "a" * 64 + "\n", "../" + A[3:]])
def test_what_is_no_hash_is_no_key(key: str) -> None:
    with pytest.raises(ValidationError):
        Picture(product_id=1, image_key=key)
