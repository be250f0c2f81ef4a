"""How long what settles may take before it is wrong; each from the settings that make it so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from kessai.kernel.local_bus import BusLimits
from kessai.kernel.outbox import OutboxLimits
from kessai.kernel.settings import Settings

# Steps of sagas, a lease that must run out after a crash, a restart, a busy machine.
_MARGIN_S = 60.0
_DAY_S = 24 * 3600.0
# Between two clocks: of two services, or the provider's within what PayPay itself accepts.
CLOCKS_MS = 120_000
# The last time that an attempt which ended without money is asked about (payment-service's
# schedule): PayPay may tell of a payment as late as that.
LAST_FOLLOW_UP_S = 3600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds."""

    # Of an order, counted from its deadline: its code is closed and must be outlived if its answer
    # was lost, the provider is asked once more, and the answers of both calls may be waited for.
    order_end_s: float
    # Of money known at the provider until our books have it: the longest pause of the poller and
    # of the order-service's own fallback, and a call that has to time out in between.
    news_s: float
    # Of money for an attempt that had ended without any, counted from its end: old news.
    old_news_s: float
    # Of a refund, from the moment it is wanted: rule D's promise, and one call to send it.
    refund_s: float
    # Of a step that another service takes after ours (confirm, release, restock, hold).
    step_s: float
    # Of a code that could still be paid after its order ended: the delete, asked again.
    code_end_s: float
    # Of a code whose answer was lost: it cannot be deleted, only outlived.
    lost_code_s: float
    # Of a message between outbox, bus and consumer: a relay's and a member's lease run out first.
    message_s: float
    # Of a webhook until it is looked into.
    webhook_s: float
    # Of a dead letter until somebody redrives it.
    dead_letter_s: float
    # A sent row of the outbox stays at least so long; what is younger must be there.
    outbox_kept_s: float
    # A record of the bus likewise.
    bus_kept_s: float
    # A webhook likewise, after it was dealt with.
    webhook_kept_s: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        call_s = settings.paypay_timeout_s
        outlived_s = settings.paypay_code_lifetime_s + settings.paypay_grace_s
        finality_s = outlived_s + settings.paypay_create_timeout_s + 2 * call_s
        outbox, bus = OutboxLimits(), BusLimits()
        retry_s = settings.saga_lease_s + settings.saga_retry_max_s
        return cls(
            order_end_s=finality_s + _MARGIN_S,
            news_s=settings.poll_max_s
            + settings.fallback_after_s
            + settings.fallback_every_s
            + 2 * call_s
            + _MARGIN_S,
            old_news_s=LAST_FOLLOW_UP_S + 2 * call_s + _MARGIN_S,
            refund_s=settings.refund_limit_s + call_s + _MARGIN_S,
            step_s=retry_s + settings.call_timeout_s + _MARGIN_S,
            code_end_s=retry_s + settings.paypay_grace_s + 2 * call_s + _MARGIN_S,
            lost_code_s=outlived_s + settings.paypay_create_timeout_s + _MARGIN_S,
            message_s=outbox.lease_s + bus.member_s + bus.heartbeat_s + _MARGIN_S,
            webhook_s=settings.refund_limit_s + call_s + _MARGIN_S,
            dead_letter_s=_DAY_S,
            outbox_kept_s=outbox.keep_sent_s - _MARGIN_S,
            bus_kept_s=bus.keep_s - _MARGIN_S,
            webhook_kept_s=settings.webhook_keep_days * _DAY_S - _MARGIN_S,
        )
