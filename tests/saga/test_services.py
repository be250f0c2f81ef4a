"""What may be a service: objects, maps, functions, URLs; with and without the step's context."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.saga.world import Notes, Shop, a_machine, a_task, an_engine, run_virtual

from kessai.kernel.db import Tx
from kessai.kernel.errors import JsonValue, Refused, Unknown
from kessai.kernel.http import AsgiHttp
from kessai.saga import (
    DefinitionError,
    EngineLimits,
    HttpService,
    Local,
    Machine,
    MemoryLog,
    Outcome,
    Service,
    StepContext,
    Thrown,
    Verdict,
)
from kessai.saga.services import classify

NO_RETRY: dict[str, Any] = {"ServiceName": "host", "Retry": [], "Output": {"said": "$.#root"}}
GREET = a_machine({"Greet": a_task("greet", Input=["$.[name]", 2], **NO_RETRY)})


def greeted(service: object, machine: Machine = GREET) -> Outcome:
    """The outcome of one call of `greet` at this service."""
    found: list[Outcome] = []

    async def story() -> None:
        limits = EngineLimits(redrives=0)
        engine = an_engine(MemoryLog(), Shop(), machine, services={"host": service}, limits=limits)
        outcome = await engine.execute("m", {"name": "Ann"}, timeout_s=60)
        assert outcome is not None
        found.append(outcome)
        await engine.close()

    run_virtual(story())
    return found[0]


class Host:
    """Takes its arguments alone."""

    greeting = "hello"

    def greet(self, name: str, times: int) -> str:
        return f"{self.greeting} {name}" * times

    async def greet_later(self, name: str, times: int) -> str:
        await asyncio.sleep(1)
        return self.greet(name, times)

    @staticmethod
    def apart(name: str, times: int) -> str:
        return f"{name}{times}"

    def _greet(self, name: str, times: int) -> str:
        return self.greet(name, times)


class Knowing:
    """Asks for the step by the annotation of its first parameter."""

    def greet(self, step: StepContext, name: str, times: int) -> JsonValue:
        return [step.machine, step.state, step.token.endswith("Greet.1"), name, times]


class Calling:
    def __call__(self, step: StepContext, name: str, times: int) -> str:
        return f"{step.machine}: {name}{times}"


def quoted(step: "StepContext", name: str, times: int) -> str:  # noqa: UP037
    return f"{step.state}: {name}{times}"


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (Host(), "hello Annhello Ann"),
        (Knowing(), ["m", "Greet", True, "Ann", 2]),
        ({"greet": Host().greet}, "hello Annhello Ann"),
        ({"greet": Host().greet_later}, "hello Annhello Ann"),
        ({"greet": Host.apart}, "Ann2"),
        ({"greet": lambda name, times: [name, times]}, ["Ann", 2]),
        ({"greet": functools.partial(Host.apart, times=3)}, None),
        ({"greet": "{}-{}".format}, "Ann-2"),
        ({"greet": Calling()}, "m: Ann2"),
        ({"greet": quoted}, "Greet: Ann2"),
    ],
)
def test_whatever_can_be_called_is_a_service(service: object, said: object) -> None:
    outcome = greeted(service)
    if said is None:
        # Called with what it does not take: that is its answer.
        assert (outcome.status, outcome.error and outcome.error.names[0]) == ("UN", "TypeError")
    else:
        assert (outcome.status, outcome.context.get("said")) == ("SU", said)


def test_functions_register_themselves_under_their_own_names() -> None:
    host = Service()

    @host.task
    def greet(name: str, times: int) -> str:
        return name * times

    @host.task
    async def ask(step: StepContext, name: str) -> str:
        return f"{step.state} {name}"

    states = {
        "Greet": a_task("greet", Input=["$.[name]", 2], Next="Ask", **NO_RETRY),
        "Ask": a_task("ask", Input=["$.[said]"], **NO_RETRY),
    }
    assert greeted(host, a_machine(states)).context["said"] == "Ask AnnAnn"
    # A decorated function stays what it was.
    assert greet("x", 3) == "xxx"


@pytest.mark.parametrize(
    ("services", "reason"),
    [
        ({}, "ServiceName 'host' is not registered"),
        ({"host": {}}, "ServiceMethod 'greet' does not exist"),
        ({"host": {"greet": 3}}, "ServiceMethod 'greet' does not exist"),
        ({"host": object()}, "ServiceMethod 'greet' does not exist"),
    ],
)
def test_what_is_missing_is_said_when_the_engine_is_built(
    services: dict[str, object], reason: str
) -> None:
    async def story() -> None:
        with pytest.raises(DefinitionError, match="machine 'm', state 'Greet': ") as refusal:
            an_engine(MemoryLog(), Shop(), GREET, services=services)
        assert str(refusal.value).endswith(reason)

    run_virtual(story())


def test_what_begins_with_an_underscore_is_nobodys_service() -> None:
    private = a_machine({"Greet": a_task("_greet", Input=["$.[name]", 2], **NO_RETRY)})

    async def story() -> None:
        with pytest.raises(DefinitionError, match="_greet"):
            an_engine(MemoryLog(), Shop(), private, services={"host": Host()})

    run_virtual(story())


def test_local_steps_need_a_database() -> None:
    async def story() -> None:
        local = a_machine({"Greet": a_task("write", **{**NO_RETRY, "ServiceName": "notes"})})
        with pytest.raises(DefinitionError, match="no database for local steps"):
            an_engine(MemoryLog(), Shop(), local, services={"notes": Local(Notes())})

    run_virtual(story())


def test_a_local_service_may_be_a_map_of_functions_too() -> None:
    async def write(step: StepContext, tx: Tx, text: str) -> None:
        raise AssertionError("never called")

    async def story() -> None:
        task = a_task("write", **{**NO_RETRY, "ServiceName": "own"})
        with pytest.raises(DefinitionError, match="in memory"):
            an_engine(
                MemoryLog(),
                Shop(),
                a_machine({"A": task}),
                services={"own": Local({"write": write})},
            )

    run_virtual(story())


# --- exceptions -----------------------------------------------------------------------------


class Named(Exception):
    saga_names = ("com.shop.SoldOut", 7)


def thrown(names: str, verdict: Verdict, code: str, message: str = "why") -> Thrown:
    return Thrown(tuple(names.split()), message, verdict, code)


ALL = "java.lang.Exception java.lang.Throwable"


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (
            Refused("SOLD_OUT", "why"),
            thrown(f"Refused KessaiError Exception SOLD_OUT {ALL}", Verdict.REFUSED, "SOLD_OUT"),
        ),
        (Unknown("DOWN", "why"), thrown("Unknown DOWN", Verdict.UNKNOWN, "DOWN")),
        (
            ConnectionRefusedError("why"),
            thrown(
                "ConnectionRefusedError ConnectionError OSError Exception"
                f" java.net.ConnectException {ALL}",
                Verdict.NOT_SENT,
                "NOT_SENT",
            ),
        ),
        (
            TimeoutError("why"),
            thrown(
                f"TimeoutError OSError Exception java.net.SocketTimeoutException {ALL}",
                Verdict.UNKNOWN,
                "NO_ANSWER",
            ),
        ),
        (
            Named("why"),
            thrown(f"Named Exception com.shop.SoldOut 7 {ALL}", Verdict.UNKNOWN, "UNEXPECTED"),
        ),
        (SystemExit("why"), thrown(f"SystemExit {ALL}", Verdict.UNKNOWN, "UNEXPECTED")),
    ],
)
def test_an_exception_is_kept_with_all_names_that_a_definition_may_say(
    error: BaseException, kept: Thrown
) -> None:
    assert classify(error) == kept
    assert Thrown.from_json(json.loads(json.dumps(kept.to_json()))) == kept


def test_facts_of_a_refusal_are_kept_if_they_can_be() -> None:
    assert classify(Refused("NO", facts={"left": 3})).facts == {"left": 3}
    odd: Any = {"left": object()}
    assert classify(Refused("NO", facts=odd)).facts == {}


def test_a_message_of_any_length_fits_into_a_row() -> None:
    assert len(classify(ValueError("x" * 100_000)).message) == 2_000


# --- URLs -----------------------------------------------------------------------------------


class Server:
    """Answers as told, and keeps what it was asked."""

    def __init__(self, *answers: Response | Callable[[], Response]) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []
        self.bodies: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.asked.append(request)
        self.bodies.append(await request.json())
        answer = self.answers.pop(0)
        response = answer if isinstance(answer, Response) else answer()
        await response(scope, receive, send)


def reached(app: ASGIApp, machine: Machine = GREET, **options: Any) -> Outcome:
    http = AsgiHttp({"http://host": app})
    return greeted(HttpService(http, "http://host/api/", **options), machine)


def test_a_step_is_a_post_with_its_token_as_key() -> None:
    server = Server(Response('{"said": ["決済", 1]}', media_type="application/json"))
    outcome = reached(server, headers={"Authorization": "Bearer x"})

    assert outcome.context["said"] == {"said": ["決済", 1]}
    (request,) = server.asked
    assert (request.method, request.url.path) == ("POST", "/api/greet")
    assert server.bodies == [{"input": ["Ann", 2]}]
    told = {name: request.headers[name] for name in ("authorization", "content-type")}
    assert told == {"authorization": "Bearer x", "content-type": "application/json"}
    instance_id = outcome.instance_id
    assert request.headers["idempotency-key"] == f"{instance_id}.Greet.1"
    assert request.headers["saga-instance"] == instance_id
    assert request.headers["saga-state"] == "Greet"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Response("[1, 2]"), [1, 2]),
        (Response("3", status_code=201), 3),
        (Response("null"), None),
        (Response(status_code=204), None),
        (Response("  \n", status_code=200), None),
    ],
)
def test_a_2xx_answers_json_or_nothing(answer: Response, said: object) -> None:
    outcome = reached(Server(answer))
    assert (outcome.status, outcome.context.get("said")) == ("SU", said)


PROBLEM = '{"type": "about:blank", "status": 409, "code": "SOLD_OUT"}'


@pytest.mark.parametrize(
    ("answer", "status", "code", "verdict"),
    [
        (Response(PROBLEM, status_code=409), "FA", "SOLD_OUT", Verdict.REFUSED),
        (Response(PROBLEM, status_code=422), "FA", "SOLD_OUT", Verdict.REFUSED),
        (Response("no json", status_code=404), "FA", "HTTP_404", Verdict.REFUSED),
        (Response('{"code": 7}', status_code=400), "FA", "HTTP_400", Verdict.REFUSED),
        (Response(PROBLEM, status_code=429), "UN", "HTTP_429", Verdict.UNKNOWN),
        (Response(PROBLEM, status_code=408), "UN", "HTTP_408", Verdict.UNKNOWN),
        (Response(PROBLEM, status_code=425), "UN", "HTTP_425", Verdict.UNKNOWN),
        (Response(PROBLEM, status_code=500), "UN", "HTTP_500", Verdict.UNKNOWN),
        (Response(PROBLEM, status_code=503), "UN", "HTTP_503", Verdict.UNKNOWN),
        (Response(status_code=302), "UN", "HTTP_302", Verdict.UNKNOWN),
        (Response("<html>"), "UN", "UNREADABLE", Verdict.UNKNOWN),
        (Response(b"\xff\xfe"), "UN", "UNREADABLE", Verdict.UNKNOWN),
        (Response("NaN"), "UN", "NOT_STORABLE", Verdict.UNKNOWN),
    ],
)
def test_only_what_certainly_did_nothing_is_a_refusal(
    answer: Response, status: str, code: str, verdict: Verdict
) -> None:
    outcome = reached(Server(answer))
    assert outcome.error is not None
    assert (outcome.status, outcome.error.code, outcome.error.verdict) == (status, code, verdict)


def test_no_answer_and_no_server_are_unknown() -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    outcome = reached(silent, timeout_s=3)
    assert (outcome.status, outcome.error and outcome.error.code) == ("UN", "NO_ANSWER")
    gone = greeted(HttpService(AsgiHttp(), "http://host"))
    assert (gone.status, gone.error and gone.error.code) == ("UN", "NOT_SENT")


def test_an_unknown_answer_is_asked_for_again_with_the_same_key() -> None:
    server = Server(Response(status_code=503), Response("<html>"), Response('"hello"'))
    again = [{"Exceptions": ["Unknown"], "IntervalSeconds": 1, "MaxAttempts": 5}]
    machine = a_machine({"Greet": a_task("greet", **{**NO_RETRY, "Retry": again})})
    outcome = reached(server, machine)

    assert (outcome.status, outcome.context["said"]) == ("SU", "hello")
    keys = [request.headers["idempotency-key"] for request in server.asked]
    assert keys == [f"{outcome.instance_id}.Greet.1"] * 3


def test_a_refusal_can_be_caught_by_its_code() -> None:
    caught = [{"Exceptions": ["SOLD_OUT"], "Next": "Sorry"}]
    states = {
        "Greet": a_task("greet", **NO_RETRY, Catch=caught),
        "Sorry": {"Type": "Fail", "ErrorCode": "E", "Message": "sold out"},
    }
    outcome = reached(Server(Response(PROBLEM, status_code=409)), a_machine(states))
    assert outcome.cause is not None
    assert (outcome.cause.code, outcome.context["_statemachine_error_code_"]) == ("SOLD_OUT", "E")
