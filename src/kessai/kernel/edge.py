"""What every request passes first, as one pure ASGI layer: correlation, limits, headers, record."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kessai.kernel import problem
from kessai.kernel.actuator import PREFIX as ACTUATOR
from kessai.kernel.actuator import Condition
from kessai.kernel.clock import Clock
from kessai.kernel.ids import Ids
from kessai.kernel.telemetry import correlated, get_log, in_service

PAGE_CSP: Final = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_DATA_CSP: Final = b"default-src 'none'; frame-ancestors 'none'"
_UNMATCHED: Final = "UNMATCHED"
# The caller went away before there was an answer (the number that nginx writes).
_NO_ANSWER: Final = 499
_CORRELATION: Final = re.compile(rb"[A-Za-z0-9._:-]{8,64}")
_TRACEPARENT: Final = re.compile(
    rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_log: Final = get_log("kessai.http")

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits and headers of one app."""

    body_limit_bytes: int
    body_limits: Mapping[str, int] = field(default_factory=dict)
    max_in_flight: int = 1000
    page_csp: str = PAGE_CSP
    strict_transport: bool = False

    def body_limit_of(self, path: str) -> int:
        for prefix, limit in self.body_limits.items():
            if path.startswith(prefix):
                return limit
        return self.body_limit_bytes


class Edge:
    """Wraps `app`; requests to `/actuator` go to an app of their own where there is one."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        condition: Condition,
        clock: Clock,
        ids: Ids,
        rules: Rules,
        actuator: ASGIApp | None = None,
    ) -> None:
        self._app = app
        self._actuator = actuator
        self._metrics = condition.metrics
        self._service = condition.service
        self._now = clock.monotonic
        self._ids = ids
        self.rules = rules
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        correlation, traceparent = self._trail(scope["headers"])
        with in_service(self._service), correlated(correlation, traceparent=traceparent):
            if scope["type"] == "http":
                await self._http(scope, _Exchange(self.rules, scope, receive, send, correlation))
            else:
                await self._websocket(scope, receive, send)

    def _trail(self, headers: Headers) -> tuple[str, str]:
        """The caller's correlation id where it is sane, else its trace id, else a new one."""
        correlation = traceparent = ""
        for name, value in headers:
            if name == b"x-correlation-id" and _CORRELATION.fullmatch(value):
                correlation = value.decode()
            elif name == b"traceparent" and (found := _TRACEPARENT.fullmatch(value)):
                traceparent = value.decode()
                correlation = correlation or found[1].decode()
        return correlation or self._ids.new(), traceparent

    async def _http(self, scope: Scope, exchange: _Exchange) -> None:
        started = self._now()
        self._in_flight += 1
        self._metrics.in_flight += 1
        try:
            await self._answer(scope, exchange)
        except asyncio.CancelledError:
            # The process stops and could not wait any longer: it may have taken effect.
            if not exchange.status:
                answer = _later(scope, "STOPPING", "This process stops; please ask again.")
                await answer(scope, exchange.receive, exchange.send)
            raise
        except ClientDisconnect:
            _log.debug("http.client_gone")
        except Exception as error:
            answer = problem.internal(error, scope["path"])
            if exchange.status:
                # A part of the answer is out; only a broken connection can still tell the caller.
                raise
            await answer(scope, exchange.receive, exchange.send)
        finally:
            self._in_flight -= 1
            self._metrics.in_flight -= 1
            self._record(scope, exchange.status or _NO_ANSWER, self._now() - started)

    async def _answer(self, scope: Scope, exchange: _Exchange) -> None:
        is_probe = _is_probe(scope["path"])
        if exchange.declared_too_large():
            await exchange.refuse_body()
        elif self._in_flight > self.rules.max_in_flight and not is_probe:
            answer = _later(scope, "OVERLOADED", "Too many requests at once; please ask again.")
            await answer(scope, exchange.receive, exchange.send)
        else:
            app = self._actuator if is_probe and self._actuator else self._app
            await app(scope, exchange.receive, exchange.send)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = route_of(scope)
        method = scope["method"]
        self._metrics.observe_request(method, route, status, seconds)
        # Probes ask every few seconds and say nothing.
        write = _log.debug if _is_probe(route) else _log.info
        write(
            "http.request",
            method=method,
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 2),
        )

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = self._now()
        closed: int | None = None

        async def watched_receive() -> Message:
            nonlocal closed
            message = await receive()
            if message["type"] == "websocket.disconnect":
                closed = message.get("code", 1005)
            return message

        async def watched_send(message: Message) -> None:
            nonlocal closed
            if message["type"] == "websocket.close":
                closed = message.get("code", 1000)
            await send(message)

        try:
            await self._app(scope, watched_receive, watched_send)
        except Exception as error:
            _log.error("ws.failed", route=route_of(scope), exc_info=error)
            if closed is None:
                await watched_send({"type": "websocket.close", "code": 1011, "reason": ""})
        finally:
            seconds = round(self._now() - started, 3)
            _log.info("ws.closed", route=route_of(scope), code=closed, duration_s=seconds)


def _is_probe(path: str) -> bool:
    return path.startswith(ACTUATOR) and path[len(ACTUATOR) : len(ACTUATOR) + 1] in ("", "/")


def _later(scope: Scope, code: str, detail: str) -> Response:
    return problem.problem(
        503, code, detail=detail, instance=scope["path"], retry_after_s=problem.RETRY_AFTER_S
    )


class _Exchange:
    """One request and its answer: counts the body, completes the headers, keeps the status."""

    __slots__ = (
        "_correlation", "_cut_off", "_limit", "_receive", "_received", "_rules", "_scope", "_send",
        "status",
    )  # fmt: skip

    def __init__(
        self, rules: Rules, scope: Scope, receive: Receive, send: Send, correlation: str
    ) -> None:
        self.status = 0
        self._rules = rules
        self._scope = scope
        self._receive = receive
        self._send = send
        self._correlation = correlation
        self._limit = rules.body_limit_of(scope["path"])
        self._received = 0
        self._cut_off = False

    def declared_too_large(self) -> bool:
        for name, value in self._scope["headers"]:
            if name == b"content-length":
                return not value.isdigit() or int(value) > self._limit
        return False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            if self._received > self._limit and not self._cut_off:
                await self.refuse_body()
                raise ClientDisconnect
        return message

    async def refuse_body(self) -> None:
        """Answers 413 now; what the app would still say is dropped."""
        if not self.status:
            answer = problem.problem(
                413,
                "TOO_LARGE",
                detail=f"The body is longer than {self._limit} bytes.",
                instance=self._scope["path"],
                headers={"Connection": "close"},
            )
            await answer(self._scope, self._receive, self.send)
        self._cut_off = True

    async def send(self, message: Message) -> None:
        if self._cut_off:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message.get("headers", ())
            message = {**message, "headers": [*headers, *self._added(headers)]}
        await self._send(message)

    def _added(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        given = {name.lower(): value for name, value in headers}
        added = dict(_ALWAYS)
        added[b"x-correlation-id"] = self._correlation.encode()
        if self._rules.strict_transport:
            added[b"strict-transport-security"] = b"max-age=31536000"
        media = given.get(b"content-type", b"")
        if media.startswith(b"text/html"):
            added[b"content-security-policy"] = self._rules.page_csp.encode()
        elif b"json" in media:
            added[b"content-security-policy"] = _DATA_CSP
            added[b"cache-control"] = b"no-store"
        return [item for item in added.items() if item[0] not in given]


_ALWAYS: Final[Mapping[bytes, bytes]] = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    # Not `no-referrer`: that makes the Origin of a form post "null", and Origin is what we check.
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}


def route_of(scope: Scope) -> str:
    """The template of the route that took the request; bounded, so it can label a metric."""
    # FastAPI keeps the prefixes of nested routers apart from the route itself.
    context = scope.get("fastapi", {}).get("effective_route_context")
    template = getattr(context, "path_format", None) or getattr(
        scope.get("route"), "path_format", None
    )
    if template:
        return str(template)
    # A mounted app (static files) has no route, only the path it is mounted at.
    return scope.get("root_path") or _UNMATCHED
