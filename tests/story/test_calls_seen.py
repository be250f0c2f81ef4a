"""A story of what the caller's metrics say of its calls to other services."""

from __future__ import annotations

from tests.support.shop import Shop, story

from kessai.kernel.app import condition_of


def calls(shop: Shop, caller: str) -> dict[str, float]:
    """How many calls ended, by `callee operation outcome`, as Prometheus would read them."""
    (unit,) = [one for one in shop.system.units if one.name == caller]
    return {
        " ".join(sample.labels[label] for label in ("callee", "operation", "outcome")): sample.value
        for family in condition_of(unit.app).metrics.families()
        if family.name == "service_calls_seconds"
        for sample in family.samples
        if sample.name.endswith("_count")
    }


@story(1)
async def test_calls_are_counted_where_they_are_made_with_their_outcome(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    await customer.order(order_id)
    assert (await customer.purchase((shop.sold_out, 1), key="k")).status == 409
    of_order, of_door = calls(shop, "order-service"), calls(shop, "bff")
    assert of_order["storage-service reserve_stock value"] == 1
    assert of_order["storage-service reserve_stock refused"] == 1
    assert of_order["payment-service create_payment value"] == 1
    assert of_door["order-service get_order value"] >= 1
    assert sum(of_door[f"order-service purchase {how}"] for how in ("value", "refused")) == 2
