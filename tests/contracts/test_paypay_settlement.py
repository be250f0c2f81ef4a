"""The day's file: told apart by its header, its times and its words, as PayPay publishes them."""

from __future__ import annotations

from datetime import date

import pytest

from kessai.contracts.paypay.settlement import (
    BUSINESS,
    ENCODING,
    LAYOUTS,
    PREAUTH,
    RECON,
    Column,
    Layout,
    Movement,
    day_of,
    file_name,
    layout_of,
    movement_of,
    read_at,
    span_of,
    written_at,
)

NOON_MS = 1_800_000_000_000


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_layout_is_known_by_its_header_in_any_order(layout: Layout) -> None:
    header = list(layout.header.values())
    assert layout_of(header) is layout
    assert layout_of([*reversed(header), "new"]) is layout
    assert layout_of([name for name in header if name != layout.header[Column.AMOUNT]]) is None


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_times_and_words_come_back_as_they_were_written(layout: Layout) -> None:
    assert read_at(written_at(layout, NOON_MS)) == NOON_MS
    for movement, word in layout.words.items():
        assert movement_of(layout, word) is movement
        assert word.encode(ENCODING).decode(ENCODING) == word
    assert movement_of(layout, "新しい言葉") is None
    with pytest.raises(ValueError):
        read_at("yesterday")


def test_the_published_samples_are_read() -> None:
    assert read_at("2020-01-30T10:53:25+09:00") == 1_580_349_205_000
    assert read_at("2023/10/01 19:00:00") == 1_696_154_400_000
    assert movement_of(RECON, "返金完了") is Movement.REFUNDED
    assert movement_of(BUSINESS, "取引受付有効期限切れ") is Movement.EXPIRED
    assert movement_of(PREAUTH, "CANCELED") is Movement.CANCELED
    name = file_name(PREAUTH, "000000000000008181", date(2020, 1, 30))
    assert name == "preauth_transaction_000000000000008181_20200130000000_20200130235959_v2.csv"


def test_a_business_day_is_japans() -> None:
    first_ms, next_ms = span_of(date(2027, 1, 15))
    assert next_ms - first_ms == 86_400_000
    assert [day_of(at_ms) for at_ms in (first_ms - 1, first_ms, next_ms - 1, next_ms)] == [
        date(2027, 1, 14),
        date(2027, 1, 15),
        date(2027, 1, 15),
        date(2027, 1, 16),
    ]
