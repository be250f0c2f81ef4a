"""PayPay's table of status moves (paypay.md, section 1.3), and what each one tells.

The four rows of events that the documents describe elsewhere are marked: a customer who declines
(Transaction Events, FAILED) and a capture above the authorised amount (status REAUTHORIZING).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from kessai.contracts.paypay import ProviderStatus

Flow = Literal["instant", "preauth"]
Event = Literal[
    "create",
    "pay",
    "decline",
    "reauthorize",
    "capture",
    "agree",
    "expire",
    "revert",
    "cancel",
    "refund",
]
# CONFIRMATION_EXPIRED and REAUTHORIZED carry the state AUTHORIZED on the wire.
Told = Literal[
    "AUTHORIZED",
    "REAUTHORIZED",
    "COMPLETED",
    "CANCELED",
    "EXPIRED",
    "CONFIRMATION_EXPIRED",
    "FAILED",
]


@dataclass(frozen=True, slots=True)
class Move:
    flow: Flow
    event: Event
    before: ProviderStatus | None
    after: ProviderStatus
    told: Told | None
    in_table: bool = True


_S = ProviderStatus
TABLE: Final = (
    Move("instant", "create", None, _S.CREATED, None),
    Move("instant", "pay", _S.CREATED, _S.COMPLETED, "COMPLETED"),
    Move("instant", "decline", _S.CREATED, _S.FAILED, "FAILED", in_table=False),
    Move("instant", "refund", _S.COMPLETED, _S.REFUNDED, None),
    Move("instant", "cancel", _S.COMPLETED, _S.FAILED, None),
    Move("preauth", "create", None, _S.CREATED, None),
    Move("preauth", "pay", _S.CREATED, _S.AUTHORIZED, "AUTHORIZED"),
    Move("preauth", "decline", _S.CREATED, _S.FAILED, "FAILED", in_table=False),
    Move("preauth", "reauthorize", _S.AUTHORIZED, _S.AUTHORIZED, "REAUTHORIZED"),
    Move("preauth", "capture", _S.AUTHORIZED, _S.COMPLETED, "COMPLETED"),
    Move("preauth", "agree", _S.AUTHORIZED, _S.REAUTHORIZING, None, in_table=False),
    Move("preauth", "capture", _S.REAUTHORIZING, _S.COMPLETED, "COMPLETED", in_table=False),
    Move("preauth", "expire", _S.AUTHORIZED, _S.EXPIRED, "EXPIRED"),
    Move("preauth", "revert", _S.AUTHORIZED, _S.CANCELED, "CANCELED"),
    Move("preauth", "cancel", _S.AUTHORIZED, _S.FAILED, None),
    Move("preauth", "refund", _S.COMPLETED, _S.REFUNDED, None),
)


def _moves(flow: Flow) -> Mapping[ProviderStatus, frozenset[ProviderStatus]]:
    own = [move for move in TABLE if move.flow == flow]
    return MappingProxyType(
        {
            status: frozenset(move.after for move in own if move.before is status)
            for status in ProviderStatus
        }
    )


MOVES: Final[Mapping[Flow, Mapping[ProviderStatus, frozenset[ProviderStatus]]]] = MappingProxyType(
    {"instant": _moves("instant"), "preauth": _moves("preauth")}
)
_TOLD: Final = {(move.flow, move.event): move.told for move in TABLE}


def told_of(flow: Flow, event: Event) -> Told | None:
    """Which notification the event sends, if it sends any."""
    return _TOLD[flow, event]
