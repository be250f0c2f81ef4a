"""From the services' models to the shapes of http-api."""

from __future__ import annotations

from collections.abc import Sequence

from kessai.bff.application import Pass
from kessai.bff.domain import result_of
from kessai.bff.web.models import (
    FoundProduct,
    Frame,
    ItemAnswer,
    OrderAnswer,
    OrdersAnswer,
    ProductAnswer,
    PurchaseAnswer,
    RefundAnswer,
    SuggestedProduct,
    SummaryAnswer,
    TimelineAnswer,
)
from kessai.contracts import search
from kessai.contracts.order import Order, OrderItem, OrderPage
from kessai.contracts.storage import Product
from kessai.kernel.clock import wire


def image_url(key: str | None, width: int | None = None) -> str | None:
    if key is None:
        return None
    return f"/images/{key}" + (f"?w={width}" if width else "")


def product(item: Product) -> ProductAnswer:
    return ProductAnswer(
        id=item.product_id,
        category_id=item.category_id,
        name=item.name,
        names=item.names,
        description=item.description,
        image_url=image_url(item.image_key, 480),
        price=item.price,
        stock=item.stock,
    )


def found(item: search.FoundProduct) -> FoundProduct:
    return FoundProduct(
        product_id=item.product_id,
        title=item.title,
        titles=item.titles,
        price=item.price,
        thumbnail_url=image_url(item.image_key, 160),
        created_at=item.created_at,
        stock=item.stock,
        category_id=item.category_id,
        highlight=item.highlight,
    )


def suggested(item: search.FoundProduct) -> SuggestedProduct:
    return SuggestedProduct(
        product_id=item.product_id,
        title=item.title,
        thumbnail_url=image_url(item.image_key, 160),
        price=item.price,
    )


def purchased(order: Order, channel: Pass) -> PurchaseAnswer:
    return PurchaseAnswer(
        order_id=order.order_id,
        order_number=order.order_number,
        amount=order.amount,
        status=order.status,
        payment_url=order.payment_url,
        deeplink=order.deeplink,
        payment_expires_at=order.payment_expires_at,
        hold_until=order.hold_until,
        channel_token=channel.token,
        channel_token_expires_at=wire(channel.expires_at_ms),
    )


def order_answer(order: Order, channel: Pass, now_ms: int, correlation_id: str) -> OrderAnswer:
    return OrderAnswer(
        order_id=order.order_id,
        order_number=order.order_number,
        created_at=order.created_at,
        method=order.method,
        amount=order.amount,
        tax_yen=order.tax_yen,
        status=order.status,
        reason=order.reason,
        payment_status=order.payment_status,
        paypay_status=order.paypay_status,
        payment_id=order.payment_id,
        payment_last_event_id=order.payment_last_event_id,
        payment_url=order.payment_url,
        deeplink=order.deeplink,
        payment_expires_at=order.payment_expires_at,
        payment_requested_at=order.payment_requested_at,
        payment_completed_at=order.payment_completed_at,
        hold_until=order.hold_until,
        channel_token=channel.token,
        channel_token_expires_at=wire(channel.expires_at_ms),
        paypay_error=order.paypay_error,
        items=_items(order.items),
        shipping_address=order.shipping_address,
        timeline=tuple(
            TimelineAnswer(at=entry.at, kind=entry.kind, code=entry.code, data=entry.data)
            for entry in order.timeline
        ),
        refund=_refund(order),
        actions=order.actions,
        view_version=order.view_version,
        server_time=wire(now_ms),
        correlation_id=correlation_id,
    )


def orders(page: OrderPage) -> OrdersAnswer:
    return OrdersAnswer(
        items=tuple(
            SummaryAnswer(
                order_id=order.order_id,
                order_number=order.order_number,
                created_at=order.created_at,
                amount=order.amount,
                status=order.status,
                reason=order.reason,
                payment_status=order.payment_status,
                items=_items(order.items),
                item_count=order.item_count,
            )
            for order in page.items
        ),
        next_cursor=page.next_cursor,
    )


def frame(order: Order, *, first: bool, now_ms: int) -> Frame:
    error = order.paypay_error
    return Frame(
        event="SNAPSHOT" if first else "UPDATE",
        sequence=order.view_version,
        order_id=order.order_id,
        amount=order.amount,
        order_status=order.status,
        payment_status=order.payment_status,
        payment_url=order.payment_url,
        payment_expires_at=order.payment_expires_at,
        payment_completed_at=order.payment_completed_at,
        result=result_of(order),
        code=order.reason or (error.code if error else None),
        message=error.message if error else None,
        timestamp=wire(now_ms),
    )


def _items(items: Sequence[OrderItem]) -> tuple[ItemAnswer, ...]:
    return tuple(
        ItemAnswer(
            product_id=item.product_id,
            title=item.title,
            image_url=image_url(item.image_key, 160),
            unit_price=item.unit_price,
            quantity=item.quantity,
        )
        for item in items
    )


def _refund(order: Order) -> RefundAnswer | None:
    refund = order.refund
    if refund is None:
        return None
    return RefundAnswer(
        amount=refund.amount, status=refund.status, reason=refund.reason, at=refund.at
    )
