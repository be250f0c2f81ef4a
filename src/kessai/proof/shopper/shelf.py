"""What there is to buy, as the shop listed it when the customers came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from kessai.proof.shopper.mix import ImpossibleMix, Kind

# The largest quantity of one line: who wants so many of less cannot get them.
MANY: Final = 99
PLENTY: Final = 20


@dataclass(frozen=True, slots=True)
class Product:
    id: int
    price_yen: int
    stock: int


class Shelf:
    """Products by number; raises `ImpossibleMix` where somebody would find nothing to do."""

    def __init__(self, products: Iterable[Product], kinds: Sequence[Kind]) -> None:
        listed = sorted(products, key=lambda product: product.id)
        self._stocked = [one for one in listed if one.stock >= PLENTY] or [
            one for one in listed if one.stock > 0
        ]
        self._scarce = sorted(
            (one for one in listed if one.stock > 0), key=lambda one: (one.stock, one.id)
        )
        self._short = [one for one in listed if one.stock < MANY]
        if not self._stocked:
            raise ImpossibleMix("the shop has nothing in stock: import a catalogue first")
        if Kind.SEVERAL_PRODUCTS in kinds and len(self._stocked) < 2:
            raise ImpossibleMix("several_products: the shop has one product in stock")
        if Kind.OUT_OF_STOCK in kinds and not self._short:
            raise ImpossibleMix(f"out_of_stock: the shop has {MANY} or more of everything")

    def one(self, share: float) -> tuple[tuple[int, int], ...]:
        return ((self._at(share).id, 1),)

    def several(self, share: float, aside: float) -> tuple[tuple[int, int], ...]:
        """Two or three products, one of them twice."""
        first = self._stocked.index(self._at(share))
        count = min(len(self._stocked), 2 + round(aside))
        chosen = (self._stocked[(first + step) % len(self._stocked)] for step in range(count))
        return tuple((one.id, 2 if step == 1 else 1) for step, one in enumerate(chosen))

    def too_many(self, share: float) -> tuple[tuple[int, int], ...]:
        """One that there is, and more of another than there is: all or nothing."""
        short = self._short[int(share * len(self._short))]
        given = next((one for one in self._stocked if one.id != short.id), None)
        lines = ((short.id, short.stock + 1),)
        return ((given.id, 1), *lines) if given else lines

    def last_pieces(self) -> tuple[tuple[int, int], ...]:
        """What there is least of; everybody who wants it wants the same one."""
        return ((self._scarce[0].id, 1),)

    def price_yen(self, lines: Iterable[tuple[int, int]]) -> int:
        prices = {one.id: one.price_yen for one in (*self._stocked, *self._short, *self._scarce)}
        return sum(prices[product] * count for product, count in lines)

    def _at(self, share: float) -> Product:
        return self._stocked[int(share * len(self._stocked))]


def product_of(row: dict[str, JsonValue]) -> Product:
    """Raises `ValueError` or `KeyError` for what is no product of the public list."""
    return Product(int(str(row["id"])), int(str(row["price"])), int(str(row["stock"])))
