"""Webhooks: exact fields, unsigned, few retries within milliseconds, and faults on the way."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.paypay import PayPay, paypay_test


@paypay_test
async def test_a_payment_is_told_with_the_published_fields(paypay: PayPay) -> None:
    await paypay.create(storeId="s-1", terminalId="t-1")
    row = await paypay.act()
    await asyncio.sleep(1)
    assert paypay.door.notices() == [
        {
            "notification_type": "Transaction",
            "merchant_id": "kessai-merchant",
            "store_id": "s-1",
            "pos_id": "t-1",
            "order_id": row["paymentId"],
            "merchant_order_id": "m-1",
            "authorized_at": "2026-01-15T03:00:00Z",
            "expires_at": None,
            "paid_at": "2026-01-15T03:00:00Z",
            "order_amount": "25180",
            "state": "COMPLETED",
        }
    ]


@paypay_test
async def test_a_declined_payment_is_told_with_fewer_fields(paypay: PayPay) -> None:
    await paypay.create()
    row = await paypay.act(act="decline")
    await asyncio.sleep(1)
    assert paypay.door.notices() == [
        {
            "notification_type": "Transaction",
            "merchant_id": "kessai-merchant",
            "store_id": None,
            "pos_id": None,
            "order_id": row["paymentId"],
            "merchant_order_id": "m-1",
            "order_amount": "25180",
            "state": "FAILED",
        }
    ]


@paypay_test
async def test_nothing_else_is_ever_told(paypay: PayPay) -> None:
    code = await paypay.create("m-1")
    await paypay.api("DELETE", f"/v2/codes/{code['codeId']}")
    await paypay.create("m-2")
    await paypay.act("m-2", "expire")
    await paypay.create("m-3")
    await asyncio.sleep(400)
    assert paypay.door.received == []
    await paypay.create("m-4")
    await paypay.act("m-4")
    await paypay.api("DELETE", "/v2/payments/m-4")
    await paypay.create("m-5")
    await paypay.refund((await paypay.act("m-5"))["paymentId"], 25180)
    await asyncio.sleep(60)
    told = [(notice["merchant_order_id"], notice["state"]) for notice in paypay.door.notices()]
    assert told == [("m-4", "COMPLETED"), ("m-5", "COMPLETED")]


@paypay_test
async def test_three_retries_a_tenth_of_a_second_apart_and_never_again(paypay: PayPay) -> None:
    paypay.door.answers = [500, 404, 204, 503, 500]
    await paypay.create()
    await paypay.act()
    await asyncio.sleep(3600)
    assert paypay.door.times_ms() == [0, 100, 200, 300]
    assert (await paypay.kinds())[-1] == "webhook.gaveUp"


@paypay_test
async def test_the_first_200_is_the_end(paypay: PayPay) -> None:
    paypay.door.answers = [500, 200]
    await paypay.create()
    await paypay.act()
    await asyncio.sleep(60)
    assert paypay.door.times_ms() == [0, 100]


@paypay_test
async def test_the_other_stored_rule_has_ten_retries(paypay: PayPay) -> None:
    await paypay.faults(behaviour={"webhookRetries": "10x500"})
    paypay.door.answers = [500] * 20
    await paypay.create()
    await paypay.act()
    await asyncio.sleep(60)
    assert paypay.door.times_ms() == [500 * number for number in range(11)]


@paypay_test
async def test_an_answer_after_two_seconds_is_too_late(paypay: PayPay) -> None:
    paypay.door.waits_s = 2.1
    await paypay.create()
    await paypay.act()
    await asyncio.sleep(60)
    assert paypay.door.times_ms() == [0, 2100, 4200, 6300]
    assert len({body for _, body in paypay.door.received}) == 1


@paypay_test
async def test_a_closed_door_loses_the_notice_for_good(paypay: PayPay) -> None:
    paypay.http.unroute("http://127.0.0.1:8080")
    await paypay.create()
    await paypay.act()
    await asyncio.sleep(0.5)
    paypay.http.route("http://127.0.0.1:8080", paypay.door)
    await asyncio.sleep(3600)
    assert paypay.door.received == []
    assert (await paypay.kinds()).count("webhook.failed") == 4


@paypay_test
async def test_the_payment_is_answered_before_its_webhook_arrives(paypay: PayPay) -> None:
    paypay.door.waits_s = 1.9
    await paypay.create()
    loop = asyncio.get_running_loop()
    started = loop.time()
    await paypay.act()
    assert loop.time() == started


@paypay_test
async def test_dropped(paypay: PayPay) -> None:
    await paypay.faults(webhooks={"drop": 100})
    await paypay.create()
    await paypay.act()
    await asyncio.sleep(60)
    assert paypay.door.received == []
    assert (await paypay.fired())["webhooks"] == {"drop": 1}
    assert (await paypay.details())["status"] == "COMPLETED"


@paypay_test
async def test_doubled(paypay: PayPay) -> None:
    await paypay.faults(webhooks={"duplicate": 100, "duplicates": 4})
    await paypay.create()
    await paypay.act()
    await asyncio.sleep(60)
    assert len(paypay.door.received) == 5
    assert len({body for _, body in paypay.door.received}) == 1
    assert (await paypay.fired())["webhooks"] == {"duplicate": 1}


@paypay_test
async def test_delayed(paypay: PayPay) -> None:
    await paypay.faults(webhooks={"delayMs": [3000, 3000]})
    await paypay.create()
    await paypay.act()
    await asyncio.sleep(2.9)
    assert paypay.door.received == []
    await asyncio.sleep(0.2)
    assert len(paypay.door.received) == 1


@paypay_test
async def test_reordered_lets_the_next_one_pass(paypay: PayPay) -> None:
    await paypay.faults(webhooks={"reorder": 100})
    for name in ("m-1", "m-2", "m-3"):
        await paypay.create(name)
        await paypay.act(name)
        await asyncio.sleep(0.5)
    await asyncio.sleep(60)
    told = [notice["merchant_order_id"] for notice in paypay.door.notices()]
    assert told == ["m-2", "m-1", "m-3"]
    assert paypay.door.times_ms() == [0, 0, 2500]


@paypay_test
async def test_corrupted_is_no_json_and_is_retried_as_it_is(paypay: PayPay) -> None:
    await paypay.faults(webhooks={"corrupt": 100})
    paypay.door.answers = [400] * 10
    await paypay.create()
    await paypay.act()
    await asyncio.sleep(60)
    assert len(paypay.door.received) == 4
    with pytest.raises(ValueError):
        paypay.door.notices()


@paypay_test
async def test_a_wrong_amount_is_told_while_the_book_is_right(paypay: PayPay) -> None:
    await paypay.faults(webhooks={"wrongAmount": 100})
    await paypay.create()
    await paypay.act()
    await asyncio.sleep(1)
    assert paypay.door.notices()[0]["order_amount"] == "25280"
    assert (await paypay.details())["amount"]["amount"] == 25180


@paypay_test
async def test_resent_on_demand_and_without_faults(paypay: PayPay) -> None:
    await paypay.faults(webhooks={"drop": 100, "wrongAmount": 100})
    await paypay.create()
    await paypay.act()
    answer = await paypay.client.post("/sim/webhooks/m-1.COMPLETED/resend")
    assert answer.status_code == 202
    assert answer.json() == {
        "webhookId": "m-1.COMPLETED",
        "merchantPaymentId": "m-1",
        "state": "COMPLETED",
    }
    await asyncio.sleep(1)
    assert [notice["order_amount"] for notice in paypay.door.notices()] == ["25180"]
    for unknown in ("m-1.FAILED", "m-2.COMPLETED", "x"):
        refused = await paypay.client.post(f"/sim/webhooks/{unknown}/resend")
        assert (refused.status_code, refused.json()["code"]) == (404, "NOT_FOUND")


@paypay_test
async def test_a_reset_forgets_what_is_on_its_way(paypay: PayPay) -> None:
    await paypay.faults(webhooks={"delayMs": [5000, 5000]})
    await paypay.create()
    await paypay.act()
    assert (await paypay.client.post("/sim/reset")).status_code == 200
    await asyncio.sleep(60)
    assert paypay.door.received == []
