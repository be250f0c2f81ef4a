"""Everything that anybody wrote down about one order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from kessai.proof.invariants.rows import (
    AttemptRow,
    AuditRow,
    ClosedRow,
    EvidenceRow,
    HoldRow,
    LedgerRow,
    MovementRow,
    OrderRow,
    ProviderRow,
    RefundRow,
    ReservationRow,
    RestockRow,
    WantedRow,
)
from kessai.proof.invariants.told import Told

_ID_LENGTH = 26


def order_of(name: str) -> str:
    """The order that a merchantPaymentId, a reservation or a hold belongs to."""
    return name[:_ID_LENGTH]


def read_lines(text: str) -> dict[int, int]:
    """`12:1,15:2` of a reservation: quantities by product."""
    pairs = (part.split(":") for part in text.split(",") if part)
    return {int(product): int(quantity) for product, quantity in pairs}


class Item(msgspec.Struct, rename={"product_id": "productId", "price": "unitPrice"}, gc=False):
    product_id: int
    quantity: int
    price: int


_read_items = msgspec.json.Decoder(list[Item]).decode


@dataclass(slots=True)
class Story:
    """`order` is None where there is none. A list stays empty when its source was not read.

    `asked_provider` tells whether the provider has a book that was read.
    """

    order_id: str
    order: OrderRow | None = None
    audit: list[AuditRow] = field(default_factory=list)
    wanted: list[WantedRow] = field(default_factory=list)
    holds: list[HoldRow] = field(default_factory=list)
    closed: ClosedRow | None = None
    attempts: list[AttemptRow] = field(default_factory=list)
    evidence: list[EvidenceRow] = field(default_factory=list)
    refunds: list[RefundRow] = field(default_factory=list)
    ledger: list[LedgerRow] = field(default_factory=list)
    reservations: list[ReservationRow] = field(default_factory=list)
    restocks: list[RestockRow] = field(default_factory=list)
    movements: list[MovementRow] = field(default_factory=list)
    provider: list[ProviderRow] = field(default_factory=list)
    asked_provider: bool = False
    told: Told | None = None
    # Older events may have been forgotten: 0 when none was.
    orders_told_from_ms: int = 0
    payments_told_from_ms: int = 0
    _items: Sequence[Item] | None = None

    @property
    def items(self) -> Sequence[Item]:
        """What was bought, line by line."""
        if self._items is None:
            self._items = _read_items(self.order.items) if self.order else ()
        return self._items

    @property
    def quantities(self) -> Mapping[int, int]:
        """What was bought, by product."""
        found: dict[int, int] = {}
        for item in self.items:
            found[item.product_id] = found.get(item.product_id, 0) + item.quantity
        return found
