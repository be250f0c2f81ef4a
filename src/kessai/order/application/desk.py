"""order-service's published interface, delegating to its use cases."""

from __future__ import annotations

from collections.abc import Sequence

from kessai.contracts.order import (
    AuditEntry,
    AuditTrailOfOrder,
    ListOrders,
    NewPayment,
    OrderById,
    OrderOfUser,
    OrderPage,
    PromiseReport,
    Purchase,
    RefundByOperator,
    RefundOrder,
    RemedyApplied,
    RemedyOrder,
)
from kessai.contracts.order import Order as OrderView
from kessai.contracts.wire import Nothing
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db
from kessai.kernel.errors import NotFound
from kessai.order.application.archive import Archiving
from kessai.order.application.operators import OperatorRequests
from kessai.order.application.ports import AuditTrail, Limits, Orders
from kessai.order.application.promise import Promise
from kessai.order.application.purchase import Purchases
from kessai.order.application.remedies import Remedies
from kessai.order.application.requests import CustomerRequests
from kessai.order.application.view import order_summary, order_view
from kessai.order.domain.audit import first_break
from kessai.order.domain.order import Order

# Ids are base 36, so this is behind every one of them.
_AFTER_ALL_IDS = "~"
_LOOKS = 3


class OrderDesk:
    def __init__(
        self,
        db: Db,
        orders: Orders,
        audit: AuditTrail,
        purchases: Purchases,
        requests: CustomerRequests,
        operators: OperatorRequests,
        remedies: Remedies,
        promise: Promise,
        clock: Clock,
        limits: Limits,
        archiving: Archiving | None = None,
    ) -> None:
        self._db = db
        self._orders = orders
        self._audit = audit
        self._purchases = purchases
        self._requests = requests
        self._operators = operators
        self._remedies = remedies
        self._promise = promise
        self._clock = clock
        self._limits = limits
        self._archiving = archiving

    async def purchase(self, command: Purchase) -> OrderView:
        return await self._purchases.purchase(command)

    async def list_orders(self, command: ListOrders) -> OrderPage:
        before_id = command.cursor or _AFTER_ALL_IDS
        async with self._db.read() as tx:
            found = await self._orders.page(
                tx, command.user_id, command.status, before_id, command.limit + 1
            )
        page = found[: command.limit]
        more = len(found) > command.limit
        return OrderPage(
            items=tuple(order_summary(order) for order in page),
            next_cursor=page[-1].order_id if more else None,
        )

    async def get_order(self, command: OrderOfUser) -> OrderView:
        return self._view(await self._requests.find(command.user_id, command.order_id))

    async def view_order(self, command: OrderById) -> OrderView:
        async with self._db.read() as tx:
            order = await self._orders.find(tx, command.order_id)
        if order is None:
            raise NotFound("no such order")
        return self._view(order)

    async def new_payment(self, command: NewPayment) -> OrderView:
        return self._view(await self._requests.new_payment(command))

    async def check_payment(self, command: OrderOfUser) -> OrderView:
        return self._view(await self._requests.check_payment(command))

    async def cancel_order(self, command: OrderOfUser) -> OrderView:
        return self._view(await self._requests.cancel_order(command))

    async def refund_order(self, command: RefundOrder) -> OrderView:
        return self._view(await self._requests.refund_order(command))

    async def refund_by_operator(self, command: RefundByOperator) -> OrderView:
        return self._view(await self._operators.refund(command))

    async def remedy_order(self, command: RemedyOrder) -> RemedyApplied:
        order, steps = await self._remedies.apply(command)
        return RemedyApplied(order=self._view(order), steps=tuple(steps))

    async def audit_order(self, command: OrderById) -> AuditTrailOfOrder:
        order, entries = await self._trail_of(command.order_id)
        looks = 1
        # A change between two reads is no break of the chain; a row too many stays one.
        while len(entries) != order.audit_sequence and looks < _LOOKS:
            order, entries = await self._trail_of(command.order_id)
            looks += 1
        broken_at = first_break(entries, order.audit_sequence, order.audit_hash)
        return AuditTrailOfOrder(
            entries=tuple(entries), intact=broken_at is None, broken_at=broken_at
        )

    async def _trail_of(self, order_id: str) -> tuple[Order, Sequence[AuditEntry]]:
        async with self._db.read() as tx:
            order = await self._orders.find(tx, order_id)
            if order is None:
                raise NotFound("no such order")
            entries = await self._audit.read(tx, order_id)
        if self._archiving is not None:
            entries = await self._archiving.whole(order_id, entries)
        return order, entries

    async def report_promise(self, command: Nothing) -> PromiseReport:
        del command
        return await self._promise.report()

    async def ping(self, command: Nothing) -> Nothing:
        await self._db.ping()
        return command

    def _view(self, order: Order) -> OrderView:
        return order_view(order, self._limits.policy, self._clock.now_ms())
