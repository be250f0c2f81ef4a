"""Calls between services: one Protocol of `contracts`, three adapters, three answers.

A port's operations are `async def verb_noun(self, command: Model) -> Model`. Every adapter ends in
a value, `Refused` or `Unknown`, within a deadline, and tells the correlation id to the callee.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol, TypeVar, cast, get_type_hints

import stamina
import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ValidationError
from stamina.instrumentation import set_on_retry_hooks

from kessai.kernel.addresses import Addresses
from kessai.kernel.breaker import CircuitOpen
from kessai.kernel.crash_points import reached
from kessai.kernel.errors import Invalid, KessaiError, Kind, Refused, Unknown
from kessai.kernel.http import Answer, Http, NoAnswer, NotSent
from kessai.kernel.telemetry import in_service, outgoing_headers

P = TypeVar("P")
Call = Callable[[BaseModel], Awaitable[BaseModel]]
# Command in, answer out, as text: what the callee does with a call that reached it.
Serve = Callable[[object], Coroutine[None, None, str]]

PATH = "/internal/calls"
_TRIES = 3
_REFUSED = 409
_UNKNOWN = 503
_LOST = (NotSent, NoAnswer, CircuitOpen)
_log = structlog.get_logger(__name__)


class Observe(Protocol):
    """Told of every call: service, operation, outcome (value, refused, unknown), seconds."""

    def __call__(self, service: str, operation: str, outcome: str, seconds: float) -> None: ...


class Carrier(Protocol):
    """How a simulated call travels: late, lost, doubled, or to a callee that is dead."""

    async def carry(self, operation: str, command: str, serve: Serve) -> str:
        """The answer's text. Calls `serve` with the callee's port, on the callee's side."""
        ...


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    command: type[BaseModel]
    answer: type[BaseModel]


def operations(port: type) -> tuple[Operation, ...]:
    """The operations of a service's Protocol, in their order."""
    return _operations(cast(Hashable, port))


@cache
def _operations(port: Hashable) -> tuple[Operation, ...]:
    found = []
    for name, member in vars(port).items():
        if name.startswith("_") or not asyncio.iscoroutinefunction(member):
            continue
        hints = get_type_hints(member)
        found.append(Operation(name, hints["command"], hints["return"]))
    return tuple(found)


def unavailable_code(service: str) -> str:
    """`order-service` -> `ORDER_SERVICE_UNAVAILABLE`; two have names of their own in http-api."""
    named = {"payment-service": "PAYMENT_UNAVAILABLE", "es-service": "SEARCH_UNAVAILABLE"}
    return named.get(service) or f"{service.upper().replace('-', '_')}_UNAVAILABLE"


class _Calls:
    """An object with one bound coroutine function for each operation."""

    def __init__(self, calls: Mapping[str, Call]) -> None:
        self.__dict__.update(calls)


def local(
    port: type[P],
    target: P,
    *,
    service: str,
    timeout_s: float,
    round_trip: bool = False,
) -> P:
    """The callee's use cases called directly (3 us instead of 180), as strict as the wire.

    `round_trip` sends command and answer through their JSON text, which keeps contracts honest.
    """

    def bind(operation: Operation) -> Call:
        method = cast(Call, getattr(target, operation.name))

        async def direct(command: BaseModel) -> BaseModel:
            with in_service(service):
                return await method(command)

        async def through_json(command: BaseModel) -> BaseModel:
            sent = operation.command.model_validate_json(command.model_dump_json(by_alias=True))
            answer = await direct(sent)
            return operation.answer.model_validate_json(answer.model_dump_json(by_alias=True))

        inner = through_json if round_trip else direct
        return _guarded(service, operation.name, inner, timeout_s)

    return cast(P, _Calls({op.name: bind(op) for op in operations(port)}))


def absent(port: type[P], *, service: str) -> P:
    """A service that is not there: every call is Unknown."""

    async def nobody(command: BaseModel) -> BaseModel:  # noqa: ARG001 - the shape of a call
        raise Unknown(unavailable_code(service), f"{service} is not part of this system")

    return cast(P, _Calls({op.name: nobody for op in operations(port)}))


def simulated(
    port: type[P],
    carrier: Carrier,
    *,
    service: str,
    timeout_s: float,
) -> P:
    """The callee wherever `carrier` finds it, through the JSON text of command and answer."""

    def bind(operation: Operation) -> Call:
        async def travel(command: BaseModel) -> BaseModel:
            sent = command.model_dump_json(by_alias=True)

            async def serve(target: object) -> str:
                method = cast(Call, getattr(target, operation.name))
                with in_service(service):
                    answer = await method(operation.command.model_validate_json(sent))
                return answer.model_dump_json(by_alias=True)

            answer = await carrier.carry(operation.name, sent, serve)
            return operation.answer.model_validate_json(answer)

        return _guarded(service, operation.name, travel, timeout_s)

    return cast(P, _Calls({op.name: bind(op) for op in operations(port)}))


def http(
    port: type[P],
    addresses: Addresses,
    *,
    service: str,
    token: str,
    client: Http,
    timeout_s: float,
) -> P:
    """The callee over its `/internal/calls`; a lost call is tried again, being idempotent."""
    # Its own lines name nobody, and come for each call that an open circuit turns away.
    set_on_retry_hooks(())
    again = stamina.AsyncRetryingCaller(
        attempts=_TRIES, timeout=timeout_s, wait_initial=0.05, wait_max=1.0
    ).on(_is_lost)

    def bind(operation: Operation) -> Call:
        path = f"{PATH}/{operation.name}"

        async def send_again(command: BaseModel) -> BaseModel:
            headers = {
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
                **outgoing_headers(),
            }
            body = command.model_dump_json(by_alias=True).encode()

            async def ask(base_url: str) -> BaseModel:
                url = f"{base_url}{path}"
                sent = client.send("POST", url, headers=headers, body=body, timeout_s=timeout_s)
                return _read(await sent, operation, service)

            turn = addresses.begin()

            async def send_once() -> BaseModel:
                try:
                    return await turn.send(ask)
                except (NotSent, NoAnswer) as lost:
                    _log.warning("call.lost", to=service, operation=operation.name, why=str(lost))
                    raise

            try:
                return await again(send_once)
            except _LOST as lost:
                raise Unknown(unavailable_code(service), str(lost)) from lost

        return _guarded(service, operation.name, send_again, timeout_s)

    return cast(P, _Calls({op.name: bind(op) for op in operations(port)}))


def _is_lost(error: Exception) -> bool:
    return isinstance(error, _LOST)


def observed(port: type[P], calls: P, service: str, observe: Observe) -> P:
    """The same calls, each told to `observe` when it ends: its caller's, whatever the adapter."""

    def bind(operation: Operation) -> Call:
        call = cast(Call, getattr(calls, operation.name))

        async def timed(command: BaseModel) -> BaseModel:
            loop = asyncio.get_running_loop()
            started, outcome = loop.time(), "unknown"
            try:
                answer = await call(command)
                outcome = "value"
                return answer
            except Refused:
                outcome = "refused"
                raise
            finally:
                observe(service, operation.name, outcome, loop.time() - started)

        return timed

    return cast(P, _Calls({op.name: bind(op) for op in operations(port)}))


def _guarded(service: str, operation: str, call: Call, timeout_s: float) -> Call:
    """Deadline, and no foreign exception: what is not understood is Unknown."""
    before, after = (f"call:{service}.{operation}:{side}" for side in ("before", "after"))

    async def guarded(command: BaseModel) -> BaseModel:
        reached(before)
        try:
            async with asyncio.timeout(timeout_s):
                answer = await call(command)
            reached(after)
            return answer
        except Refused:
            reached(after)
            raise
        except Unknown:
            raise
        except TimeoutError as error:
            raise Unknown(unavailable_code(service), f"no answer within {timeout_s} s") from error
        except Exception as error:
            _log.exception("call.failed", callee=service, operation=operation)
            raise Unknown(unavailable_code(service), "the service failed") from error

    return guarded


def mount(port: type[P], target: P, *, token: str) -> APIRouter:
    """The callee's side of `http`: one POST for each operation, behind the service token."""
    router = APIRouter(prefix=PATH, tags=["calls"])
    expected = f"Bearer {token}".encode()
    for operation in operations(port):
        method = cast(Call, getattr(target, operation.name))
        router.add_api_route(
            f"/{operation.name}",
            _endpoint(operation, method, expected),
            methods=["POST"],
            response_model=None,
            summary=operation.name.replace("_", " "),
        )
    return router


def _endpoint(
    operation: Operation, method: Call, expected: bytes
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            raise Refused("FORBIDDEN", "a service token is required", kind=Kind.FORBIDDEN)
        try:
            command = operation.command.model_validate_json(await request.body())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise Invalid(".".join(map(str, first["loc"])), "INVALID", first["msg"]) from error
        try:
            answer = await method(command)
        except Refused as refused:
            return _json(_REFUSED, {"refused": _refusal(refused)})
        except Unknown as unknown:
            content = {"code": unknown.code, "message": unknown.message}
            return _json(_UNKNOWN, {"unknown": content})
        return Response(answer.model_dump_json(by_alias=True), media_type="application/json")

    return endpoint


def _refusal(refused: Refused) -> dict[str, object]:
    return {
        "code": refused.code,
        "message": refused.message,
        "kind": refused.kind,
        "facts": dict(refused.facts),
        "retryAfterS": refused.retry_after_s,
    }


def _json(status: int, content: object) -> Response:
    return Response(json.dumps(content), status_code=status, media_type="application/json")


def _read(answer: Answer, operation: Operation, service: str) -> BaseModel:
    """The value, `Refused` or `Unknown` that the callee's answer means."""
    try:
        if answer.status == 200:
            return operation.answer.model_validate_json(answer.body)
        content = json.loads(answer.body)
        if answer.status == _REFUSED and "refused" in content:
            raise _refused(content["refused"])
        if answer.status == _UNKNOWN and "unknown" in content:
            raise Unknown(content["unknown"]["code"], content["unknown"]["message"])
    except (ValueError, KeyError, TypeError) as error:
        raise Unknown(unavailable_code(service), "an unreadable answer") from error
    raise Unknown(unavailable_code(service), f"status {answer.status}")


def _refused(content: Mapping[str, object]) -> KessaiError:
    facts = content["facts"]
    retry_after_s = content["retryAfterS"]
    return Refused(
        str(content["code"]),
        str(content["message"]),
        kind=Kind(str(content["kind"])),
        facts=facts if isinstance(facts, Mapping) else None,
        retry_after_s=retry_after_s if isinstance(retry_after_s, int) else None,
    )
