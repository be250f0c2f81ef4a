"""What can be done to an authorisation: capture, reauthorise, revert, and the customer's answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from kessai.contracts.paypay import CaptureAsked, ProviderStatus, ReauthorizeAsked, RevertAsked
from kessai.kernel.errors import IllegalMove
from kessai.sim.paypay.domain import results
from kessai.sim.paypay.domain.behaviour import Behaviour
from kessai.sim.paypay.domain.book import Ask, Hold, Payment, Reverted, Taking
from kessai.sim.paypay.domain.moves import require_kept
from kessai.sim.paypay.domain.results import Result, TurnedDown

MAX_REAUTHORIZATIONS: Final = 10
# With less time left the customer is not asked any more.
TOO_CLOSE_MS: Final = 600_000

_NOT_CAPTURABLE: Final[dict[ProviderStatus, Result]] = {
    ProviderStatus.CREATED: results.NO_PAYMENT,
    ProviderStatus.REAUTHORIZING: results.REAUTHORIZING,
    ProviderStatus.COMPLETED: results.ALREADY_CAPTURED,
    ProviderStatus.REFUNDED: results.ALREADY_CAPTURED,
    ProviderStatus.EXPIRED: results.ORDER_EXPIRED,
}


def capture(payment: Payment, asked: CaptureAsked, *, now_ms: int, rules: Behaviour) -> Payment:
    """Takes what was authorised, or less, once; for more the customer is asked first."""
    require_kept(payment, now_ms=now_ms, rules=rules)
    status = payment.status_at(now_ms)
    if status is not ProviderStatus.AUTHORIZED:
        instant = status is not ProviderStatus.CREATED and not payment.asked.is_authorization
        wrong = results.NOT_CAPTURABLE if instant else _NOT_CAPTURABLE.get(status)
        raise TurnedDown(wrong or results.NOT_CAPTURABLE)
    if payment.cancel_asked_at_ms is not None:
        raise TurnedDown(results.NOT_CAPTURABLE)
    if payment.open_ask(now_ms) is not None:
        raise TurnedDown(results.REAUTHORIZING)
    if rules.user_state == "canceled":
        raise TurnedDown(results.CANCELED_USER)
    if rules.user_state == "inactive":
        raise TurnedDown(results.CAPTURE_UNACCEPTABLE)
    amount_yen = asked.amount.amount
    ask = None
    if amount_yen > payment.held_yen(now_ms):
        if rules.capture_above == "refuse":
            raise TurnedDown(results.ABOVE_LIMIT)
        ask = Ask(_asked_until(payment, now_ms, rules))
    taking = Taking(
        asked.merchant_capture_id,
        amount_yen,
        asked_at_ms=now_ms,
        taken_at_ms=None if ask else now_ms,
        requested_at_s=asked.requested_at,
        description=asked.order_description,
        ask=ask,
    )
    return replace(
        payment,
        takings=(*_taken_or_asked(payment, now_ms), taking),
        paid_at_ms=taking.taken_at_ms,
    )


def _taken_or_asked(payment: Payment, now_ms: int) -> tuple[Taking, ...]:
    """Without those that the customer refused, or let pass: nothing shows them any more."""
    return tuple(
        taking
        for taking in payment.takings
        if taking.ask is None or taking.ask.agreed_at_ms is not None or taking.ask.is_open(now_ms)
    )


def _asked_until(payment: Payment, now_ms: int, rules: Behaviour) -> int:
    end_ms = payment.authorized_until_ms or 0
    if end_ms - now_ms < TOO_CLOSE_MS:
        raise TurnedDown(results.TOO_CLOSE)
    return min(now_ms + rules.confirmation_ms, end_ms)


def reauthorize(
    payment: Payment, asked: ReauthorizeAsked, *, now_ms: int, rules: Behaviour
) -> Payment:
    """Another amount in reserve: less at once, more when the customer agrees."""
    require_kept(payment, now_ms=now_ms, rules=rules)
    status = payment.status_at(now_ms)
    if status is ProviderStatus.CREATED:
        raise TurnedDown(results.NO_PAYMENT)
    if (
        status is not ProviderStatus.AUTHORIZED
        or payment.cancel_asked_at_ms is not None
        or payment.open_ask(now_ms) is not None
        or any(hold.request_id == asked.request_id for hold in payment.holds)
    ):
        raise TurnedDown(results.REAUTHORIZE_REJECTED)
    amount_yen, held_yen = asked.updated_amount.amount, payment.held_yen(now_ms)
    if amount_yen == held_yen:
        raise TurnedDown(results.AMOUNT_UNCHANGED)
    if len(payment.holds) > MAX_REAUTHORIZATIONS:
        raise TurnedDown(results.TOO_MANY_REAUTHS)
    if rules.user_state != "active":
        raise TurnedDown(results.REAUTHORIZE_FAILED)
    ask = None
    if amount_yen > held_yen:
        if None in (asked.redirect_url, asked.redirect_type, asked.user_agent):
            raise TurnedDown(results.MISSING_PARAMS)
        ask = Ask(_asked_until(payment, now_ms, rules))
    hold = Hold(
        amount_yen,
        asked_at_ms=now_ms,
        since_ms=None if ask else now_ms,
        request_id=asked.request_id,
        requested_at_s=asked.requested_at,
        ask=ask,
    )
    return replace(payment, holds=(*payment.holds, hold))


def revert(payment: Payment, asked: RevertAsked, *, now_ms: int, rules: Behaviour) -> Payment:
    """Gives the reserve back at once."""
    require_kept(payment, now_ms=now_ms, rules=rules)
    status = payment.status_at(now_ms)
    if status is not ProviderStatus.AUTHORIZED or payment.cancel_asked_at_ms is not None:
        raise TurnedDown(results.NOT_CANCELABLE)
    done = Reverted(asked.merchant_revert_id, now_ms, asked.requested_at, asked.reason)
    return replace(payment, reverted=done)


def shorten(payment: Payment, *, until_ms: int, now_ms: int) -> Payment:
    """The reserve ends sooner than was said, as it may with a credit card. Raises `IllegalMove`."""
    status = payment.status_at(now_ms)
    if status is not ProviderStatus.AUTHORIZED or payment.reversed_at_ms is not None:
        raise IllegalMove(f"the payment is {status}")
    if payment.authorized_until_ms is not None and until_ms >= payment.authorized_until_ms:
        raise IllegalMove("the authorisation does not last that long")
    return replace(payment, authorized_until_ms=until_ms)


def answer(payment: Payment, *, agrees: bool, now_ms: int, rules: Behaviour) -> Payment:
    """The customer's word on a higher amount. Raises `IllegalMove` when nobody asks."""
    wish = payment.open_ask(now_ms)
    if wish is None or payment.status_at(now_ms) is not ProviderStatus.AUTHORIZED:
        raise IllegalMove("the customer is not asked for anything")
    assert wish.ask is not None
    if not agrees:
        return _with_last(payment, replace(wish, ask=replace(wish.ask, refused_at_ms=now_ms)))
    agreed = replace(wish.ask, agreed_at_ms=now_ms)
    if isinstance(wish, Hold):
        return _with_last(payment, replace(wish, ask=agreed, since_ms=now_ms))
    taken_ms = now_ms + rules.reauthorize_delay_ms
    taken = replace(wish, ask=agreed, taken_at_ms=taken_ms)
    return replace(_with_last(payment, taken), paid_at_ms=taken_ms)


def _with_last(payment: Payment, wish: Hold | Taking) -> Payment:
    if isinstance(wish, Hold):
        return replace(payment, holds=(*payment.holds[:-1], wish))
    return replace(payment, takings=(*payment.takings[:-1], wish))
