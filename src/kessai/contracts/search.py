"""What es-service offers: searching for products, and their pictures in the sizes shown."""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import Field

from kessai.contracts.storage import Names
from kessai.contracts.wire import Nothing, Wire

Width = Literal[160, 480, 1200]
Format = Literal["webp", "jpeg"]
WIDTHS: tuple[Width, ...] = (160, 480, 1200)
IMAGE_KEY = r"[0-9a-f]{64}"
MAX_IMAGE_BYTES = 8 * 1024 * 1024


class ProductImage(Wire):
    """A dry run looks at the picture alone: its product may come with the same file."""

    product_id: int
    content: bytes = Field(max_length=MAX_IMAGE_BYTES)
    dry_run: bool = False


class ImportedImage(Wire):
    """`image_key` is the sha256 of the content, so the same picture has one key everywhere."""

    image_key: str


class Thumbnail(Wire):
    image_key: str = Field(pattern=f"^{IMAGE_KEY}$")
    width: Width
    format: Format


class Made(Wire):
    """False when there is no picture with this key."""

    made: bool


Sort = Literal["relevance", "newest", "price_asc", "price_desc"]
MAX_QUERY = 200


class SearchProducts(Wire):
    q: str = Field(default="", max_length=MAX_QUERY)
    min_price: int | None = Field(default=None, ge=0)
    max_price: int | None = Field(default=None, ge=0)
    category_ids: tuple[int, ...] = ()
    in_stock: bool | None = None
    sort: Sort = "relevance"
    page: int = Field(default=0, ge=0, le=1000)
    size: int = Field(default=20, ge=1, le=100)


class CategoryCount(Wire):
    id: int
    name: str
    count: int


class PriceRange(Wire):
    min: int | None
    max: int | None


class StockCount(Wire):
    true: int
    false: int


class Facets(Wire):
    """Each leaves its own filter out: it tells what another choice would give."""

    categories: tuple[CategoryCount, ...]
    price: PriceRange
    in_stock: StockCount


class FoundProduct(Wire):
    """As the index has it, seconds behind storage-service at most.

    `highlight` is the title as HTML, escaped, with `<em>` around what was found.
    """

    product_id: int
    title: str
    titles: Names = Names()
    price: int
    stock: int
    category_id: int
    image_key: str | None = None
    created_at: str
    highlight: str | None = None


class SearchPage(Wire):
    """`did_you_mean` is the query whose products are shown where what was typed has none."""

    items: tuple[FoundProduct, ...]
    total: int
    page: int
    size: int
    did_you_mean: str | None = None
    facets: Facets


class Suggest(Wire):
    q: str = Field(max_length=MAX_QUERY)
    size: int = Field(default=10, ge=1, le=10)


class Suggestions(Wire):
    suggestions: tuple[str, ...]
    products: tuple[FoundProduct, ...]


class Reindexed(Wire):
    products: int


class CheckIndex(Wire):
    repair: bool = True


class IndexDrift(Wire):
    """Compared with storage-service by version: `stale` are older in the index than there."""

    products: int
    missing: int
    stale: int
    surplus: int
    repaired: int


class SearchService(Protocol):
    async def search_products(self, command: SearchProducts) -> SearchPage:
        """Unknown SEARCH_UNAVAILABLE while the index does not answer."""
        ...

    async def suggest(self, command: Suggest) -> Suggestions:
        """Unknown SEARCH_UNAVAILABLE while the index does not answer."""
        ...

    async def init_index(self, command: Nothing) -> Reindexed:
        """Makes and fills the index where there is none that fits; else does nothing."""
        ...

    async def reindex(self, command: Nothing) -> Reindexed:
        """Builds a new index beside the one that is searched, and changes over when it is whole.

        Refused ILLEGAL_STATE while another one is being built.
        """
        ...

    async def check_index(self, command: CheckIndex) -> IndexDrift: ...

    async def import_image(self, command: ProductImage) -> ImportedImage:
        """Refused VALIDATION for what is no PNG, JPEG or WebP, NOT_FOUND without the product."""
        ...

    async def make_thumbnail(self, command: Thumbnail) -> Made:
        """Puts it into the object store, where `thumbnail_name` says."""
        ...

    async def ping(self, command: Nothing) -> Nothing: ...


def original_name(image_key: str) -> str:
    return f"originals/{image_key}"


def thumbnail_name(image_key: str, width: int, format_: Format) -> str:
    return f"products/{image_key}/{width}.{'jpg' if format_ == 'jpeg' else format_}"


def media_type(format_: Format) -> str:
    return f"image/{format_}"
