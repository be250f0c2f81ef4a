"""The PayPay client: against the simulator, and against answers that nobody should send."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.support.payment import refusal, unknown
from tests.support.paypay import BASE, MERCHANT, NOW_MS, PayPay, paypay_test
from tests.support.paypay_client import ScriptedHttp, a_client, a_code, a_request, an_answer
from tests.support.provider import NEVER_LATE
from tests.support.web import StillClock

from kessai.contracts import paypay as wire
from kessai.kernel.errors import Unknown
from kessai.kernel.http import Answer, NoAnswer, NotSent
from kessai.payment.application.ports import (
    THROTTLED,
    CodeExists,
    RefundRequest,
    Sighting,
)
from kessai.payment.domain.evidence import Word


@paypay_test
async def test_a_code_from_its_creation_to_its_payment(paypay: PayPay) -> None:
    client = a_client(paypay.http, paypay.clock)
    code = await client.create_code(a_request())
    (made,) = await paypay.payments()
    assert (made["codeId"], made["amount"]) == (code.code_id, 1200)
    assert code.expires_at_ms == paypay.clock.now_ms() // 1000 * 1000 + 300_000
    assert code.url.startswith("http")
    assert await client.get_payment("o-1") == Sighting(Word.CREATED)
    await paypay.act("o-1", "pay")
    seen = await client.get_payment("o-1")
    assert (seen.word, seen.amount_yen, seen.currency) == (Word.COMPLETED, 1200, "JPY")
    assert seen.payment_id is not None
    assert seen.accepted_at_ms == paypay.clock.now_ms() // 1000 * 1000


@paypay_test
async def test_the_same_id_twice_is_a_code_that_exists(paypay: PayPay) -> None:
    client = a_client(paypay.http, paypay.clock)
    await client.create_code(a_request())
    with pytest.raises(CodeExists):
        await client.create_code(a_request())
    assert len(await paypay.payments()) == 1


@paypay_test
async def test_a_deleted_code_and_one_that_never_was(paypay: PayPay) -> None:
    client = a_client(paypay.http, paypay.clock)
    code = await client.create_code(a_request())
    assert await client.delete_code(code.code_id) is Word.CODE_DELETED
    assert await client.delete_code("04-nothing") is Word.CODE_UNKNOWN
    assert (await client.get_payment("o-9")).word == Word.NOT_FOUND


@paypay_test
async def test_a_paid_code_is_not_deleted(paypay: PayPay) -> None:
    client = a_client(paypay.http, paypay.clock)
    code = await client.create_code(a_request())
    await paypay.act("o-1", "pay")
    assert await client.delete_code(code.code_id) is Word.ALREADY_PAID


@paypay_test
async def test_a_cancel_is_accepted_and_nothing_to_cancel_is_refused(paypay: PayPay) -> None:
    client = a_client(paypay.http, paypay.clock)
    await client.create_code(a_request())
    assert await client.cancel_payment("o-1", leaves_by_ms=NEVER_LATE) is Word.CANCEL_ACCEPTED
    assert await client.cancel_payment("o-9", leaves_by_ms=NEVER_LATE) is Word.CANCEL_REFUSED


@paypay_test
async def test_a_refund_is_accepted_and_then_back(paypay: PayPay) -> None:
    client = a_client(paypay.http, paypay.clock)
    await client.create_code(a_request())
    await paypay.act("o-1", "pay")
    payment_id = (await client.get_payment("o-1")).payment_id or ""
    asked = RefundRequest("rf-1", payment_id, 1200, "CUSTOMER", paypay.clock.now_ms())
    assert await client.get_refund("rf-1", payment_id) is None
    assert await client.refund(asked) is False
    assert await client.refund(asked) is False
    await asyncio.sleep(1.1)
    assert await client.get_refund("rf-1", payment_id) is True
    assert (await client.get_payment("o-1")).word == Word.REFUNDED


@paypay_test
async def test_a_refund_of_more_than_was_paid_is_a_clear_no(paypay: PayPay) -> None:
    client = a_client(paypay.http, paypay.clock)
    await client.create_code(a_request())
    await paypay.act("o-1", "pay")
    payment_id = (await client.get_payment("o-1")).payment_id or ""
    asked = RefundRequest("rf-1", payment_id, 1201, "CUSTOMER", paypay.clock.now_ms())
    assert await refusal(client.refund(asked)) != THROTTLED
    assert await client.get_refund("rf-1", payment_id) is None


@paypay_test
async def test_a_wrong_clock_is_unknown_and_never_a_no(paypay: PayPay) -> None:
    client = a_client(paypay.http, StillClock(ms=paypay.clock.now_ms() - 121_000))
    assert await unknown(client.create_code(a_request())) == "UNAUTHORIZED"
    assert await paypay.payments() == []


async def test_what_is_sent_is_signed_to_the_byte() -> None:
    clock = StillClock()
    http = ScriptedHttp([an_answer(201, content=a_code())])
    await a_client(http, clock).create_code(a_request())
    ((method, url, headers, body, timeout_s),) = http.sent
    assert (method, url, timeout_s) == ("POST", f"{BASE}/v2/codes", 30)
    signed = wire.Signed("POST", "/v2/codes", headers["Content-Type"], body)
    wire.verify(headers["Authorization"], MERCHANT, signed, now_s=clock.now_ms() / 1000)
    assert headers["X-ASSUME-MERCHANT"] == "kessai-merchant"
    assert json.loads(body) == {
        "merchantPaymentId": "o-1",
        "amount": {"amount": 1200, "currency": "JPY"},
        "codeType": "ORDER_QR",
        "orderDescription": "注文 1",
        "requestedAt": NOW_MS // 1000,
        "redirectUrl": "http://shop.test/o",
        "redirectType": "WEB_LINK",
        "isAuthorization": False,
        "userAgent": "Mozilla",
    }


async def test_a_query_is_not_signed() -> None:
    clock = StillClock()
    http = ScriptedHttp([an_answer(404, "NO_SUCH_REFUND_ORDER")])
    assert await a_client(http, clock).get_refund("rf-1", "pp-1") is None
    ((_, url, headers, _, _),) = http.sent
    assert url == f"{BASE}/v2/refunds/rf-1?paymentId=pp-1"
    signed = wire.Signed("GET", "/v2/refunds/rf-1")
    wire.verify(headers["Authorization"], MERCHANT, signed, now_s=clock.now_ms() / 1000)
    assert "Content-Type" not in headers


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (an_answer(500, "INTERNAL_SERVER_ERROR"), "PROVIDER_ERROR"),
        (an_answer(503, "MAINTENANCE_MODE"), "PROVIDER_ERROR"),
        (Answer(502, {}, b"<html>"), "PROVIDER_ERROR"),
        (an_answer(429, "RATE_LIMIT"), "RATE_LIMIT"),
        (an_answer(401, "UNAUTHORIZED"), "UNAUTHORIZED"),
        (an_answer(401, "OP_OUT_OF_SCOPE"), "UNAUTHORIZED"),
        (Answer(400, {}, b"<html>"), "UNREADABLE_ANSWER"),
        (Answer(201, {}, b"{"), "UNREADABLE_ANSWER"),
        (Answer(201, {}, b"[]"), "UNREADABLE_ANSWER"),
        (an_answer(201, content={}), "UNREADABLE_ANSWER"),
        (an_answer(201, content=a_code("o-2")), "UNREADABLE_ANSWER"),
        (an_answer(201, content=a_code(amount=1)), "UNREADABLE_ANSWER"),
        (an_answer(302), "UNREADABLE_ANSWER"),
        (NoAnswer("slow"), "NO_ANSWER"),
        (NotSent("refused"), "NOT_SENT"),
    ],
)
async def test_what_proves_nothing_is_unknown(answer: Answer | Exception, code: str) -> None:
    http = ScriptedHttp([answer])
    assert await unknown(a_client(http, StillClock()).create_code(a_request())) == code
    assert len(http.sent) == 1


async def test_a_clear_no_is_refused_with_its_code() -> None:
    http = ScriptedHttp([an_answer(400, "DYNAMIC_QR_BAD_REQUEST")])
    client = a_client(http, StillClock())
    assert await refusal(client.create_code(a_request())) == "DYNAMIC_QR_BAD_REQUEST"


@pytest.mark.parametrize(
    "details",
    [
        {"status": "COMPLETED"},
        {"status": "COMPLETED", "paymentId": "pp-1"},
        {"status": "COMPLETED", "amount": {"amount": 1200, "currency": "JPY"}},
        {"status": "CREATED", "merchantPaymentId": "o-2"},
        {},
    ],
)
async def test_a_look_up_that_does_not_say_enough_is_unknown(details: dict[str, object]) -> None:
    http = ScriptedHttp([an_answer(200, content=details)])
    client = a_client(http, StillClock())
    assert await unknown(client.get_payment("o-1")) == "UNREADABLE_ANSWER"


async def test_a_refused_look_up_is_no_evidence() -> None:
    http = ScriptedHttp([an_answer(400, "INVALID_REQUEST_PARAMS")])
    client = a_client(http, StillClock())
    assert await unknown(client.get_payment("o-1")) == "UNEXPECTED_ANSWER"


async def test_unknown_words_come_through_as_they_are() -> None:
    http = ScriptedHttp([an_answer(200, content={"status": "PONDERING"})])
    assert (await a_client(http, StillClock()).get_payment("o-1")).word == "PONDERING"


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (an_answer(404, "DYNAMIC_QR_NOT_FOUND"), Word.CODE_UNKNOWN),
        (an_answer(400, "DYNAMIC_QR_ALREADY_PAID"), Word.ALREADY_PAID),
        (an_answer(400, "DYNAMIC_QR_BAD_REQUEST"), Word.CODE_REFUSED),
    ],
)
async def test_what_a_delete_was_told(answer: Answer, word: Word) -> None:
    assert await a_client(ScriptedHttp([answer]), StillClock()).delete_code("04-1") is word


async def test_a_refund_of_a_payment_that_they_do_not_find_is_asked_again() -> None:
    http = ScriptedHttp([an_answer(404, "RESOURCE_NOT_FOUND")])
    request = RefundRequest("rf-1", "pp-1", 1, "x", NOW_MS)
    assert await unknown(a_client(http, StillClock()).refund(request)) == "UNEXPECTED_ANSWER"


async def test_a_throttled_refund_says_so() -> None:
    http = ScriptedHttp([an_answer(400, "THROTTLED_MULTIPLE_REFUND_REJECTED")])
    request = RefundRequest("rf-1", "pp-1", 1, "x", NOW_MS)
    assert await refusal(a_client(http, StillClock()).refund(request)) == THROTTLED


async def test_a_sick_provider_is_spared_and_then_probed_once() -> None:
    clock = StillClock()
    http = ScriptedHttp([an_answer(500)])
    client = a_client(http, clock)
    for _ in range(5):
        assert await unknown(client.create_code(a_request())) == "PROVIDER_ERROR"
    assert await unknown(client.create_code(a_request())) == "NOT_SENT"
    assert len(http.sent) == 5
    clock.pass_s(2)
    http.script = [an_answer(201, content=a_code())]
    assert (await client.create_code(a_request())).code_id == "04-1"
    assert len(http.sent) == 6


async def test_look_ups_go_on_while_creating_is_broken() -> None:
    found = an_answer(200, content={"status": "CREATED"})
    http = ScriptedHttp([*[an_answer(500)] * 5, found])
    client = a_client(http, StillClock())
    for _ in range(5):
        await unknown(client.create_code(a_request()))
    assert (await client.get_payment("o-1")).word == Word.CREATED


@paypay_test
async def test_after_429_look_ups_pause_as_long_as_they_are_told(paypay: PayPay) -> None:
    created = an_answer(200, content={"status": "CREATED"})
    http = ScriptedHttp([an_answer(429, "RATE_LIMIT", **{"Retry-After": "3"}), created])
    client = a_client(http, paypay.clock)
    assert await unknown(client.get_payment("o-1")) == "RATE_LIMIT"
    started_ms = paypay.clock.now_ms()
    await client.get_payment("o-1")
    assert 3000 <= paypay.clock.now_ms() - started_ms <= 3100


@paypay_test
async def test_429_again_and_again_doubles_the_pause(paypay: PayPay) -> None:
    http = ScriptedHttp([an_answer(429, "RATE_LIMIT")])
    client = a_client(http, paypay.clock)
    pauses = []
    for _ in range(6):
        started_ms = paypay.clock.now_ms()
        assert await unknown(client.get_payment("o-1")) == "RATE_LIMIT"
        pauses.append(round((paypay.clock.now_ms() - started_ms) / 1000))
    assert pauses == [0, 1, 2, 4, 8, 8]


@paypay_test
async def test_what_was_announced_goes_before_routine_look_ups(paypay: PayPay) -> None:
    client = a_client(paypay.http, paypay.clock, rate_per_s=10)
    await client.create_code(a_request())
    routine = [asyncio.ensure_future(client.get_payment("o-1")) for _ in range(25)]
    await asyncio.sleep(0)
    started = paypay.clock.monotonic()
    await client.get_payment("o-1", urgent=True)
    assert paypay.clock.monotonic() - started < 0.1
    await asyncio.gather(*routine)
    assert paypay.clock.monotonic() - started > 1.4


@paypay_test
async def test_look_ups_keep_to_the_rate_and_creating_does_not_wait_for_them(
    paypay: PayPay,
) -> None:
    http = ScriptedHttp([an_answer(200, content={"status": "CREATED"})])
    client = a_client(http, paypay.clock, rate_per_s=10)
    started_ms = paypay.clock.now_ms()
    looking = [asyncio.ensure_future(client.get_payment("o-1")) for _ in range(40)]
    await asyncio.sleep(0.5)
    http.script = [an_answer(201, content=a_code())]
    await client.create_code(a_request())
    assert paypay.clock.now_ms() - started_ms == 500
    http.script = [an_answer(200, content={"status": "CREATED"})]
    await asyncio.gather(*looking)
    # A second's worth at once, then ten a second.
    assert 2900 <= paypay.clock.now_ms() - started_ms <= 3200


async def test_more_than_can_be_served_in_time_is_not_sent() -> None:
    http = ScriptedHttp([an_answer(200, content={"status": "CREATED"})])
    client = a_client(http, StillClock(), rate_per_s=1)
    await client.get_payment("o-1")
    waiting = [asyncio.ensure_future(client.get_payment("o-1")) for _ in range(20)]
    await asyncio.sleep(0)
    with pytest.raises(Unknown, match="budget"):
        await client.get_payment("o-1")
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
