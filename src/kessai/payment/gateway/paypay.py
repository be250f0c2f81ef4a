"""PayPay over HTTP: signed to the byte, within its rate, and never a conclusion from silence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from kessai.contracts import paypay
from kessai.contracts.wire import Wire
from kessai.kernel.breaker import CircuitBreaker
from kessai.kernel.chance import Chance
from kessai.kernel.clock import Clock
from kessai.kernel.errors import Refused, Unknown
from kessai.kernel.http import Answer, Http
from kessai.kernel.limits import TokenBucket
from kessai.kernel.telemetry import get_log
from kessai.payment.application.ports import (
    Code,
    CodeExists,
    CodeRequest,
    RefundRequest,
    Sighting,
)
from kessai.payment.application.refund import THROTTLED
from kessai.payment.domain.evidence import Word

CONTENT_TYPE: Final = "application/json;charset=UTF-8"
OPERATIONS: Final = ("create", "get", "delete", "cancel", "refund", "get_refund")
_MAX_ITEM_NAME: Final = 150
_MAX_WORD: Final = 40
# 429 without a Retry-After: pauses double up to this.
_FIRST_PAUSE_S: Final = 1.0
_MAX_PAUSE_S: Final = 8.0
# A customer's own request waits at most so long for such a pause to end.
_FOREGROUND_WAIT_S: Final = 2.0
_AHEAD_S: Final = 2.0
# Five look-ups at 50 a second that come back together are written together.
_STEP_S: Final = 0.1

_DUPLICATE: Final = "DUPLICATE_DYNAMIC_QR_REQUEST"
_NO_PAYMENT: Final = frozenset({"DYNAMIC_QR_PAYMENT_NOT_FOUND", "RESOURCE_NOT_FOUND"})
_NO_CODE: Final = "DYNAMIC_QR_NOT_FOUND"
_PAID_CODE: Final = "DYNAMIC_QR_ALREADY_PAID"
_THROTTLED: Final = "THROTTLED_MULTIPLE_REFUND_REJECTED"
_NO_REFUND: Final = "NO_SUCH_REFUND_ORDER"
# 401, but about the customer and not about our key.
_INACTIVE_USER: Final = "USER_STATE_IS_NOT_ACTIVE"

M = TypeVar("M", bound=Wire)
_log = get_log("kessai.paypay")


class Observe(Protocol):
    """Told of every request: operation, HTTP status or code of the `Unknown`, seconds."""

    def __call__(self, operation: str, outcome: str, seconds: float, /) -> None: ...


@dataclass(frozen=True, slots=True)
class PayPayLimits:
    """Read timeouts as PayPay publishes them: 30 s for create and refund, 15 s for the rest."""

    create_timeout_s: float
    timeout_s: float
    rate_per_s: float
    max_wait_s: float = 10.0


class PayPay:
    """The `Provider` that is PayPay. Create never waits for the rate, look-ups do."""

    def __init__(
        self,
        http: Http,
        clock: Clock,
        chance: Chance,
        *,
        base_url: str,
        credentials: paypay.Credentials,
        limits: PayPayLimits,
        observe: Observe | None = None,
    ) -> None:
        self._http = http
        self._clock = clock
        self._chance = chance
        self._base_url = base_url.rstrip("/")
        self._credentials = credentials
        self._limits = limits
        self._observe = observe
        self._rate = TokenBucket(
            clock,
            rate_per_s=limits.rate_per_s,
            burst=limits.rate_per_s,
            max_wait_s=limits.max_wait_s,
            step_s=_STEP_S,
        )
        self._breakers = {name: CircuitBreaker(clock, name=f"paypay.{name}") for name in OPERATIONS}
        self._paused_until_s = 0.0
        self._pause_s = _FIRST_PAUSE_S

    async def create_code(self, request: CodeRequest) -> Code:
        body = _json(_code_body(request))
        try:
            answer = await self._send("create", "POST", paypay.CODES_PATH, body)
            code = _read(_reply(answer), paypay.Code)
        except Refused as refused:
            if refused.code == _DUPLICATE:
                raise CodeExists from refused
            raise
        asked = (request.merchant_payment_id, request.amount_yen)
        if (code.merchant_payment_id, code.amount.amount) != asked:
            raise _unreadable("the code is of another payment")
        return Code(code.code_id, code.url, code.deeplink, code.expiry_date * 1000)

    async def delete_code(self, code_id: str) -> Word:
        path = f"{paypay.CODES_PATH}/{quote(code_id, safe='')}"
        try:
            _reply(await self._send("delete", "DELETE", path))
        except Refused as refused:
            if refused.code == _NO_CODE:
                return Word.CODE_UNKNOWN
            return Word.ALREADY_PAID if refused.code == _PAID_CODE else Word.CODE_REFUSED
        return Word.CODE_DELETED

    async def get_payment(self, merchant_payment_id: str, *, urgent: bool = False) -> Sighting:
        path = f"{paypay.CODE_PAYMENTS_PATH}/{quote(merchant_payment_id, safe='')}"
        try:
            answer = await self._send("get", "GET", path, urgent=urgent)
            details = _read(_reply(answer), paypay.PaymentDetails)
        except Refused as refused:
            if refused.code in _NO_PAYMENT:
                return Sighting(Word.NOT_FOUND)
            raise Unknown(
                "UNEXPECTED_ANSWER", f"a look-up was refused: {refused.code}"
            ) from refused
        if details.merchant_payment_id not in (None, merchant_payment_id):
            raise _unreadable("the details are of another payment")
        return _sighting(details)

    async def cancel_payment(self, merchant_payment_id: str) -> Word:
        path = f"{paypay.PAYMENTS_PATH}/{quote(merchant_payment_id, safe='')}"
        try:
            _reply(await self._send("cancel", "DELETE", path))
        except Refused:
            return Word.CANCEL_REFUSED
        return Word.CANCEL_ACCEPTED

    async def refund(self, request: RefundRequest) -> bool:
        body = _json(
            {
                "merchantRefundId": request.refund_id,
                "paymentId": request.payment_id,
                "amount": {"amount": request.amount_yen, "currency": "JPY"},
                "requestedAt": request.requested_at_ms // 1000,
                "reason": request.reason,
            }
        )
        try:
            answer = await self._send("refund", "POST", paypay.REFUNDS_PATH, body)
            reply = _read(_reply(answer), paypay.RefundReply)
        except Refused as refused:
            if refused.code == _THROTTLED:
                raise Refused(THROTTLED, refused.message) from refused
            if refused.code in _NO_PAYMENT:
                # We hold a proof of this payment, so "unknown" can only be a lag of theirs.
                raise Unknown("UNEXPECTED_ANSWER", f"the refund: {refused.code}") from refused
            raise
        return reply.status == paypay.RefundState.REFUNDED

    async def get_refund(self, refund_id: str, payment_id: str) -> bool | None:
        path = f"{paypay.REFUNDS_PATH}/{quote(refund_id, safe='')}"
        query = f"?paymentId={quote(payment_id, safe='')}"
        try:
            reply = _read(
                _reply(await self._send("get_refund", "GET", path, query=query)),
                paypay.RefundReply,
            )
        except Refused as refused:
            if refused.code in _NO_PAYMENT or refused.code == _NO_REFUND:
                return None
            raise Unknown(
                "UNEXPECTED_ANSWER", f"a look-up was refused: {refused.code}"
            ) from refused
        return reply.status == paypay.RefundState.REFUNDED

    async def _send(
        self,
        operation: str,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: str = "",
        urgent: bool = False,
    ) -> Answer:
        """Any answer but 429 and 5xx. Raises `Unknown`, with NOT_SENT where nothing left."""
        if operation == "create":
            await self._customer_waits()
        else:
            await self._wait_for_rate(urgent=urgent)
        long = operation in ("create", "refund")
        timeout_s = self._limits.create_timeout_s if long else self._limits.timeout_s
        started_s, outcome = self._clock.monotonic(), "cancelled"
        try:
            answer = await self._breakers[operation].call(
                lambda: self._ask(method, path, query, body, timeout_s)
            )
            outcome = str(answer.status)
        except Unknown as unknown:
            outcome = unknown.code
            raise
        finally:
            if self._observe:
                self._observe(operation, outcome, self._clock.monotonic() - started_s)
        if answer.status == 429:
            self._slow_down(answer)
        self._pause_s = _FIRST_PAUSE_S
        return answer

    async def _ask(
        self, method: str, path: str, query: str, body: bytes, timeout_s: float
    ) -> Answer:
        answer = await self._http.send(
            method,
            f"{self._base_url}{path}{query}",
            headers=self._headers(method, path, body),
            body=body or None,
            timeout_s=timeout_s,
        )
        if answer.status >= 500:
            # A 5xx may come after the effect, so it proves nothing.
            raise Unknown("PROVIDER_ERROR", f"status {answer.status}")
        return answer

    def _headers(self, method: str, path: str, body: bytes) -> Mapping[str, str]:
        content_type = CONTENT_TYPE if body else ""
        signed = paypay.Signed(method, path, content_type, body)
        headers = {
            "Authorization": paypay.authorization(
                self._credentials,
                signed,
                nonce=self._chance.token_bytes(4).hex(),
                epoch_s=self._clock.now_ms() // 1000,
            ),
            paypay.MERCHANT_HEADER: self._credentials.merchant_id,
        }
        if body:
            headers["Content-Type"] = content_type
        return headers

    async def _customer_waits(self) -> None:
        """It counts against the rate, but a customer does not queue behind look-ups."""
        self._rate.try_take()
        paused_s = self._paused_until_s - self._clock.monotonic()
        if paused_s > 0:
            await asyncio.sleep(min(paused_s, _FOREGROUND_WAIT_S))

    async def _wait_for_rate(self, *, urgent: bool) -> None:
        # What was announced goes before what is only watched, but a flood of webhooks, which
        # anybody on the allow list can send, must not become a flood of look-ups.
        is_paused = self._clock.monotonic() < self._paused_until_s
        debt = _AHEAD_S * self._limits.rate_per_s
        if urgent and not is_paused and self._rate.take_ahead(debt=debt):
            return
        try:
            await self._rate.take()
        except Refused as full:
            raise Unknown("NOT_SENT", "the rate budget is used up") from full

    def _slow_down(self, answer: Answer) -> None:
        wait_s = _retry_after_s(answer) or self._pause_s
        self._pause_s = min(_MAX_PAUSE_S, self._pause_s * 2)
        self._rate.pause(wait_s)
        self._paused_until_s = self._clock.monotonic() + wait_s
        raise Unknown("RATE_LIMIT", "the provider asks for a pause")


def _code_body(request: CodeRequest) -> dict[str, object]:
    body: dict[str, object] = {
        "merchantPaymentId": request.merchant_payment_id,
        "amount": {"amount": request.amount_yen, "currency": "JPY"},
        "codeType": "ORDER_QR",
        "orderDescription": request.description,
        "requestedAt": request.requested_at_ms // 1000,
        "redirectUrl": request.redirect_url,
        "redirectType": "WEB_LINK",
        "isAuthorization": False,
    }
    if request.items:
        body["orderItems"] = [
            {
                "name": item.name[:_MAX_ITEM_NAME],
                "quantity": item.quantity,
                "productId": item.product_id,
                "unitPrice": {"amount": item.unit_price, "currency": "JPY"},
            }
            for item in request.items
        ]
    if request.user_agent:
        body["userAgent"] = request.user_agent
    return body


def _json(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _reply(answer: Answer) -> object:
    """The `data` of a success. Raises `Refused` with PayPay's code, or `Unknown`."""
    try:
        reply = json.loads(answer.body)
        code = reply["resultInfo"]["code"]
        message = reply["resultInfo"].get("message") or ""
        result = reply.get("data")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unreadable(f"status {answer.status}") from error
    if 200 <= answer.status < 300:
        return result
    if answer.status == 401 and code != _INACTIVE_USER:
        _log.error("paypay.unauthorized", code=code, message=str(message)[:200])
        raise Unknown("UNAUTHORIZED", "the provider does not accept our key, clock or contract")
    if 400 <= answer.status < 500 and isinstance(code, str):
        raise Refused(code[:60], str(message)[:200])
    raise _unreadable(f"status {answer.status}")


def _read(result: object, model: type[M]) -> M:
    try:
        return model.model_validate(result)
    except ValidationError as error:
        raise _unreadable(f"{model.__name__}: {error.error_count()} wrong fields") from error


def _sighting(details: paypay.PaymentDetails) -> Sighting:
    """A success that does not say which payment and how much is no success yet."""
    captured = details.status in (Word.COMPLETED, Word.REFUNDED)
    if captured and (details.payment_id is None or details.amount is None):
        raise _unreadable("a success without payment id or amount")
    return Sighting(
        word=details.status[:_MAX_WORD],
        payment_id=details.payment_id,
        amount_yen=details.amount.amount if details.amount else None,
        currency=details.amount.currency[:10] if details.amount else None,
        accepted_at_ms=_ms(details.accepted_at),
        canceled_at_ms=_ms(details.canceled_at),
    )


def _ms(epoch_s: int | None) -> int | None:
    """PayPay writes 0 where there is no time."""
    return epoch_s * 1000 if epoch_s else None


def _retry_after_s(answer: Answer) -> float | None:
    text = answer.headers.get("Retry-After", "")
    return min(60.0, float(text)) if text.isascii() and text.isdigit() else None


def _unreadable(message: str) -> Unknown:
    return Unknown("UNREADABLE_ANSWER", message)
