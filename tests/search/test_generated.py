"""The catalogue that benchmarks are run on: the same by seed, and every row a good one."""

from __future__ import annotations

import io
import re
from collections import Counter

from bench.catalogue import HEADER, products, write
from bench.catalogue_words import CATEGORIES, COLOURS, MADE_OF, MAKERS, THINGS

from kessai.contracts.storage import BadRow
from kessai.storage.domain.catalogue_file import CatalogueFile, CatalogueRow, FileLimits

COUNT = 5_000
_KANA = re.compile(r"[\u3041-\u3096\u30fc]+")
_LATIN = re.compile(r"[\x20-\x7e]+")


def as_csv(count: int, seed: int) -> str:
    out = io.StringIO()
    write(out, count, seed)
    return out.getvalue()


def test_one_seed_is_one_catalogue_and_another_another() -> None:
    first = as_csv(COUNT, 7)
    assert as_csv(COUNT, 7) == first
    assert as_csv(COUNT, 8) != first
    assert first.startswith(as_csv(100, 7))


def test_a_catalogue_comes_one_by_one() -> None:
    assert next(products(10**9)).product_id == next(products(1)).product_id


def test_every_row_passes_the_checks_of_the_import() -> None:
    rows: list[CatalogueRow] = []
    for found in CatalogueFile(as_csv(COUNT, 3).encode(), FileLimits()).rows():
        assert not isinstance(found, BadRow), found
        rows.append(found[1])
    assert len(rows) == len({row.product_id for row in rows}) == COUNT
    assert all(40 <= len(row.description) <= 80 for row in rows)
    assert all(_KANA.fullmatch(row.reading or "") for row in rows)
    assert all(_LATIN.fullmatch(row.title_en or "") for row in rows)
    assert {row.category for row in rows} == set(CATEGORIES)
    assert 0 < sum(row.stock == 0 for row in rows) < COUNT / 5
    assert 0 < sum(row.status == "INACTIVE" for row in rows) < COUNT / 5
    assert len({row.title for row in rows}) > COUNT * 0.95
    assert len(HEADER) == 14


def test_words_are_whole() -> None:
    words = [*COLOURS, *MAKERS, *(thing.word for thing in THINGS)]
    words += [word for made in MADE_OF.values() for word in made]
    assert all(_KANA.fullmatch(word.kana) for word in words)
    assert all(_LATIN.fullmatch(word.en) for word in words)
    assert all(word.ja and word.zh for word in words)
    names = Counter(thing.word.ja for thing in THINGS)
    assert max(names.values()) == 1
    assert all(thing.of in MADE_OF and thing.category in CATEGORIES for thing in THINGS)
    assert all(0 < thing.lowest_yen < thing.highest_yen for thing in THINGS)
