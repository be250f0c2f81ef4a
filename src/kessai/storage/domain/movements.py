"""Stock moves as ledger rows: every change of a count is one of these, and their sum is the count.

`available` can be bought, `reserved` belongs to an open reservation, on hand is both together,
`sold` is what was confirmed and did not come back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kessai.contracts.storage import Line
from kessai.kernel.errors import JsonValue, Refused

DAY_MS = 86_400_000
SOLD_DAYS = 30


def day_of(now_ms: int) -> int:
    """Days since 1970, UTC: sales are counted by them."""
    return now_ms // DAY_MS


def sold_since(now_ms: int) -> int:
    """What is shown as sold lately was sold after this day."""
    return day_of(now_ms) - SOLD_DAYS


class Kind(StrEnum):
    IMPORT = "IMPORT"
    RESERVE = "RESERVE"
    RELEASE = "RELEASE"
    CONFIRM = "CONFIRM"
    RETURN = "RETURN"


@dataclass(frozen=True, slots=True)
class Wanted:
    product_id: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Movement:
    """What changes, by how much, and because of what; (cause, kind, product) happens once."""

    product_id: int
    kind: Kind
    cause_id: str
    available: int = 0
    reserved: int = 0
    sold: int = 0


def wanted(lines: Iterable[Line]) -> tuple[Wanted, ...]:
    """One entry for each product, by product id, so that two carts never cross their locks."""
    sums: dict[int, int] = {}
    for line in lines:
        sums[line.product_id] = sums.get(line.product_id, 0) + line.quantity
    return tuple(Wanted(product_id, sums[product_id]) for product_id in sorted(sums))


def write_lines(lines: Iterable[Wanted]) -> str:
    """`12:1,15:2`: equal carts are equal texts."""
    return ",".join(f"{line.product_id}:{line.quantity}" for line in lines)


def read_lines(text: str) -> tuple[Wanted, ...]:
    pairs = (part.split(":") for part in text.split(",") if part)
    return tuple(Wanted(int(product_id), int(quantity)) for product_id, quantity in pairs)


def reserving(lines: Iterable[Wanted], reservation_id: str) -> list[Movement]:
    return [
        Movement(
            line.product_id,
            Kind.RESERVE,
            reservation_id,
            available=-line.quantity,
            reserved=line.quantity,
        )
        for line in lines
    ]


def releasing(lines: Iterable[Wanted], reservation_id: str) -> list[Movement]:
    return [
        Movement(
            line.product_id,
            Kind.RELEASE,
            reservation_id,
            available=line.quantity,
            reserved=-line.quantity,
        )
        for line in lines
    ]


def confirming(lines: Iterable[Wanted], reservation_id: str) -> list[Movement]:
    return [
        Movement(
            line.product_id,
            Kind.CONFIRM,
            reservation_id,
            reserved=-line.quantity,
            sold=line.quantity,
        )
        for line in lines
    ]


def returning(lines: Iterable[Wanted], restock_id: str) -> list[Movement]:
    return [
        Movement(
            line.product_id,
            Kind.RETURN,
            restock_id,
            available=line.quantity,
            sold=-line.quantity,
        )
        for line in lines
    ]


def out_of_stock(
    lines: Sequence[Wanted], short: Iterable[int], available: Mapping[int, int]
) -> Refused:
    """Names each product of which there is too little; an unknown one counts as none."""
    missing = frozenset(short)
    items: list[JsonValue] = [
        {
            "productId": line.product_id,
            "wanted": line.quantity,
            "available": available.get(line.product_id, 0),
        }
        for line in lines
        if line.product_id in missing
    ]
    return Refused("OUT_OF_STOCK", "there is not enough in stock", facts={"items": items})
