"""Calls between services: every adapter gives the same three answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from kessai.contracts.wire import Wire
from kessai.kernel import problem
from kessai.kernel.addresses import Address, Addresses
from kessai.kernel.breaker import CircuitBreaker
from kessai.kernel.calls import (
    Serve,
    absent,
    http,
    local,
    mount,
    observed,
    operations,
    simulated,
    unavailable_code,
)
from kessai.kernel.clock import SystemClock
from kessai.kernel.errors import Kind, Refused, Unknown
from kessai.kernel.http import AsgiHttp

TOKEN = "a-service-token"
URL = "http://127.0.0.1:8999"


class Add(Wire):
    left: int
    right: int
    note: str | None = None
    raw: bytes = b""


class Sum(Wire):
    total: int
    note: str | None = None
    raw: bytes = b""


class Adder(Protocol):
    async def add_numbers(self, command: Add) -> Sum: ...

    async def add_slowly(self, command: Add) -> Sum: ...


@dataclass
class Calculator:
    seen: list[Add] = field(default_factory=list)
    fault: BaseException | None = None

    async def add_numbers(self, command: Add) -> Sum:
        self.seen.append(command)
        if self.fault:
            raise self.fault
        return Sum(total=command.left + command.right, note=command.note, raw=command.raw)

    async def add_slowly(self, command: Add) -> Sum:
        await asyncio.sleep(30)
        return await self.add_numbers(command)


@dataclass
class Outcomes:
    seen: list[tuple[str, str, str]] = field(default_factory=list)

    def __call__(self, service: str, operation: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.seen.append((service, operation, outcome))


@dataclass
class Case:
    adder: Adder
    calculator: Calculator
    outcomes: Outcomes
    client: AsgiHttp


@dataclass
class StraightLine:
    """The plainest of carriers: nothing is lost on the way."""

    calculator: Calculator

    async def carry(self, _operation: str, _command: str, serve: Serve) -> str:
        return await serve(self.calculator)


@pytest.fixture(params=["local", "local through JSON", "http", "simulated"])
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    calculator, outcomes, client = Calculator(), Outcomes(), AsgiHttp()
    app = FastAPI()
    problem.install(app)
    app.include_router(mount(Adder, calculator, token=TOKEN))
    client.route(URL, app)
    if request.param == "http":
        adder: Adder = http(
            Adder,
            Addresses([Address(URL, CircuitBreaker(SystemClock()))]),
            service="adder-service",
            token=TOKEN,
            client=client,
            timeout_s=0.5,
        )
    elif request.param == "simulated":
        adder = simulated(
            Adder,
            StraightLine(calculator),
            service="adder-service",
            timeout_s=0.5,
        )
    else:
        adder = local(
            Adder,
            calculator,
            service="adder-service",
            timeout_s=0.5,
            round_trip="JSON" in request.param,
        )
    watched = observed(Adder, adder, "adder-service", outcomes)
    yield Case(watched, calculator, outcomes, client)
    await client.close()


async def test_a_value_comes_back_as_it_was_given(case: Case) -> None:
    answer = await case.adder.add_numbers(Add(left=2, right=3, note="決済", raw=b"\x00\xff"))
    assert answer == Sum(total=5, note="決済", raw=b"\x00\xff")
    assert case.outcomes.seen == [("adder-service", "add_numbers", "value")]


async def test_a_refusal_keeps_code_kind_facts_and_retry_time(case: Case) -> None:
    case.calculator.fault = Refused(
        "OUT_OF_STOCK",
        "three wanted",
        kind=Kind.TOO_MANY,
        facts={"items": [{"productId": 1}]},
        retry_after_s=7,
    )
    with pytest.raises(Refused) as raised:
        await case.adder.add_numbers(Add(left=1, right=1))
    refused = raised.value
    assert (refused.code, refused.message, refused.kind) == (
        "OUT_OF_STOCK",
        "three wanted",
        Kind.TOO_MANY,
    )
    assert dict(refused.facts) == {"items": [{"productId": 1}]}
    assert refused.retry_after_s == 7
    assert case.outcomes.seen == [("adder-service", "add_numbers", "refused")]
    assert len(case.calculator.seen) == 1


async def test_unknown_stays_unknown_with_its_code(case: Case) -> None:
    case.calculator.fault = Unknown("DATABASE_UNAVAILABLE", "locked")
    with pytest.raises(Unknown) as raised:
        await case.adder.add_numbers(Add(left=1, right=1))
    assert raised.value.code == "DATABASE_UNAVAILABLE"
    assert case.outcomes.seen == [("adder-service", "add_numbers", "unknown")]


async def test_a_bug_of_the_callee_is_unknown_to_the_caller(case: Case) -> None:
    case.calculator.fault = ZeroDivisionError("a bug")
    with pytest.raises(Unknown) as raised:
        await case.adder.add_numbers(Add(left=1, right=1))
    assert raised.value.code == "ADDER_SERVICE_UNAVAILABLE"


async def test_a_late_answer_is_unknown(case: Case) -> None:
    with pytest.raises(Unknown) as raised:
        await case.adder.add_slowly(Add(left=1, right=1))
    assert raised.value.code == "ADDER_SERVICE_UNAVAILABLE"
    assert case.outcomes.seen == [("adder-service", "add_slowly", "unknown")]


def remote(client: AsgiHttp, token: str, breaker: CircuitBreaker) -> Adder:
    return http(
        Adder,
        Addresses([Address(URL, breaker)]),
        service="order-service",
        token=token,
        client=client,
        timeout_s=2,
    )


async def test_a_lost_call_is_tried_again_and_then_unknown() -> None:
    client = AsgiHttp()
    adder = remote(client, TOKEN, CircuitBreaker(SystemClock(), open_s=60))
    with capture_logs() as lines, pytest.raises(Unknown) as raised:
        await adder.add_numbers(Add(left=1, right=1))
    assert raised.value.code == "ORDER_SERVICE_UNAVAILABLE"
    assert [line["event"] for line in lines] == ["call.lost"] * 3
    assert (lines[0]["to"], lines[0]["operation"]) == ("order-service", "add_numbers")
    # Two more tries open the circuit; that is told once, and not at every call that it turns away.
    with capture_logs() as lines:
        for _ in range(3):
            with pytest.raises(Unknown):
                await adder.add_numbers(Add(left=1, right=1))
    assert [line["event"] for line in lines] == ["call.lost", "breaker.opened", "call.lost"]


async def test_without_the_service_token_nothing_is_done() -> None:
    calculator, client = Calculator(), AsgiHttp()
    app = FastAPI()
    problem.install(app)
    app.include_router(mount(Adder, calculator, token=TOKEN))
    client.route(URL, app)
    for token in ("", "wrong", TOKEN + "x"):
        with pytest.raises(Unknown):
            await remote(client, token, CircuitBreaker(SystemClock())).add_numbers(
                Add(left=1, right=1)
            )
    url = f"{URL}/internal/calls/add_numbers"
    answer = await client.send("POST", url, body=b"{}", timeout_s=1)
    assert answer.status == 403
    assert calculator.seen == []


async def test_a_malformed_command_is_refused_with_its_field() -> None:
    client, app = AsgiHttp(), FastAPI()
    problem.install(app)
    app.include_router(mount(Adder, Calculator(), token=TOKEN))
    client.route(URL, app)
    answer = await client.send(
        "POST",
        f"{URL}/internal/calls/add_numbers",
        headers={"Authorization": f"Bearer {TOKEN}"},
        body=b'{"left": "x", "right": 1}',
        timeout_s=1,
    )
    assert answer.status == 422
    assert b'"field": "left"' in answer.body


def test_operations_are_read_from_the_protocol() -> None:
    assert [(op.name, op.command, op.answer) for op in operations(Adder)] == [
        ("add_numbers", Add, Sum),
        ("add_slowly", Add, Sum),
    ]


def test_codes_of_services_that_are_away() -> None:
    assert unavailable_code("order-service") == "ORDER_SERVICE_UNAVAILABLE"
    assert unavailable_code("payment-service") == "PAYMENT_UNAVAILABLE"
    assert unavailable_code("es-service") == "SEARCH_UNAVAILABLE"


async def test_a_service_that_is_not_there_knows_nothing() -> None:
    nobody = absent(Adder, service="es-service")
    for call in (nobody.add_numbers, nobody.add_slowly):
        with pytest.raises(Unknown) as unknown:
            await call(Add(left=1, right=2))
        assert unknown.value.code == "SEARCH_UNAVAILABLE"
