"""The remote control: pay, decline, expire, the book, the events, a fresh start."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.paypay import PayPay, a_paypay, paypay_test
from tests.support.web import a_runtime, run_virtual

from kessai.sim.paypay.main import build


@paypay_test
async def test_a_payment_is_listed_as_it_goes(paypay: PayPay) -> None:
    code = await paypay.create()
    assert await paypay.payments() == [
        {
            "merchantPaymentId": "m-1",
            "paymentId": None,
            "status": "CREATED",
            "amount": 25180,
            "codeId": code["codeId"],
            "url": code["url"],
            "expiresAt": "2026-01-15T03:05:00.000Z",
            "paidAt": None,
            "authorizedUntil": None,
            "captured": 0,
            "asked": None,
            "refunds": [],
        }
    ]
    await asyncio.sleep(1.5)
    row = await paypay.act()
    assert (row["status"], row["paidAt"]) == ("COMPLETED", "2026-01-15T03:00:01.500Z")
    await paypay.refund(row["paymentId"], 180)
    refunds = (await paypay.payments())[0]["refunds"]
    assert refunds == [
        {
            "merchantRefundId": "r-1",
            "amount": 180,
            "status": "CREATED",
            "at": "2026-01-15T03:00:01.500Z",
            "reason": "x",
        }
    ]
    await asyncio.sleep(1)
    listed = (await paypay.payments())[0]
    assert (listed["status"], listed["refunds"][0]["status"]) == ("REFUNDED", "REFUNDED")
    assert (await paypay.client.get("/sim/payments/m-1")).json() == listed


@paypay_test
async def test_payments_are_listed_by_status_in_the_order_they_were_made(paypay: PayPay) -> None:
    for name in ("m-3", "m-1", "m-2"):
        await paypay.create(name)
    await paypay.act("m-1")
    names = [row["merchantPaymentId"] for row in await paypay.payments()]
    assert names == ["m-3", "m-1", "m-2"]
    paid = (await paypay.client.get("/sim/payments?status=COMPLETED")).json()
    assert [row["merchantPaymentId"] for row in paid] == ["m-1"]
    assert (await paypay.client.get("/sim/payments?status=NOPE")).status_code == 422


@pytest.mark.parametrize("first", ["pay", "decline"])
@pytest.mark.parametrize("then", ["pay", "decline", "expire"])
def test_what_ended_is_not_touched_again(first: str, then: str) -> None:
    async def live() -> None:
        async with a_paypay() as paypay:
            await paypay.create()
            row = await paypay.act(act=first)
            refused = await paypay.client.post(f"/sim/payments/m-1/{then}")
            assert (refused.status_code, refused.json()["code"]) == (409, "ILLEGAL_STATE")
            assert await paypay.payments() == [row]
            await asyncio.sleep(1)
            assert len(paypay.door.received) == 1

    run_virtual(live())


@paypay_test
async def test_paying_at_the_last_moment_and_at_the_first_too_late(paypay: PayPay) -> None:
    await paypay.create("m-1")
    await paypay.create("m-2")
    await asyncio.sleep(299.999)
    await paypay.act("m-1")
    await asyncio.sleep(0.001)
    late = await paypay.client.post("/sim/payments/m-2/pay")
    assert (late.status_code, late.json()["detail"]) == (409, "the code has expired")
    assert paypay.door.notices()[0]["merchant_order_id"] == "m-1"
    assert [row["status"] for row in await paypay.payments()] == ["COMPLETED", "CREATED"]


@paypay_test
async def test_pay_and_cancel_at_once_end_in_one_of_two_ways(paypay: PayPay) -> None:
    await paypay.create()
    await asyncio.gather(paypay.act(), paypay.api("DELETE", "/v2/payments/m-1"))
    await asyncio.sleep(1)
    assert (await paypay.payments())[0]["status"] == "FAILED"


@paypay_test
async def test_an_unknown_payment_is_404(paypay: PayPay) -> None:
    for act in ("pay", "decline", "expire"):
        refused = await paypay.client.post(f"/sim/payments/nobody/{act}")
        assert (refused.status_code, refused.json()["code"]) == (404, "NOT_FOUND")
    assert (await paypay.client.get("/sim/payments/nobody")).status_code == 404


@paypay_test
async def test_the_ledger_is_the_book_as_money(paypay: PayPay) -> None:
    for name, amount in (("m-1", 1000), ("m-2", 300), ("m-3", 50), ("m-4", 7)):
        await paypay.create(name, amount)
    await paypay.act("m-1")
    await paypay.refund((await paypay.act("m-2"))["paymentId"], 100)
    await paypay.act("m-3")
    await paypay.api("DELETE", "/v2/payments/m-3")
    await asyncio.sleep(5)
    ledger = (await paypay.client.get("/sim/ledger")).json()
    assert ledger["totals"] == {
        "captured": 1350,
        "reversed": 50,
        "refunded": 100,
        "net": 1200,
        "payments": 4,
    }
    assert [entry["reference"] for entry in ledger["captures"]] == ["m-1", "m-2", "m-3"]
    assert [entry["reference"] for entry in ledger["reversals"]] == ["m-3"]
    assert [(e["reference"], e["amount"], e["status"]) for e in ledger["refunds"]] == [
        ("r-1", 100, "REFUNDED")
    ]
    assert ledger["walletBalance"] == 50_000


@paypay_test
async def test_events_tell_what_happened_and_are_read_on_from_the_last(paypay: PayPay) -> None:
    await paypay.create()
    await paypay.create("m-2")
    await paypay.act()
    await asyncio.sleep(301)
    events = (await paypay.client.get("/sim/events")).json()
    assert [(event["kind"], event["merchantPaymentId"]) for event in events] == [
        ("code.created", "m-1"),
        ("code.created", "m-2"),
        ("payment.completed", "m-1"),
        ("webhook.sent", "m-1"),
        ("code.expired", "m-2"),
    ]
    assert events[3]["detail"] == "m-1.COMPLETED"
    later = (await paypay.client.get(f"/sim/events?after={events[2]['sequence']}")).json()
    assert later == events[3:]
    assert (await paypay.client.get("/sim/events?limit=2")).json() == events[3:]
    assert (await paypay.client.get("/sim/events?limit=501")).status_code == 422


@paypay_test
async def test_a_reset_is_the_first_day_again(paypay: PayPay) -> None:
    await paypay.faults(seed=9, webhooks={"drop": 100}, codeLifetimeS=20)
    await paypay.create()
    await paypay.act()
    page = (await paypay.client.post("/sim/reset")).json()
    assert (page["seed"], page["webhooks"]["drop"], page["codeLifetimeS"]) == (7, 0, 300)
    assert page["fired"] == {
        "webhooks": {},
        "api": {},
        "settlement": {},
        "answers": {},
        "blackout": 0,
        "flapping": 0,
    }
    assert await paypay.payments() == []
    assert await paypay.kinds() == []
    await paypay.create()
    await paypay.act()
    await asyncio.sleep(1)
    assert len(paypay.door.received) == 1


@paypay_test
async def test_pages_of_other_sites_press_no_buttons(paypay: PayPay) -> None:
    await paypay.create()
    headers = {"Sec-Fetch-Site": "cross-site"}
    for path in ("/sim/payments/m-1/pay", "/sim/reset"):
        refused = await paypay.client.post(path, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN_ORIGIN")
    assert [row["status"] for row in await paypay.payments()] == ["CREATED"]


def test_the_book_outlives_the_process(tmp_path: Path) -> None:
    async def live() -> None:
        path = tmp_path / "book.db"
        async with a_paypay(path) as paypay:
            for name in ("m-1", "m-2", "m-3"):
                await paypay.create(name, orderDescription="茶碗")
            payment_id = (await paypay.act("m-2"))["paymentId"]
            await paypay.refund(payment_id, 180)
            await paypay.api("DELETE", "/v2/payments/m-3")
            await paypay.faults(seed=9, blackout={"fromMs": 60_000, "forMs": 1000})
            before = await paypay.payments()
        async with a_paypay(path) as paypay:
            assert await paypay.payments() == before
            assert (await paypay.client.get("/sim/faults")).json()["seed"] == 9
            again = await paypay.refund(payment_id, 180)
            assert again.json()["data"]["merchantRefundId"] == "r-1"
            await paypay.act("m-3")
            await asyncio.sleep(1)
            statuses = [row["status"] for row in await paypay.payments()]
            assert statuses == ["CREATED", "REFUNDED", "FAILED"]
            assert (await paypay.client.post("/sim/webhooks/m-2.COMPLETED/resend")).is_success
            await paypay.client.post("/sim/reset")
        async with a_paypay(path) as paypay:
            assert await paypay.payments() == []
            assert (await paypay.client.get("/sim/faults")).json()["seed"] == 7

    run_virtual(live())


def test_an_authorisation_outlives_the_process_and_ends_in_the_next(tmp_path: Path) -> None:
    async def live() -> None:
        path = tmp_path / "book.db"
        async with a_paypay(path) as paypay:
            expiry_s = paypay.clock.now_ms() // 1000 + 600
            for name in ("m-1", "m-2"):
                await paypay.create(name, 1000, isAuthorization=True, authorizationExpiry=expiry_s)
                await paypay.act(name)
            wish = {
                "merchantPaymentId": "m-2",
                "amount": {"amount": 700, "currency": "JPY"},
                "merchantCaptureId": "c-1",
                "requestedAt": 1,
                "orderDescription": "x",
            }
            await paypay.api("POST", "/v2/payments/capture", wish)
            await asyncio.sleep(1)
            before = [await paypay.details(name) for name in ("m-1", "m-2")]
        async with a_paypay(path) as paypay:
            assert [await paypay.details(name) for name in ("m-1", "m-2")] == before
            await asyncio.sleep(601)
            assert [row["status"] for row in await paypay.payments()] == ["EXPIRED", "COMPLETED"]
            told = [(n["merchant_order_id"], n["state"]) for n in paypay.door.notices()]
            assert told == [("m-1", "EXPIRED")]

    run_virtual(live())


async def test_it_does_not_run_in_production() -> None:
    runtime = a_runtime(
        env="production",
        service_token="a-long-enough-token",
        paypay_api_key="a-long-enough-key",
        paypay_api_secret="a-long-enough-secret",
        firebase_keys_url="https://keys.example.com",
    )
    with pytest.raises(ValueError, match="production"):
        await build(runtime)


async def test_the_book_is_read_page_by_page() -> None:
    async with a_paypay() as paypay:
        for name in ("m-2", "m-1", "n-1", "m-3"):
            await paypay.create(name)

        async def page(query: str) -> list[str]:
            rows = (await paypay.client.get(f"/sim/book?{query}")).json()
            return [row["merchantPaymentId"] for row in rows]

        assert await page("") == ["m-1", "m-2", "m-3", "n-1"]
        assert await page("limit=2") == ["m-1", "m-2"]
        assert await page("after=m-2&limit=2") == ["m-3", "n-1"]
        assert await page("after=m&below=m-3") == ["m-1", "m-2"]
        await paypay.create("m-0")
        assert await page("below=m-2") == ["m-0", "m-1"]
        for wrong in ("limit=0", "limit=1001"):
            assert (await paypay.client.get(f"/sim/book?{wrong}")).status_code == 422
        await paypay.client.post("/sim/reset")
        assert await page("") == []
