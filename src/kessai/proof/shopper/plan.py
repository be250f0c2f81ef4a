"""Who comes when: all of it is drawn from the seed before the first customer sets out."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from pydantic import JsonValue

from kessai.kernel.chance import SeededChance
from kessai.proof.shopper.mix import Kind, Mix


@dataclass(frozen=True, slots=True)
class Planned:
    """One customer: id, kind, when they come, and four numbers in [0, 1) for the details.

    `product` says which one is bought, `pause` how long they think, `instant` where in a narrow
    window an act falls, `aside` the rest.
    """

    id: str
    kind: Kind
    at_s: float
    product: float
    pause: float
    instant: float
    aside: float

    def row(self) -> dict[str, JsonValue]:
        return {**asdict(self), "kind": self.kind.value}


def plan_customers(
    mix: Mix, orders: int, seed: int | str, *, over_s: float = 0.0
) -> tuple[Planned, ...]:
    """Customers who make so many orders, in the order in which they come, over `over_s`.

    Each draws from a stream of their own, so more orders leave the first customers as they are.
    One order more is made only where nobody of the mix makes a single one.
    """
    planned: list[Planned] = []
    singles = any(orders_of(kind) == 1 for kind in mix.kinds)
    number, left = 0, orders
    while left > 0:
        one = _planned(mix, number, seed, over_s)
        number += 1
        if orders_of(one.kind) <= left or not singles:
            planned.append(one)
            left -= orders_of(one.kind)
    return tuple(sorted(planned, key=lambda one: (one.at_s, one.id)))


def orders_of(kind: Kind) -> int:
    return 2 if kind is Kind.TWO_TABS else 1


def _planned(mix: Mix, number: int, seed: int | str, over_s: float) -> Planned:
    chance = SeededChance(f"shopper-{seed}-{number}")
    return Planned(
        id=f"c{number:06d}",
        kind=mix.pick(chance.random()),
        at_s=round(chance.uniform(0, over_s), 3),
        product=round(chance.random(), 6),
        pause=round(chance.random(), 6),
        instant=round(chance.random(), 6),
        aside=round(chance.random(), 6),
    )
