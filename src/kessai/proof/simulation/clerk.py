"""The shop's operator, who gives money back in parts and presses a button twice."""

from __future__ import annotations

from kessai.contracts.order import OrderService, RefundByOperator
from kessai.kernel.errors import Refused, Unknown


class Clerk:
    """No public door leads to this desk, so it calls the service as the command line does."""

    def __init__(self, orders: OrderService) -> None:
        self._orders = orders

    async def refund(self, order_id: str, amount: int | None, request_id: str) -> None:
        """Of a part, or of all that is left; a repeat of `request_id` is the same refund."""
        command = RefundByOperator(
            order_id=order_id,
            request_id=request_id,
            amount=amount,
            actor="clerk",
            reason="a complaint",
        )
        try:
            await self._orders.refund_by_operator(command)
        except (Refused, Unknown):
            return
