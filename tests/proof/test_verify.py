"""verify on a running shop: what it counts, what it calls wrong, and what it refuses to judge."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from tests.support.shop import Shop, story
from tests.support.verified import books_of, verify

from kessai.proof.verify import UnknownInvariant, check


@story(1)
async def test_a_healthy_shop_has_nothing_wrong(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID")
    await customer.buy()
    report = await verify(shop)
    assert report.ok, str(report)
    assert report.orders == 2


@story(1)
async def test_the_offending_row_is_shown(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID")
    async with shop.databases["order"].transaction() as tx:
        await tx.run(text("UPDATE orders SET amount = amount + 1"))
    report = await verify(shop, ["i2"])
    (finding,) = report.findings
    assert (finding.id, finding.checked, finding.violations) == ("I2", 1, 1)
    assert finding.first is not None
    assert finding.first.row["order_id"] == order_id
    assert not report.ok


@story(1)
async def test_an_unknown_invariant_is_refused(shop: Shop) -> None:
    with pytest.raises(UnknownInvariant, match="I99"):
        await check(books_of(shop), ["I2", "I99"])
