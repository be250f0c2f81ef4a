"""PayPay's answers, read leniently and believed only as far as they go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, TypeVar

from pydantic import ValidationError

from kessai.contracts import paypay
from kessai.contracts.wire import Wire
from kessai.kernel.errors import Refused, Unknown
from kessai.kernel.http import Answer
from kessai.kernel.telemetry import get_log
from kessai.payment.application.ports import Sighting
from kessai.payment.domain.evidence import Word, provider_word

_MAX_CODE: Final = 60
_MAX_MESSAGE: Final = 200
_DONE: Final = frozenset({"SUCCESS", "REQUEST_ACCEPTED"})
# 401, but about the customer and not about our key.
INACTIVE_USER: Final = "USER_STATE_IS_NOT_ACTIVE"
_CAPTURED: Final = (Word.COMPLETED, Word.REFUNDED)
_COMPLETED: Final = "COMPLETED"
_USER_REQUESTED: Final = "USER_REQUESTED"

M = TypeVar("M", bound=Wire)
_log = get_log("kessai.paypay")


def content_of(answer: Answer) -> object:
    """The `data` of a success. Raises `Refused` with PayPay's code, or `Unknown`.

    A success of another name is `Unknown` under that name: 202 USER_CONFIRMATION_REQUIRED.
    """
    try:
        reply = json.loads(answer.body)
        code = reply["resultInfo"]["code"]
        message = str(reply["resultInfo"].get("message") or "")[:_MAX_MESSAGE]
        content = reply.get("data")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise unreadable(f"status {answer.status}") from error
    if not (isinstance(code, str) and code and code.isprintable()):
        raise unreadable(f"status {answer.status} without a code")
    code = code[:_MAX_CODE]
    if 200 <= answer.status < 300:
        if code in _DONE:
            return content
        raise Unknown(code, message)
    if answer.status == 401 and code != INACTIVE_USER:
        _log.error("paypay.unauthorized", code=code, message=message)
        raise Unknown("UNAUTHORIZED", "the provider does not accept our key, clock or contract")
    if 400 <= answer.status < 500:
        raise Refused(code, message)
    raise unreadable(f"status {answer.status}")


def read(content: object, model: type[M]) -> M:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise unreadable(f"{model.__name__}: {error.error_count()} wrong fields") from error


def sighting_of(content: object, merchant_payment_id: str) -> Sighting:
    """A success that does not say which payment and how much is no success yet."""
    if not isinstance(content, Mapping) or "status" not in content:
        raise unreadable("details without a status")
    word = provider_word(content["status"])
    details = read({**content, "status": word}, paypay.PaymentDetails)
    if details.merchant_payment_id not in (None, merchant_payment_id):
        raise unreadable("the details are of another payment")
    if word in _CAPTURED and (details.payment_id is None or details.amount is None):
        raise unreadable("a success without payment id or amount")
    captures = details.captures.data if details.captures else ()
    return Sighting(
        word=word,
        payment_id=details.payment_id,
        amount_yen=_amount_yen(details, word, captures),
        currency=details.amount.currency[:10] if details.amount else None,
        accepted_at_ms=_ms(details.accepted_at),
        canceled_at_ms=_ms(details.canceled_at),
        expires_at_ms=_ms(details.expires_at),
        capture_waits=word not in _CAPTURED
        and any(one.status == _USER_REQUESTED for one in captures),
    )


def _amount_yen(
    details: paypay.PaymentDetails, word: str, captures: tuple[paypay.Capture, ...]
) -> int | None:
    """Less may be captured than was authorised: then only that is ours."""
    taken = [one.amount.amount for one in captures if one.status == _COMPLETED]
    if word in _CAPTURED and taken:
        return sum(taken)
    return details.amount.amount if details.amount else None


def _ms(epoch_s: int | None) -> int | None:
    """PayPay writes 0 where there is no time."""
    return epoch_s * 1000 if epoch_s else None


def unreadable(message: str) -> Unknown:
    return Unknown("UNREADABLE_ANSWER", message)
