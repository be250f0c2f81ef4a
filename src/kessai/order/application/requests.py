"""What a customer asks of an order that exists: a new code, a look, the end, the money back."""

from __future__ import annotations

import json

from kessai.contracts.moves import OrderReason, OrderStatus
from kessai.contracts.order import NewPayment, OrderOfUser, RefundOrder
from kessai.contracts.payment import (
    CreatePayment,
    PaymentItem,
    PaymentService,
    PaymentsOfOrder,
)
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import NotFound, Refused, Unknown
from kessai.kernel.telemetry import get_log
from kessai.order.application.journal import Journal
from kessai.order.application.news import PaymentNews
from kessai.order.application.ports import Limits, Orders, Sagas
from kessai.order.application.purchase import redirect_url
from kessai.order.application.refunding import Refunding
from kessai.order.application.retry import in_transaction
from kessai.order.application.view import payment_view
from kessai.order.domain.news import RefundReason, RefundWanted
from kessai.order.domain.order import (
    Closing,
    Order,
    ask_to_close,
    may_close,
    may_make_code,
    may_refund,
    order_number,
)

CANCEL_SAGA = "order_cancel_saga"
_log = get_log("kessai.order")


class CustomerRequests:
    def __init__(
        self,
        db: Db,
        orders: Orders,
        journal: Journal,
        news: PaymentNews,
        refunding: Refunding,
        sagas: Sagas,
        payment: PaymentService,
        clock: Clock,
        limits: Limits,
        *,
        public_url: str,
    ) -> None:
        self._db = db
        self._orders = orders
        self._journal = journal
        self._news = news
        self._refunding = refunding
        self._sagas = sagas
        self._payment = payment
        self._clock = clock
        self._limits = limits
        self._public_url = public_url.rstrip("/")

    async def find(self, user_id: str, order_id: str) -> Order:
        async with self._db.read() as tx:
            return await self._mine(tx, user_id, order_id)

    async def new_payment(self, command: NewPayment) -> Order:
        """Raises `Unknown` when the provider's answer is not known; a repeat asks for the same."""
        order = await self.find(command.user_id, command.order_id)
        other = command.method is not None and command.method is not order.method
        if other or not may_make_code(order, self._limits.policy, self._clock.now_ms()):
            raise _illegal(order, "no new code may be made now")
        try:
            attempt = await self._payment.create_payment(self._wanted(order, command.user_agent))
        except Refused as refused:
            if refused.code != "PAYMENT_UNAVAILABLE":
                raise _illegal(order, "no new code may be made now") from refused
            raise
        await self._news.show(order.order_id, payment_view(attempt), "new_payment")
        return await self.find(command.user_id, command.order_id)

    async def check_payment(self, command: OrderOfUser) -> Order:
        """Asks the provider; when it does not answer, the order as it is known."""
        order = await self.find(command.user_id, command.order_id)
        if order.payment.number == 0:
            return order
        try:
            known = await self._payment.check_payment(PaymentsOfOrder(order_id=order.order_id))
        except Unknown as unknown:
            _log.info("order.check_unanswered", order_id=order.order_id, code=unknown.code)
            return order
        await self._news.apply_payments(known)
        return await self.find(command.user_id, command.order_id)

    async def cancel_order(self, command: OrderOfUser) -> Order:
        """Asked twice, it is cancelled once; the saga decides whether it was paid after all."""

        async def body(tx: Tx) -> Order:
            order = await self._mine(tx, command.user_id, command.order_id)
            if order.closing is not Closing.NO and _is_closing(order):
                return order
            if not may_close(order):
                raise _illegal(order, f"the order is {order.status}")
            return await self.close(tx, order, Closing.CUSTOMER)

        return await in_transaction(self._db, self._limits.write_tries, body)

    async def close(self, tx: Tx, order: Order, by: Closing) -> Order:
        """Starts the cancel saga, once for each order."""
        actor = "customer" if by is Closing.CUSTOMER else "system"
        change = ask_to_close(order, by)
        order = await self._journal.write(tx, change, actor=actor, cause=by.value.lower())
        params = {
            "orderId": order.order_id,
            "reservationId": f"{order.order_id}-1",
            "reason": by.value,
        }
        await self._sagas.start_once(tx, CANCEL_SAGA, order.order_id, params)
        return order

    async def refund_order(self, command: RefundOrder) -> Order:
        async def body(tx: Tx) -> Order:
            order = await self._mine(tx, command.user_id, command.order_id)
            if _is_refunding(order):
                return order
            now_ms = self._clock.now_ms()
            may = may_refund(order, self._limits.policy, now_ms)
            if order.paid_attempt is None or not may:
                raise _illegal(order, "no refund may be asked for now")
            # Another one's news may hide that a part is on its way back: both would be too much.
            if await self._refunding.asked_yen(tx, order.order_id, order.paid_attempt):
                raise _illegal(order, "a part of it is being given back")
            wanted = RefundWanted(order.paid_attempt, order.amount, RefundReason.CUSTOMER)
            return await self._refunding.start(
                tx, order, wanted, actor="customer", cause=command.reason[:200]
            )

        return await in_transaction(self._db, self._limits.write_tries, body)

    async def _mine(self, tx: Tx, user_id: str, order_id: str) -> Order:
        order = await self._orders.find(tx, order_id)
        if order is None or order.user_id != user_id:
            raise NotFound("no such order")
        return order

    def _wanted(self, order: Order, user_agent: str | None) -> CreatePayment:
        """The token names the attempt to come, so that a double click makes one code."""
        return CreatePayment(
            request_id=f"{order.order_id}.pay.{order.payment.number + 1}",
            order_id=order.order_id,
            amount=order.amount,
            description=f"Kessai {order_number(order.order_id)}",
            items=tuple(
                PaymentItem(
                    name=item["title"],
                    quantity=item["quantity"],
                    unit_price=item["unitPrice"],
                    product_id=str(item["productId"]),
                )
                for item in json.loads(order.items)
            ),
            redirect_url=redirect_url(self._public_url, order.order_id),
            user_agent=user_agent,
            hold_until_ms=order.hold_until_ms,
        )


def _is_closing(order: Order) -> bool:
    return may_close(order) or order.reason is OrderReason.CANCELLED


def _is_refunding(order: Order) -> bool:
    """The customer's own refund was asked for before."""
    asked = order.refund is not None and order.refund.reason == RefundReason.CUSTOMER
    return asked and order.status in (OrderStatus.REFUNDING, OrderStatus.REFUNDED)


def _illegal(order: Order, message: str) -> Refused:
    return Refused("ILLEGAL_STATE", message, facts={"status": order.status.value})
