"""Catalogue rows as JSON lines: the same products as in a CSV, and as clear about what is wrong."""

from __future__ import annotations

import json

import pytest

from kessai.contracts.storage import BadRow
from kessai.storage.domain.catalogue_file import CatalogueRow, understood
from kessai.storage.domain.catalogue_json import COLUMNS, JsonRows, write_object

POT = {
    "productId": 7,
    "title": "茶碗",
    "description": "白い碗\n二行目",
    "price": 1200,
    "status": "ACTIVE",
    "createdAt": "2026-01-05T00:00:00Z",
    "imageFile": "bowl.png",
    "category": "器",
    "stock": 4,
    "titleEn": "Bowl, white",
    "titleZh": "碗",
    "reading": "ちゃわん",
    "categoryEn": "Ware",
    "categoryZh": "器皿",
}


def read(*lines: str) -> list[CatalogueRow | BadRow]:
    rows = understood(COLUMNS, JsonRows(lines).raw())
    return [found if isinstance(found, BadRow) else found[1] for found in rows]


def test_every_field_arrives() -> None:
    assert read(json.dumps(POT)) == [
        CatalogueRow(
            product_id=7,
            title="茶碗",
            description="白い碗\n二行目",
            price=1200,
            status="ACTIVE",
            created_at_ms=1_767_571_200_000,
            image_file="bowl.png",
            category="器",
            stock=4,
            title_en="Bowl, white",
            title_zh="碗",
            reading="ちゃわん",
            category_en="Ware",
            category_zh="器皿",
        )
    ]


def test_what_is_missing_null_or_a_number_in_quotes_is_as_in_a_csv() -> None:
    short = '{"productId": "7", "title": "碗", "price": "100", "status": "inactive",'
    short += ' "createdAt": "2026-01-05", "stock": null}'
    [row] = read(short)
    assert isinstance(row, CatalogueRow)
    assert (row.product_id, row.price, row.status, row.stock) == (7, 100, "INACTIVE", None)
    assert (row.description, row.image_file, row.category) == ("", None, None)


BAD = [
    ({"productId": None}, "productId", "is empty"),
    ({"productId": True}, "productId", "is not a number"),
    ({"productId": [7]}, "productId", "is not a number"),
    ({"price": 12.5}, "price", "is not a whole number"),
    ({"price": -1}, "price", "is not a whole number"),
    ({"price": 10**30}, "price", "is not a whole number"),
    ({"title": 7}, "title", "is not text"),
    ({"title": {"ja": "碗"}}, "title", "is not text"),
    ({"title": "茶\x1b[2J碗"}, "title", "has a control character"),
    ({"title": "茶\ud800"}, "title", "has a control character"),
    ({"imageFile": "../bowl.png"}, "imageFile", "is not a plain file name"),
    ({"stock": 1_000_001}, "stock", "is not between 0 and 1000000"),
]


@pytest.mark.parametrize(("change", "column", "why"), BAD)
def test_a_bad_object_is_named_and_disturbs_no_other(
    change: dict[str, object], column: str, why: str
) -> None:
    other = {**POT, "productId": 8}
    found = read(json.dumps(other), json.dumps({**POT, **change}), json.dumps(POT))
    assert [isinstance(row, BadRow) for row in found] == [False, True, False]
    assert found[1] == BadRow(row=2, column=column, why=why)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "not readable as JSON: Expecting property name enclosed in double quotes"),
        ("productId,title", "not readable as JSON: Expecting value"),
        ("[" * 200_000, "not readable as JSON: too large or too deep"),
        ('{"price": ' + "9" * 5_000 + "}", "not readable as JSON: too large or too deep"),
        ("[1, 2]", "is not a JSON object"),
        ("null", "is not a JSON object"),
        ("NaN", "is not a JSON object"),
    ],
)
def test_a_line_that_is_no_object_says_so(line: str, why: str) -> None:
    assert read("", line, json.dumps(POT))[0] == BadRow(row=2, column="", why=why)


def test_a_field_that_nobody_knows_is_no_slip_that_passes() -> None:
    [bad] = read(json.dumps({**POT, "stok": 4, "\x1b[2J": 1}))
    assert isinstance(bad, BadRow)
    assert bad.why.startswith("has an unknown field 'stok'; known: productId, title,")


def test_a_product_that_comes_twice_is_named_by_its_line() -> None:
    line = json.dumps(POT)
    assert read(line, "", line)[1] == BadRow(row=3, column="productId", why="repeats row 1")


def test_what_is_written_is_read_back() -> None:
    cells = tuple("" if POT[name] is None else str(POT[name]) for name in COLUMNS)
    assert json.loads(write_object(cells)) == POT
    bare = tuple("7" if name == "productId" else "" for name in COLUMNS)
    assert json.loads(write_object(bare)) == {"productId": 7}
