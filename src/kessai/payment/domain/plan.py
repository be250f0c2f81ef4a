"""What a request for a payable code means, given the attempts that the order already has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from kessai.contracts.moves import AttemptStatus
from kessai.contracts.payment import CreatePayment
from kessai.kernel.errors import Kind, Refused
from kessai.payment.domain.attempt import (
    CAPTURED_PHASES,
    PaymentAttempt,
    Rules,
    merchant_payment_id,
)

UNAVAILABLE = "PAYMENT_UNAVAILABLE"


class Do(Enum):
    """ANSWER with the attempt, BEGIN it, ask AGAIN for its code, or WAIT for its end."""

    ANSWER = auto()
    BEGIN = auto()
    AGAIN = auto()
    WAIT = auto()


@dataclass(frozen=True, slots=True)
class Plan:
    do: Do
    attempt: PaymentAttempt


def plan_creation(
    command: CreatePayment, attempts: Sequence[PaymentAttempt], now_ms: int, rules: Rules
) -> Plan:
    """At most one live code per order. Raises `Refused` PAYMENT_UNAVAILABLE, ILLEGAL_STATE."""
    mine = [one for one in attempts if one.request_id == command.request_id]
    if mine:
        return _go_on(command, mine[-1], attempts, now_ms, rules)
    for one in attempts:
        if one.is_live:
            raise Refused("ILLEGAL_STATE", "another attempt is live", facts={"attempt": one.id})
        if one.status is AttemptStatus.SUCCEEDED:
            return Plan(Do.ANSWER, one)
        if one.status in CAPTURED_PHASES:
            raise Refused("ILLEGAL_STATE", "the payment was refunded", facts={"attempt": one.id})
    return Plan(Do.BEGIN, _begin(command, attempts, now_ms, rules))


def unavailable(message: str) -> Refused:
    return Refused(UNAVAILABLE, message, kind=Kind.UNAVAILABLE)


def _go_on(
    command: CreatePayment,
    mine: PaymentAttempt,
    attempts: Sequence[PaymentAttempt],
    now_ms: int,
    rules: Rules,
) -> Plan:
    if mine.is_live and (mine.lost or mine.code_id is None):
        return Plan(Do.WAIT if mine.lost else Do.AGAIN, mine)
    replaceable = mine.lost and mine.status not in CAPTURED_PHASES
    if replaceable and mine is attempts[-1]:
        return Plan(Do.BEGIN, _begin(command, attempts, now_ms, rules))
    if mine.error_code == UNAVAILABLE:
        raise unavailable(mine.error_message or "")
    return Plan(Do.ANSWER, mine)


def _begin(
    command: CreatePayment, attempts: Sequence[PaymentAttempt], now_ms: int, rules: Rules
) -> PaymentAttempt:
    # The first code may outlive the order's deadline, which closes it anyway; a further one that
    # would is not worth making.
    needed_ms = rules.code_lifetime_ms if attempts else 0
    if now_ms + needed_ms > command.hold_until_ms:
        raise unavailable("a code would end after the order's deadline")
    number = len(attempts) + 1
    return PaymentAttempt(
        id=merchant_payment_id(command.order_id, number),
        order_id=command.order_id,
        number=number,
        provider="PayPay",
        request_id=command.request_id,
        status=AttemptStatus.CREATING,
        amount_yen=command.amount,
        requested_at_ms=now_ms,
        hold_until_ms=command.hold_until_ms,
    )
