"""What may go wrong with a webhook, each fault by itself: it is seen at the door and counted."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.support.paypay import PayPay, paypay_test

HOUR_S = 3600


async def paid(paypay: PayPay, name: str = "m-1", /, **webhooks: Any) -> None:
    await paypay.faults(webhooks=webhooks)
    await paypay.create(name)
    await paypay.act(name)


async def fired(paypay: PayPay) -> dict[str, int]:
    return dict((await paypay.fired())["webhooks"])


@paypay_test
async def test_two_days_late(paypay: PayPay) -> None:
    await paid(paypay, delayMs=[172_800_000, 172_800_000])
    await asyncio.sleep(48 * HOUR_S - 1)
    assert paypay.door.received == []
    await asyncio.sleep(2)
    assert len(paypay.door.received) == 1
    assert await fired(paypay) == {"delayMs": 1}


@paypay_test
async def test_copies_long_after(paypay: PayPay) -> None:
    days = 3 * 24 * HOUR_S * 1000
    await paid(paypay, duplicate=100, duplicates=2, copyDelayMs=[days, days])
    await asyncio.sleep(4 * 24 * HOUR_S)
    assert paypay.door.times_ms() == [0, days, days]
    assert len({body for _, body in paypay.door.received}) == 1
    assert await fired(paypay) == {"duplicate": 1, "copyDelayMs": 1}


@paypay_test
async def test_fifty_copies_at_once(paypay: PayPay) -> None:
    paypay.door.waits_s = 0.5
    await paid(paypay, duplicate=100, duplicates=49)
    await asyncio.sleep(5)
    assert len(paypay.door.received) == 50
    assert paypay.door.most_at_once == 50
    assert set(paypay.door.times_ms()) == {0}


@paypay_test
async def test_a_burst(paypay: PayPay) -> None:
    await paid(paypay, burst=100, burstSize=500, burstMs=500)
    await asyncio.sleep(5)
    times_ms = paypay.door.times_ms()
    assert len(times_ms) == 500
    assert max(times_ms) <= 500
    assert len(set(times_ms)) > 400
    assert await fired(paypay) == {"burst": 1}


@paypay_test
async def test_before_the_code_was_answered(paypay: PayPay) -> None:
    await paypay.faults(webhooks={"early": 100})
    paypay.door.waits_s = 1.5
    creating = asyncio.ensure_future(paypay.create())
    await asyncio.sleep(1)
    assert not creating.done()
    assert [notice["state"] for notice in paypay.door.notices()] == ["COMPLETED"]
    assert (await creating)["merchantPaymentId"] == "m-1"
    assert (await paypay.details())["status"] == "COMPLETED"
    assert await fired(paypay) == {"early": 1}


@paypay_test
async def test_a_failure_that_nobody_hears_of(paypay: PayPay) -> None:
    await paypay.faults(webhooks={"silentFailed": 100})
    await paypay.create("m-1")
    await paypay.act("m-1", "decline")
    await paypay.create("m-2")
    await paypay.act("m-2")
    await asyncio.sleep(60)
    assert [notice["state"] for notice in paypay.door.notices()] == ["COMPLETED"]
    assert await fired(paypay) == {"silentFailed": 1}
    assert (await paypay.details("m-1"))["status"] == "FAILED"


@paypay_test
async def test_a_body_over_the_limit(paypay: PayPay) -> None:
    await paid(paypay, oversized=100)
    await asyncio.sleep(1)
    assert len(paypay.door.received[0][1]) > 64 * 1024
    assert paypay.door.notices()[0]["state"] == "COMPLETED"
    assert await fired(paypay) == {"oversized": 1}


@paypay_test
async def test_bytes_that_are_no_text(paypay: PayPay) -> None:
    await paid(paypay, notUtf8=100)
    await asyncio.sleep(1)
    with pytest.raises(UnicodeDecodeError):
        paypay.door.received[0][1].decode()
    assert await fired(paypay) == {"notUtf8": 1}


@pytest.mark.parametrize(
    ("fault", "field", "value"),
    [
        ("unknownState", "state", "ON_HOLD"),
        ("extraFields", "campaign", {"id": 7, "names": ["春"]}),
        ("wrongMerchant", "merchant_id", "kessai-merchant-2"),
        ("wrongAmount", "order_amount", "25280"),
    ],
)
def test_a_field_that_is_not_as_it_should_be(fault: str, field: str, value: object) -> None:
    @paypay_test
    async def tale(paypay: PayPay) -> None:
        await paid(paypay, **{fault: 100})
        await asyncio.sleep(1)
        assert paypay.door.notices()[0][field] == value
        assert await fired(paypay) == {fault: 1}
        assert (await paypay.details())["amount"]["amount"] == 25180

    tale()


@paypay_test
async def test_an_old_capture_comes_again(paypay: PayPay) -> None:
    await paid(paypay, "m-1")
    await asyncio.sleep(HOUR_S)
    await paid(paypay, "m-2", replay=100)
    await asyncio.sleep(1)
    told = paypay.door.notices()
    assert sorted(notice["merchant_order_id"] for notice in told) == ["m-1", "m-1", "m-2"]
    again = [notice for notice in told if notice["merchant_order_id"] == "m-1"]
    assert again[0] == again[1]
    assert await fired(paypay) == {"replay": 1}


@paypay_test
async def test_a_stranger_says_that_it_was_paid(paypay: PayPay) -> None:
    await paypay.faults(webhooks={"forged": 100})
    await paypay.create()
    await asyncio.sleep(1)
    assert [notice["state"] for notice in paypay.door.notices()] == ["COMPLETED"]
    assert paypay.door.headers[0][b"x-forwarded-for"] == b"203.0.113.66"
    assert (await paypay.details())["status"] == "CREATED"
    assert await fired(paypay) == {"forged": 1}


@paypay_test
async def test_a_line_that_breaks_in_the_body(paypay: PayPay) -> None:
    await paid(paypay, cutMidBody=100)
    await asyncio.sleep(10)
    for body, headers in zip(paypay.door.received, paypay.door.headers, strict=True):
        assert int(headers[b"content-length"]) > len(body[1])
    with pytest.raises(json.JSONDecodeError):
        paypay.door.notices()
    assert await fired(paypay) == {"cutMidBody": 1}


@paypay_test
async def test_every_share_is_of_the_seed_and_stays_in_its_scope(paypay: PayPay) -> None:
    await paypay.faults(scope="m-", webhooks={"drop": 50})
    for number in range(40):
        for name in (f"m-{number}", f"x-{number}"):
            await paypay.create(name)
            await paypay.act(name)
    await asyncio.sleep(10)
    told = [notice["merchant_order_id"] for notice in paypay.door.notices()]
    assert sum(name.startswith("x-") for name in told) == 40
    dropped = (await fired(paypay))["drop"]
    assert 10 < dropped < 30
    assert sum(name.startswith("m-") for name in told) == 40 - dropped
