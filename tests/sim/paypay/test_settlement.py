"""The day's file: what is in it, on which day, how it is fetched, and what may be wrong with it."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any

from tests.support.paypay import Json, PayPay, paypay_test

from kessai.contracts.paypay.settlement import ENCODING, Column, layout_of

DAY = "2026-01-15"
HEADER = (
    "決済番号,加盟店ID,屋号,店舗ID,店舗名,端末番号/PosID,取引ステータス,取引日時,取引金額,"
    "レシート番号,支払い方法,マーチャント決済ID,支払い詳細"
)


async def made(paypay: PayPay, day: str = DAY, query: str = "") -> Json:
    answer = await paypay.client.post(f"/sim/settlement/{day}{query}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def fetched(paypay: PayPay, path: str) -> list[dict[Column, str]]:
    answer = await paypay.client.get(path)
    assert answer.status_code == 200
    assert b"\r" not in answer.content
    header, *lines = csv.reader(io.StringIO(answer.content.decode(ENCODING)))
    layout = layout_of(header)
    assert layout is not None
    names = {word: column for column, word in layout.header.items()}
    return [{names[word]: cell for word, cell in zip(header, line, strict=False)} for line in lines]


async def rows(paypay: PayPay, day: str = DAY, query: str = "") -> list[tuple[str, str, str]]:
    page = await made(paypay, day, query)
    found = await fetched(paypay, page["path"])
    assert len(found) == page["rows"]
    return [(row[Column.REFERENCE], row[Column.STATUS], row[Column.AMOUNT]) for row in found]


@paypay_test
async def test_a_payment_is_one_row_of_the_published_columns(paypay: PayPay) -> None:
    await paypay.create("m-1", 500, storeId="s-1", storeInfo="銀座店", terminalId="t-1")
    payment_id = (await paypay.act("m-1"))["paymentId"]
    await asyncio.sleep(60)
    page = await made(paypay)
    assert (
        page["path"]
        .split("?")[0]
        .endswith("/transaction_kessai-merchant_20260115000000_20260115235959_v2.csv")
    )
    answer = await paypay.client.get(page["path"])
    assert answer.headers["content-type"] == "text/csv; charset=Shift_JIS"
    assert answer.content.decode("shift_jis").splitlines() == [
        HEADER,
        f"{payment_id},kessai-merchant,Kessai 商店,s-1,銀座店,t-1,取引完了,2026/01/15 12:00:00,500,"
        ',PayPay残高,m-1,"[{""paymentMethod"": ""PayPay残高"", ""amount"": 500}]"',
    ]


@paypay_test
async def test_refunds_are_negative_and_cancelled_payments_have_failed(paypay: PayPay) -> None:
    for name in ("m-1", "m-2", "m-3", "m-4"):
        await paypay.create(name, 1000)
    payment_id = (await paypay.act("m-1"))["paymentId"]
    await paypay.refund(payment_id, 300)
    await paypay.refund(payment_id, 200, "r-2")
    await paypay.act("m-2")
    await paypay.api("DELETE", "/v2/payments/m-2")
    await paypay.act("m-3", "decline")
    await asyncio.sleep(10)
    assert await rows(paypay) == [
        ("m-1", "取引完了", "1000"),
        ("m-1", "返金完了", "-300"),
        ("m-1", "返金完了", "-200"),
        ("m-2", "取引失敗", "1000"),
        ("m-3", "取引失敗", "1000"),
    ]
    await paypay.faults(settlement={"refundId": "refund"})
    assert [row[0] for row in await rows(paypay)] == ["m-1", "r-1", "r-2", "m-2", "m-3"]


@paypay_test
async def test_a_day_is_japans_and_each_row_is_in_one_file(paypay: PayPay) -> None:
    """It is noon in Japan at first; the second payment comes half a second before midnight."""
    await paypay.create("m-1", 100)
    payment_id = (await paypay.act("m-1"))["paymentId"]
    await asyncio.sleep(12 * 3600 - 0.5)
    await paypay.create("m-2", 200)
    await paypay.act("m-2")
    await asyncio.sleep(1)
    await paypay.create("m-3", 300)
    await paypay.act("m-3")
    await paypay.refund(payment_id, 100)
    await asyncio.sleep(5)
    assert [row[0] for row in await rows(paypay)] == ["m-1", "m-2"]
    assert await rows(paypay, "2026-01-16") == [
        ("m-1", "返金完了", "-100"),
        ("m-3", "取引完了", "300"),
    ]
    assert await rows(paypay, "2026-01-14") == []
    assert (await paypay.kinds()).count("file.created") == 3
    assert (await paypay.client.post("/sim/settlement/2026-13-01")).status_code == 422


@paypay_test
async def test_authorisations_have_a_file_of_their_own(paypay: PayPay) -> None:
    await paypay.create("m-1", 1000, isAuthorization=True)
    await paypay.create("m-2", 500)
    await paypay.act("m-1")
    await paypay.act("m-2")
    wish = {
        "merchantPaymentId": "m-1",
        "amount": {"amount": 800, "currency": "JPY"},
        "merchantCaptureId": "c-1",
        "requestedAt": 1,
        "orderDescription": "x",
    }
    captured = await paypay.api("POST", "/v2/payments/capture", wish)
    await paypay.refund(captured.json()["data"]["paymentId"], 50)
    await asyncio.sleep(5)
    page = await made(paypay)
    assert [(file["layout"], file["rows"]) for file in page["files"]] == [
        ("recon", 1),
        ("preauth", 3),
    ]
    found = await fetched(paypay, page["files"][1]["path"])
    assert [(row[Column.STATUS], row[Column.REFERENCE], row[Column.AMOUNT]) for row in found] == [
        ("AUTHORIZED", "m-1", "1000"),
        ("COMPLETED", "c-1", "800"),
        ("REFUNDED", "r-1", "50"),
    ]
    assert found[0][Column.AT] == "2026-01-15T12:00:00+09:00"
    assert found[0][Column.DETAILS] == ""
    all_of_it = await rows(paypay, query="?layout=business")
    assert all_of_it == [
        ("m-1", "取引受付完了", "1000"),
        ("m-1", "取引完了", "800"),
        ("m-1", "返金完了", "-50"),
        ("m-2", "取引完了", "500"),
    ]
    assert (await paypay.client.post(f"/sim/settlement/{DAY}?layout=x")).status_code == 422


@paypay_test
async def test_the_file_is_announced_and_its_link_ends_after_two_hours(paypay: PayPay) -> None:
    await paypay.create("m-1", 100)
    await paypay.act("m-1")
    page = await made(paypay, query="?announce=true")
    await asyncio.sleep(1)
    notice = paypay.door.notices()[1]
    assert notice == {
        "notification_type": "file.created",
        "notification_id": notice["notification_id"],
        "fileType": "transaction_recon",
        "path": page["path"],
        "requestedAt": str(paypay.clock.now_ms() // 1000 - 1),
    }
    await asyncio.sleep(2 * 3600 - 1.001)
    assert len(await fetched(paypay, notice["path"])) == 1
    await asyncio.sleep(0.001)
    assert (await paypay.client.get(notice["path"])).status_code == 404
    assert (await paypay.client.get(page["path"] + "0")).status_code == 404


@paypay_test
async def test_a_file_stays_as_it_was_made(paypay: PayPay) -> None:
    await paypay.create("m-1", 100)
    payment_id = (await paypay.act("m-1"))["paymentId"]
    await asyncio.sleep(1)
    page = await made(paypay)
    await asyncio.sleep(1)
    await paypay.refund(payment_id, 100)
    await paypay.faults(settlement={"omit": 100})
    assert len(await fetched(paypay, page["path"])) == 1
    assert await rows(paypay) == []


@paypay_test
async def test_rows_may_be_wrong_in_four_ways_by_seed(paypay: PayPay) -> None:
    for number in range(30):
        await paypay.create(f"m-{number}", 1000)
        await paypay.act(f"m-{number}")
    await asyncio.sleep(1)
    shares: Any = {"omit": 20, "wrongAmount": 20, "unknown": 20, "broken": 20}
    await paypay.faults(settlement=shares)
    first = await fetched(paypay, (await made(paypay))["path"])
    again = await fetched(paypay, (await made(paypay))["path"])
    assert first == again
    fired = (await paypay.fired())["settlement"]
    assert set(fired) == set(shares)
    wrong = [row for row in first if row.get(Column.AMOUNT) == "1100"]
    broken = [row for row in first if Column.AMOUNT not in row]
    unknown = [row for row in first if row.get(Column.REFERENCE, "").startswith("unknown-")]
    assert [2 * len(wrong), 2 * len(broken), 2 * len(unknown)] == [
        fired["wrongAmount"],
        fired["broken"],
        fired["unknown"],
    ]
    assert len(first) == 30 - fired["omit"] // 2 + len(unknown)
    await paypay.faults(seed=8)
    assert await fetched(paypay, (await made(paypay))["path"]) != first
