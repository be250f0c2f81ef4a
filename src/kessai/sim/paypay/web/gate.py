"""The gate of PayPay's API: signature, faults, request id, envelope."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import parse_qs

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kessai.contracts.paypay import (
    MERCHANT_HEADER,
    MERCHANT_QUERY,
    REQUEST_ID_HEADER,
    Credentials,
    ResultInfo,
    Signed,
    WrongSignature,
    WrongTime,
    verify,
)
from kessai.contracts.wire import Wire
from kessai.kernel.chance import Chance
from kessai.kernel.clock import Clock
from kessai.kernel.telemetry import get_log
from kessai.sim.paypay.application.faults import FaultBox
from kessai.sim.paypay.domain import results
from kessai.sim.paypay.domain.faults import Kind
from kessai.sim.paypay.domain.operations import Operation
from kessai.sim.paypay.domain.plans import ApiPlan
from kessai.sim.paypay.domain.results import Result, TurnedDown

HANG_S: Final = 60.0
_JSON: Final = "application/json;charset=UTF-8"
_GATEWAY: Final[dict[Kind, tuple[int, str]]] = {
    "502": (502, "502 Bad Gateway"),
    "504": (504, "504 Gateway Time-out"),
}
_REFUSING: Final[dict[Kind, Result]] = {
    "500": results.INTERNAL_ERROR,
    "503": results.MAINTENANCE,
    "429": results.RATE_LIMIT,
    "401": results.UNAUTHORIZED,
}
_log: Final = get_log("kessai.sim.paypay")


@dataclass(frozen=True, slots=True)
class Template:
    """Names a plain route in the log and the metrics, as FastAPI does for its own."""

    path_format: str


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is proved to be the merchant's. `seen_at_ms` lies back for old news."""

    request: Request
    body: bytes
    seen_at_ms: int


Act = Callable[[Call], Awaitable[tuple[Result, Wire | None]]]
Subject = Callable[[Request, bytes], str]


class Gate:
    """`act` raises `TurnedDown` or `ValidationError`; the gate makes the published answer of it."""

    def __init__(
        self, credentials: Credentials, faults: FaultBox, *, clock: Clock, chance: Chance
    ) -> None:
        self._credentials = credentials
        self._faults = faults
        self._clock = clock
        self._chance = chance

    def endpoint(
        self, path: str, operation: Operation, subject: Subject, act: Act
    ) -> Callable[[Request], Awaitable[Response]]:
        template = Template(path)

        async def serve(request: Request) -> Response:
            request.scope["route"] = template
            request_id = "OPA" + self._chance.token_bytes(16).hex().upper()
            body = await request.body()
            if silence := self._silence(operation, partial(subject, request, body)):
                return silence
            if problem := self._stranger(request, body, operation):
                _log.info("paypay.unauthorized", reason=problem, operation=operation)
                return self._refusal(results.UNAUTHORIZED, operation, request_id)
            if self._faults.faults.behaviour.is_closed(operation):
                return self._refusal(results.OUT_OF_SCOPE, operation, request_id)
            return await self._with_faults(request, body, request_id, operation, subject, act)

        return serve

    def _silence(self, operation: Operation, subject: Callable[[], str]) -> Response | None:
        """No answer for anybody, when there is a blackout or the line flaps."""
        faults = self._faults.faults
        if self._faults.has_blackout():
            self._faults.note("blackout", operation, subject(), "")
            return NoAnswer(HANG_S if faults.blackout.by == "hang" else 0)
        if faults.flapping.down_ms and self._faults.is_down(name := subject()):
            self._faults.note("flapping", operation, name, "")
            return NoAnswer(HANG_S if faults.flapping.by == "hang" else 0)
        return None

    def _refusal(self, result: Result, operation: Operation, request_id: str) -> Response:
        self._faults.answered(operation, result.code)
        return _reply(result, None, request_id)

    def _stranger(self, request: Request, body: bytes, operation: Operation) -> str | None:
        """What is wrong with the request's proof, None when nothing is."""
        path = request.scope.get("raw_path") or request.scope["path"].encode()
        signed = Signed(
            request.method,
            path.decode("ascii", "replace"),
            request.headers.get("content-type", ""),
            body,
        )
        skew_s = self._faults.faults.behaviour.clock_skew_s
        now_s = self._clock.now_ms() / 1000 + skew_s
        try:
            verify(request.headers.get("authorization", ""), self._credentials, signed, now_s=now_s)
        except WrongSignature as wrong:
            if skew_s and isinstance(wrong, WrongTime):
                self._faults.note(operation, "clockSkew", "", f"{skew_s} s")
            return str(wrong)
        merchant = request.query_params.get(MERCHANT_QUERY) or request.headers.get(MERCHANT_HEADER)
        # An SDK without a merchant sends the header empty; the key tells who it is.
        return "another merchant" if merchant not in (None, "", self._merchant) else None

    @property
    def _merchant(self) -> str:
        return self._credentials.merchant_id

    async def _with_faults(
        self,
        request: Request,
        body: bytes,
        request_id: str,
        operation: Operation,
        subject: Subject,
        act: Act,
    ) -> Response:
        name = subject(request, body)
        plan = self._faults.call(operation, name)
        answer: Response | None = None
        if plan.takes_effect:
            now_ms = self._clock.now_ms()
            if plan.stale_ms:
                self._faults.note(operation, "staleMs", name, f"{plan.stale_ms} ms")
            call = Call(request, body, now_ms - plan.stale_ms)
            answer = await self._answer(act, call, operation, request_id)
        # The effect first, then the wait: whoever gives up meanwhile does not know of it.
        if plan.delay_ms:
            await asyncio.sleep(plan.delay_ms / 1000)
        if plan.kind is not None:
            return _broken(plan.kind, plan, request_id)
        if plan.lost is not None:
            return NoAnswer(HANG_S if plan.lost == "hang" else 0)
        if plan.refusal is not None:
            return self._refusal(plan.refusal, operation, request_id)
        assert answer is not None
        return answer

    async def _answer(
        self, act: Act, call: Call, operation: Operation, request_id: str
    ) -> Response:
        try:
            result, content = await act(call)
        except TurnedDown as no:
            return self._refusal(no.result, operation, request_id)
        except ValidationError as error:
            missing = any(problem["type"] == "missing" for problem in error.errors())
            result = results.MISSING_PARAMS if missing else results.INVALID_REQUEST
            return self._refusal(result, operation, request_id)
        return _reply(result, content, request_id)


def _reply(
    result: Result, content: Wire | None, request_id: str, *, retry_after_s: int = 0
) -> Response:
    message = result.message
    if result.names_its_request:
        message = f"{message} | [{request_id}]"
    info = ResultInfo(code=result.code, message=message, code_id=result.code_id)
    # By hand: the envelope's own model would walk through data that is checked already.
    told = info.model_dump_json(by_alias=True)
    shown = content.model_dump_json(by_alias=True, exclude_none=True) if content else "null"
    body = f'{{"resultInfo":{told},"data":{shown}}}'
    headers = {REQUEST_ID_HEADER: request_id, "Content-Type": _JSON}
    if retry_after_s:
        headers["Retry-After"] = str(retry_after_s)
    return Response(body, status_code=result.status, headers=headers)


def _broken(kind: Kind, plan: ApiPlan, request_id: str) -> Response:
    if page := _GATEWAY.get(kind):
        status, title = page
        html = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
        return Response(html, status_code=status, media_type="text/html")
    if kind == "badJson":
        headers = {REQUEST_ID_HEADER: request_id, "Content-Type": _JSON}
        return Response(b'{"resultInfo":{"code":"SUC', headers=headers)
    if kind == "reset":
        return NoAnswer()
    retry_after_s = plan.retry_after_s if kind in ("429", "503") else 0
    return _reply(_REFUSING[kind], None, request_id, retry_after_s=retry_after_s)


class NoAnswer(Response):
    """The connection ends, now or after `hang_s`, before an answer is complete."""

    def __init__(self, hang_s: float = 0) -> None:
        super().__init__()
        self._hang_s = hang_s

    async def __call__(
        self,
        scope: Scope,  # noqa: ARG002 - the signature is ASGI's
        receive: Receive,
        send: Send,
    ) -> None:
        if self._hang_s:
            await self._hang(receive)
        # One byte is promised and never sent; the server then closes the connection.
        headers = [(b"content-length", b"1"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _hang(self, receive: Receive) -> None:
        try:
            async with asyncio.timeout(self._hang_s):
                while (await receive())["type"] != "http.disconnect":
                    continue
        except TimeoutError:
            return


def asked_id(key: str) -> Subject:
    """The id in the path, by which faults are scoped and counted."""

    def subject(request: Request, _: bytes) -> str:
        return str(request.path_params[key])

    return subject


def query_of(request: Request, key: str) -> str | None:
    values = parse_qs(request.url.query).get(key)
    return values[0] if values else None
