"""When each move happens, in words. A move of the code that is missing here fails the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ORDER_LEAD: Final = (
    "The one status that customers, sagas and alerts speak of. A failed order stays failed: money "
    "that comes later is given back, and `refund` shows what became of it. A partial refund keeps "
    "`PAID`."
)
ATTEMPT_LEAD: Final = (
    "One try to get an order paid; at most one of an order is live. Where an arrow leaves a frame, "
    "it leaves each state in it. The status is a function of the whole set of what PayPay said, so "
    "the order of news cannot matter; a wallet's attempt is born `SUCCEEDED`. "
    "**The end of an attempt never ends the order.**"
)
RESERVATION_LEAD: Final = (
    "All lines of an order or none. It ends in exactly one of two ways, once. A release that comes "
    "before its reserve is written down, and the late reserve is refused."
    " So is a refusal: a repeat that comes when there is stock again is refused as well, since its"
    " order has failed by then."
)
REFUND_LEAD: Final = (
    "Its id is made of the payment and the reason, so the same wish is the same refund, however "
    "often it is asked. All refunds of a payment together never exceed what was captured."
)
HOLD_LEAD: Final = "Money in a wallet that is set aside for an order, by the rules of reservations."
ALERT_LEAD: Final = (
    "An alert that is resolved stays so; the same violation is never told twice, and another one "
    "of the same order is a new alert."
)

REASONS: Final[Mapping[str, str]] = {
    "OUT_OF_STOCK": "not everything could be reserved, so no code was made",
    "PAYMENT_UNAVAILABLE": "no code could be made",
    "PAYMENT_DECLINED": "the last attempt failed at PayPay, or the wallet was too low",
    "PAYMENT_EXPIRED": "nobody had paid at the deadline",
    "CANCELLED": "the customer's own wish, and PayPay knew of no money",
    "OUT_OF_STOCK_AFTER_PAYMENT": "paid, and the goods were gone meanwhile; the money goes back",
}

_NO_MONEY: Final = "and a look-up after that finds no money"
_ATTEMPT: Final[Mapping[tuple[str, str], str]] = {
    ("CREATING", "AWAITING"): "PayPay made the code.",
    ("CREATING", "UNKNOWN"): "The create call had no answer, or one that we do not know.",
    ("CREATING", "SUCCEEDED"): "A look-up finds the money before the code's own answer came.",
    ("CREATING", "FAILED"): "PayPay made no code, certainly, or says that the payment failed.",
    ("CREATING", "EXPIRED"): f"No answer came; the code it may have made is outlived, {_NO_MONEY}.",
    ("CREATING", "CANCELLED"): f"The order closes meanwhile, {_NO_MONEY}.",
    ("AWAITING", "UNKNOWN"): "PayPay says a status that we do not know: only asking resolves it.",
    ("AWAITING", "SUCCEEDED"): "A look-up says COMPLETED, in yen, with the amount asked for.",
    ("AWAITING", "FAILED"): "PayPay says FAILED, or another amount was paid, which goes back.",
    ("AWAITING", "EXPIRED"): f"The code is gone after its end, {_NO_MONEY}.",
    ("AWAITING", "CANCELLED"): f"We deleted the code while it could be paid, {_NO_MONEY}.",
    ("UNKNOWN", "AWAITING"): "Asked again, PayPay gives the code.",
    ("UNKNOWN", "SUCCEEDED"): "As from AWAITING.",
    ("UNKNOWN", "FAILED"): "As from AWAITING.",
    ("UNKNOWN", "EXPIRED"): f"The code is gone or outlived, {_NO_MONEY}.",
    ("UNKNOWN", "CANCELLED"): f"The order closes, the code is closed or outlived, {_NO_MONEY}.",
    ("SUCCEEDED", "FAILED"): "COMPLETED, then FAILED: a cancel won and the customer has the money.",
    ("SUCCEEDED", "REFUNDING"): "Refunds that were asked for reach what was captured.",
    ("FAILED", "SUCCEEDED"): "A look-up proves the payment after all.",
    ("EXPIRED", "SUCCEEDED"): "Late proof: the order is settled, or the money goes back.",
    ("EXPIRED", "FAILED"): "Late word of FAILED, or of another amount.",
    ("CANCELLED", "SUCCEEDED"): "Late proof: the order is settled, or the money goes back.",
    ("CANCELLED", "FAILED"): "Late word of FAILED, or of another amount.",
    ("REFUNDING", "REFUNDED"): "All of it is back.",
}

WHEN: Final[Mapping[str, Mapping[tuple[str, str], str]]] = {
    "Order": {
        ("PENDING", "WAITING_PAYMENT"): "All goods are reserved and a code can be paid.",
        ("PENDING", "FAILED"): "No goods, no code, too little in the wallet; or the order was "
        "closed before it had a code.",
        ("WAITING_PAYMENT", "PAID"): "The payment is proved and the goods are confirmed.",
        ("WAITING_PAYMENT", "FAILED"): "Cancelled or past the deadline, every code closed, and "
        "PayPay knows of no money; or paid, and the goods were gone.",
        ("PAID", "REFUNDING"): "Refunds that were asked for give the whole amount back.",
        ("REFUNDING", "REFUNDED"): "The whole amount is back.",
    },
    "Payment attempt": _ATTEMPT,
    "Reservation": {
        ("RESERVED", "CONFIRMED"): "The order is being settled: the goods are sold.",
        ("RESERVED", "RELEASED"): "The order fails: the goods are for sale again.",
    },
    "Refund": {
        ("REQUESTED", "ACCEPTED"): "PayPay took the request; it is asked until it is done.",
        ("REQUESTED", "COMPLETED"): "The money is back at once, as with a wallet.",
        ("REQUESTED", "REJECTED"): "PayPay refuses for good: alert F, a person decides.",
        ("ACCEPTED", "COMPLETED"): "A look-up says that the money is back.",
    },
    "Hold of a wallet": {
        ("HELD", "CAPTURED"): "The order is paid.",
        ("HELD", "RELEASED"): "The order fails. A release may come first, as with reservations.",
    },
    "Alert": {
        ("NEW", "ACKNOWLEDGED"): "A person takes it.",
        ("NEW", "RESOLVED"): "The missing fact came, or a person closed it with a reason.",
        ("ACKNOWLEDGED", "RESOLVED"): "The missing fact came, or a person closed it with a reason.",
    },
}
