"""How much of PayPay's line one kind of request may take, and what is told of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from email.utils import format_datetime
from typing import Any

import pytest
from tests.support.payment import refusal, unknown
from tests.support.paypay_client import ScriptedHttp, a_client, a_code, a_request, an_answer
from tests.support.provider import NEVER_LATE
from tests.support.web import StillClock, a_runtime
from tests.support.web import a_client as a_web_client

from kessai.contracts.payment import CreatePayment
from kessai.kernel.actuator import Degraded
from kessai.kernel.clock import from_ms, wire
from kessai.kernel.db import Db, open_database
from kessai.kernel.http import Answer, NoAnswer
from kessai.kernel.metrics import Metrics
from kessai.payment.application.ports import RefundRequest
from kessai.payment.domain.evidence import Word
from kessai.payment.main import build

CREATED = an_answer(200, content={"status": "CREATED"})


def figures(metrics: Metrics) -> dict[str, float]:
    """Series and value, as Prometheus reads them."""
    lines = metrics.prometheus().decode().splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if line.startswith("paypay_")]
    return {name: float(value) for name, value in pairs}


def dated(clock: StillClock, off_s: float, **more: Any) -> Answer:
    """An answer of a provider whose clock is that much ahead of ours."""
    moment = from_ms(clock.now_ms() + round(off_s * 1000))
    date = format_datetime(moment.replace(microsecond=0), usegmt=True)
    return an_answer(200, content={"status": "CREATED"}, Date=date, **more)


async def test_look_ups_that_hang_leave_the_line_to_customers_and_refunds() -> None:
    metrics, http = Metrics("test"), ScriptedHttp([CREATED], gate=asyncio.Event())
    client = a_client(http, StillClock(), metrics=metrics, lookups_at_once=3)
    hanging = [asyncio.ensure_future(client.get_payment(f"o-{n}")) for n in range(3)]
    await asyncio.sleep(0)
    assert await unknown(client.get_payment("o-9")) == "NOT_SENT"
    assert await unknown(client.get_refund("rf-1", "pp-1")) == "NOT_SENT"
    assert len(http.sent) == 3
    seen = figures(metrics)
    assert seen['paypay_in_flight{lane="look-up"}'] == 3
    assert seen['paypay_not_sent_total{operation="get",reason="bulkhead"}'] == 1
    assert seen['paypay_not_sent_total{operation="get_refund",reason="bulkhead"}'] == 1
    others = [
        asyncio.ensure_future(client.create_code(a_request())),
        asyncio.ensure_future(client.delete_code("04-1")),
    ]
    await asyncio.sleep(0)
    assert len(http.sent) == 5
    http.gate.set()  # type: ignore[union-attr]
    await asyncio.gather(*hanging, *others, return_exceptions=True)
    seen = figures(metrics)
    assert [seen[f'paypay_in_flight{{lane="{lane}"}}'] for lane in ("create", "look-up")] == [0, 0]
    assert (await client.get_payment("o-9")).word == Word.CREATED


async def test_a_full_lane_is_no_failure_of_the_provider() -> None:
    http = ScriptedHttp([CREATED], gate=asyncio.Event())
    client = a_client(http, StillClock(), lookups_at_once=1)
    hanging = asyncio.ensure_future(client.get_payment("o-1"))
    await asyncio.sleep(0)
    for _ in range(20):
        assert await unknown(client.get_payment("o-2")) == "NOT_SENT"
    http.gate.set()  # type: ignore[union-attr]
    await hanging
    assert (await client.get_payment("o-2")).word == Word.CREATED


async def test_a_caller_that_gives_up_frees_its_place() -> None:
    http = ScriptedHttp([an_answer(201, content=a_code())], gate=asyncio.Event())
    client = a_client(http, StillClock(), creates_at_once=1)
    hanging = asyncio.ensure_future(client.create_code(a_request()))
    await asyncio.sleep(0)
    assert await unknown(client.create_code(a_request())) == "NOT_SENT"
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    http.gate = None
    assert (await client.create_code(a_request())).code_id == "04-1"


async def test_of_thirty_at_once_one_tries_a_sick_provider() -> None:
    clock, metrics, http = StillClock(), Metrics("test"), ScriptedHttp([NoAnswer("slow")])
    client = a_client(http, clock, metrics=metrics)
    circuit = 'paypay_circuit_state{operation="get"}'
    for _ in range(5):
        await unknown(client.get_payment("o-1"))
    assert figures(metrics)[circuit] == 2
    clock.pass_s(2)
    assert figures(metrics)[circuit] == 1
    http.script, http.gate = [CREATED], asyncio.Event()
    asking = [asyncio.ensure_future(client.get_payment("o-1", urgent=True)) for _ in range(30)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(http.sent) == 6
    http.gate.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(not isinstance(one, Exception) for one in answers) == 1
    assert {getattr(one, "code", "") for one in answers if isinstance(one, Exception)} == {
        "NOT_SENT"
    }
    seen = figures(metrics)
    assert seen[circuit] == 0
    assert seen['paypay_not_sent_total{operation="get",reason="circuit"}'] == 29
    assert seen['paypay_circuit_state{operation="create"}'] == 0


async def test_what_the_rate_holds_back_is_counted() -> None:
    metrics, http = Metrics("test"), ScriptedHttp([CREATED])
    client = a_client(http, StillClock(), metrics=metrics, rate_per_s=1, max_wait_s=0)
    await client.get_payment("o-1")
    assert await unknown(client.get_payment("o-1")) == "NOT_SENT"
    seen = figures(metrics)
    assert seen['paypay_not_sent_total{operation="get",reason="rate"}'] == 1
    assert seen['paypay_rate_wait_seconds_count{operation="get"}'] == 1
    assert seen['paypay_requests_seconds_count{operation="get",outcome="200"}'] == 1


@pytest.mark.parametrize("off_s", [-61, -31.5, 31.5, 61, 7200])
async def test_a_clock_that_is_off_is_told_and_a_right_one_is_well_again(off_s: float) -> None:
    clock, metrics = StillClock(), Metrics("test")
    http = ScriptedHttp([dated(clock, off_s)])
    client = a_client(http, clock, metrics=metrics)
    assert (await client.clock_agrees())["skewSeconds"] == 0
    await client.get_payment("o-1")
    assert figures(metrics)["paypay_clock_skew_seconds"] == pytest.approx(-off_s, abs=1)
    with pytest.raises(Degraded) as degraded:
        await client.clock_agrees()
    assert degraded.value.details["alarmSeconds"] == 30
    assert degraded.value.details["refusedFromSeconds"] == 120
    http.script = [dated(clock, 0)]
    await client.get_payment("o-1")
    assert (await client.clock_agrees())["skewSeconds"] == 0
    assert figures(metrics)["paypay_clock_skew_seconds"] == 0


async def test_the_service_shows_its_clock_and_its_traffic() -> None:
    clock, databases = StillClock(), [await open_database("sqlite:")]

    async def open_db(_name: str) -> Db:
        return databases[0]

    http = ScriptedHttp([dated(clock, -45)])
    unit = await build(replace(a_runtime(clock=clock), http=http, open_db=open_db))
    try:
        async with a_web_client(unit.app) as client:

            async def status(path: str) -> tuple[int, str]:
                answer = await client.get(f"/actuator/health{path}")
                return answer.status_code, answer.json()["status"]

            assert await status("/paypay-clock") == (200, "UP")
            command = CreatePayment(
                request_id="r1",
                order_id="o" * 26,
                amount=1200,
                description="",
                redirect_url="http://shop.test",
                hold_until_ms=clock.now_ms() + 900_000,
            )
            await unknown(unit.port.create_payment(command))
            assert await status("/paypay-clock") == (200, "DEGRADED")
            assert await status("") == (200, "DEGRADED")
            names = (await client.get("/actuator/metrics")).json()["names"]
    finally:
        await unit.stop()
    wanted = {
        "paypay.requests",
        "paypay.rate.wait",
        "paypay.not.sent",
        "paypay.circuit.state",
        "paypay.in.flight",
        "paypay.clock.skew",
    }
    assert wanted <= set(names)


@pytest.mark.parametrize("off_s", [0, 0.4, -0.4, -20, 29, 30])
async def test_a_little_off_is_well(off_s: float) -> None:
    clock = StillClock()
    client = a_client(ScriptedHttp([dated(clock, off_s)]), clock)
    await client.get_payment("o-1")
    await client.clock_agrees()


async def test_a_key_that_is_refused_shows_until_it_is_accepted() -> None:
    clock = StillClock()
    http = ScriptedHttp([an_answer(401, "UNAUTHORIZED"), an_answer(503, "X")])
    client = a_client(http, clock)
    assert await client.key_is_accepted() == {}
    since = wire(clock.now_ms())
    for _ in range(2):
        await unknown(client.get_payment("o-1"))
        with pytest.raises(Degraded) as degraded:
            await client.key_is_accepted()
        assert degraded.value.details == {"refusedSince": since}
        clock.pass_s(60)
    http.script = [an_answer(401, "USER_STATE_IS_NOT_ACTIVE")]
    await unknown(client.get_payment("o-1"))
    assert await client.key_is_accepted() == {}


async def test_answers_that_refuse_us_tell_the_time_too() -> None:
    clock = StillClock()
    date = dated(clock, 130).headers["Date"]
    for answer in (an_answer(401, "UNAUTHORIZED", Date=date), an_answer(503, "X", Date=date)):
        client = a_client(ScriptedHttp([answer]), clock)
        await unknown(client.get_payment("o-1"))
        with pytest.raises(Degraded):
            await client.clock_agrees()


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Nov 2026 08:00:00 GMT", "\x00", "1e9"])
async def test_a_date_that_is_none_says_nothing(date: str) -> None:
    clock = StillClock()
    client = a_client(
        ScriptedHttp([an_answer(200, content={"status": "CREATED"}, Date=date)]), clock
    )
    assert (await client.get_payment("o-1")).word == Word.CREATED
    await client.clock_agrees()


async def test_a_slow_answer_says_nothing_about_the_time() -> None:
    clock = StillClock()
    http = ScriptedHttp([dated(clock, 0)], gate=asyncio.Event())
    client = a_client(http, clock)
    asking = asyncio.ensure_future(client.get_payment("o-1"))
    await asyncio.sleep(0)
    clock.pass_s(40)
    http.gate.set()  # type: ignore[union-attr]
    await asking
    await client.clock_agrees()


@pytest.mark.parametrize(
    ("status", "code", "ends"),
    [
        (400, "REFUND_WINDOW_EXCEED", "refused"),
        (400, "REFUND_LIMIT_EXCEEDED", "refused"),
        (403, "MERCHANT_MULTIPLE_REFUND_REJECTED", "refused"),
        (401, "USER_STATE_IS_NOT_ACTIVE", "refused"),
        (400, "CANCELED_USER", "refused"),
        (400, "UNACCEPTABLE_OP", "refused"),
        (400, "ORDER_NO_LONGER_AVAILABLE", "refused"),
        (500, "TRANSACTION_FAILED", "unknown"),
        (503, "MAINTENANCE_MODE", "unknown"),
        (404, "NO_SUCH_REFUND_ORDER", "unknown"),
        (202, "SOMETHING_NEW", "unknown"),
    ],
)
async def test_how_a_refund_ends(status: int, code: str, ends: str) -> None:
    client = a_client(ScriptedHttp([an_answer(status, code)]), StillClock())
    asked = client.refund(RefundRequest("rf-1", "pp-1", 1, "x", 0))
    if ends == "refused":
        assert await refusal(asked) == code
    else:
        assert await unknown(asked) in ("PROVIDER_ERROR", "UNEXPECTED_ANSWER", code)


@pytest.mark.parametrize(
    ("status", "code", "word"),
    [
        (202, "REQUEST_ACCEPTED", Word.CANCEL_ACCEPTED),
        (404, "RESOURCE_NOT_FOUND", Word.CANCEL_REFUSED),
        (400, "ORDER_NOT_REVERSIBLE", Word.CANCEL_TOO_LATE),
        (400, "ORDER_NO_LONGER_AVAILABLE", Word.CANCEL_TOO_LATE),
        (400, "INVALID_REQUEST_PARAMS", None),
        (500, "SERVICE_ERROR", None),
    ],
)
async def test_what_a_cancel_was_told(status: int, code: str, word: Word | None) -> None:
    client = a_client(ScriptedHttp([an_answer(status, code)]), StillClock())
    if word is None:
        assert await unknown(client.cancel_payment("o-1", leaves_by_ms=NEVER_LATE)) != "NOT_SENT"
    else:
        assert await client.cancel_payment("o-1", leaves_by_ms=NEVER_LATE) is word


async def test_a_cancel_that_is_late_does_not_leave() -> None:
    http, clock = ScriptedHttp([an_answer(200)]), StillClock()
    client = a_client(http, clock)
    late = client.cancel_payment("o-1", leaves_by_ms=clock.now_ms() - 1)
    assert await unknown(late) == "NOT_SENT"
    assert http.sent == []
    in_time = client.cancel_payment("o-1", leaves_by_ms=clock.now_ms())
    assert await in_time is Word.CANCEL_ACCEPTED


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("completed", "completed"),
        (" COMPLETED", " COMPLETED"),
        ("NEW_WORD", "NEW_WORD"),
        ("NOT_FOUND", '?"NOT_FOUND"'),
        ("CANCEL_ACCEPTED", '?"CANCEL_ACCEPTED"'),
        ("CODE_DELETED", '?"CODE_DELETED"'),
        ("", '?""'),
        (None, "?null"),
        (17, "?17"),
        (True, "?true"),
        (["COMPLETED"], '?["COMPLETED"]'),
        ("X" * 5000, '?"' + "X" * 38),
        ("a\nb", '?"a\\nb"'),
    ],
)
async def test_odd_words_of_a_look_up_stay_odd_words(status: object, word: str) -> None:
    client = a_client(ScriptedHttp([an_answer(200, content={"status": status})]), StillClock())
    assert (await client.get_payment("o-1")).word == word
