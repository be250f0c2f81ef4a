"""A catalogue file: good rows go in, bad ones are named, and a re-run changes nothing."""

from __future__ import annotations

import pytest
from tests.support.storage import HEADER, Shelf, a_row, a_storage

from kessai.contracts.storage import BadRow, ImportCatalogue, Imported
from kessai.kernel.errors import Kind, Refused
from kessai.storage.domain.catalogue_file import CatalogueFile, FileLimits

GOOD = "7,茶碗,白い碗,1200,ACTIVE,2026-01-05T00:00:00Z,bowl.png,器,4"


async def test_all_columns_arrive() -> None:
    async with a_storage() as story:
        header = f"{HEADER},titleEn,titleZh,reading,categoryEn,categoryZh"
        assert await story.load(f"{GOOD},Bowl,碗,ちゃわん,Ware,器皿", header=header) == Imported(
            created=1, changed=0, unchanged=0, bad=()
        )
        [product] = await story.rows("SELECT * FROM product")
        assert (product["title"], product["title_en"], product["title_zh"]) == (
            "茶碗",
            "Bowl",
            "碗",
        )
        assert (product["price"], product["status"], product["image_file"]) == (
            1200,
            "ACTIVE",
            "bowl.png",
        )
        assert product["created_at_ms"] == 1_767_571_200_000
        [category] = await story.rows("SELECT * FROM category")
        assert (category["name"], category["name_en"], category["name_zh"]) == (
            "器",
            "Ware",
            "器皿",
        )
        assert await story.shelf(7) == Shelf(4, 4, 0, 0)
        assert await story.disagreements() == []


async def test_only_the_required_columns_are_needed() -> None:
    async with a_storage() as story:
        header = "imageFile,createdAt,status,price,description,title,productId"
        loaded = await story.load(",2026-01-05,inactive,100,,名,7", header=header)
        assert (loaded.created, loaded.bad) == (1, ())
        [product] = await story.rows("SELECT status, imported_stock, image_file FROM product")
        assert product == {"status": "INACTIVE", "imported_stock": None, "image_file": None}
        assert [row["name"] for row in await story.rows("SELECT name FROM category")] == ["その他"]
        assert await story.shelf(7) == Shelf(0, 0, 0, 0)


async def test_a_second_run_changes_nothing_even_after_sales() -> None:
    async with a_storage() as story:
        rows = [a_row(n, stock=5) for n in range(1, 9)]
        assert (await story.load(*rows)).created == 8
        await story.reserve("sold", (1, 2))
        await story.confirm("sold")
        await story.reserve("open", (1, 1))
        before = await story.rows("SELECT * FROM stock")
        assert await story.load(*rows) == Imported(created=0, changed=0, unchanged=8, bad=())
        assert await story.rows("SELECT * FROM stock") == before
        assert await story.disagreements() == []


async def test_a_new_figure_sets_what_can_be_bought_and_leaves_what_is_reserved() -> None:
    async with a_storage({1: 5}) as story:
        await story.reserve("open", (1, 2))
        assert (await story.load(a_row(1, stock=20))).changed == 1
        assert await story.shelf(1) == Shelf(on_hand=22, available=20, reserved=2, sold=0)
        assert (await story.load(a_row(1, stock=0))).changed == 1
        assert await story.shelf(1) == Shelf(on_hand=2, available=0, reserved=2, sold=0)
        await story.confirm("open")
        assert await story.shelf(1) == Shelf(0, 0, 0, 2)
        # Without a figure the file says nothing about stock.
        assert (await story.load(a_row(1, stock="", price=700))).changed == 1
        assert await story.shelf(1) == Shelf(0, 0, 0, 2)
        assert (await story.load(a_row(1, stock=0, price=700))).unchanged == 1
        assert await story.disagreements() == []


async def test_a_changed_row_changes_its_product_and_its_version() -> None:
    async with a_storage({1: 5, 2: 5}) as story:
        await story.rows("SELECT 1")
        [before] = await story.rows("SELECT version FROM stock WHERE product_id = 1")
        loaded = await story.load(a_row(1, stock=5, title="新しい名"), a_row(2, stock=5))
        assert (loaded.changed, loaded.unchanged) == (1, 1)
        [after] = await story.rows("SELECT version FROM stock WHERE product_id = 1")
        assert after["version"] > before["version"]
        [product] = await story.rows("SELECT title FROM product WHERE product_id = 1")
        assert product == {"title": "新しい名"}


async def test_a_dry_run_tells_and_writes_nothing() -> None:
    async with a_storage({1: 5}) as story:
        content = "\n".join((HEADER, a_row(1, price=1), a_row(2), "x")).encode()
        found = await story.storage.import_catalogue(ImportCatalogue(csv=content, dry_run=True))
        assert (found.created, found.changed, found.unchanged) == (1, 1, 0)
        assert [bad.row for bad in found.bad] == [4]
        assert await story.rows("SELECT product_id, price FROM product") == [
            {"product_id": 1, "price": 500}
        ]


BAD_ROWS = [
    (GOOD.replace("7,", ",", 1), "productId", "is empty"),
    (GOOD.replace("7,", "0,", 1), "productId", "is not between 1 and 9007199254740991"),
    (GOOD.replace("7,", "-7,", 1), "productId", "is not a whole number"),
    (GOOD.replace("7,", "七,", 1), "productId", "is not a whole number"),
    (GOOD.replace("7,", "９,", 1), "productId", "is not a whole number"),
    (GOOD.replace("7,", "1,", 1), "productId", "repeats row 2"),
    (GOOD.replace("茶碗", "  "), "title", "is empty"),
    (GOOD.replace("茶碗", "長" * 201), "title", "is longer than 200 characters"),
    (GOOD.replace("茶碗", "茶\x00碗"), "title", "has a control character"),
    (GOOD.replace("茶碗", "茶\x1b[2J碗"), "title", "has a control character"),
    (GOOD.replace("茶碗", "茶\u202e碗"), "title", "has a control character"),
    (GOOD.replace("茶碗", '"茶\n碗"'), "title", "has a control character"),
    (GOOD.replace("白い碗", "長" * 4001), "description", "is longer than 4000 characters"),
    (GOOD.replace("1200", "0"), "price", "is not between 1 and 99999999999"),
    (GOOD.replace("1200", "12.5"), "price", "is not a whole number"),
    (GOOD.replace("1200", '"1,200"'), "price", "is not a whole number"),
    (GOOD.replace("1200", "=1+1"), "price", "is not a whole number"),
    (GOOD.replace("1200", "1e3"), "price", "is not a whole number"),
    (GOOD.replace("1200", "100000000000"), "price", "is not between 1 and 99999999999"),
    (GOOD.replace("ACTIVE", "SOON"), "status", "is not one of ACTIVE, INACTIVE"),
    (GOOD.replace("2026-01-05T00:00:00Z", "soon"), "createdAt", "is not an ISO 8601 date or time"),
    (
        GOOD.replace("2026-01-05T00", "1969-12-31T00"),
        "createdAt",
        "is not between the years 1970 and 9998",
    ),
    (GOOD.replace("bowl.png", "../bowl.png"), "imageFile", "is not a plain file name"),
    (GOOD.replace("bowl.png", "C:\\bowl.png"), "imageFile", "is not a plain file name"),
    (GOOD.replace("bowl.png", ".."), "imageFile", "is not a plain file name"),
    (GOOD.replace("器,4", "器" * 81 + ",4"), "category", "is longer than 80 characters"),
    (GOOD.replace("器,4", "器,-1"), "stock", "is not a whole number"),
    (GOOD.replace("器,4", "器,1000001"), "stock", "is not between 0 and 1000000"),
    (GOOD.replace(",器,4", ""), "", "has 7 cells, the header has 9"),
    (GOOD + ",", "", "has 10 cells, the header has 9"),
]


@pytest.mark.parametrize(("row", "column", "why"), BAD_ROWS)
async def test_a_bad_row_is_named_and_disturbs_no_other(row: str, column: str, why: str) -> None:
    async with a_storage() as story:
        loaded = await story.load(a_row(1), row, a_row(2))
        assert loaded.bad == (BadRow(row=3, column=column, why=why),)
        assert loaded.created == 2
        kept = await story.rows("SELECT product_id FROM product ORDER BY product_id")
        assert [row["product_id"] for row in kept] == [1, 2]


async def test_broken_quotes_cost_the_rows_they_swallow_and_no_more() -> None:
    async with a_storage() as story:
        loaded = await story.load(a_row(1), '2,"茶"碗,x,1,ACTIVE,2026-01-05,,器,1', a_row(3))
        assert [(bad.row, bad.column) for bad in loaded.bad] == [(3, "")]
        assert loaded.created == 2
        loaded = await story.load(a_row(1), '2,"茶碗,x,1,ACTIVE,2026-01-05,,器,1', a_row(4))
        assert [(bad.row, bad.column) for bad in loaded.bad] == [(3, "")]
        assert (loaded.created, loaded.unchanged) == (0, 1)


async def test_cells_that_begin_like_formulas_are_text() -> None:
    names = ("=HYPERLINK(1)", "+1", "-1", "@SUM(A1)")
    async with a_storage() as story:
        rows = [a_row(number, title=f'"{name}"') for number, name in enumerate(names, 1)]
        assert (await story.load(*rows)).created == 4
        kept = await story.rows("SELECT title FROM product ORDER BY product_id")
        assert tuple(row["title"] for row in kept) == names


async def test_row_numbers_are_those_of_a_spreadsheet() -> None:
    async with a_storage() as story:
        two_lines = '1,"品","一行目\n二行目",500,ACTIVE,2026-01-05,,台所,1'
        loaded = await story.load(two_lines, "", "bad", a_row(2))
        assert loaded.bad == (BadRow(row=4, column="", why="has 1 cells, the header has 9"),)
        [product] = await story.rows("SELECT description FROM product WHERE product_id = 1")
        assert product["description"] == "一行目\n二行目"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
async def test_any_spreadsheets_utf8_is_read(mark: bytes, line_end: str) -> None:
    async with a_storage() as story:
        content = mark + line_end.join((HEADER, GOOD, "")).encode()
        found = await story.storage.import_catalogue(ImportCatalogue(csv=content))
        assert (found.created, found.bad) == (1, ())


NO_FILES = [
    (f"{HEADER}\n{GOOD}".encode("shift_jis"), "the file is not UTF-8 (at byte 78)"),
    (b"", "the header lacks productId, title"),
    (HEADER.replace("price,", "").encode(), "the header lacks price"),
    (f"{HEADER},stok".encode(), "unknown column 'stok'"),
    (f"{HEADER},price".encode(), "the header has price twice"),
    (b'"productId\n', "the header is not readable as CSV"),
]


@pytest.mark.parametrize(("content", "why"), NO_FILES)
async def test_what_is_no_such_file_is_refused_as_a_whole(content: bytes, why: str) -> None:
    async with a_storage() as story:
        with pytest.raises(Refused) as refused:
            await story.storage.import_catalogue(ImportCatalogue(csv=content))
        assert refused.value.code == "VALIDATION"
        assert refused.value.message.startswith(why)
        assert await story.rows("SELECT * FROM product") == []


async def test_a_file_has_limits() -> None:
    async with a_storage(limits=FileLimits(max_bytes=500, max_rows=3)) as story:
        with pytest.raises(Refused) as refused:
            await story.load(a_row(1, title="長" * 200))
        assert refused.value.kind is Kind.TOO_LARGE
        loaded = await story.load(*(a_row(n, title="x") for n in range(1, 6)))
        assert loaded.created == 3
        assert [(bad.row, bad.why) for bad in loaded.bad] == [
            (5, "the file has more than 3 rows; this and later ones were left out")
        ]


async def test_a_large_file_goes_in_by_small_transactions() -> None:
    async with a_storage() as story:
        story.db.transactions.clear()
        loaded = await story.load(*(a_row(n) for n in range(1, 11)))
        assert loaded.created == 10
        assert len(story.db.transactions) == 4  # three rows each


def test_the_answer_does_not_depend_on_what_was_read_before() -> None:
    content = f"{HEADER}\n{GOOD}\n{GOOD}".encode()
    twice = [list(CatalogueFile(content, FileLimits()).rows()) for _ in range(2)]
    assert twice[0] == twice[1]
    assert len(twice[0]) == 2


async def test_an_import_has_the_right_of_way_until_its_pieces_stop_coming() -> None:
    async with a_storage() as story:
        assert not story.imports.is_running
        await story.load(a_row(1))
        assert story.imports.is_running
        story.clock.ms += 1000
        assert not story.imports.is_running


async def test_what_is_known_already_is_only_read() -> None:
    async with a_storage({1: 5, 2: 5}) as story:
        story.db.transactions.clear()
        assert (await story.load(a_row(1, stock=5), a_row(2, stock=5))).unchanged == 2
        assert story.db.transactions == []
        assert (await story.load(a_row(1, stock=5), a_row(2, stock=6))).changed == 1
        assert len(story.db.transactions) == 1
