"""The provider's file against our books: each kind of difference, on the right day, told once."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.support.mariadb import MARIADB, mysql_url
from tests.support.settlement import (
    DAY,
    Desk,
    a_desk,
    a_file,
    an_order,
    at,
    failed,
    paid,
    refunded,
    seen,
)

from kessai.contracts.paypay.settlement import (
    BUSINESS,
    LAYOUTS,
    PREAUTH,
    RECON,
    Layout,
    Movement,
    written_at,
)
from kessai.kernel.errors import Refused
from kessai.payment.application.reconcile_work import Limits
from kessai.payment.domain.settlement import DifferenceKind

__all__ = ["mysql_url"]
NEXT = date(2026, 11, 26)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(tmp_path) as made:
        yield made


async def bad_file(desk: Desk, rows: object, **asked: object) -> str:
    with pytest.raises(Refused) as caught:
        await desk.run(rows, **asked)  # type: ignore[arg-type]
    assert caught.value.code == "BAD_FILE"
    assert await desk.signals() == []
    return caught.value.message


async def test_a_day_that_agrees_is_clean(desk: Desk, tmp_path: Path) -> None:
    for number in range(1, 4):
        await desk.paid(number)
    await desk.refunded(3, 400, at("15:00:00"), "refund-3")
    report = await desk.run([paid(1), paid(2), paid(3), refunded(3, 400)])
    assert seen(report) == []
    run = report.run
    assert (run.file_rows, run.matched, run.differences) == (4, 4, 0)
    assert (run.theirs_yen, run.ours_yen) == (2600, 2600)
    assert await desk.signals() == []
    assert os.listdir(tmp_path) == []


async def test_each_kind_of_difference(desk: Desk) -> None:
    for number in (1, 2, 3, 4, 5):
        await desk.paid(number)
    await desk.attempt(6, status="EXPIRED", captured_yen=0, payment_id=None)
    report = await desk.run(
        [
            paid(1),
            paid(1),
            paid(2, 999),
            paid(3, payment_id="other"),
            failed(4),
            paid(6),
            paid(77),
            paid(8, reference="another-system"),
        ]
    )
    assert sorted(seen(report)) == [
        ("DIFFERING", "amount", "OPERATOR"),
        ("DIFFERING", "payment_id", "ASK_PROVIDER"),
        ("DIFFERING", "status", "ASK_PROVIDER"),
        ("DIFFERING", "status", "ASK_PROVIDER"),
        ("DUPLICATE", "COMPLETED", "NEW_FILE"),
        ("MISSING_HERE", "COMPLETED", "OPERATOR"),
        ("MISSING_HERE", "COMPLETED", "REFUND"),
        ("MISSING_THERE", "CAPTURE", "ASK_PROVIDER"),
    ]
    amount = next(one for one in report.differences if one.what == "amount")
    assert (amount.theirs, amount.ours, amount.row) == ("999", "1000", 4)
    assert amount.order_id == an_order(2)
    missing = next(one for one in report.differences if one.kind == "MISSING_THERE")
    assert missing.merchant_payment_id == f"{an_order(5)}-1"
    # All that is no difference agrees: the first row of payment 1.
    assert report.run.matched == 1


async def test_a_second_payment_under_one_of_our_ids_is_told_by_its_own_id(desk: Desk) -> None:
    await desk.paid(1)
    report = await desk.run([paid(1), paid(1, payment_id="pp-second")])
    assert seen(report) == [("DIFFERING", "payment_id", "ASK_PROVIDER")]


async def test_refunds_by_their_own_id_by_amount_and_those_that_nobody_asked_for(
    desk: Desk,
) -> None:
    for number in (1, 2, 3, 4, 5):
        await desk.paid(number)
    await desk.refunded(1, 300, at("15:00:00"), "r1")
    await desk.refunded(1, 300, at("15:01:00"), "r2")
    await desk.refunded(2, 200, at("15:00:00"), "r3", status="ACCEPTED")
    await desk.refunded(3, 100, at("15:00:00"), "r4")
    await desk.refunded(5, 100, at("15:00:00"), "r5")
    report = await desk.run(
        [
            *(paid(number) for number in (1, 2, 3, 4, 5)),
            refunded(1, 300, reference="r2"),
            refunded(1, 300, clock="15:02:00"),
            refunded(1, 300, clock="15:03:00"),
            refunded(2, 200),
            refunded(3, 150),
            refunded(4, 50),
        ]
    )
    assert sorted(seen(report)) == [
        ("DIFFERING", "amount", "OPERATOR"),
        ("DIFFERING", "status", "ASK_PROVIDER"),
        ("DUPLICATE", "REFUNDED", "NEW_FILE"),
        ("MISSING_HERE", "REFUNDED", "OPERATOR"),
        ("MISSING_THERE", "REFUND", "ASK_PROVIDER"),
    ]
    assert report.run.matched == 7


async def test_days_end_at_midnight_in_japan(desk: Desk) -> None:
    await desk.paid(1, clock="23:59:59")
    await desk.refunded(1, 1000, at("00:00:01", NEXT), "r1")
    late = written_at(RECON, at("00:00:01", NEXT))
    first = await desk.run([paid(1, clock="23:59:59")])
    second = await desk.run([refunded(1, 1000, at=late)], day=NEXT)
    assert (first.run.differences, second.run.differences) == (0, 0)
    assert (first.run.ours_yen, second.run.ours_yen) == (1000, -1000)


async def test_a_cancelled_payment_is_right_on_whichever_day_it_went_back(desk: Desk) -> None:
    # Cancelled at ten past midnight, within PayPay's window: paid on the day, failed afterwards.
    await desk.paid(1, clock="23:59:59")
    await desk.returned(1, at("00:10:00", NEXT))
    assert seen(await desk.run([paid(1, clock="23:59:59")])) == []
    late = written_at(RECON, at("00:10:00", NEXT))
    assert seen(await desk.run([replace(failed(1), at=late)], day=NEXT)) == []
    # The file need not tell of it at all (PayPay's changelog of 2023-04-13).
    assert seen(await desk.run(a_file([]), day=NEXT)) == []
    assert seen(await desk.run(a_file([]))) == []


async def test_paid_there_and_gone_back_here_on_the_same_day_differs(desk: Desk) -> None:
    await desk.paid(1)
    await desk.returned(1, at("13:00:00"))
    assert seen(await desk.run([paid(1)])) == [("DIFFERING", "status", "ASK_PROVIDER")]
    both = await desk.run([paid(1), failed(1)])
    assert (seen(both), both.run.matched) == ([], 2)
    assert seen(await desk.run([failed(1)])) == []


async def test_a_refund_at_midnight_may_stand_in_the_neighbours_file(desk: Desk) -> None:
    await desk.paid(1)
    await desk.refunded(1, 100, at("23:59:59"), "early")
    await desk.refunded(1, 200, at("00:00:01", NEXT), "late")
    report = await desk.run([paid(1), refunded(1, 200, clock="23:59:58")])
    assert seen(report) == [("MISSING_THERE", "REFUND", "WAIT")]
    early = written_at(RECON, at("00:00:02", NEXT))
    assert seen(await desk.run([refunded(1, 100, at=early)], day=NEXT)) == []


async def test_the_same_file_again_changes_nothing_and_says_the_same(desk: Desk) -> None:
    await desk.paid(1)
    rows = [paid(1, 999), paid(2)]
    first = await desk.run(rows)
    told = await desk.signals()
    again = await desk.run(rows)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.run == first.run
    assert list(again.differences) == list(first.differences)
    assert await desk.signals() == told
    assert [one.signal for one in told] == ["SettlementDifference"] * 3
    assert len({one.event_id for one in told}) == 3
    assert [one.facts.get("kind") for one in told] == ["MISSING_HERE", "DIFFERING", None]
    assert {one.order_id for one in told} == {None}
    # Another file of the day repeats one difference: news are the other's end, and the summary.
    await desk.run([paid(1, 999)])
    more = (await desk.signals())[len(told) :]
    agree, differ = "SettlementAgrees", "SettlementDifference"
    assert [one.signal for one in more] == [agree, agree, differ]
    assert [one.facts["subject"] for one in more[:2]] == [
        told[2].facts["subject"],
        told[0].facts["subject"],
    ]
    assert "kind" not in more[2].facts
    # A file that agrees ends them all.
    await desk.run([paid(1)])
    ends = (await desk.signals())[len(told) + len(more) :]
    assert {one.signal for one in ends} == {agree}
    told_last = {told[1].facts["subject"], more[2].facts["subject"]}
    assert {one.facts["subject"] for one in ends} == told_last


async def test_a_dry_run_stores_and_tells_nothing_and_sees_the_books_of_now(desk: Desk) -> None:
    assert seen(await desk.run([paid(1)], dry_run=True)) == [
        ("MISSING_HERE", "COMPLETED", "REFUND")
    ]
    await desk.paid(1)
    assert seen(await desk.run([paid(1)], dry_run=True)) == []
    assert await desk.signals() == []
    async with desk.db.read() as tx:
        assert (await tx.run(text("SELECT * FROM settlement_run"))).all() == []


async def test_a_wrong_file_floods_nobody(tmp_path: Path) -> None:
    async with a_desk(tmp_path, limits=Limits(kept=50, signals=5)) as desk:
        for number in range(100):
            await desk.paid(number + 5000)
        report = await desk.run([paid(number) for number in range(1000)])
        assert (report.run.missing_here, report.run.missing_there) == (1000, 100)
        assert len(report.differences) == 50
        signals = await desk.signals()
        assert len(signals) == 6
        assert signals[-1].facts["missing_here"] == 1000


async def test_one_payment_in_ten_thousand_rows_is_one_difference_each(desk: Desk) -> None:
    await desk.paid(1)
    report = await desk.run([paid(1)] * 5000)
    assert (report.run.matched, report.run.duplicates) == (1, 4999)
    assert len(report.differences) < 300


async def test_money_that_did_not_move_is_counted_apart(desk: Desk) -> None:
    rows = [
        replace(paid(number), movement=movement).cells(BUSINESS)
        for number, movement in enumerate((Movement.PENDING, Movement.AUTHORIZED), 1)
    ]
    report = await desk.run(a_file(list(rows), BUSINESS))
    assert (report.run.without_money, report.run.differences, report.run.layout) == (
        2,
        0,
        "business",
    )


async def test_the_file_of_authorisations_names_captures_and_refunds(desk: Desk) -> None:
    await desk.paid(1)
    await desk.refunded(1, 400, at("15:00:00"), "r1")
    moment = written_at(PREAUTH, at("12:00:00"))
    capture = replace(paid(1), reference="capture-1", at=moment)
    refund = replace(refunded(1, 400), reference="r1", amount="400", at=moment)
    report = await desk.run(a_file([capture, refund], PREAUTH))
    assert (seen(report), report.run.matched, report.run.layout) == ([], 2, "preauth")


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
async def test_each_layout_shows_the_same_difference_among_many(desk: Desk, layout: Layout) -> None:
    count, wrong = 700, 500
    for number in range(count):
        await desk.paid(number)
    moment = written_at(layout, at("12:00:00"))
    rows = [paid(n, 999 if n == wrong else 1000, at=moment) for n in range(count)]
    report = await desk.run(a_file(rows, layout))
    (found,) = report.differences
    assert (found.what, found.theirs, found.ours) == ("amount", "999", "1000")
    assert (found.row, found.order_id) == (wrong + 2, an_order(wrong))
    assert (report.run.matched, report.run.layout) == (count - 1, layout.name)


async def test_the_wallet_is_none_of_the_providers_business(desk: Desk) -> None:
    await desk.attempt(1, provider="Balance", payment_id="hold-1")
    await desk.entry(1, "CAPTURE", 1000, at(), debit_account="provider:Balance")
    report = await desk.run(a_file([]))
    assert (seen(report), report.run.ours_yen) == ([], 0)


async def test_an_entry_without_its_attempt_is_not_passed_by(desk: Desk) -> None:
    await desk.entry(1, "CAPTURE", 1000, at())
    assert seen(await desk.run(a_file([]))) == [("MISSING_THERE", "attempt", "OPERATOR")]


async def test_the_day_is_told_by_the_name_by_the_rows_or_by_the_asker(desk: Desk) -> None:
    await desk.paid(1)
    name = "transaction_x_20261125000000_20261125235959_v2.csv"
    for asked in ({"name": name, "day": None}, {"day": None}, {"day": DAY}):
        assert (await desk.run([paid(1)], **asked)).run.day == "2026-11-25"
    assert (await desk.run(a_file([]), name=name, day=None)).run.missing_there == 1


async def test_a_file_of_another_day_or_merchant_is_no_file_of_the_day(desk: Desk) -> None:
    assert "2026-11-25" in await bad_file(desk, [paid(1), paid(2)], day=NEXT)
    assert "--day" in await bad_file(desk, a_file([]), day=None)
    foreign = paid(1).cells(RECON)
    foreign[1] = "somebody"
    assert "another merchant" in await bad_file(desk, [foreign])
    stray = paid(3, at=written_at(RECON, at("12:00:00", NEXT)))
    report = await desk.run([paid(1), paid(2), stray], dry_run=True)
    assert report.run.broken == 1
    assert report.differences[0].kind is DifferenceKind.BROKEN


@pytest.mark.usefixtures("mysql_url")
class TestOnMariaDb:
    pytestmark = MARIADB

    async def test_reports_are_kept_and_repeated(self, mysql_url: str, tmp_path: Path) -> None:
        async with a_desk(tmp_path, mysql_url) as desk:
            for number in (1, 2, 3):
                await desk.paid(number)
            await desk.refunded(3, 400, at("15:00:00"), "refund-3")
            rows = [paid(1), paid(2, 999), paid(3), refunded(3, 400), paid(9)]
            first = await desk.run(rows)
            assert sorted(seen(first)) == [
                ("DIFFERING", "amount", "OPERATOR"),
                ("MISSING_HERE", "COMPLETED", "REFUND"),
            ]
            again = await desk.run(rows)
            assert (again.is_new, again.run) == (False, first.run)
            assert list(again.differences) == list(first.differences)
