"""A product as an index keeps it: tokens for each field, what filters ask for, what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kessai.contracts.search import FoundProduct
from kessai.contracts.wire import Wire

# Raised with every change of the analysis: an index that was made otherwise is built anew.
ANALYSIS_VERSION: Final = 5
# Every text field holds tokens between blanks, made by `search.domain.analysis` alone.
TEXT_FIELDS: Final = (
    "title",
    "single",
    "names",
    "reading",
    "whole",
    "prefix",
    "category",
    "text",
    "rank",
)


class Shown(Wire):
    """What is shown of a product; and of each word of its title how long it is and how it sounds,
    so that nobody asks a dictionary again to mark what was found."""

    product: FoundProduct
    lengths: tuple[int, ...] = ()
    readings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """`tokens` by the names of `TEXT_FIELDS`; `words` are for suggestions, as they are shown.

    `level` is what a list without words is ordered by, the highest first.
    `shown` is a `Shown` as JSON. What is not `on_sale` is kept with its version, so that a late
    event does not bring it back, and never found; its tokens and words are not even kept.
    """

    product_id: int
    version: int
    on_sale: bool
    tokens: Mapping[str, str]
    words: tuple[str, ...]
    category_id: int
    category_name: str
    price: int
    in_stock: bool
    created_at_ms: int
    shown: bytes
    level: int = 0
