"""What storage-service offers: the catalogue with prices of record, stock and reservations."""

from __future__ import annotations

from typing import Protocol

from pydantic import Field

from kessai.contracts.moves import ReservationStatus
from kessai.contracts.wire import Nothing, OrderId, Wire


class Names(Wire):
    en: str | None = None
    zh: str | None = None


class Category(Wire):
    id: int
    name: str
    names: Names = Names()
    image_key: str | None = None


class Categories(Wire):
    items: tuple[Category, ...]


class Product(Wire):
    """`price` in yen, tax included; `image_key` is the sha256 of the image, None without one."""

    product_id: int
    category_id: int
    name: str
    names: Names = Names()
    description: str
    price: int
    stock: int
    image_key: str | None = None
    created_at: str
    active: bool = True


class ProductById(Wire):
    product_id: int


class ListProducts(Wire):
    category_id: int | None = None
    cursor: str | None = Field(default=None, max_length=200)
    limit: int = Field(default=24, ge=1, le=100)


class ProductPage(Wire):
    items: tuple[Product, ...]
    next_cursor: str | None = None


class ListSnapshots(Wire):
    """In the order of product ids; those that are not sold any more too."""

    after: int = 0
    limit: int = Field(default=200, ge=1, le=500)


class SnapshotCategory(Wire):
    id: int
    name: str
    names: Names = Names()


class ProductSnapshot(Wire):
    """A whole product as `ProductChanged` carries it; a higher `version` is newer."""

    product_id: int
    version: int
    title: str
    titles: Names = Names()
    reading: str | None = None
    description: str
    category: SnapshotCategory
    price: int
    stock: int
    status: str
    image_key: str | None = None
    sold_count_30d: int = Field(default=0, alias="soldCount30d")
    created_at: str


class ListedProduct(ProductSnapshot):
    """With what no event tells: the name of the picture in the file that brought the product."""

    image_file: str | None = None


class SnapshotPage(Wire):
    items: tuple[ListedProduct, ...]


class Line(Wire):
    product_id: int
    quantity: int = Field(ge=1, le=99)


class Quote(Wire):
    lines: tuple[Line, ...] = Field(min_length=1, max_length=50)


class QuotedLine(Wire):
    product_id: int
    title: str
    image_key: str | None
    unit_price: int
    quantity: int


class Quoted(Wire):
    """Prices of this moment; the order keeps them for good."""

    lines: tuple[QuotedLine, ...]
    amount: int


class ReserveStock(Wire):
    """All lines or none. `reservation_id` is made by the asker: `<orderId>-<n>`."""

    reservation_id: str = Field(max_length=64)
    order_id: OrderId
    lines: tuple[Line, ...] = Field(min_length=1, max_length=50)


class ReservationById(Wire):
    reservation_id: str = Field(max_length=64)


class Reservation(Wire):
    reservation_id: str
    order_id: str | None
    status: ReservationStatus


class ReservationsOfOrder(Wire):
    order_id: OrderId


class Reservations(Wire):
    """By their ids; one that was released before it was made has no order."""

    items: tuple[Reservation, ...]


class Restock(Wire):
    """Puts a confirmed reservation's goods back, once per `restock_id`."""

    restock_id: str = Field(max_length=64)
    reservation_id: str = Field(max_length=64)
    reason: str = Field(max_length=60)


class ImportCatalogue(Wire):
    csv: bytes
    dry_run: bool = False


class BadRow(Wire):
    row: int
    column: str
    why: str


class Imported(Wire):
    created: int
    changed: int
    unchanged: int
    bad: tuple[BadRow, ...]


class ListPictureless(Wire):
    after: int = 0
    limit: int = Field(default=500, ge=1, le=500)


class Pictureless(Wire):
    """A product whose file names a picture that nobody has brought yet."""

    product_id: int
    image_file: str


class PicturelessPage(Wire):
    items: tuple[Pictureless, ...]


class Picture(Wire):
    product_id: int
    image_key: str = Field(pattern=r"^[0-9a-f]{64}$")


class SetPictures(Wire):
    items: tuple[Picture, ...] = Field(max_length=500)


class PicturesSet(Wire):
    changed: int


class StorageService(Protocol):
    async def list_categories(self, command: Nothing) -> Categories: ...

    async def list_products(self, command: ListProducts) -> ProductPage: ...

    async def get_product(self, command: ProductById) -> Product: ...

    async def list_snapshots(self, command: ListSnapshots) -> SnapshotPage: ...

    async def quote(self, command: Quote) -> Quoted:
        """Refused VALIDATION with `items[i].productId` for what is unknown or not sold any more."""
        ...

    async def reserve_stock(self, command: ReserveStock) -> Reservation:
        """Refused OUT_OF_STOCK with `items`; RESERVATION_RELEASED after a release of this id."""
        ...

    async def confirm_stock(self, command: ReservationById) -> Reservation:
        """Refused RESERVATION_RELEASED or NOT_FOUND."""
        ...

    async def release_stock(self, command: ReservationById) -> Reservation:
        """Without a reservation it changes no stock and is remembered; CONFIRMED is refused."""
        ...

    async def list_reservations(self, command: ReservationsOfOrder) -> Reservations: ...

    async def restock(self, command: Restock) -> Reservation: ...

    async def import_catalogue(self, command: ImportCatalogue) -> Imported: ...

    async def list_pictureless(self, command: ListPictureless) -> PicturelessPage:
        """In the order of product ids."""
        ...

    async def set_pictures(self, command: SetPictures) -> PicturesSet:
        """Refused NOT_FOUND, and then sets none, when a product is unknown."""
        ...

    async def ping(self, command: Nothing) -> Nothing: ...
