"""How people outside are told: a line in the log, or a webhook in Standard Webhooks form."""

from __future__ import annotations

import base64
import hashlib
import hmac

from kessai.alert.application.ports import Notice
from kessai.kernel.clock import Clock
from kessai.kernel.errors import Refused, Unknown
from kessai.kernel.http import Http
from kessai.kernel.telemetry import get_log

TIMEOUT_S = 10.0
_PREFIX = "whsec_"
_GONE = 410
_log = get_log("kessai.alert")


class LogNotifier:
    async def tell(self, notice: Notice) -> None:
        _log.warning("alert.notice", notice_id=notice.id, alert_id=notice.alert_id)


class WebhookNotifier:
    """The id is the notice's own, however often it is sent; the time is that of this try."""

    def __init__(self, http: Http, clock: Clock, *, url: str, secret: str) -> None:
        self._http = http
        self._clock = clock
        self._url = url
        self._key = base64.b64decode(secret.removeprefix(_PREFIX))

    async def tell(self, notice: Notice) -> None:
        body = notice.body.encode()
        at_s = self._clock.now_ms() // 1000
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Kessai",
            "webhook-id": notice.id,
            "webhook-timestamp": str(at_s),
            "webhook-signature": sign(self._key, notice.id, at_s, body),
        }
        answer = await self._http.send(
            "POST", self._url, headers=headers, body=body, timeout_s=TIMEOUT_S
        )
        if answer.status == _GONE:
            raise Refused("WEBHOOK_GONE", "the receiver wants no more of them")
        if not 200 <= answer.status < 300:
            # A redirect too: what is signed for one address is not sent to another.
            raise Unknown("WEBHOOK_REFUSED", f"status {answer.status}")


def sign(key: bytes, id_: str, at_s: int, body: bytes) -> str:
    digest = hmac.digest(key, f"{id_}.{at_s}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"
