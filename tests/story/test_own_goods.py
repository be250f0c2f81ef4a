"""Goods of one's own: imported with a picture, found, shown, bought."""

from __future__ import annotations

import io
from urllib.parse import quote

from PIL import Image
from tests.support.shop import SHOP, Shop, story

from kessai.contracts.search import ProductImage
from kessai.contracts.storage import ImportCatalogue

LARGEST = 2**53 - 1
HEADER = (
    "productId,title,description,price,status,createdAt,imageFile,"
    "category,stock,titleEn,titleZh,reading"
)


@story(1, 2)
async def test_the_largest_number_that_a_product_may_have_is_as_good_as_any(shop: Shop) -> None:
    names = "Bamboo ear pick,竹耳勺,みみかき"
    row = f"{LARGEST},竹の耳かき,煤竹,700,ACTIVE,2026-05-01,pick.png,旅,4,{names}"
    content = f"{HEADER}\n{row}".encode()
    loaded = await shop.ports.storage.import_catalogue(ImportCatalogue(csv=content))
    assert (loaded.created, loaded.bad) == (1, ())
    png = io.BytesIO()
    Image.new("RGB", (640, 480), (90, 120, 60)).save(png, "PNG")
    await shop.ports.search.import_image(ProductImage(product_id=LARGEST, content=png.getvalue()))

    for query in ("みみかき", "ear pick", "竹耳勺"):
        found = await shop.found(f"q={quote(query)}")
        assert [item["productId"] for item in found] == [LARGEST]
    shown = (await shop.send("GET", f"{SHOP}/api/products/{LARGEST}")).ok()
    assert shown["names"] == {"en": "Bamboo ear pick", "zh": "竹耳勺"}
    picture = await shop.send("GET", SHOP + shown["imageUrl"], headers={"Accept": "image/webp"})
    assert Image.open(io.BytesIO(picture.body)).size == (480, 360)

    customer = await shop.customer()
    order_id = await customer.buy((LARGEST, 3))
    assert await shop.stock(LARGEST) == 1
    order = (await customer.send("GET", f"/api/orders/{order_id}")).ok()
    [item] = order["items"]
    assert (item["productId"], item["title"], item["unitPrice"]) == (LARGEST, "竹の耳かき", 700)
    key = shown["imageUrl"].partition("?")[0]
    assert item["imageUrl"].startswith(key)
    (await shop.wallet(order_id)).ok()
