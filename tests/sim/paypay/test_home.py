"""The simulator's front page: what it is, and the newest codes with a way to pay them."""

from __future__ import annotations

from tests.support.shop import PAYPAY, Shop, story


@story(1)
async def test_the_front_page_lists_the_newest_codes(shop: Shop) -> None:
    empty = await shop.send("GET", f"{PAYPAY}/")
    assert empty.status == 200
    assert b"None yet." in empty.body
    customer = await shop.customer()
    order_id = await customer.buy()
    page = (await shop.send("GET", f"{PAYPAY}/")).body.decode()
    url = (await shop.entry(order_id))["url"]
    assert f'<a href="{url}">{order_id}-1</a>' in page
    assert "CREATED" in page
    await shop.wallet(order_id)
    assert "COMPLETED" in (await shop.send("GET", f"{PAYPAY}/")).body.decode()
