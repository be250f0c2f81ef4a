"""What an operator asks of an order; who and why stays in its audit trail."""

from __future__ import annotations

from kessai.contracts.events import refund_id
from kessai.contracts.moves import OrderStatus
from kessai.contracts.order import RefundByOperator
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import NotFound, Refused
from kessai.order.application.ports import Limits, Orders, Refunds
from kessai.order.application.refunding import Refunding
from kessai.order.application.retry import in_transaction
from kessai.order.domain.audit import by_operator
from kessai.order.domain.news import RefundReason, RefundWanted, left_to_refund_yen
from kessai.order.domain.order import Order

# REFUNDING too: a refund that the provider refused leaves something to give back.
_PAID = frozenset({OrderStatus.PAID, OrderStatus.REFUNDING})


class OperatorRequests:
    def __init__(
        self, db: Db, orders: Orders, refunds: Refunds, refunding: Refunding, limits: Limits
    ) -> None:
        self._db = db
        self._orders = orders
        self._refunds = refunds
        self._refunding = refunding
        self._limits = limits

    async def refund(self, command: RefundByOperator) -> Order:
        """As `OrderService.refund_by_operator`."""

        async def body(tx: Tx) -> Order:
            order = await self._orders.find(tx, command.order_id)
            if order is None:
                raise NotFound("no such order")
            paid = order.paid_attempt
            if paid is None:
                raise _illegal(order)
            if await self._is_repeat(tx, paid, command):
                return order
            if command.version not in (None, order.view_version):
                raise Refused(
                    "VERSION_CONFLICT", "the order changed since", facts={"now": order.view_version}
                )
            if order.status not in _PAID:
                raise _illegal(order)
            asked_yen = await self._refunds.asked_yen(tx, order.order_id, paid)
            wanted = _wanted(command, paid, left_to_refund_yen(order, asked_yen))
            by = by_operator(command.actor)
            return await self._refunding.start(tx, order, wanted, actor=by, cause=command.reason)

        return await in_transaction(self._db, self._limits.write_tries, body)

    async def _is_repeat(self, tx: Tx, paid: str, command: RefundByOperator) -> bool:
        key = RefundWanted(paid, 0, RefundReason.OPERATOR, command.request_id).key
        before = await self._refunds.find(tx, refund_id(paid, key))
        if before is not None and command.amount not in (None, before.amount):
            raise Refused("IDEMPOTENCY_CONFLICT", "this request id means another refund")
        return before is not None


def _wanted(command: RefundByOperator, paid: str, left_yen: int) -> RefundWanted:
    amount = left_yen if command.amount is None else command.amount
    if not 0 < amount <= left_yen:
        facts = {"amount": amount, "free": left_yen}
        raise Refused("REFUND_EXCEEDS_CAPTURE", "more than is left to give back", facts=facts)
    return RefundWanted(paid, amount, RefundReason.OPERATOR, command.request_id)


def _illegal(order: Order) -> Refused:
    return Refused(
        "ILLEGAL_STATE", "nothing is paid of this order", facts={"status": order.status.value}
    )
