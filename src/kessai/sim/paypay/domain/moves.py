"""What can be done to a payment, whichever way it is paid: each gives the payment as it is then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from kessai.contracts.paypay import CreateCode, ProviderStatus, RefundAsked
from kessai.kernel.errors import IllegalMove
from kessai.sim.paypay.domain import results
from kessai.sim.paypay.domain.behaviour import Behaviour
from kessai.sim.paypay.domain.book import Hold, Payer, Payment, Refund
from kessai.sim.paypay.domain.knobs import DAY_MS
from kessai.sim.paypay.domain.results import TurnedDown

_JST: Final = timezone(timedelta(hours=9))
# A payment can be cancelled until 00:14:59 of the next day in Japan.
_CANCEL_UNTIL: Final = timedelta(days=1, minutes=15)


def create(
    asked: CreateCode, code_id: str, *, now_ms: int, lifetime_s: int, rules: Behaviour
) -> Payment:
    """A code does not outlive the authorisation that it is for."""
    now_s = now_ms // 1000
    expires_at_s = now_s + lifetime_s
    if asked.is_authorization:
        if not rules.pre_auth:
            raise TurnedDown(results.PRE_AUTH_UNSUPPORTED)
        until_s = asked.authorization_expiry
        if until_s is not None:
            if not now_s < until_s <= now_s + rules.authorization_max_days * DAY_MS // 1000:
                raise TurnedDown(results.PRE_AUTH_EXPIRY)
            expires_at_s = min(expires_at_s, until_s)
    return Payment(asked, code_id, now_ms, expires_at_s)


def pay(payment: Payment, payment_id: str, *, by: Payer, now_ms: int, rules: Behaviour) -> Payment:
    """Raises `IllegalMove`. After a cancel the money comes, and soon goes back (paypay.md, 4.4)."""
    _require_payable(payment, now_ms)
    back_ms = None if payment.cancel_asked_at_ms is None else now_ms + rules.cancel_delay_ms
    if not payment.asked.is_authorization:
        return replace(
            payment, payment_id=payment_id, paid_at_ms=now_ms, paid_by=by, reversed_at_ms=back_ms
        )
    until_s = payment.asked.authorization_expiry
    until_ms = now_ms + rules.authorization_max_days * DAY_MS if until_s is None else until_s * 1000
    return replace(
        payment,
        payment_id=payment_id,
        paid_by=by,
        authorized_at_ms=now_ms,
        authorized_until_ms=until_ms,
        holds=(Hold(payment.amount_yen, now_ms, now_ms),),
        reversed_at_ms=None if back_ms is None else min(back_ms, until_ms),
    )


def decline(payment: Payment, payment_id: str, *, now_ms: int) -> Payment:
    _require_payable(payment, now_ms)
    return replace(payment, payment_id=payment_id, declined_at_ms=now_ms)


def expire(payment: Payment, *, now_ms: int) -> Payment:
    """The time of the code, or of the authorisation, is up now. Raises `IllegalMove`.

    Changes nothing where it is up already.
    """
    status = payment.status_at(now_ms)
    if status is ProviderStatus.AUTHORIZED and payment.reversed_at_ms is None:
        return replace(payment, authorized_until_ms=now_ms)
    if status is not ProviderStatus.CREATED:
        raise IllegalMove(f"the payment is {status}")
    return payment if payment.is_expired(now_ms) else replace(payment, expires_at_s=now_ms // 1000)


def _require_payable(payment: Payment, now_ms: int) -> None:
    if payment.is_payable(now_ms):
        return
    status = payment.status_at(now_ms)
    if status is not ProviderStatus.CREATED:
        raise IllegalMove(f"the payment is {status}")
    raise IllegalMove("the code was deleted" if payment.deleted_at_ms else "the code has expired")


def delete(payment: Payment, *, now_ms: int, rules: Behaviour) -> Payment:
    if payment.paid_by is not None and rules.paid_code == "alreadyPaid":
        raise TurnedDown(results.ALREADY_PAID)
    if not payment.is_payable(now_ms):
        raise TurnedDown(results.NO_CODE)
    return replace(payment, deleted_at_ms=now_ms)


def require_kept(payment: Payment, *, now_ms: int, rules: Behaviour) -> None:
    """PayPay forgets what is older than it has to keep."""
    kept_ms = rules.retention_days * DAY_MS
    if kept_ms and now_ms >= payment.created_at_ms + kept_ms:
        raise TurnedDown(results.NO_LONGER_THERE)


def cancel(payment: Payment, *, now_ms: int, rules: Behaviour) -> Payment:
    """Accepted, also before payment: it takes effect later. A repeat changes nothing."""
    require_kept(payment, now_ms=now_ms, rules=rules)
    if payment.cancel_asked_at_ms is not None:
        return payment
    since_ms = payment.paid_at_ms or payment.authorized_at_ms
    if not _is_cancellable(payment, now_ms) or not _is_in_time(since_ms, now_ms):
        raise TurnedDown(results.NOT_REVERSIBLE)
    back_ms = None if since_ms is None else now_ms + rules.cancel_delay_ms
    if back_ms is not None and payment.authorized_until_ms is not None:
        back_ms = min(back_ms, payment.authorized_until_ms)
    return replace(payment, cancel_asked_at_ms=now_ms, reversed_at_ms=back_ms)


def _is_cancellable(payment: Payment, now_ms: int) -> bool:
    """An authorisation only while it is one; a refund closes the way for all."""
    status = payment.status_at(now_ms)
    if status in (ProviderStatus.CREATED, ProviderStatus.AUTHORIZED, ProviderStatus.FAILED):
        return True
    return (
        status is ProviderStatus.COMPLETED
        and not payment.asked.is_authorization
        and not payment.refunds
    )


def _is_in_time(since_ms: int | None, now_ms: int) -> bool:
    if since_ms is None:
        return True
    midnight = datetime.fromtimestamp(since_ms / 1000, UTC).astimezone(_JST)
    midnight = midnight.replace(hour=0, minute=0, second=0, microsecond=0)
    return now_ms < (midnight + _CANCEL_UNTIL).timestamp() * 1000


def refund(payment: Payment, asked: RefundAsked, *, now_ms: int, rules: Behaviour) -> Payment:
    """The same refund id is the same refund, whatever else it says."""
    require_kept(payment, now_ms=now_ms, rules=rules)
    if payment.refund_of(asked.merchant_refund_id) is not None:
        return payment
    _require_refundable(payment, now_ms, rules)
    if payment.refunded_yen + asked.amount.amount > payment.captured_yen:
        raise TurnedDown(results.WRONG_REFUND_AMOUNT)
    more = Refund(
        merchant_refund_id=asked.merchant_refund_id,
        amount_yen=asked.amount.amount,
        asked_at_ms=now_ms,
        settles_at_ms=now_ms + rules.refund_delay_ms,
        requested_at_s=asked.requested_at,
        reason=asked.reason,
    )
    return replace(payment, refunds=(*payment.refunds, more))


def _require_refundable(payment: Payment, now_ms: int, rules: Behaviour) -> None:
    paid_at_ms = payment.paid_at_ms
    if paid_at_ms is None or paid_at_ms > now_ms or payment.reversed_at_ms is not None:
        raise TurnedDown(results.NOT_REFUNDABLE)
    if rules.user_state == "canceled":
        raise TurnedDown(results.CANCELED_USER)
    if rules.user_state == "inactive":
        raise TurnedDown(results.USER_NOT_ACTIVE)
    window_ms = rules.refund_window_days * DAY_MS
    if window_ms and now_ms >= paid_at_ms + window_ms:
        raise TurnedDown(results.REFUND_TOO_LATE)
    if not payment.refunds:
        return
    if not rules.multiple_refunds:
        raise TurnedDown(results.NO_SECOND_REFUND)
    if rules.max_refunds and len(payment.refunds) >= rules.max_refunds:
        raise TurnedDown(results.TOO_MANY_REFUNDS)
    if now_ms < payment.refunds[-1].asked_at_ms + rules.refund_throttle_ms:
        raise TurnedDown(results.REFUND_THROTTLED)
