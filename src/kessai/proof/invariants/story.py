"""Everything that anybody wrote down about one order."""

from __future__ import annotations

from dataclasses import dataclass, field

from kessai.proof.invariants.rows import (
    AttemptRow,
    AuditRow,
    EvidenceRow,
    HoldRow,
    LedgerRow,
    MovementRow,
    OrderRow,
    ProviderRow,
    RefundRow,
    ReservationRow,
    RestockRow,
    WalletMoveRow,
    WantedRow,
)

_ID_LENGTH = 26


def order_of(name: str) -> str:
    """The order that a merchantPaymentId, a reservation or a hold belongs to."""
    return name[:_ID_LENGTH]


def read_lines(text: str) -> dict[int, int]:
    """`12:1,15:2` of a reservation: quantities by product."""
    pairs = (part.split(":") for part in text.split(",") if part)
    return {int(product): int(quantity) for product, quantity in pairs}


@dataclass(slots=True)
class Story:
    """`order` is None where there is none. A list stays empty when its source was not read."""

    order_id: str
    order: OrderRow | None = None
    audit: list[AuditRow] = field(default_factory=list)
    wanted: list[WantedRow] = field(default_factory=list)
    holds: list[HoldRow] = field(default_factory=list)
    wallet_moves: list[WalletMoveRow] = field(default_factory=list)
    attempts: list[AttemptRow] = field(default_factory=list)
    evidence: list[EvidenceRow] = field(default_factory=list)
    refunds: list[RefundRow] = field(default_factory=list)
    ledger: list[LedgerRow] = field(default_factory=list)
    reservations: list[ReservationRow] = field(default_factory=list)
    restocks: list[RestockRow] = field(default_factory=list)
    movements: list[MovementRow] = field(default_factory=list)
    provider: list[ProviderRow] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return self.order is None and not (
            self.attempts or self.refunds or self.ledger or self.reservations or self.provider
        )
