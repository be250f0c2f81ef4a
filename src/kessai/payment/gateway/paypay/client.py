"""The `Provider` that is PayPay: each of its operations, and what each of its answers means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from kessai.contracts import paypay
from kessai.kernel.chance import Chance
from kessai.kernel.clock import Clock
from kessai.kernel.errors import JsonValue, Refused, Unknown
from kessai.kernel.http import Http
from kessai.payment.application.ports import (
    THROTTLED,
    CaptureRequest,
    Code,
    CodeExists,
    CodeRequest,
    RefundRequest,
    RevertRequest,
    Sighting,
)
from kessai.payment.domain.evidence import Word
from kessai.payment.gateway.paypay import limits as on
from kessai.payment.gateway.paypay.line import Line
from kessai.payment.gateway.paypay.meters import Meters
from kessai.payment.gateway.paypay.replies import content_of, read, sighting_of, unreadable
from kessai.payment.gateway.paypay.requests import (
    capture_body,
    code_body,
    refund_body,
    revert_body,
)

_DUPLICATE: Final = "DUPLICATE_DYNAMIC_QR_REQUEST"
_NO_PAYMENT: Final = frozenset({"DYNAMIC_QR_PAYMENT_NOT_FOUND", "RESOURCE_NOT_FOUND"})
_NO_CODE: Final = "DYNAMIC_QR_NOT_FOUND"
_PAID_CODE: Final = "DYNAMIC_QR_ALREADY_PAID"
_NOT_REVERSIBLE: Final = frozenset({"ORDER_NOT_REVERSIBLE", "ORDER_NO_LONGER_AVAILABLE"})
_THROTTLED: Final = "THROTTLED_MULTIPLE_REFUND_REJECTED"
_NO_REFUND: Final = "NO_SUCH_REFUND_ORDER"


class PayPay:
    """Reads as little as it can into an answer: what is not clear is `Unknown`."""

    def __init__(
        self,
        http: Http,
        clock: Clock,
        chance: Chance,
        *,
        base_url: str,
        credentials: paypay.Credentials,
        limits: on.PayPayLimits,
        meters: Meters,
    ) -> None:
        self._line = Line(
            http,
            clock,
            chance,
            base_url=base_url,
            credentials=credentials,
            limits=limits,
            meters=meters,
        )

    def share_among(self, processes: int) -> None:
        """So many processes ask under the merchant's one rate."""
        self._line.share_among(processes)

    async def key_is_accepted(self) -> Mapping[str, JsonValue]:
        """For the health. Raises `Degraded` while the provider refuses key, clock or contract."""
        return await self._line.key.check()

    async def clock_agrees(self) -> Mapping[str, JsonValue]:
        """A health check of our clock: PayPay refuses what is signed two minutes off."""
        return await self._line.skew.check()

    async def create_code(self, request: CodeRequest) -> Code:
        try:
            answer = await self._line.send(on.CREATE, "POST", paypay.CODES_PATH, code_body(request))
            code = read(content_of(answer), paypay.Code)
        except Refused as refused:
            if refused.code == _DUPLICATE:
                raise CodeExists from refused
            raise
        asked = (request.merchant_payment_id, request.amount_yen)
        if (code.merchant_payment_id, code.amount.amount) != asked:
            raise unreadable("the code is of another payment")
        return Code(code.code_id, code.url, code.deeplink, code.expiry_date * 1000)

    async def delete_code(self, code_id: str) -> Word:
        try:
            content_of(await self._line.send(on.DELETE, "DELETE", _at(paypay.CODES_PATH, code_id)))
        except Refused as refused:
            if refused.code == _NO_CODE:
                return Word.CODE_UNKNOWN
            return Word.ALREADY_PAID if refused.code == _PAID_CODE else Word.CODE_REFUSED
        return Word.CODE_DELETED

    async def get_payment(self, merchant_payment_id: str, *, urgent: bool = False) -> Sighting:
        return await self._look(
            on.GET, paypay.CODE_PAYMENTS_PATH, merchant_payment_id, urgent=urgent
        )

    async def get_direct_payment(self, merchant_payment_id: str) -> Sighting:
        return await self._look(on.GET_DIRECT, paypay.PAYMENTS_PATH, merchant_payment_id)

    async def _look(
        self, operation: on.Operation, path: str, payment: str, *, urgent: bool = False
    ) -> Sighting:
        try:
            answer = await self._line.send(operation, "GET", _at(path, payment), urgent=urgent)
            return sighting_of(content_of(answer), payment)
        except Refused as refused:
            if refused.code in _NO_PAYMENT:
                return Sighting(Word.NOT_FOUND)
            raise _unexpected("a look-up", refused) from refused

    async def cancel_payment(self, merchant_payment_id: str, *, leaves_by_ms: int) -> Word:
        path = _at(paypay.PAYMENTS_PATH, merchant_payment_id)
        try:
            answer = await self._line.send(on.CANCEL, "DELETE", path, leaves_by_ms=leaves_by_ms)
            content_of(answer)
        except Refused as refused:
            if refused.code in _NO_PAYMENT:
                return Word.CANCEL_REFUSED
            if refused.code in _NOT_REVERSIBLE:
                return Word.CANCEL_TOO_LATE
            # It does not say that there is nothing to cancel.
            raise _unexpected("a cancel", refused) from refused
        return Word.CANCEL_ACCEPTED

    async def capture(self, request: CaptureRequest) -> Sighting:
        body = capture_body(request)
        try:
            answer = await self._line.send(on.CAPTURE, "POST", paypay.CAPTURE_PATH, body)
            taken = sighting_of(content_of(answer), request.merchant_payment_id)
        except Refused as refused:
            _doubt_absence("the capture", refused)
            raise
        if taken.word != Word.COMPLETED:
            raise Unknown("UNEXPECTED_ANSWER", f"the capture left it {taken.word}")
        return taken

    async def revert(self, request: RevertRequest) -> None:
        try:
            answer = await self._line.send(
                on.REVERT, "POST", paypay.REVERT_PATH, revert_body(request)
            )
            reply = read(content_of(answer), paypay.RevertReply)
        except Refused as refused:
            _doubt_absence("the revert", refused)
            raise
        if reply.status != paypay.ProviderStatus.CANCELED:
            raise Unknown("UNEXPECTED_ANSWER", "the revert left it authorised")

    async def refund(self, request: RefundRequest) -> bool:
        try:
            answer = await self._line.send(
                on.REFUND, "POST", paypay.REFUNDS_PATH, refund_body(request)
            )
            reply = read(content_of(answer), paypay.RefundReply)
        except Refused as refused:
            if refused.code == _THROTTLED:
                raise Refused(THROTTLED, refused.message) from refused
            _doubt_absence("the refund", refused)
            raise
        return _is_back(reply, request.refund_id)

    async def get_refund(self, refund_id: str, payment_id: str) -> bool | None:
        query = f"?paymentId={quote(payment_id, safe='')}"
        path = _at(paypay.REFUNDS_PATH, refund_id)
        try:
            answer = await self._line.send(on.GET_REFUND, "GET", path, query=query)
            reply = read(content_of(answer), paypay.RefundReply)
        except Refused as refused:
            if refused.code in _NO_PAYMENT or refused.code == _NO_REFUND:
                return None
            raise _unexpected("a look-up", refused) from refused
        return _is_back(reply, refund_id)


def _at(path: str, name: str) -> str:
    return f"{path}/{quote(name, safe='')}"


def _is_back(reply: paypay.RefundReply, refund_id: str) -> bool:
    if reply.merchant_refund_id != refund_id:
        raise unreadable("the refund is another one")
    return reply.status == paypay.RefundState.REFUNDED


def _doubt_absence(subject: str, refused: Refused) -> None:
    """We hold a proof of this payment, so "unknown" can only be a lag of theirs."""
    if refused.code in _NO_PAYMENT or refused.code == _NO_REFUND:
        raise _unexpected(subject, refused) from refused


def _unexpected(subject: str, refused: Refused) -> Unknown:
    return Unknown("UNEXPECTED_ANSWER", f"{subject} was refused: {refused.code}")
