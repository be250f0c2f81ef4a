"""Do orders, the provider's book and the stock agree? The oracle of every story's end."""

from __future__ import annotations

from tests.support.shop import Customer, Shop

from kessai.contracts.moves import OrderStatus
from kessai.contracts.order import Order, OrderById


async def orders_of(shop: Shop, *customers: Customer) -> list[Order]:
    found = []
    for customer in customers:
        for order_id in dict.fromkeys(customer.orders):
            found.append(await shop.ports.order.view_order(OrderById(order_id=order_id)))
    return found


async def assert_agreement(shop: Shop, *customers: Customer) -> None:
    """For orders that are final: money at the provider, orders and stock say the same."""
    orders = await orders_of(shop, *customers)
    book = await shop.book()
    kept: dict[str, int] = {}
    for row in book:
        order_id = str(row["merchantPaymentId"])[:26]
        returned = sum(int(refund["amount"]) for refund in row["refunds"] or [])
        captured = int(row["amount"]) if row["status"] in ("COMPLETED", "REFUNDED") else 0
        assert returned <= captured, row
        kept[order_id] = kept.get(order_id, 0) + captured - returned
    for order in orders:
        assert order.status not in (OrderStatus.PENDING, OrderStatus.WAITING_PAYMENT), order
        owed = order.amount if order.status is OrderStatus.PAID else 0
        if order.method == "BALANCE":
            owed = 0
        assert kept.get(order.order_id, 0) == owed, (order.status, order.reason, kept)
        trail = await shop.ports.order.audit_order(OrderById(order_id=order.order_id))
        assert trail.intact
    sold: dict[int, int] = {}
    for order in orders:
        if order.status is OrderStatus.PAID:
            for item in order.items:
                sold[item.product_id] = sold.get(item.product_id, 0) + item.quantity
    for product_id, opening in shop.opening_stock.items():
        left = await shop.stock(product_id)
        assert left == opening - sold.get(product_id, 0), (product_id, opening, left, sold)
