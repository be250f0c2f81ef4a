"""Purchase, orders and payment: the routes of a customer's money."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from typing import Annotated

import segno
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from kessai.bff.domain import Session
from kessai.bff.web import present
from kessai.bff.web.door import Door, reply
from kessai.bff.web.models import (
    NewPaymentBody,
    OrderAnswer,
    OrdersAnswer,
    PurchaseAnswer,
    PurchaseBody,
    QrAnswer,
    QrPending,
    RefundBody,
)
from kessai.contracts.moves import FINAL_ORDER, OrderStatus
from kessai.contracts.order import (
    ListOrders,
    NewPayment,
    Order,
    OrderOfUser,
    Purchase,
    RefundOrder,
    ShippingAddress,
)
from kessai.contracts.storage import Line
from kessai.kernel import problem
from kessai.kernel.errors import Invalid, Kind, Refused
from kessai.kernel.telemetry import correlation_id

_QR_SCALE = 8
_ID = Annotated[str, "an order id"]


def purchase_routes(door: Door) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["orders"])

    @router.post("/orders/purchase", response_model=PurchaseAnswer)
    async def purchase(
        request: Request,
        body: PurchaseBody,
        session: Session = Depends(door.session),
        idempotency_key: Annotated[str | None, Header(max_length=255, min_length=1)] = None,
    ) -> Response:
        await door.limits.purchases.take(session.user_id)
        command = _purchase(session, body, idempotency_key, request.headers.get("user-agent"))
        order = await door.orders.purchase(command)
        channel = await door.sessions.issue_pass(session, order.order_id)
        return reply(present.purchased(order, channel))

    @router.get("/orders", response_model=OrdersAnswer)
    async def orders(
        status: OrderStatus | None = None,
        cursor: Annotated[str | None, Query(pattern="^[0-9a-z]{26}$")] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        session: Session = Depends(door.session),
    ) -> Response:
        page = await door.orders.list_orders(
            ListOrders(user_id=session.user_id, status=status, cursor=cursor, limit=limit)
        )
        return reply(present.orders(page))

    return router


def order_routes(door: Door) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["orders"])

    async def answer(session: Session, order: Order, status: int = 200) -> Response:
        channel = await door.sessions.issue_pass(session, order.order_id)
        now_ms = door.clock.now_ms()
        return reply(present.order_answer(order, channel, now_ms, correlation_id()), status)

    @router.get("/orders/{order_id}", response_model=OrderAnswer)
    @router.get("/payments/{order_id}/details", response_model=OrderAnswer)
    async def order(order_id: str, session: Session = Depends(door.session)) -> Response:
        return await answer(session, await door.orders.get_order(_mine(session, order_id)))

    @router.post("/orders/{order_id}/payment", response_model=OrderAnswer)
    async def new_payment(
        request: Request,
        order_id: str,
        body: NewPaymentBody | None = None,
        session: Session = Depends(door.session),
    ) -> Response:
        await door.limits.purchases.take(session.user_id)
        mine = _mine(session, order_id)
        command = NewPayment(
            user_id=mine.user_id,
            order_id=mine.order_id,
            method=body.method if body else None,
            user_agent=request.headers.get("user-agent", "")[:500] or None,
        )
        return await answer(session, await door.orders.new_payment(command))

    @router.post("/orders/{order_id}/check", response_model=OrderAnswer)
    async def check(order_id: str, session: Session = Depends(door.session)) -> Response:
        mine = _mine(session, order_id)
        await door.limits.checks.take(f"{session.user_id}:{order_id}")
        return await answer(session, await door.orders.check_payment(mine))

    @router.post("/orders/{order_id}/cancel", status_code=202, response_model=OrderAnswer)
    async def cancel(order_id: str, session: Session = Depends(door.session)) -> Response:
        mine = _mine(session, order_id)
        return await answer(session, await door.orders.cancel_order(mine), 202)

    @router.post("/orders/{order_id}/refund", status_code=202, response_model=OrderAnswer)
    async def refund(
        order_id: str, body: RefundBody, session: Session = Depends(door.session)
    ) -> Response:
        mine = _mine(session, order_id)
        command = RefundOrder(user_id=mine.user_id, order_id=mine.order_id, reason=body.reason)
        return await answer(session, await door.orders.refund_order(command), 202)

    return router


def qr_routes(door: Door) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["orders"])

    @router.get(
        "/payments/{order_id}/qrcode",
        response_model=QrAnswer,
        responses={202: {"model": QrPending}},
    )
    async def qrcode(
        request: Request, order_id: str, session: Session = Depends(door.session)
    ) -> Response:
        """The code as PNG. The amount is the order's; a query that names one is not looked at."""
        order = await door.orders.get_order(_mine(session, order_id))
        if order.status in FINAL_ORDER:
            return _final(order, request.url.path)
        if order.payment_url is None:
            return reply(QrPending(status=order.payment_status or order.status), 202)
        return reply(
            QrAnswer(
                base64_image=qr_png(order.payment_url),
                payment_url=order.payment_url,
                amount=order.amount,
            )
        )

    return router


def qr_png(text: str) -> str:
    """A QR code as PNG in base64."""
    target = io.BytesIO()
    segno.make(text, micro=False, error="m").save(target, kind="png", scale=_QR_SCALE, border=4)
    return base64.b64encode(target.getvalue()).decode()


def _final(order: Order, instance: str) -> Response:
    """409 in the old dialect (`status` is the order's word) with the problem's other fields."""
    refusal = Refused("ILLEGAL_STATE", f"the order is {order.status}")
    content = json.loads(bytes(problem.refused(refusal, instance).body))
    return JSONResponse(
        {**content, "status": order.status, "message": refusal.message},
        status_code=409,
        media_type="application/problem+json",
    )


def _purchase(
    session: Session, body: PurchaseBody, key: str | None, user_agent: str | None
) -> Purchase:
    if not body.items:
        errors = [{"field": "items", "code": "NO_ITEMS"}]
        raise Refused("NO_ITEMS", "the cart is empty", kind=Kind.INVALID, facts={"errors": errors})
    lines = _merged(body)
    canonical = json.dumps(body.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    address = body.shippingAddress
    return Purchase(
        user_id=session.user_id,
        session=session.key,
        idempotency_key=key,
        fingerprint=hashlib.sha256(canonical.encode()).hexdigest(),
        customer_name=body.customerName,
        customer_email=body.customerEmail,
        lines=lines,
        expected_amount=body.expectedAmount,
        method=body.method,
        shipping_address=ShippingAddress.model_validate(address.model_dump()) if address else None,
        user_agent=(user_agent or "")[:500] or None,
    )


def _merged(body: PurchaseBody) -> tuple[Line, ...]:
    """One line for each product, in product order. Raises `Invalid` when a sum is too large."""
    wanted: dict[int, int] = {}
    for position, line in enumerate(body.items):
        wanted[line.productId] = wanted.get(line.productId, 0) + line.quantity
        if wanted[line.productId] > 99:
            raise Invalid(f"items[{position}].quantity", "TOO_LARGE")
    return tuple(Line(product_id=key, quantity=wanted[key]) for key in sorted(wanted))


def _mine(session: Session, order_id: _ID) -> OrderOfUser:
    """What is no order id cannot be anybody's order."""
    if len(order_id) != 26 or not order_id.isascii() or not order_id.isalnum():
        raise Refused("NOT_FOUND", "no such order", kind=Kind.NOT_FOUND)
    if order_id != order_id.lower():
        raise Refused("NOT_FOUND", "no such order", kind=Kind.NOT_FOUND)
    return OrderOfUser(user_id=session.user_id, order_id=order_id)
