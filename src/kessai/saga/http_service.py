"""A service behind a URL: every step is a POST with its token as `Idempotency-Key`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from kessai.kernel.errors import JsonValue, Refused, Unknown
from kessai.kernel.http import Http
from kessai.saga.services import StepContext

# Refusals of the moment: the same request may succeed later.
_ASK_AGAIN = (408, 425, 429)


class HttpService:
    """`ServiceMethod` reserve of a service at http://host/stock is POST http://host/stock/reserve.

    Body `{"input": [...]}`; a 2xx answers JSON or nothing. Other 4xx are `Refused` with the `code`
    of a problem document (RFC 9457), everything else is `Unknown`.
    """

    def __init__(
        self,
        http: Http,
        base_url: str,
        *,
        timeout_s: float = 30.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._headers = dict(headers or {})

    def method_named(self, name: str) -> Callable[..., Awaitable[JsonValue]]:
        url = f"{self._base_url}/{name}"

        async def call(step: StepContext, *input: JsonValue) -> JsonValue:
            headers = {
                **self._headers,
                "content-type": "application/json",
                "idempotency-key": step.token,
                "saga-instance": step.instance_id,
                "saga-state": step.state,
            }
            body = json.dumps({"input": input}, ensure_ascii=False).encode()
            answer = await self._http.send(
                "POST", url, headers=headers, body=body, timeout_s=self._timeout_s
            )
            return _meaning(answer.status, answer.body)

        return call


def _meaning(status: int, body: bytes) -> JsonValue:
    if 200 <= status < 300 and not body.strip():
        return None
    content = _json(body)
    if 200 <= status < 300:
        if content is _UNREADABLE:
            raise Unknown("UNREADABLE", "the answer is no JSON")
        return cast("JsonValue", content)
    if 400 <= status < 500 and status not in _ASK_AGAIN:
        code = content.get("code") if isinstance(content, dict) else None
        raise Refused(code if isinstance(code, str) else f"HTTP_{status}")
    raise Unknown(f"HTTP_{status}", f"the service answered {status}")


_UNREADABLE = object()


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return _UNREADABLE
