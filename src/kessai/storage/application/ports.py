"""The tables that the use cases need, as roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kessai.contracts.moves import ReservationStatus
from kessai.contracts.storage import Category, ListedProduct, Pictureless, Product, ProductSnapshot
from kessai.kernel.db import Tx
from kessai.storage.domain.catalogue import CategoryName, Plan, Stored
from kessai.storage.domain.movements import Movement, Wanted


@dataclass(frozen=True, slots=True)
class Reserved:
    """A reservation as it is kept; one that was refused, or released before it was made, has no
    lines, and the latter no order either."""

    reservation_id: str
    order_id: str | None
    status: ReservationStatus
    lines: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class Returned:
    restock_id: str
    reservation_id: str


@dataclass(frozen=True, slots=True)
class Overdue:
    """A reservation that nobody has ended in time."""

    reservation_id: str
    order_id: str | None
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class Priced:
    product_id: int
    title: str
    image_key: str | None
    price: int
    active: bool


@dataclass(frozen=True, slots=True)
class Announcement:
    """Due is what was told before `before_ms` for the last time."""

    before_ms: int
    now_ms: int
    since_day: int


class StockBook(Protocol):
    async def move(self, tx: Tx, movements: Sequence[Movement], now_ms: int) -> list[int]:
        """Moves counts and writes the ledger; returns products where a count would be negative.

        Those stay as they are: roll back unless the list is empty.
        """
        ...

    async def available(self, tx: Tx, product_ids: Sequence[int]) -> Mapping[int, int]: ...

    async def count_sold(self, tx: Tx, lines: Sequence[Wanted], day: int) -> None:
        """Adds to the sales of a day (days since 1970, UTC); negative quantities came back."""
        ...

    async def open(self, tx: Tx, movements: Sequence[Movement], now_ms: int) -> None:
        """Shelves for new products, with what each brings; that may be nothing."""
        ...

    async def touch(self, tx: Tx, product_ids: Sequence[int]) -> None:
        """Something else of these products has changed, so it is to be announced."""
        ...


class ReservationBook(Protocol):
    async def add(self, tx: Tx, reservation: Reserved, now_ms: int) -> bool:
        """False when the id is known already."""
        ...

    async def end(
        self, tx: Tx, reservation_id: str, status: ReservationStatus, now_ms: int
    ) -> bool:
        """Moves an open one to its end; False when there is none or it has ended."""
        ...

    async def get(self, tx: Tx, reservation_id: str) -> Reserved | None: ...

    async def of_order(self, tx: Tx, order_id: str) -> Sequence[Reserved]:
        """All that are named `<orderId>-<n>`, by their ids."""
        ...

    async def add_restock(self, tx: Tx, returned: Returned, reason: str, now_ms: int) -> bool: ...

    async def restock_of(self, tx: Tx, returned: Returned) -> Returned | None:
        """The one that was recorded under this id or for this reservation."""
        ...

    async def overdue(self, tx: Tx, before_ms: int, limit: int) -> Sequence[Overdue]: ...

    async def signalled(self, tx: Tx, reservation_id: str) -> bool: ...

    async def settled_late(self, tx: Tx, limit: int) -> Sequence[Overdue]:
        """Those that were signalled and have ended since."""
        ...

    async def told_settled(self, tx: Tx, reservation_id: str) -> bool: ...


class ProductBook(Protocol):
    async def categories(self, tx: Tx) -> tuple[Category, ...]: ...

    async def page(
        self, tx: Tx, category_id: int | None, after: int, limit: int
    ) -> list[Product]: ...

    async def get(self, tx: Tx, product_ids: Sequence[int]) -> Mapping[int, Product]: ...

    async def prices(self, tx: Tx, product_ids: Sequence[int]) -> Mapping[int, Priced]: ...

    async def any(self, tx: Tx) -> bool: ...

    async def stored(self, tx: Tx, product_ids: Sequence[int]) -> Mapping[int, Stored]: ...

    async def add_category(self, tx: Tx, category_id: int, name: CategoryName) -> None: ...

    async def write(self, tx: Tx, plans: Sequence[Plan], categories: Sequence[Category]) -> None:
        """Inserts what is CREATED, updates what is CHANGED."""
        ...

    async def note_stock(self, tx: Tx, figures: Mapping[int, int | None]) -> None:
        """The last figures that a file gave, where nothing else of the products has changed."""
        ...

    async def pictureless(self, tx: Tx, after: int, limit: int) -> list[Pictureless]: ...

    async def picture(self, tx: Tx, keys: Mapping[int, str]) -> None:
        """A category without a picture takes that of its first product."""
        ...

    async def unannounced(self, tx: Tx, before_ms: int, limit: int) -> list[int]:
        """Changed products that were last announced before that moment."""
        ...

    async def announce(
        self, tx: Tx, product_ids: Sequence[int], announcement: Announcement
    ) -> list[ProductSnapshot]:
        """Marks those that are still due, and what they are now; the others are left out."""
        ...

    async def snapshots(
        self, tx: Tx, after: int, limit: int, since_day: int
    ) -> list[ListedProduct]: ...
