"""A product as an index keeps it: tokens for each field, what filters ask for, what is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from pydantic import BaseModel

from kessai.contracts.search import FoundProduct
from kessai.contracts.storage import Names

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


_FIELDS: Final[dict[type[BaseModel], set[str]]] = {
    one: set(one.model_fields) for one in (FoundProduct, Names)
}


class Shown(NamedTuple):
    """What is shown of a product; and of each word of its title how long it is and how it sounds,
    so that nobody asks a dictionary again to mark what was found."""

    product: FoundProduct
    spoken: bytes

    @classmethod
    def read(cls, document: bytes) -> Shown:
        text, _, spoken = document.partition(b"\n")
        product = FoundProduct.model_validate_json(text)
        _share_names(product, FoundProduct)
        _share_names(product.titles, Names)
        return cls(product, spoken)

    def words(self) -> Iterator[tuple[int, str]]:
        """Read only when they are asked for: most of what is found was found as it was typed."""
        for word in self.spoken.decode().split():
            length, _, reading = word.partition(":")
            yield int(length), reading


def with_highlight(product: FoundProduct, html: str) -> FoundProduct:
    """Half the time that a copy with an update takes: a page has many."""
    made = FoundProduct.model_validate({**vars(product), "highlight": html})
    _share_names(made, FoundProduct)
    return made


def _share_names(made: BaseModel, of: type[BaseModel]) -> None:
    """Each has a set of the names of its fields, which takes more room than all the rest of it,
    and thousands are kept."""
    object.__setattr__(made, "__pydantic_fields_set__", _FIELDS[of])


def to_show(product: FoundProduct, words: Iterable[tuple[int, str]]) -> bytes:
    """A line of JSON and a line of words, for `Shown.read`."""
    shown = product.model_dump_json(by_alias=True, exclude_none=True)
    spoken = " ".join(f"{length}:{''.join(reading.split())}" for length, reading in words)
    return f"{shown}\n{spoken}".encode()


@dataclass(frozen=True, slots=True)
class Document:
    """`tokens` by the names of `TEXT_FIELDS`; `words` are for suggestions, as they are shown.

    `level` is what a list without words is ordered by, the highest first.
    `shown` is what `to_show` made. What is not `on_sale` is kept with its version, so that a late
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
