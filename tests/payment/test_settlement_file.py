"""The provider's file as it may come: broken rows are told one by one, and the reading goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.support.settlement import MERCHANT, Row, a_file, at, paid, refunded

from kessai.contracts.paypay.settlement import BUSINESS, LAYOUTS, RECON, Column, Layout, Movement
from kessai.kernel.errors import Refused
from kessai.payment.domain.settlement_file import BrokenRow, FileRow, SettlementFile

HEADER = list(RECON.header.values())
GOOD = paid(1)


def chunks(content: bytes, size: int = 700) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def read(content: bytes | str, size: int = 700) -> list[FileRow | BrokenRow]:
    data = content if isinstance(content, bytes) else content.encode("cp932")
    return list(SettlementFile(chunks(data, size), MERCHANT).rows())


def refused(content: bytes | str) -> str:
    with pytest.raises(Refused) as caught:
        read(content)
    assert caught.value.code == "BAD_FILE"
    return caught.value.message


def with_cell(column: Column, text: str, row: Row = GOOD) -> str:
    cells = row.cells(RECON)
    cells[HEADER.index(RECON.header[column])] = text
    return a_file([cells])


def only(content: bytes | str) -> FileRow | BrokenRow:
    (row,) = read(content)
    return row


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("encoding", ["cp932", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_layout_in_each_encoding_means_the_same(
    layout: Layout, encoding: str, end: str
) -> None:
    content = a_file([paid(1), paid(2)], layout).replace("\n", end)
    first, second = read(content.encode(encoding))
    assert first == FileRow(2, Movement.COMPLETED, "pp1", paid(1).reference, 1000, at())
    assert isinstance(second, FileRow)
    assert second.number == 3


def test_columns_in_another_order_and_columns_that_nobody_knows() -> None:
    order = [*reversed(HEADER), "新しい列"]
    cells = [*reversed(GOOD.cells(RECON)), "何か"]
    text = ",".join(order) + "\n" + ",".join(f'"{c.replace(chr(34), chr(34) * 2)}"' for c in cells)
    assert only(text) == only(a_file([GOOD]))


@pytest.mark.parametrize(
    ("text", "yen"),
    [
        ("1200", 1200),
        ("1,200", 1200),
        ("¥1,200", 1200),
        ("￥１，２００", 1200),
        ("\\1200", 1200),
        ("1200円", 1200),
        (" 1200 ", 1200),
        ("１２００", 1200),
        ("99999999999", 99_999_999_999),
        ("99,999,999,999", 99_999_999_999),
        ("0001", 1),
    ],
)
def test_amounts_as_people_and_programs_write_them(text: str, yen: int) -> None:
    row = only(with_cell(Column.AMOUNT, text).encode("utf-8" if "¥" in text else "cp932"))
    assert isinstance(row, FileRow)
    assert row.amount_yen == yen


@pytest.mark.parametrize(
    ("column", "text", "why"),
    [
        (Column.AMOUNT, "", "empty"),
        (Column.AMOUNT, "0", "between"),
        (Column.AMOUNT, "-1200", "negative"),
        (Column.AMOUNT, "－１２００", "negative"),
        (Column.AMOUNT, "1200.0", "whole number"),
        (Column.AMOUNT, "1.2E+3", "whole number"),
        (Column.AMOUNT, "12,00", "whole number"),
        (Column.AMOUNT, "千二百", "whole number"),
        (Column.AMOUNT, "100000000000", "between"),
        (Column.AMOUNT, "9" * 5000, "whole number"),
        (Column.AMOUNT, "-￥-5", "negative"),
        (Column.STATUS, "", "empty"),
        (Column.STATUS, "新しい言葉", "unknown word"),
        (Column.AT, "", "empty"),
        (Column.AT, "yesterday", "date"),
        (Column.AT, "2026/02/30 10:00:00", "date"),
        (Column.AT, "2026/11/25 24:00:00", "date"),
        (Column.AT, "2026/11/25 10:61:00", "date"),
        (Column.AT, "0001/01/01 00:00:00", "date|millennium"),
        (Column.AT, "2026/11/25 10:00:00 somewhere", "date"),
        (Column.AT, "46351.5", "date"),
        (Column.PAYMENT_ID, "", "empty"),
        (Column.PAYMENT_ID, "1.23457E+18", "spreadsheet"),
        (Column.PAYMENT_ID, "x" * 65, "longer"),
        (Column.REFERENCE, "x" * 65, "longer"),
        (Column.PAYMENT_ID, "a\tb", "control"),
        (Column.MERCHANT_ID, "somebody", "another merchant"),
    ],
)
def test_a_broken_cell_is_told_by_row_and_column(column: Column, text: str, why: str) -> None:
    row = only(with_cell(column, text))
    assert isinstance(row, BrokenRow)
    assert (row.number, row.column) == (2, RECON.header[column])
    assert any(part in row.why for part in why.split("|"))
    assert len(row.why) < 200


@pytest.mark.parametrize("amount", ["-300", "300", "－３００", "▲300", "-¥300", "¥-300"])
def test_a_refund_may_have_a_sign_or_none(amount: str) -> None:
    content = with_cell(Column.AMOUNT, amount, refunded(1, 300)).encode(
        "utf-8" if "¥" in amount else "cp932"
    )
    row = only(content)
    assert isinstance(row, FileRow)
    assert (row.movement, row.amount_yen) == (Movement.REFUNDED, 300)


@pytest.mark.parametrize(
    "text",
    [
        "2026/11/25 9:05:07",
        "2026-11-25 09:05:07",
        "2026-11-25T09:05:07+09:00",
        "2026-11-25T00:05:07Z",
        "２０２６/１１/２５ ０９:０５:０７",
    ],
)
def test_times_without_a_zone_are_japans(text: str) -> None:
    row = only(with_cell(Column.AT, text))
    assert isinstance(row, FileRow)
    assert row.at_ms == at("09:05:07")


def test_the_same_day_is_read_alike_however_often() -> None:
    rows = read(a_file([paid(n, clock=f"{n:02d}:00:{n:02d}") for n in range(24)]))
    assert [row.at_ms for row in rows if isinstance(row, FileRow)] == [
        at(f"{n:02d}:00:{n:02d}") for n in range(24)
    ]
    late = a_file([GOOD, replace(GOOD, at="2026/11/25 23:59:60"), GOOD])
    assert [type(row) for row in read(late)] == [FileRow, BrokenRow, FileRow]


def test_a_zone_is_not_taken_for_seconds() -> None:
    texts = ["2026-11-25T10:00+09", "2026-11-25T10:00+08", "2026-11-25T10:00+09"]
    rows = read(a_file([replace(GOOD, at=text) for text in texts]))
    assert [row.at_ms for row in rows if isinstance(row, FileRow)] == [
        at("10:00:00"),
        at("11:00:00"),
        at("10:00:00"),
    ]


def between(line: bytes) -> list[BrokenRow]:
    """The line between two good rows, which must both be read."""
    header, good = a_file([GOOD]).encode("cp932").splitlines()
    rows = read(b"\n".join([header, good, line, good, good]))
    assert [row.number for row in rows if isinstance(row, FileRow)][-1] == 5
    return [row for row in rows if isinstance(row, BrokenRow)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"a,b,c", "3 cells"),
        (b",".join([b"a"] * 14), "14 cells"),
        (b"a\x00b,c", "NUL"),
        (b"\x81,\x81", "text"),
        (b'"never closed,b,c', "CSV"),
        (b'a,"b"c,d', "CSV"),
        (b"x" * 70_000, "longer than"),
    ],
)
def test_a_broken_line_disturbs_no_other(line: bytes, why: str) -> None:
    (row,) = between(line)
    assert row.number == 3
    assert why in row.why


AMONG_MANY = {
    40: b"a,b,c",
    41: b"a\x00b,c",
    900: b"\x81,\x81",
    901: b'"never closed,b,c',
    1400: b"",
    1401: b"   ",
    1500: b"x" * 70_000,
    1501: b"y" * 700_000,
    2999: b'a,"b"c,d',
}


@pytest.mark.parametrize("size", [1000, 1 << 15, 1 << 18, 1 << 24])
def test_among_many_rows_each_is_told_by_its_own_number(size: int) -> None:
    rows = [paid(n) if n % 7 else refunded(n, 1 + n) for n in range(3001)]
    lines = a_file(rows).encode("cp932").splitlines()
    for number, line in AMONG_MANY.items():
        lines[number - 1] = line
    found = read(b"\n".join(lines), size)
    bad = {row.number: row.why for row in found if isinstance(row, BrokenRow)}
    assert list(bad) == [number for number, line in AMONG_MANY.items() if line.strip()]
    assert bad == {number: between(AMONG_MANY[number])[0].why for number in bad}
    good = {row.number: row for row in found if isinstance(row, FileRow)}
    assert list(good) == [n for n in range(2, 3003) if n not in AMONG_MANY]
    for number, row in good.items():
        wanted = rows[number - 2]
        assert (row.movement, row.payment_id) == (wanted.movement, wanted.payment_id)
        assert row.amount_yen == abs(int(wanted.amount))


@pytest.mark.parametrize("row", [2, 700, 3000])
def test_a_broken_cell_among_many_disturbs_no_other(row: int) -> None:
    rows = [paid(n).cells(RECON) for n in range(3000)]
    rows[row - 2][HEADER.index("取引金額")] = "1.5"
    found = read(a_file(rows), 1 << 15)
    assert [one.number for one in found if isinstance(one, BrokenRow)] == [row]
    assert [one.number for one in found] == list(range(2, 3002))


def test_each_row_may_have_line_breaks() -> None:
    rows = [paid(n).cells(RECON) for n in range(2000)]
    for cells in rows:
        cells[HEADER.index("店舗名")] = "銀座店\n二階"
    found = read(a_file(rows), 1 << 15)
    assert [one.number for one in found if isinstance(one, FileRow)] == list(range(2, 4002, 2))


def test_blank_lines_are_no_rows() -> None:
    assert between(b"") == between(b"   ") == between(b"\r") == []


def test_a_line_of_ten_megabytes_is_one_broken_row_and_is_not_kept() -> None:
    header, good = a_file([GOOD]).encode("cp932").splitlines()
    sizes: list[int] = []

    def pieces() -> Iterator[bytes]:
        yield header + b"\n" + good + b"\n"
        for _ in range(160):
            yield b"9" * 65536
            sizes.append(65536)
        yield b"\n" + good + b"\n"

    rows = list(SettlementFile(pieces(), MERCHANT).rows())
    assert sum(sizes) > 10_000_000
    assert [type(row) for row in rows] == [FileRow, BrokenRow, FileRow]
    assert [row.number for row in rows] == [2, 3, 4]


def test_a_cell_may_have_line_breaks() -> None:
    cells = GOOD.cells(RECON)
    cells[HEADER.index("店舗名")] = "銀座店\n二階"
    first, second = read(a_file([cells, GOOD]))
    assert isinstance(first, FileRow)
    assert isinstance(second, FileRow)
    assert second.number == 4


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"\n\n\n", "header"),
        (b"a,b,c\n1,2,3\n", "lacks"),
        ("決済番号,取引ステータス,取引日時,マーチャント決済ID\n".encode("cp932"), "取引金額"),
        (",".join([*HEADER, "決済番号"]).encode("cp932"), "twice"),
        ("\ufeff".encode("utf-16-le") + a_file([GOOD]).encode("utf-16-le"), "UTF-16"),
        (b"PK\x03\x04" + bytes(range(256)) * 50, "header"),
        (b"\x1f\x8b\x08\x00" + bytes(255), "header"),
        (a_file([GOOD]).encode("euc-jp"), "header|lacks"),
        (b"x" * 200_000, "longer"),
        (b'"' * 100_001, "header"),
    ],
)
def test_what_is_no_settlement_file_is_refused_in_one_line(content: bytes, why: str) -> None:
    message = refused(content)
    assert any(part in message for part in why.split("|"))
    assert "\n" not in message
    assert len(message) < 300


def test_a_header_alone_is_a_day_without_payments() -> None:
    assert read(a_file([])) == []


def test_an_absent_reference_is_none() -> None:
    for text in ("", "-", "–"):
        content = with_cell(Column.REFERENCE, text)
        row = only(content.encode("utf-8"))
        assert isinstance(row, FileRow)
        assert row.reference == ""


def test_another_currency_is_kept_for_the_comparison() -> None:
    text = a_file([GOOD], BUSINESS).splitlines()
    row = only(f"{text[0]},通貨\n{text[1]},USD")
    assert isinstance(row, FileRow)
    assert row.currency == "USD"


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 16])
def test_pieces_of_any_size_are_the_same_file(size: int) -> None:
    content = a_file([paid(number) for number in range(20)]).encode("cp932")
    assert read(content, size) == read(content)
