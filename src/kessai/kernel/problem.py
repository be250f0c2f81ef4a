"""Errors on the wire: RFC 9457 problem documents with stable codes, mapped from the tree once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketState

from kessai.kernel.errors import JsonValue, Kind, Refused, Unknown
from kessai.kernel.telemetry import correlation_id, get_log

MEDIA_TYPE: Final = "application/problem+json"

HTTP_STATUS: Final[Mapping[Kind, int]] = {
    Kind.BAD_REQUEST: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_LARGE: 413,
    Kind.INVALID: 422,
    Kind.TOO_MANY: 429,
    Kind.UNAVAILABLE: 503,
}
# Only where http-api.md has another word than the standard's phrase.
_CODES: Final[Mapping[int, str]] = {
    401: "UNAUTHENTICATED",
    413: "TOO_LARGE",
    422: "VALIDATION",
    429: "TOO_MANY_REQUESTS",
    500: "INTERNAL",
}
RETRY_AFTER_S: Final = 1
_MAX_ERRORS: Final = 50
_MAX_FIELD: Final = 200
_POLICY_VIOLATION, _TRY_AGAIN_LATER = 1008, 1013
_log: Final = get_log("kessai.http")


def problem(
    status: int,
    code: str,
    *,
    detail: str = "",
    instance: str = "",
    facts: Mapping[str, JsonValue] | None = None,
    headers: Mapping[str, str] | None = None,
    retry_after_s: int | None = None,
) -> Response:
    """The answer for an error, also from a middleware. Facts cannot replace the fixed members."""
    content: dict[str, JsonValue] = {
        **(facts or {}),
        "type": f"urn:kessai:problem:{code.lower().replace('_', '-')}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "instance": instance,
        "code": code,
        "correlationId": correlation_id(),
    }
    sent = {"Cache-Control": "no-store", **(headers or {})}
    if retry_after_s is not None:
        sent["Retry-After"] = str(retry_after_s)
    if status == 401:
        sent["WWW-Authenticate"] = "Bearer"
    # A half surrogate in a client's field name must not fail the answer that complains of it.
    body = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, status_code=status, headers=sent, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Every error of a route of `app` becomes a problem, or a WebSocket's close code."""
    # Starlette's type knows no answer that is None, which is what a WebSocket gets.
    answers: dict[type[Exception], Any] = {
        Refused: _on_refused,
        Unknown: _on_unknown,
        RequestValidationError: _on_invalid,
        HTTPException: _on_http,
    }
    for error, answer in answers.items():
        app.add_exception_handler(error, answer)


def refused(error: Refused, instance: str = "") -> Response:
    return problem(
        HTTP_STATUS[error.kind],
        error.code,
        detail=error.message,
        instance=instance,
        facts=error.facts,
        retry_after_s=_retry_after_s(error),
    )


def unknown(error: Unknown, instance: str = "") -> Response:
    """Its message may name hosts and URLs, so only the code is told."""
    _log.warning("http.unknown", code=error.code, message=error.message, path=instance)
    return problem(
        503,
        error.code,
        detail="The outcome is not known yet; please ask again.",
        instance=instance,
        retry_after_s=RETRY_AFTER_S,
    )


def internal(error: Exception, instance: str = "") -> Response:
    """A mistake of ours: the log has the traceback, the caller the correlation id."""
    _log.error("http.failed", path=instance, exc_info=error)
    return problem(500, "INTERNAL", detail="Something went wrong here.", instance=instance)


def invalid(errors: Iterable[tuple[str, str]], instance: str = "") -> Response:
    """422 with (field, code) of each wrong field."""
    found: list[JsonValue] = [{"field": field, "code": code} for field, code in errors]
    return problem(
        422,
        "VALIDATION",
        detail="The request is not valid.",
        instance=instance,
        facts={"errors": found[:_MAX_ERRORS]},
    )


def field_path(location: Sequence[int | str]) -> str:
    """`("body", "items", 0, "quantity")` -> `items[0].quantity`; the whole body is `body`."""
    inside = location[1:] if len(location) > 1 else location
    path = ""
    for step in inside:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += f".{step}" if path else step
    return path[:_MAX_FIELD]


def _retry_after_s(error: Refused) -> int | None:
    if error.retry_after_s is None and error.kind in (Kind.UNAVAILABLE, Kind.TOO_MANY):
        return RETRY_AFTER_S
    return error.retry_after_s


def _path(connection: HTTPConnection) -> str:
    return str(connection.scope.get("path", ""))


async def _on_refused(connection: Request, error: Exception) -> Response | None:
    assert isinstance(error, Refused)
    if await _closed(connection, _POLICY_VIOLATION, error.code):
        return None
    return refused(error, _path(connection))


async def _on_unknown(connection: Request, error: Exception) -> Response | None:
    assert isinstance(error, Unknown)
    if await _closed(connection, _TRY_AGAIN_LATER, error.code):
        return None
    return unknown(error, _path(connection))


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return invalid(map(_field_and_code, error.errors()), _path(request))


def _field_and_code(found: Mapping[str, object]) -> tuple[str, str]:
    code = str(found["type"]).upper()
    location = found["loc"]
    assert isinstance(location, tuple)
    if code == "JSON_INVALID":
        # Its location ends in an offset into the text, which is no field.
        return "body", code
    return field_path(location), code


async def _on_http(connection: Request, error: Exception) -> Response | None:
    assert isinstance(error, HTTPException)
    if await _closed(connection, _POLICY_VIOLATION, ""):
        return None
    if error.status_code == 400 and error.detail == "There was an error parsing the body":
        # FastAPI's answer to bytes that are not UTF-8 and to bottomless nesting.
        return invalid([("body", "JSON_INVALID")], _path(connection))
    return problem(
        error.status_code,
        http_code(error.status_code),
        instance=_path(connection),
        headers=error.headers,
        retry_after_s=RETRY_AFTER_S if error.status_code == 503 else None,
    )


def http_code(status: int) -> str:
    """The stable code of a status that the framework chose: 404 -> NOT_FOUND."""
    try:
        return _CODES.get(status) or HTTPStatus(status).name
    except ValueError:
        return f"HTTP_{status}"


async def _closed(connection: HTTPConnection, code: int, reason: str) -> bool:
    """True for a WebSocket, which is closed now unless it is already."""
    if not isinstance(connection, WebSocket):
        return False
    if connection.application_state is not WebSocketState.DISCONNECTED:
        await connection.close(code, reason)
    return True
