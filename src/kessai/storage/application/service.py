"""storage-service as the others see it: the Protocol of the contract over the use cases."""

from __future__ import annotations

from kessai.contracts.storage import (
    Categories,
    ImportCatalogue,
    Imported,
    ListPictureless,
    ListProducts,
    ListSnapshots,
    PicturelessPage,
    PicturesSet,
    Product,
    ProductById,
    ProductPage,
    Quote,
    Quoted,
    Reservation,
    ReservationById,
    Reservations,
    ReservationsOfOrder,
    ReserveStock,
    Restock,
    SetPictures,
    SnapshotPage,
)
from kessai.contracts.wire import Nothing
from kessai.kernel.db import Db
from kessai.storage.application.catalogue import Catalogue
from kessai.storage.application.catalogue_import import CatalogueImport
from kessai.storage.application.pictures import Pictures
from kessai.storage.application.reservations import Reservations as ReservationDesk


class Storage:
    """Implements `contracts.storage.StorageService`."""

    def __init__(
        self,
        db: Db,
        catalogue: Catalogue,
        imports: CatalogueImport,
        reservations: ReservationDesk,
        pictures: Pictures,
    ) -> None:
        self._db = db
        self._catalogue = catalogue
        self._imports = imports
        self._reservations = reservations
        self._pictures = pictures

    async def list_categories(self, command: Nothing) -> Categories:  # noqa: ARG002
        return await self._catalogue.list_categories()

    async def list_products(self, command: ListProducts) -> ProductPage:
        return await self._catalogue.list_products(command)

    async def get_product(self, command: ProductById) -> Product:
        return await self._catalogue.get_product(command)

    async def list_snapshots(self, command: ListSnapshots) -> SnapshotPage:
        return await self._catalogue.list_snapshots(command)

    async def quote(self, command: Quote) -> Quoted:
        return await self._catalogue.quote(command)

    async def reserve_stock(self, command: ReserveStock) -> Reservation:
        return await self._reservations.reserve(command)

    async def confirm_stock(self, command: ReservationById) -> Reservation:
        return await self._reservations.confirm(command)

    async def release_stock(self, command: ReservationById) -> Reservation:
        return await self._reservations.release(command)

    async def list_reservations(self, command: ReservationsOfOrder) -> Reservations:
        return await self._reservations.of_order(command)

    async def restock(self, command: Restock) -> Reservation:
        return await self._reservations.restock(command)

    async def import_catalogue(self, command: ImportCatalogue) -> Imported:
        return await self._imports.run(command.csv, dry_run=command.dry_run)

    async def list_pictureless(self, command: ListPictureless) -> PicturelessPage:
        return await self._pictures.list_pictureless(command)

    async def set_pictures(self, command: SetPictures) -> PicturesSet:
        return await self._pictures.set_pictures(command)

    async def ping(self, command: Nothing) -> Nothing:
        await self._db.ping()
        return command
