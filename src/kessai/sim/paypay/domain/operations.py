"""PayPay's operations by the names that faults and counters use."""

from __future__ import annotations

from typing import Final, Literal, get_args

Operation = Literal[
    "createCode",
    "deleteCode",
    "getCodePayment",
    "getPayment",
    "cancel",
    "refund",
    "getRefund",
    "capture",
    "revert",
    "reauthorize",
    # All that PayPay offers beside codes: wallets, cashback, subscriptions.
    "other",
]
OPERATIONS: Final[tuple[Operation, ...]] = get_args(Operation)
EVERY: Final = "*"
