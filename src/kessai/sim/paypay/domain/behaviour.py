"""The merchant's contract, and where PayPay's documents leave a choice or contradict each other."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from kessai.sim.paypay.domain.knobs import DAY_MS, HOUR_MS, Part, Wait
from kessai.sim.paypay.domain.operations import Operation


class Behaviour(Part):
    """`closed`: operations outside of the contract. A zero switches off what counts days or time.

    `confirmation_ms`: how long the customer may think about a higher amount.
    """

    expired_code: Literal["created", "notFound"] = "created"
    duplicate_id: Literal["error", "previous"] = "error"
    paid_code: Literal["alreadyPaid", "notFound"] = "alreadyPaid"
    webhook_retries: Literal["3x100", "10x500"] = "3x100"
    closed: tuple[Operation, ...] = ()
    clock_skew_s: Annotated[int, Field(ge=-86_400, le=86_400)] = 0
    retention_days: Annotated[int, Field(ge=0, le=10_000)] = 0
    user_state: Literal["active", "inactive", "canceled"] = "active"
    cancel_delay_ms: Wait = 500

    multiple_refunds: bool = True
    refund_delay_ms: Annotated[int, Field(ge=0, le=2 * DAY_MS)] = 1000
    refund_throttle_ms: Wait = 0
    max_refunds: Annotated[int, Field(ge=0, le=10_000)] = 50
    refund_window_days: Annotated[int, Field(ge=0, le=10_000)] = 365
    refund_payment_id: Literal["optional", "required"] = "optional"

    pre_auth: bool = True
    authorization_max_days: Annotated[int, Field(ge=1, le=365)] = 30
    authorized_order_id: Literal["filled", "empty"] = "filled"
    capture_above: Literal["confirm", "refuse"] = "confirm"
    confirmation_ms: Annotated[int, Field(ge=1000, le=2 * DAY_MS)] = 6 * HOUR_MS
    reauthorize_delay_ms: Wait = 1000

    def is_closed(self, operation: Operation) -> bool:
        """Outside of the merchant's contract."""
        return operation in self.closed or (not self.pre_auth and operation in _PRE_AUTH)


_PRE_AUTH: Final[tuple[Operation, ...]] = ("capture", "revert", "reauthorize")
