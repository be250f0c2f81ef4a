"""A product as an index keeps it: tokens for each field, what filters ask for, what is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from pydantic import TypeAdapter

from kessai.contracts.search import FoundProduct

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


_PRODUCTS: Final = TypeAdapter(tuple[FoundProduct, ...])
# A title without a letter that JSON escapes.
_PLAIN_TITLE: Final = re.compile(r'"title":"([^"\\]*)"')
_quoted: Final = json.JSONEncoder(ensure_ascii=False).encode


class Shown(NamedTuple):
    """What is shown of a product, as JSON; and of each word of its title how long it is and how it
    sounds, so that nobody asks a dictionary again to mark what was found."""

    text: str
    spoken: str

    @classmethod
    def read(cls, document: bytes) -> Shown:
        text, _, spoken = document.decode().partition("\n")
        return cls(text, spoken)

    @property
    def title(self) -> str:
        found = _PLAIN_TITLE.search(self.text)
        return found[1] if found else str(json.loads(self.text)["title"])

    def words(self) -> Iterator[tuple[int, str]]:
        """Read only when they are asked for: most of what is found was found as it was typed."""
        for word in self.spoken.split():
            length, _, reading = word.partition(":")
            yield int(length), reading

    def with_highlight(self, html: str) -> Shown:
        return Shown(f'{self.text[:-1]},"highlight":{_quoted(html)}}}', self.spoken)


def products(page: Iterable[Shown]) -> tuple[FoundProduct, ...]:
    """All at once: one by one they take three times as long."""
    return _PRODUCTS.validate_json(f"[{','.join([shown.text for shown in page])}]")


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
