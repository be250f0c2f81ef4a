"""Which picture a product has; the pictures themselves are es-service's."""

from __future__ import annotations

from kessai.contracts.storage import (
    ListPictureless,
    PicturelessPage,
    PicturesSet,
    SetPictures,
)
from kessai.kernel.db import Db
from kessai.kernel.errors import NotFound
from kessai.storage.application.ports import ProductBook, StockBook


class Pictures:
    def __init__(self, db: Db, products: ProductBook, stock: StockBook) -> None:
        self._db = db
        self._products = products
        self._stock = stock

    async def list_pictureless(self, command: ListPictureless) -> PicturelessPage:
        async with self._db.read() as tx:
            found = await self._products.pictureless(tx, command.after, command.limit)
        return PicturelessPage(items=tuple(found))

    async def set_pictures(self, command: SetPictures) -> PicturesSet:
        """All of them or none; a picture that is there already is no change."""
        wanted = {item.product_id: item.image_key for item in command.items}
        async with self._db.transaction() as tx:
            known = await self._products.prices(tx, list(wanted)) if wanted else {}
            if missing := sorted(wanted.keys() - known.keys()):
                raise NotFound(f"no product {missing[0]}")
            changed = {
                product_id: key
                for product_id, key in wanted.items()
                if known[product_id].image_key != key
            }
            if changed:
                await self._products.picture(tx, changed)
                await self._stock.touch(tx, list(changed))
        return PicturesSet(changed=len(changed))
